package pretrain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"

	"syntic/clip"
	"syntic/clip/bpe"
	"syntic/clip/pixels"
	"syntic/diffusion"
	"syntic/nn"
	"syntic/syntic/detr"
	"syntic/syntic/world"
	"syntic/tensor"
	"syntic/tensor/wholefile"
)

// UNetConfig is the tiny UNet on 16×16×4 latents: three levels of 32, 64 and 128 channels, attention at the two lower ones.
func UNetConfig() diffusion.UNetConfig {
	c := diffusion.DefaultUNetConfig()
	c.SampleSize, c.BlockOutChannels, c.LayersPerBlock, c.NormNumGroups = world.Side/4, []int{32, 64, 128}, 1, 8
	c.DownBlockTypes = []string{"DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"}
	c.UpBlockTypes = []string{"CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"}
	c.CrossAttentionDim, c.AttentionHeadDim = 128, diffusion.Ints{4}
	return c
}

// promptConfig is the text encoder of the tiny Stable Diffusion, which is trained together with the UNet.
func promptConfig(tok *bpe.Tokenizer) clip.TextConfig {
	return clip.TextConfig{VocabSize: tok.Size(), Width: 128, MLP: 512, Projection: 128, Layers: 2, Heads: 4, MaxPositions: promptPositions,
		Act: "quick_gelu", NormEps: 1e-5, BOS: tok.Start(), EOS: tok.End(), PAD: tok.End()}
}

// Scheduler is the noise of Stable Diffusion with prediction of v (Salimans & Ho 2022), which trains better than epsilon here.
func Scheduler() (*diffusion.Scheduler, error) {
	return diffusion.ParseScheduler([]byte(`{"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
		"num_train_timesteps": 1000, "prediction_type": "v_prediction", "steps_offset": 1, "set_alpha_to_one": false, "clip_sample": false,
		"timestep_spacing": "trailing"}`), "")
}

type sdTraining struct {
	UNet *diffusion.UNet `name:"unet"`
	Text *clip.TextModel `name:"text"`
}

// emptyShare is one in so many captions that are left out of training, for guidance (Ho & Salimans 2022).
const emptyShare = 10

// UNet is the training of UNet and text encoder by noise prediction, v with min-SNR weights (Hang et al. 2023), on latents of the trained VAE.
// from, where not empty, is a folder of a Stable Diffusion whose UNet and text encoder it begins with.
func UNet(dev *tensor.Device, steps int, seed uint64, models, from string) (*Job, error) {
	vae, err := diffusion.LoadVAE(dev, filepath.Join(models, "vae", "model"))
	if err != nil {
		return nil, fmt.Errorf("the UNet is trained on the VAE's latents: train the VAE first: %w", err)
	}
	nn.Freeze(vae)
	tok, err := Tokenizer()
	if err != nil {
		return nil, err
	}
	t, err := newSD(dev, tok, seed, from)
	if err != nil {
		return nil, err
	}
	u, text := t.UNet, t.Text
	sched, err := Scheduler()
	if err != nil {
		return nil, err
	}
	const batch = 64
	noise := diffusion.NoiseLoss{Scheduler: sched, Gamma: 5}
	pool := &latentPool{vae: vae, batch: batch}
	return &Job{
		Name: "unet", Params: nn.Parameters(t), Batch: batch, Steps: steps, Decay: 0.998, LR: 1.5e-3, Schedule: nn.Cosine(200, 0.02),
		Optimizer: nn.AdamWOptions{Beta2: 0.99, Decay: 0.01, ClipNorm: 1, NoDecay: small, Muon: matrices},
		Loss: func(s *tensor.Scope, step int) (*tensor.Tensor, error) {
			z, captions := pool.take(s, step)
			for i := range captions {
				if (tensor.Key{Seed: seed ^ 0xe3, Item: uint64(step*batch + i)}).Intn(0, emptyShare) == 0 {
					captions[i] = ""
				}
			}
			ids, err := idRows(s, tok, captions, promptPositions)
			if err != nil {
				return nil, err
			}
			return noise.Loss(s, u, z, text.Hidden(s, ids, nil), tensor.Key{Seed: seed, Item: uint64(step * batch)})
		},
		Scores: func(ctx context.Context) (map[string]float64, error) {
			p := &diffusion.Pipeline{UNet: u, VAE: vae, Scheduler: sched}
			return generated(ctx, dev, p, text, tok, models)
		},
		Save: func(dir string) error {
			p := &diffusion.Pipeline{UNet: u, VAE: vae, Scheduler: sched}
			if err := p.Save(dir, "F16"); err != nil {
				return err
			}
			return savePrompt(filepath.Join(dir, "text_encoder"), text)
		},
	}, nil
}

