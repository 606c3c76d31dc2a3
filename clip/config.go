package clip

import (
	"bytes"
	"encoding/json"
	"fmt"

	"syntic/tensor"
)

// TextConfig is text_config of a CLIPConfig, or config.json of a CLIPTextModel; absent keys have the library's defaults.
type TextConfig struct {
	VocabSize    int     `json:"vocab_size"`
	Width        int     `json:"hidden_size"`
	MLP          int     `json:"intermediate_size"`
	Projection   int     `json:"projection_dim"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	MaxPositions int     `json:"max_position_embeddings"`
	Act          string  `json:"hidden_act"`
	NormEps      float32 `json:"layer_norm_eps"`
	BOS          int32   `json:"bos_token_id"`
	EOS          int32   `json:"eos_token_id"` // 2, the hub's legacy value, means: the largest id of a text is its end
	PAD          int32   `json:"pad_token_id"`
}

// ImageConfig is vision_config of a CLIPConfig; absent keys have the library's defaults.
type ImageConfig struct {
	Width      int     `json:"hidden_size"`
	MLP        int     `json:"intermediate_size"`
	Projection int     `json:"projection_dim"`
	Layers     int     `json:"num_hidden_layers"`
	Heads      int     `json:"num_attention_heads"`
	Channels   int     `json:"num_channels"`
	ImageSize  int     `json:"image_size"`
	PatchSize  int     `json:"patch_size"`
	Act        string  `json:"hidden_act"`
	NormEps    float32 `json:"layer_norm_eps"`
}

// Config is config.json of a CLIPModel.
type Config struct {
	Text       TextConfig  `json:"text_config"`
	Image      ImageConfig `json:"vision_config"`
	Projection int         `json:"projection_dim"`         // width of the shared space
	ScaleInit  float32     `json:"logit_scale_init_value"` // logarithm of the scale at the start of training
}

// legacyEOS is the eos_token_id of the hub's old files, which is not the id of the end.
const legacyEOS = 2

// DefaultConfig is what absent keys mean: ViT-B/32 (Radford et al. 2021, table 20).
func DefaultConfig() Config {
	return Config{
		Text: TextConfig{VocabSize: 49408, Width: 512, MLP: 2048, Projection: 512, Layers: 12, Heads: 8, MaxPositions: 77,
			Act: "quick_gelu", NormEps: 1e-5, BOS: 49406, EOS: 49407, PAD: 1},
		Image: ImageConfig{Width: 768, MLP: 3072, Projection: 512, Layers: 12, Heads: 12, Channels: 3, ImageSize: 224, PatchSize: 32,
			Act: "quick_gelu", NormEps: 1e-5},
		Projection: 512, ScaleInit: 2.6592,
	}
}

// ParseConfig reads config.json of a CLIPModel over the defaults and checks it; the error names the key. The keys text_config_dict and
// vision_config_dict of old files win over text_config and vision_config, as in the library.
func ParseConfig(data []byte) (Config, error) {
	c := DefaultConfig()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return c, err
	}
	if _, ok := raw["text_config"]; !ok && raw["text_config_dict"] == nil {
		return c, fmt.Errorf("text_config is missing: want config.json of a CLIPModel")
	}
	for _, part := range []struct {
		key string
		dst any
	}{{"", &c}, {"text_config_dict", &c.Text}, {"vision_config_dict", &c.Image}} {
		b := data
		if part.key != "" {
			if b = raw[part.key]; b == nil || bytes.Equal(b, []byte("null")) {
				continue
			}
		}
		if err := json.Unmarshal(b, part.dst); err != nil {
			return c, err
		}
	}
	c.Text.Projection, c.Image.Projection = c.Projection, c.Projection // the towers' own keys are not what the library looks at
	return c, c.Validate()
}

// ParseTextConfig reads config.json of a CLIPTextModel (Stable Diffusion's text_encoder), or the text part of a CLIPModel's.
func ParseTextConfig(data []byte) (TextConfig, error) {
	var nested struct {
		Text json.RawMessage `json:"text_config"`
	}
	if err := json.Unmarshal(data, &nested); err != nil {
		return TextConfig{}, err
	}
	if nested.Text != nil {
		c, err := ParseConfig(data)
		return c.Text, err
	}
	c := DefaultConfig().Text
	if err := json.Unmarshal(data, &c); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// Validate tells what cannot be; the error names the key.
func (c Config) Validate() error {
	if c.Projection < 1 {
		return fmt.Errorf("projection_dim %d: want at least 1", c.Projection)
	}
	if c.Text.Projection != c.Projection || c.Image.Projection != c.Projection {
		return fmt.Errorf("projection_dim %d, in text_config %d, in vision_config %d: want them equal", c.Projection, c.Text.Projection, c.Image.Projection)
	}
	if err := c.Text.Validate(); err != nil {
		return fmt.Errorf("text_config: %w", err)
	}
	if err := c.Image.Validate(); err != nil {
		return fmt.Errorf("vision_config: %w", err)
	}
	return nil
}

// Validate tells what cannot be; the error names the key.
func (c TextConfig) Validate() error {
	if c.VocabSize < 1 || c.MaxPositions < 2 {
		return fmt.Errorf("vocab_size %d, max_position_embeddings %d: want at least 1 and 2", c.VocabSize, c.MaxPositions)
	}
	if c.EOS != legacyEOS && (c.EOS < 0 || int(c.EOS) >= c.VocabSize) {
		return fmt.Errorf("eos_token_id %d: want one of %d ids", c.EOS, c.VocabSize)
	}
	return checkTower(c.Width, c.MLP, c.Layers, c.Heads, c.Projection, c.Act, c.NormEps)
}

// Validate tells what cannot be; the error names the key.
func (c ImageConfig) Validate() error {
	if c.Channels != 3 {
		return fmt.Errorf("num_channels %d: want 3", c.Channels)
	}
	if c.PatchSize < 1 || c.ImageSize < c.PatchSize || c.ImageSize > maxSize {
		return fmt.Errorf("image_size %d, patch_size %d: want 1 ≤ patch_size ≤ image_size ≤ %d", c.ImageSize, c.PatchSize, maxSize)
	}
	return checkTower(c.Width, c.MLP, c.Layers, c.Heads, c.Projection, c.Act, c.NormEps)
}

// maxSize bounds the numbers of a configuration, far above any real model, so that products of them cannot overflow.
const maxSize = 1 << 16

func checkTower(width, mlp, layers, heads, projection int, act string, eps float32) error {
	for _, v := range []struct {
		key  string
		size int
	}{{"hidden_size", width}, {"intermediate_size", mlp}, {"num_hidden_layers", layers}, {"num_attention_heads", heads}, {"projection_dim", projection}} {
		if v.size < 1 || v.size > maxSize {
			return fmt.Errorf("%s %d: want 1 to %d", v.key, v.size, maxSize)
		}
	}
	if width%heads != 0 {
		return fmt.Errorf("hidden_size %d does not divide into num_attention_heads %d", width, heads)
	}
	if !(eps >= 0) || eps > 1 {
		return fmt.Errorf("layer_norm_eps %g: want 0 to 1", eps)
	}
	if _, err := tensor.ActByName(act); err != nil {
		return fmt.Errorf("hidden_act: %w", err)
	}
	return nil
}
