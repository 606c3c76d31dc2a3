package detr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Config is config.json of a DetrForObjectDetection; keys that the file lacks have the library's defaults.
type Config struct {
	Architectures       []string       `json:"architectures"`
	ModelType           string         `json:"model_type"`
	ActivationFunction  string         `json:"activation_function"`
	ActivationDropout   float32        `json:"activation_dropout"`
	AttentionDropout    float32        `json:"attention_dropout"`
	AuxiliaryLoss       bool           `json:"auxiliary_loss"` // train every decoder layer, not the last alone
	Backbone            string         `json:"backbone,omitempty"`
	BackboneConfig      BackboneConfig `json:"backbone_config"`
	UseTimmBackbone     bool           `json:"use_timm_backbone"`
	ClassCost           float64        `json:"class_cost"`
	BoxCost             float64        `json:"bbox_cost"`
	GIoUCost            float64        `json:"giou_cost"`
	BoxLoss             float32        `json:"bbox_loss_coefficient"`
	GIoULoss            float32        `json:"giou_loss_coefficient"`
	EOS                 float32        `json:"eos_coefficient"` // weight of "no object" in the cross entropy
	Width               int            `json:"d_model"`
	EncoderLayers       int            `json:"encoder_layers"`
	EncoderHeads        int            `json:"encoder_attention_heads"`
	EncoderFFN          int            `json:"encoder_ffn_dim"`
	DecoderLayers       int            `json:"decoder_layers"`
	DecoderHeads        int            `json:"decoder_attention_heads"`
	DecoderFFN          int            `json:"decoder_ffn_dim"`
	Dilation            bool           `json:"dilation"`
	Dropout             float32        `json:"dropout"`
	Labels              Labels         `json:"id2label"`
	Channels            int            `json:"num_channels"`
	NumLabels           int            `json:"num_labels,omitempty"` // counts only where id2label is absent
	Queries             int            `json:"num_queries"`
	Position            string         `json:"position_embedding_type"`
	IsEncoderDecoder    bool           `json:"is_encoder_decoder"`
	LabelIDs            map[string]int `json:"label2id,omitempty"` // written for the library; not read
	EncoderLayerDropout float32        `json:"encoder_layerdrop"`
	DecoderLayerDropout float32        `json:"decoder_layerdrop"`
}

// BackboneConfig is a ResNetConfig.
type BackboneConfig struct {
	ModelType              string   `json:"model_type"`
	Backbone               string   `json:"backbone,omitempty"` // of a timm_backbone
	Depths                 []int    `json:"depths"`             // residual layers of each stage
	DownsampleInBottleneck bool     `json:"downsample_in_bottleneck"`
	DownsampleInFirstStage bool     `json:"downsample_in_first_stage"`
	EmbeddingSize          int      `json:"embedding_size"`
	HiddenAct              string   `json:"hidden_act"`
	HiddenSizes            []int    `json:"hidden_sizes"`
	LayerType              string   `json:"layer_type"` // bottleneck or basic
	Channels               int      `json:"num_channels"`
	OutFeatures            []string `json:"out_features"` // the last one is what the transformer sees
	StageNames             []string `json:"stage_names,omitempty"`
}

// Labels names the classes 0..K-1; in JSON it is an object with the numbers as keys.
type Labels []string