// newSD makes UNet and text encoder from a seed, or of a folder's weights.
func newSD(dev *tensor.Device, tok *bpe.Tokenizer, seed uint64, from string) (t *sdTraining, err error) {
	t = &sdTraining{}
	if from != "" {
		if t.UNet, err = diffusion.LoadUNet(dev, filepath.Join(from, "unet")); err == nil {
			t.Text, err = clip.LoadText(filepath.Join(from, "text_encoder"), dev)
		}
		return t, err
	}
	if t.UNet, err = diffusion.NewUNet(dev, UNetConfig()); err == nil {
		t.Text, err = clip.NewTextModel(promptConfig(tok), dev, false)
	}
	if err == nil {
		nn.Init(t, seed)
	}
	return t, err
}

// savePrompt writes the text encoder as a CLIPTextModel folder.
func savePrompt(dir string, t *clip.TextModel) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := nn.Save(filepath.Join(dir, "model.safetensors"), t, "F16", map[string]string{"format": "pt"}); err != nil {
		return err
	}
	b, err := json.MarshalIndent(struct {
		Architectures []string `json:"architectures"`
		ModelType     string   `json:"model_type"`
		clip.TextConfig
	}{[]string{"CLIPTextModel"}, "clip_text_model", t.Config}, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.WriteBytes(filepath.Join(dir, "config.json"), append(b, '\n'))
}

