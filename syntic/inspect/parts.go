package inspect

import (
	"encoding/json"
	"fmt"
	"slices"

	"syntic/clip"
	"syntic/diffusion"
	"syntic/nn"
	"syntic/syntic"
	"syntic/syntic/detr"
	"syntic/tensor"
)

// loaded is a model's parameters and how to give them back.
type loaded struct {
	module  any
	release func()
}

// loader loads a part on the CPU, where weights are mapped, and tells its sizes in words.
type loader func(path string) (loaded, string, error)

func loadCLIP(dir string) (loaded, string, error) {
	m, err := clip.Load(dir, tensor.CPU())
	if err != nil {
		return loaded{}, "", err
	}
	t, i := m.Config.Text, m.Config.Image
	return loaded{m, m.Close}, fmt.Sprintf("images %d×%d in patches of %d, width %d, %d layers, %d heads; texts of %d tokens of %d, width %d, %d layers, %d heads; space of %d, %s",
		i.ImageSize, i.ImageSize, i.PatchSize, i.Width, i.Layers, i.Heads, t.MaxPositions, t.VocabSize, t.Width, t.Layers, t.Heads, m.Config.Projection, t.Act), nil
}

func loadText(dir string) (loaded, string, error) {
	m, err := clip.LoadText(dir, tensor.CPU())
	return text(m, err)
}

func text(m *clip.TextModel, err error) (loaded, string, error) {
	if err != nil {
		return loaded{}, "", err
	}
	c := m.Config
	return loaded{m, m.Close}, fmt.Sprintf("texts of %d tokens of %d, width %d, %d layers, %d heads, %s", c.MaxPositions, c.VocabSize, c.Width, c.Layers, c.Heads, c.Act), nil
}

func loadUNet(path string) (loaded, string, error) {
	m, err := diffusion.LoadUNet(tensor.CPU(), path)
	if err != nil {
		return loaded{}, "", err
	}
	c := m.Config
	return loaded{m, m.Close}, fmt.Sprintf("channels %v, %d in, %d out, context of %d", c.BlockOutChannels, c.InChannels, c.OutChannels, c.CrossAttentionDim), nil
}

func loadVAE(path string) (loaded, string, error) {
	m, err := diffusion.LoadVAE(tensor.CPU(), path)
	if err != nil {
		return loaded{}, "", err
	}
	c := m.Config
	return loaded{m, m.Close}, fmt.Sprintf("channels %v, latents of %d, 1/%d of the size", c.BlockOutChannels, c.LatentChannels, m.Factor()), nil
}

func loadDETR(dir string) (loaded, string, error) {
	m, err := detr.Load(dir, tensor.CPU())
	if err != nil {
		return loaded{}, "", err
	}
	c := m.Config
	return loaded{m, m.Close}, fmt.Sprintf("width %d, %d + %d layers, %d queries, %d labels", c.Width, c.EncoderLayers, c.DecoderLayers, c.Queries, len(c.Labels)), nil
}

func loadGPT2(dir string) (loaded, string, error) {
	return decoder(syntic.LoadGPT2(tensor.CPU(), dir))
}

func loadDecoder(dir string) (loaded, string, error) {
	return decoder(syntic.LoadDecoder(tensor.CPU(), dir))
}

func decoder(m *syntic.Decoder, err error) (loaded, string, error) {
	if err != nil {
		return loaded{}, "", err
	}
	return loaded{m, m.Release}, fmt.Sprintf("width %d, %d layers, %d heads, %d positions, %d tokens", m.Shape.Width, m.Shape.Layers, m.Shape.Heads, m.Shape.Positions, m.Vocab.Size()), nil
}

// ldmParts are what a single file of Stable Diffusion 1.x holds.
var ldmParts = []struct {
	name, architecture, prefix string
	load                       loader
}{
	{"text_encoder", "CLIP text encoder", "cond_stage_model.", func(path string) (loaded, string, error) {
		f, err := diffusion.LDMText(path)
		if err != nil {
			return loaded{}, "", err
		}
		c := clip.DefaultConfig().Text // the text tower of ViT-L/14
		c.Width, c.MLP, c.Heads = 768, 3072, 12
		return text(clip.OpenText(f, c, tensor.CPU()))
	}},
	{"unet", "Stable Diffusion UNet", "model.diffusion_model.", loadUNet},
	{"vae", "Stable Diffusion autoencoder", "first_stage_model.", loadVAE},
}

// byConfig chooses the loader by config.json of Hugging Face's libraries.
func byConfig(path string) (loader, string, error) {
	c, err := nn.ReadJSON(path, func(b []byte) (c struct {
		Type          string   `json:"model_type"`
		Class         string   `json:"_class_name"`
		Architectures []string `json:"architectures"`
	}, err error) {
		return c, json.Unmarshal(b, &c)
	})
	if err != nil {
		return nil, "", err
	}
	kind := func(types ...string) bool {
		return slices.Contains(types, c.Type) || slices.Contains(types, c.Class) || slices.ContainsFunc(c.Architectures, func(a string) bool { return slices.Contains(types, a) })
	}
	switch {
	case kind("UNet2DConditionModel"):
		return loadUNet, "Stable Diffusion UNet", nil
	case kind("AutoencoderKL"):
		return loadVAE, "Stable Diffusion autoencoder", nil
	case kind("clip_text_model", "CLIPTextModel", "CLIPTextModelWithProjection"):
		return loadText, "CLIP text encoder", nil
	case kind("clip", "CLIPModel"):
		return loadCLIP, "CLIP", nil
	case kind("detr", "DetrForObjectDetection"):
		return loadDETR, "DETR", nil
	case kind("gpt2", "GPT2LMHeadModel", "GPT2Model"):
		return loadGPT2, "GPT-2", nil
	}
	return nil, "", fmt.Errorf("%s: model_type %q, _class_name %q: want clip, clip_text_model, detr, gpt2, UNet2DConditionModel or AutoencoderKL", path, c.Type, c.Class)
}
