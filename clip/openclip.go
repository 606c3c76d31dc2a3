package clip

import (
	"encoding/json"
	"fmt"

	"syntic/clip/pixels"
)

// openCLIPConfig is open_clip_config.json, which open_clip writes beside open_clip_model.safetensors (github.com/mlfoundations/open_clip, CLIPVisionCfg and
// CLIPTextCfg; absent keys have its defaults).
type openCLIPConfig struct {
	Model struct {
		Embed     int  `json:"embed_dim"`
		QuickGELU bool `json:"quick_gelu"`
		Vision    struct {
			Layers    json.RawMessage `json:"layers"` // a number; a list is a ResNet
			Width     int             `json:"width"`
			HeadWidth int             `json:"head_width"`
			Ratio     float64         `json:"mlp_ratio"`
			Patch     int             `json:"patch_size"`
			Size      int             `json:"image_size"`
			Timm      string          `json:"timm_model_name"`
		} `json:"vision_cfg"`
		Text struct {
			Context int     `json:"context_length"`
			Vocab   int     `json:"vocab_size"`
			Width   int     `json:"width"`
			Heads   int     `json:"heads"`
			Layers  int     `json:"layers"`
			Ratio   float64 `json:"mlp_ratio"`
			HF      string  `json:"hf_model_name"`
		} `json:"text_cfg"`
	} `json:"model_cfg"`
	Pixels struct {
		Mean *[3]float32 `json:"mean"`
		Std  *[3]float32 `json:"std"`

		Filter string `json:"interpolation"`
		Resize string `json:"resize_mode"`
	} `json:"preprocess_cfg"`
}

// parseOpenCLIP turns open_clip's configuration into a CLIPModel's, and how images are prepared: as openai/CLIP does. The error names the key.
func parseOpenCLIP(data []byte) (m struct {
	Config
	Pixels pixels.CLIP
}, err error) {
	var c openCLIPConfig
	v, t := &c.Model.Vision, &c.Model.Text
	v.Width, v.HeadWidth, v.Ratio, v.Patch, v.Size = 768, 64, 4, 16, 224
	t.Context, t.Vocab, t.Width, t.Heads, t.Layers, t.Ratio = 77, 49408, 512, 8, 12, 4
	if err := json.Unmarshal(data, &c); err != nil {
		return m, err
	}
	layers := 12
	if v.Layers != nil && json.Unmarshal(v.Layers, &layers) != nil {
		return m, fmt.Errorf("vision_cfg.layers %.40s: want a number: ResNets are not supported", v.Layers)
	}
	switch {
	case c.Model.Embed == 0:
		return m, fmt.Errorf("model_cfg.embed_dim is missing: want open_clip's configuration")
	case v.Timm != "" || t.HF != "":
		return m, fmt.Errorf("towers of other libraries (%.60q, %.60q) are not supported", v.Timm, t.HF)
	case v.HeadWidth < 1 || v.Width < 1 || v.Width%v.HeadWidth != 0:
		return m, fmt.Errorf("vision_cfg.width %d, head_width %d: want a width of whole heads", v.Width, v.HeadWidth)
	case c.Pixels.Filter != "" && c.Pixels.Filter != "bicubic", c.Pixels.Resize != "" && c.Pixels.Resize != "shortest":
		return m, fmt.Errorf("preprocess_cfg.interpolation %q, resize_mode %q: want bicubic and shortest", c.Pixels.Filter, c.Pixels.Resize)
	case !(v.Ratio > 0 && v.Ratio < 64 && t.Ratio > 0 && t.Ratio < 64):
		return m, fmt.Errorf("mlp_ratio %g and %g: want more than 0", v.Ratio, t.Ratio)
	}
	act := "gelu"
	if c.Model.QuickGELU {
		act = "quick_gelu"
	}
	m.Config = DefaultConfig()
	m.Projection = c.Model.Embed
	m.Text.VocabSize, m.Text.Width, m.Text.MLP, m.Text.Layers, m.Text.Heads = t.Vocab, t.Width, int(float64(t.Width)*t.Ratio), t.Layers, t.Heads
	m.Text.MaxPositions, m.Text.Act, m.Text.Projection, m.Text.EOS = t.Context, act, c.Model.Embed, legacyEOS
	m.Text.BOS = min(m.Text.BOS, int32(max(t.Vocab-2, 0)))
	m.Image.Width, m.Image.MLP, m.Image.Layers, m.Image.Heads = v.Width, int(float64(v.Width)*v.Ratio), layers, v.Width/v.HeadWidth
	m.Image.ImageSize, m.Image.PatchSize, m.Image.Act, m.Image.Projection = v.Size, v.Patch, act, c.Model.Embed
	m.Pixels = pixels.DefaultCLIP()
	m.Pixels.Size, m.Pixels.Crop, m.Pixels.OpenAI = v.Size, v.Size, true
	if p := c.Pixels; p.Mean != nil && p.Std != nil {
		m.Pixels.Mean, m.Pixels.Std = *p.Mean, *p.Std
		for _, x := range p.Std {
			if !(x > 0) {
				return m, fmt.Errorf("preprocess_cfg.std %v: want more than 0", *p.Std)
			}
		}
	}
	return m, m.Config.Validate()
}
