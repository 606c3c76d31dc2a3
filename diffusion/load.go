package diffusion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// weightsStem names checkpoints in the folders of a UNet or an autoencoder.
const weightsStem = "diffusion_pytorch_model"

// LoadUNet reads config.json and diffusion_pytorch_model.safetensors of a folder, its shards or its variant fp16; or, if path is a file, the UNet
// of a single-file checkpoint of Stable Diffusion 1.x. On the CPU float32 weights are used in place where they can be, in the mapped
// file, until Close: it must not be overwritten, only replaced. The error names the file and what is missing, unexpected or misshapen.
func LoadUNet(dev *tensor.Device, path string) (*UNet, error) {
	if IsLDM(path) {
		c, _, _ := StableDiffusion1()
		return loadLDMUNet(dev, path, c)
	}
	c, err := nn.ReadJSON(filepath.Join(path, "config.json"), ParseUNetConfig)
	if err != nil {
		return nil, err
	}
	return newUNetOf(dev, path, c, func() (*safetensors.File, error) { return safetensors.OpenFolderOrHalf(path, weightsStem) })
}

func loadLDMUNet(dev *tensor.Device, path string, c UNetConfig) (*UNet, error) {
	return newUNetOf(dev, path, c, func() (*safetensors.File, error) {
		return openLDM(path, ldmUNet, func(name string, t *safetensors.Tensor) string { return ldmUNetName(name, c.LayersPerBlock) })
	})
}

func newUNetOf(dev *tensor.Device, path string, c UNetConfig, open func() (*safetensors.File, error)) (u *UNet, err error) {
	defer tensor.Catch(&err)
	if u, err = NewUNet(dev, c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if u.weights, err = loadWeights(u, open, nil); err != nil {
		u.Close()
		return nil, err
	}
	return u, nil
}

// LoadVAE reads a folder or file as [LoadUNet] does; the checkpoint of a folder may have the names of Stable Diffusion 1.x's own files for
// the middle attention.
func LoadVAE(dev *tensor.Device, path string) (*VAE, error) {
	if IsLDM(path) {
		_, c, _ := StableDiffusion1()
		return loadLDMVAE(dev, path, c)
	}
	c, err := nn.ReadJSON(filepath.Join(path, "config.json"), ParseVAEConfig)
	if err != nil {
		return nil, err
	}
	return newVAEOf(dev, path, c, func() (*safetensors.File, error) { return safetensors.OpenFolderOrHalf(path, weightsStem) })
}

func loadLDMVAE(dev *tensor.Device, path string, c VAEConfig) (*VAE, error) {
	return newVAEOf(dev, path, c, func() (*safetensors.File, error) {
		return openLDM(path, ldmVAE, func(name string, t *safetensors.Tensor) string {
			if strings.Contains(name, ".attn_1.") {
				asLinear(t)
			}
			return ldmVAEName(name, len(c.BlockOutChannels))
		})
	})
}

func newVAEOf(dev *tensor.Device, path string, c VAEConfig, open func() (*safetensors.File, error)) (v *VAE, err error) {
	defer tensor.Catch(&err)
	if v, err = NewVAE(dev, c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if v.weights, err = loadWeights(v, open, newVAENames); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// oldVAENames pairs the old names of the middle attention's layers with the new ones.
var oldVAENames = strings.NewReplacer(".query.", ".to_q.", ".key.", ".to_k.", ".value.", ".to_v.", ".proj_attn.", ".to_out.0.")

func newVAENames(name string) string {
	if strings.Contains(name, "mid_block.attentions.") {
		return oldVAENames.Replace(name)
	}
	return name
}

// loadWeights fills a module from a file, which must stay open as long as the module lives.
func loadWeights(module any, open func() (*safetensors.File, error), rename func(string) string) (*safetensors.File, error) {
	f, err := open()
	if err != nil {
		return nil, err
	}
	if err := nn.Load(module, f, nn.LoadOptions{Rename: rename, Map: true}); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Path(), err), f.Close())
	}
	return f, nil
}

// release frees a module's parameters, then the file that they may have been parts of.
func release(module any, weights **safetensors.File) {
	nn.Release(module)
	if *weights != nil {
		_ = (*weights).Close() // unmapping what was mapped does not fail
		*weights = nil
	}
}

// LoadScheduler reads scheduler_config.json; class, where not empty, replaces the one the file names.
func LoadScheduler(path, class string) (*Scheduler, error) {
	return nn.ReadJSON(path, func(b []byte) (*Scheduler, error) { return ParseScheduler(b, class) })
}

// Pipeline is a whole text-to-image model but for its text encoder.
type Pipeline struct {
	UNet      *UNet
	VAE       *VAE
	Scheduler *Scheduler
}