// UnmarshalJSON reads {"0": "name", …}; every number from 0 must be there.
func (l *Labels) UnmarshalJSON(b []byte) error {
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil || m == nil {
		return err
	}
	names := make(Labels, len(m))
	for k, v := range m {
		i, err := strconv.Atoi(k)
		if err != nil || i < 0 || i >= len(m) || strconv.Itoa(i) != k {
			return fmt.Errorf("id2label has the key %q: want 0 to %d", k, len(m)-1)
		}
		names[i] = v
	}
	*l = names
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (l Labels) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range l {
		if i > 0 {
			b.WriteByte(',')
		}
		v, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", strconv.Itoa(i), v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// DefaultConfig is what keys absent from a file mean: DETR-R50 without its class names.
func DefaultConfig() Config {
	return Config{
		Architectures: []string{"DetrForObjectDetection"}, ModelType: "detr", IsEncoderDecoder: true, ActivationFunction: "relu",
		UseTimmBackbone: true, ClassCost: 1, BoxCost: 5, GIoUCost: 2, BoxLoss: 5, GIoULoss: 2, EOS: 0.1, Width: 256,
		EncoderLayers: 6, EncoderHeads: 8, EncoderFFN: 2048, DecoderLayers: 6, DecoderHeads: 8, DecoderFFN: 2048, Dropout: 0.1,
		Channels: 3, Queries: 100, Position: "sine", BackboneConfig: defaultBackbone(),
	}
}

func defaultBackbone() BackboneConfig {
	return BackboneConfig{ModelType: "resnet", Depths: []int{3, 4, 6, 3}, EmbeddingSize: 64, HiddenAct: "relu",
		HiddenSizes: []int{256, 512, 1024, 2048}, LayerType: "bottleneck", Channels: 3}
}

// ParseConfig reads config.json over the defaults and checks it; the error names the key.
func ParseConfig(data []byte) (Config, error) {
	c := DefaultConfig()
	if err := json.Unmarshal(data, &c); err != nil {
		return c, err
	}
	if c.ModelType != "detr" {
		return c, fmt.Errorf("model_type %q: want detr", c.ModelType)
	}
	name := c.BackboneConfig.Backbone // newer files describe timm's networks there, older ones beside it
	if name == "" && c.UseTimmBackbone {
		if name = c.Backbone; name == "" {
			name = "resnet50"
		}
	}
	if name != "" {
		b, ok := timmBackbones[name]
		if !ok {
			return c, fmt.Errorf("backbone %q is not supported: want resnet18, 34, 50, 101 or 152", name)
		}
		c.BackboneConfig = defaultBackbone()
		c.BackboneConfig.LayerType, c.BackboneConfig.Depths = b.layer, b.depths
		if b.layer == "basic" {
			c.BackboneConfig.HiddenSizes = []int{64, 128, 256, 512}
		}
		c.Backbone, c.UseTimmBackbone = "", false // from here on the description counts, also in files that Save writes
	}
	if len(c.Labels) == 0 {
		if c.NumLabels == 0 {
			c.NumLabels = 2
		}
		if c.NumLabels < 1 || c.NumLabels > maxSize {
			return c, fmt.Errorf("num_labels %d: want 1 to %d", c.NumLabels, maxSize)
		}
		for i := range c.NumLabels {
			c.Labels = append(c.Labels, fmt.Sprintf("LABEL_%d", i))
		}
	}
	return c, c.Validate()
}

var timmBackbones = map[string]struct {
	layer  string
	depths []int
}{
	"resnet18": {"basic", []int{2, 2, 2, 2}}, "resnet34": {"basic", []int{3, 4, 6, 3}}, "resnet50": {"bottleneck", []int{3, 4, 6, 3}},
	"resnet101": {"bottleneck", []int{3, 4, 23, 3}}, "resnet152": {"bottleneck", []int{3, 8, 36, 3}},
}

// maxSize bounds every width and count of a configuration, so that a broken one cannot ask for all memory.
const maxSize = 1 << 16

// Validate tells what this package cannot do or what makes no sense; the error names the key.
func (c *Config) Validate() error {
	for _, v := range []struct {
		key     string
		n, most int
	}{
		{"d_model", c.Width, maxSize}, {"encoder_layers", c.EncoderLayers, 256}, {"decoder_layers", c.DecoderLayers, 256},
		{"encoder_attention_heads", c.EncoderHeads, maxSize}, {"decoder_attention_heads", c.DecoderHeads, maxSize},
		{"encoder_ffn_dim", c.EncoderFFN, maxSize}, {"decoder_ffn_dim", c.DecoderFFN, maxSize}, {"num_queries", c.Queries, maxSize},
		{"the number of classes in id2label", len(c.Labels), maxSize},
	} {
		if v.n < 1 || v.n > v.most {
			return fmt.Errorf("%s is %d: want 1 to %d", v.key, v.n, v.most)
		}
	}
	switch {
	case c.Width%4 != 0:
		return fmt.Errorf("d_model is %d: want a multiple of 4, for pairs of sine and cosine along both axes", c.Width)
	case c.Width%c.EncoderHeads != 0 || c.Width%c.DecoderHeads != 0:
		return fmt.Errorf("d_model %d does not divide into %d and %d heads", c.Width, c.EncoderHeads, c.DecoderHeads)
	case c.Channels != 3:
		return fmt.Errorf("num_channels is %d: want 3", c.Channels)
	case c.ActivationFunction != "relu":
		return fmt.Errorf("activation_function %q is not supported: want relu", c.ActivationFunction)
	case c.Position != "sine":
		return fmt.Errorf("position_embedding_type %q is not supported: want sine", c.Position)
	case c.Dilation:
		return fmt.Errorf("dilation is not supported: want false")
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("dropout is %g: want 0 or more and less than 1", c.Dropout)
	case c.AttentionDropout != 0 || c.ActivationDropout != 0 || c.EncoderLayerDropout != 0 || c.DecoderLayerDropout != 0:
		return fmt.Errorf("attention_dropout, activation_dropout, encoder_layerdrop and decoder_layerdrop are not supported: want 0")
	case !(c.EOS > 0):
		return fmt.Errorf("eos_coefficient is %g: want more than 0", c.EOS)
	}
	if err := c.BackboneConfig.validate(); err != nil {
		return fmt.Errorf("backbone_config: %w", err)
	}
	return nil
}

func (b *BackboneConfig) validate() error {
	n := len(b.HiddenSizes)
	switch {
	case b.ModelType != "resnet":
		return fmt.Errorf("model_type %q is not supported: want resnet", b.ModelType)
	case n == 0 || n > 16 || len(b.Depths) != n:
		return fmt.Errorf("hidden_sizes has %d entries, depths %d: want as many, 1 to 16", n, len(b.Depths))
	case b.LayerType != "bottleneck" && b.LayerType != "basic":
		return fmt.Errorf("layer_type %q: want bottleneck or basic", b.LayerType)
	case b.HiddenAct != "relu":
		return fmt.Errorf("hidden_act %q is not supported: want relu", b.HiddenAct)
	case b.Channels != 3:
		return fmt.Errorf("num_channels is %d: want 3", b.Channels)
	case b.EmbeddingSize < 1 || b.EmbeddingSize > maxSize:
		return fmt.Errorf("embedding_size is %d: want 1 to %d", b.EmbeddingSize, maxSize)
	}
	for i, w := range b.HiddenSizes {
		if w < 4 || w > maxSize {
			return fmt.Errorf("hidden_sizes[%d] is %d: want 4 to %d", i, w, maxSize)
		}
		if d := b.Depths[i]; d < 1 || d > 1024 {
			return fmt.Errorf("depths[%d] is %d: want 1 to 1024", i, d)
		}
	}
	if b.out() < 0 {
		return fmt.Errorf("out_features %q: want the last of them to be stage1 to stage%d", b.OutFeatures, n)
	}
	return nil
}

// out is the index of the stage that the transformer sees; -1 if there is no such stage.
func (b *BackboneConfig) out() int {
	if len(b.OutFeatures) == 0 {
		return len(b.HiddenSizes) - 1
	}
	last := b.OutFeatures[len(b.OutFeatures)-1]
	for i := range b.HiddenSizes {
		if last == fmt.Sprintf("stage%d", i+1) {
			return i
		}
	}
	return -1
}