// generated scores pictures made of held-out captions of a single thing: how often CLIP, where it has been trained, finds a picture's own caption
// among 32, and the mean cosine; how often the detector, where it has been trained and knows the kind, is surest of the right one. The first
// 64 pictures go to samples.png beside the model.
func generated(ctx context.Context, dev *tensor.Device, p *diffusion.Pipeline, text *clip.TextModel, tok *bpe.Tokenizer, models string) (map[string]float64, error) {
	const n, sheet, steps, guidance = 128, 64, 20, 5
	scenes, captions := singles(n)
	pix := make([]uint8, 0, n*world.PixelBytes)
	for from := 0; from < n; from += 32 {
		made, err := paint(ctx, dev, p, text, tok, captions[from:from+32], from, steps, guidance)
		if err != nil {
			return nil, err
		}
		pix = append(pix, made...)
	}
	if err := writeSheet(filepath.Join(models, "unet", "samples.png"), pix[:sheet*world.PixelBytes]); err != nil {
		return nil, err
	}
	scores := map[string]float64{}
	if m, err := clip.Load(filepath.Join(models, "clip", "model"), dev); err == nil { // absent: not trained yet
		defer m.Close()
		if scores["clip_top1_of_32"], scores["clip_cosine"], err = ownCaptions(ctx, m, tok, captions, pictures(pix)); err != nil {
			return nil, err
		}
	}
	if m, err := detr.Load(filepath.Join(models, "detr", "model"), dev); err == nil {
		defer m.Close()
		if scores["detector_top_kind"], err = topKinds(ctx, m, scenes, pictures(pix)); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

// ownCaptions is how often a picture's own caption is the nearest of its group of 32, and the mean cosine of the two.
func ownCaptions(ctx context.Context, m *clip.Model, tok *bpe.Tokenizer, captions []string, pix [][]uint8) (top, cosine float64, err error) {
	texts, err := clip.EncodeTexts(ctx, m, tok, captions, 64, nil)
	if err != nil {
		return 0, 0, err
	}
	images, err := clip.EncodeImages(ctx, m, len(pix), clip.Squares(pix, world.Side), 64, nil)
	if err != nil {
		return 0, 0, err
	}
	n, width := len(captions), m.Config.Projection
	for i := range n {
		dot := func(j int) (x float32) { // the picture with caption j
			for k := range width {
				x += images[i*width+k] * texts[j*width+k]
			}
			return x
		}
		own, better := dot(i), 0
		for j := i / 32 * 32; j < min(i/32*32+32, n); j++ {
			if dot(j) > own {
				better++
			}
		}
		if better == 0 {
			top += 1 / float64(n)
		}
		cosine += float64(own) / float64(n)
	}
	return top, cosine, nil
}

// topKinds is how often the detector's surest object is of the scene's kind, among the scenes of one thing whose kind it knows. A picture in
// which it finds nothing counts as wrong.
func topKinds(ctx context.Context, m *detr.Model, scenes []world.Scene, pix [][]uint8) (float64, error) {
	var images []*pixels.Image
	var want []int
	for i, sc := range scenes {
		if class, ok := world.DetectorClass(sc.Things[0].Kind); ok {
			images = append(images, &pixels.Image{Width: world.Side, Height: world.Side, Channels: 3, Pix: pix[i]})
			want = append(want, class)
		}
	}
	found, err := detr.Detect(ctx, m, images, 0)
	if err != nil {
		return 0, err
	}
	right := 0.0
	for i, objects := range found {
		top := detr.Detection{Label: -1}
		for _, o := range objects {
			if o.Score > top.Score {
				top = o
			}
		}
		if top.Label == want[i] {
			right++
		}
	}
	return right / float64(max(1, len(want))), nil
}

// singles are held-out scenes of one thing, with captions that all differ.
func singles(n int) (scenes []world.Scene, captions []string) {
	seen := map[string]bool{}
	for i := 0; len(captions) < n; i++ {
		sc := world.Sample(world.Photo, world.Val, sceneSeed, i)
		if c := sc.Caption(0); len(sc.Things) == 1 && !seen[c] {
			seen[c] = true
			scenes, captions = append(scenes, sc), append(captions, c)
		}
	}
	return scenes, captions
}

// paint makes pictures of captions as bytes; picture i draws from item first + i.
func paint(ctx context.Context, dev *tensor.Device, p *diffusion.Pipeline, text *clip.TextModel, tok *bpe.Tokenizer, captions []string, first, steps int, guidance float32) ([]uint8, error) {
	s := tensor.NewScope(dev)
	defer s.Close()
	ids, err := idRows(s, tok, append([]string{""}, captions...), promptPositions)
	if err != nil {
		return nil, err
	}
	hidden := text.Hidden(s, ids, nil)
	keys := make([]tensor.Key, len(captions))
	for i := range keys {
		keys[i] = tensor.Key{Seed: sceneSeed, Item: uint64(first + i)}
	}
	im, err := p.Images(ctx, s, s.Slice(hidden, 0, 1, len(captions)+1), s.Slice(hidden, 0, 0, 1), diffusion.SampleOptions{Steps: steps, Guidance: guidance, Keys: keys})
	if err != nil {
		return nil, err
	}
	pix := make([]uint8, im.Len())
	for i, x := range im.Float32s() {
		pix[i] = uint8(x*255 + 0.5)
	}
	return pix, nil
}

// writeSheet writes pictures as one PNG, eight in a row, four times their size.
func writeSheet(path string, pix []uint8) error {
	sheet, err := world.Sheet(pix, 8, 4)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, sheet), f.Close())
}