// LoadPipeline reads a folder with model_index.json, as diffusers writes it: unet, vae and scheduler. Text encoder, tokenizer, safety
// checker and feature extractor are not looked at. If dir is a file it is a single-file checkpoint of Stable Diffusion 1.x, whose scheduler
// is PNDM. scheduler, where not empty, replaces the class that the folder names, as in [ParseScheduler].
func LoadPipeline(dev *tensor.Device, dir, scheduler string) (p *Pipeline, err error) {
	if IsLDM(dir) {
		return loadLDMPipeline(dev, dir, scheduler)
	}
	index, err := nn.ReadJSON(filepath.Join(dir, "model_index.json"), parseIndex)
	if err != nil {
		return nil, err
	}
	for part, want := range map[string]string{"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"} {
		if got := index[part]; got != want {
			return nil, fmt.Errorf("%s: %s is %q: want %s", filepath.Join(dir, "model_index.json"), part, got, want)
		}
	}
	p = &Pipeline{}
	defer func() {
		if err != nil {
			p.Close()
			p = nil
		}
	}()
	if p.Scheduler, err = LoadScheduler(filepath.Join(dir, "scheduler", "scheduler_config.json"), scheduler); err != nil {
		return p, err
	}
	if p.UNet, err = LoadUNet(dev, filepath.Join(dir, "unet")); err != nil {
		return p, err
	}
	if p.VAE, err = LoadVAE(dev, filepath.Join(dir, "vae")); err != nil {
		return p, err
	}
	if u, v := p.UNet.Config.InChannels, p.VAE.Config.LatentChannels; u != v {
		return p, fmt.Errorf("%s: the unet's in_channels is %d, the vae's latent_channels %d: want them equal", dir, u, v)
	}
	return p, nil
}

func loadLDMPipeline(dev *tensor.Device, path, scheduler string) (p *Pipeline, err error) {
	_, _, c := StableDiffusion1()
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	p = &Pipeline{}
	defer func() {
		if err != nil {
			p.Close()
			p = nil
		}
	}()
	if p.Scheduler, err = ParseScheduler(text, scheduler); err != nil {
		return p, err
	}
	if p.UNet, err = LoadUNet(dev, path); err != nil {
		return p, err
	}
	p.VAE, err = LoadVAE(dev, path)
	return p, err
}

// parseIndex gives the class of each part that model_index.json names.
func parseIndex(b []byte) (map[string]string, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, err
	}
	parts := map[string]string{}
	for k, v := range raw {
		var pair []*string
		if json.Unmarshal(v, &pair) == nil && len(pair) == 2 && pair[1] != nil {
			parts[k] = *pair[1]
		}
	}
	return parts, nil
}

// Images makes images [B, H, W, 3] in 0..1, in s, for texts and options as in [Sampler.Sample].
func (p *Pipeline) Images(ctx context.Context, s *tensor.Scope, cond, uncond *tensor.Tensor, o SampleOptions) (images *tensor.Tensor, err error) {
	defer tensor.Catch(&err)
	c := s.Child()
	defer c.Close()
	sampler := Sampler{UNet: p.UNet, Scheduler: p.Scheduler}
	z, err := sampler.Sample(ctx, c, cond, uncond, o)
	if err != nil {
		return nil, err
	}
	c.Device().TrimAbove(idleBytes) // what the UNet used
	c.NoGrad(func() { images = p.Decode(c, z) })
	return c.Keep(images), nil
}

// idleBytes is how much idle memory may stay from denoising to decoding: more than small models leave, far less than Stable Diffusion 1.x does.
const idleBytes = 256 << 20

// decodePixels is how many pixels are decoded together: one image of Stable Diffusion 1.x, whose activations already take much memory, or
// many small ones.
const decodePixels = 512 * 512

// Decode makes images [B, H, W, 3] in 0..1 of the UNet's latents z [B, h, w, C], as many at a time as have [decodePixels] together, but at
// least one. An image does not depend on the others.
func (p *Pipeline) Decode(s *tensor.Scope, z *tensor.Tensor) *tensor.Tensor {
	f := p.VAE.Factor()
	return p.decode(s, z, max(1, decodePixels/(z.Dim(1)*f*z.Dim(2)*f)))
}

// decode decodes group images at a time.
func (p *Pipeline) decode(s *tensor.Scope, z *tensor.Tensor, group int) *tensor.Tensor {
	n := z.Dim(0)
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		var rows []*tensor.Tensor
		for b := 0; b < n; b += group {
			rows = append(rows, s.Do(func(s *tensor.Scope) *tensor.Tensor {
				return Pixels(s, p.VAE.Decode(s, p.VAE.Unscale(s, s.Slice(z, 0, b, min(b+group, n)))))
			}))
		}
		return s.Concat(0, rows...)
	})
}

// Close frees the parameters.
func (p *Pipeline) Close() {
	if p.UNet != nil {
		p.UNet.Close()
	}
	if p.VAE != nil {
		p.VAE.Close()
	}
}
