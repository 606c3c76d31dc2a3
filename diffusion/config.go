package diffusion

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// Ints is a list of numbers that JSON may give as one number for all levels.
type Ints []int

// UnmarshalJSON reads a number or a list of numbers.
func (l *Ints) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var one int
	if err := json.Unmarshal(b, &one); err == nil {
		*l = Ints{one}
		return nil
	}
	var many []int
	if err := json.Unmarshal(b, &many); err != nil {
		return fmt.Errorf("want a whole number or a list of them, not %s", b)
	}
	*l = many
	return nil
}

// MarshalJSON writes one number as a number.
func (l Ints) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return json.Marshal(l[0])
	}
	return json.Marshal([]int(l))
}

// At is the number for level i of n; a single number serves for all.
func (l Ints) At(i int) int {
	if len(l) == 1 {
		return l[0]
	}
	return l[i]
}

// UNetConfig is config.json of a UNet2DConditionModel; keys that the file lacks have the library's defaults.
type UNetConfig struct {
	SampleSize           int      `json:"sample_size"` // latent height and width it was trained at
	InChannels           int      `json:"in_channels"`
	OutChannels          int      `json:"out_channels"`
	CenterInputSample    bool     `json:"center_input_sample"`
	FlipSinToCos         bool     `json:"flip_sin_to_cos"`
	FreqShift            float64  `json:"freq_shift"`
	DownBlockTypes       []string `json:"down_block_types"`
	MidBlockType         string   `json:"mid_block_type"`
	UpBlockTypes         []string `json:"up_block_types"`
	BlockOutChannels     []int    `json:"block_out_channels"`
	LayersPerBlock       int      `json:"layers_per_block"`
	DownsamplePadding    int      `json:"downsample_padding"`
	MidBlockScaleFactor  float64  `json:"mid_block_scale_factor"`
	ActFn                string   `json:"act_fn"`
	NormNumGroups        int      `json:"norm_num_groups"`
	NormEps              float32  `json:"norm_eps"`
	CrossAttentionDim    int      `json:"cross_attention_dim"`
	AttentionHeadDim     Ints     `json:"attention_head_dim"` // in Stable Diffusion 1.x: the NUMBER of heads
	UseLinearProjection  bool     `json:"use_linear_projection"`
	TransformerPerBlock  int      `json:"transformer_layers_per_block"`
	NumAttentionHeads    Ints     `json:"num_attention_heads"`
	OnlyCrossAttention   bool     `json:"only_cross_attention"`
	DualCrossAttention   bool     `json:"dual_cross_attention"`
	ClassEmbedType       *string  `json:"class_embed_type"`
	AdditionEmbedType    *string  `json:"addition_embed_type"`
	EncoderHidDimType    *string  `json:"encoder_hid_dim_type"`
	TimeEmbeddingType    string   `json:"time_embedding_type"`
	ResnetTimeScaleShift string   `json:"resnet_time_scale_shift"`
}

// DefaultUNetConfig is what keys absent from a file mean: the sizes of Stable Diffusion but for the width of its text.
func DefaultUNetConfig() UNetConfig {
	cross := "CrossAttnDownBlock2D"
	up := "CrossAttnUpBlock2D"
	return UNetConfig{
		SampleSize: 64, InChannels: 4, OutChannels: 4, FlipSinToCos: true,
		DownBlockTypes: []string{cross, cross, cross, "DownBlock2D"}, MidBlockType: "UNetMidBlock2DCrossAttn",
		UpBlockTypes: []string{"UpBlock2D", up, up, up}, BlockOutChannels: []int{320, 640, 1280, 1280}, LayersPerBlock: 2,
		DownsamplePadding: 1, MidBlockScaleFactor: 1, ActFn: "silu", NormNumGroups: 32, NormEps: 1e-5, CrossAttentionDim: 1280,
		AttentionHeadDim: Ints{8}, TransformerPerBlock: 1, TimeEmbeddingType: "positional", ResnetTimeScaleShift: "default",
	}
}

// ParseUNetConfig reads config.json over the defaults and checks it; the error names the key.
func ParseUNetConfig(data []byte) (UNetConfig, error) {
	c := DefaultUNetConfig()
	if err := parseJSON(data, &c); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// Validate tells what this package cannot do or what makes no sense; the error names the key.
func (c *UNetConfig) Validate() error {
	n := len(c.BlockOutChannels)
	if err := checkSizes(c.BlockOutChannels, []size{{"in_channels", c.InChannels, maxWidth}, {"out_channels", c.OutChannels, maxWidth},
		{"sample_size", c.SampleSize, maxWidth}, {"cross_attention_dim", c.CrossAttentionDim, maxWidth}, {"layers_per_block", c.LayersPerBlock, maxLayers},
		{"transformer_layers_per_block", c.TransformerPerBlock, maxLayers}}); err != nil {
		return err
	}
	switch {
	case n == 0:
		return fmt.Errorf("block_out_channels is empty: want one width a level")
	case len(c.DownBlockTypes) != n || len(c.UpBlockTypes) != n:
		return fmt.Errorf("down_block_types has %d entries, up_block_types %d: want %d, as block_out_channels", len(c.DownBlockTypes), len(c.UpBlockTypes), n)
	case c.MidBlockType != "" && c.MidBlockType != "UNetMidBlock2DCrossAttn":
		return fmt.Errorf("mid_block_type %q is not supported: want UNetMidBlock2DCrossAttn", c.MidBlockType)
	case c.ActFn != "silu" && c.ActFn != "swish":
		return fmt.Errorf("act_fn %q is not supported: want silu", c.ActFn)
	case c.OnlyCrossAttention || c.DualCrossAttention:
		return fmt.Errorf("only_cross_attention and dual_cross_attention are not supported")
	case c.ClassEmbedType != nil || c.AdditionEmbedType != nil || c.EncoderHidDimType != nil:
		return fmt.Errorf("class_embed_type, addition_embed_type and encoder_hid_dim_type are not supported: want null")
	case c.TimeEmbeddingType != "positional" || c.ResnetTimeScaleShift != "default":
		return fmt.Errorf("time_embedding_type %q, resnet_time_scale_shift %q: want positional, default", c.TimeEmbeddingType, c.ResnetTimeScaleShift)
	case c.MidBlockScaleFactor != 1:
		return fmt.Errorf("mid_block_scale_factor %g is not supported: want 1", c.MidBlockScaleFactor)
	}
	for i := range n {
		if t := c.DownBlockTypes[i]; !slices.Contains([]string{"CrossAttnDownBlock2D", "DownBlock2D"}, t) {
			return fmt.Errorf("down_block_types[%d] %q is not supported: want CrossAttnDownBlock2D or DownBlock2D", i, t)
		}
		if t := c.UpBlockTypes[i]; !slices.Contains([]string{"CrossAttnUpBlock2D", "UpBlock2D"}, t) {
			return fmt.Errorf("up_block_types[%d] %q is not supported: want CrossAttnUpBlock2D or UpBlock2D", i, t)
		}
	}
	heads := c.heads()
	if len(heads) != 1 && len(heads) != n {
		return fmt.Errorf("attention_head_dim has %d entries: want 1 or %d", len(heads), n)
	}
	for i, w := range c.BlockOutChannels {
		if h := heads.At(i); h < 1 || w < 1 || w%h != 0 {
			return fmt.Errorf("block_out_channels[%d] %d does not divide into %d heads", i, w, h)
		}
	}
	return checkGroups(c.BlockOutChannels, c.NormNumGroups)
}

// heads is the number of heads at each level: num_attention_heads where given, else attention_head_dim, whose name is a mistake that the
// library keeps for the sake of old files.
func (c *UNetConfig) heads() Ints {
	if len(c.NumAttentionHeads) > 0 {
		return c.NumAttentionHeads
	}
	return c.AttentionHeadDim
}

// VAEConfig is config.json of an AutoencoderKL; keys that the file lacks have the library's defaults.
type VAEConfig struct {
	InChannels       int      `json:"in_channels"`
	OutChannels      int      `json:"out_channels"`
	DownBlockTypes   []string `json:"down_block_types"`
	UpBlockTypes     []string `json:"up_block_types"`
	BlockOutChannels []int    `json:"block_out_channels"`
	LayersPerBlock   int      `json:"layers_per_block"`
	ActFn            string   `json:"act_fn"`
	LatentChannels   int      `json:"latent_channels"`
	NormNumGroups    int      `json:"norm_num_groups"`
	SampleSize       int      `json:"sample_size"`
	ScalingFactor    float64  `json:"scaling_factor"` // latents are multiplied by it for the UNet
	UseQuantConv     bool     `json:"use_quant_conv"`
	UsePostQuantConv bool     `json:"use_post_quant_conv"`
	MidAddAttention  bool     `json:"mid_block_add_attention"`
	ShiftFactor      *float64 `json:"shift_factor"`

	// LatentsMean and LatentsStd, where given, standardise each channel: the UNet's latents are (z − mean)/std·ScalingFactor.
	LatentsMean []float64 `json:"latents_mean"`
	LatentsStd  []float64 `json:"latents_std"`
}

// DefaultVAEConfig is what keys absent from a file mean.
func DefaultVAEConfig() VAEConfig {
	return VAEConfig{
		InChannels: 3, OutChannels: 3, DownBlockTypes: []string{"DownEncoderBlock2D"}, UpBlockTypes: []string{"UpDecoderBlock2D"},
		BlockOutChannels: []int{64}, LayersPerBlock: 1, ActFn: "silu", LatentChannels: 4, NormNumGroups: 32, SampleSize: 32,
		ScalingFactor: 0.18215, UseQuantConv: true, UsePostQuantConv: true, MidAddAttention: true,
	}
}

// ParseVAEConfig reads config.json over the defaults and checks it; the error names the key.
func ParseVAEConfig(data []byte) (VAEConfig, error) {
	c := DefaultVAEConfig()
	if err := parseJSON(data, &c); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// Validate tells what this package cannot do or what makes no sense; the error names the key.
func (c *VAEConfig) Validate() error {
	n := len(c.BlockOutChannels)
	if err := checkSizes(c.BlockOutChannels, []size{{"in_channels", c.InChannels, maxWidth}, {"out_channels", c.OutChannels, maxWidth},
		{"sample_size", c.SampleSize, maxWidth}, {"latent_channels", c.LatentChannels, maxWidth}, {"layers_per_block", c.LayersPerBlock, maxLayers}}); err != nil {
		return err
	}
	switch {
	case n == 0 || len(c.DownBlockTypes) != n || len(c.UpBlockTypes) != n:
		return fmt.Errorf("block_out_channels has %d entries, down_block_types %d, up_block_types %d: want equally many, at least 1",
			n, len(c.DownBlockTypes), len(c.UpBlockTypes))
	case c.ActFn != "silu" && c.ActFn != "swish":
		return fmt.Errorf("act_fn %q is not supported: want silu", c.ActFn)
	case !(c.ScalingFactor > 0):
		return fmt.Errorf("scaling_factor %g: want a positive number", c.ScalingFactor)
	case len(c.LatentsMean) != len(c.LatentsStd) || (len(c.LatentsMean) != 0 && len(c.LatentsMean) != c.LatentChannels):
		return fmt.Errorf("latents_mean has %d entries, latents_std %d: want none or latent_channels %d", len(c.LatentsMean), len(c.LatentsStd), c.LatentChannels)
	case slices.ContainsFunc(c.LatentsStd, func(x float64) bool { return !(x > 0) }):
		return fmt.Errorf("latents_std %v: want positive numbers", c.LatentsStd)
	case c.ShiftFactor != nil && *c.ShiftFactor != 0:
		return fmt.Errorf("shift_factor %g is not supported: want null", *c.ShiftFactor)
	}
	for i := range n {
		if c.DownBlockTypes[i] != "DownEncoderBlock2D" || c.UpBlockTypes[i] != "UpDecoderBlock2D" {
			return fmt.Errorf("level %d has block types %q and %q: want DownEncoderBlock2D and UpDecoderBlock2D", i, c.DownBlockTypes[i], c.UpBlockTypes[i])
		}
	}
	return checkGroups(c.BlockOutChannels, c.NormNumGroups)
}

// Sizes beyond these are no model's: a slip, or a file made to exhaust memory.
const (
	maxWidth  = 1 << 16
	maxLayers = 256
)

// size is a number of a configuration, by its key, and the most it may be.
type size struct {
	key         string
	value, most int
}

// checkSizes tells the first size, or width of a level, that is out of range.
func checkSizes(widths []int, sizes []size) error {
	for i, w := range widths {
		sizes = append(sizes, size{fmt.Sprintf("block_out_channels[%d]", i), w, maxWidth})
	}
	for _, s := range sizes {
		if s.value < 1 || s.value > s.most {
			return fmt.Errorf("%s %d: want 1 to %d", s.key, s.value, s.most)
		}
	}
	return nil
}

func checkGroups(widths []int, groups int) error {
	for i, w := range widths {
		if groups < 1 || w < 1 || w%groups != 0 {
			return fmt.Errorf("block_out_channels[%d] %d does not divide into norm_num_groups %d", i, w, groups)
		}
	}
	return nil
}

// pythonFloats are values that Python's json writes though JSON has no such numbers; null leaves the default, which they are.
var pythonFloats = regexp.MustCompile(`(:\s*)(-?Infinity|NaN)\b`)

// parseJSON reads a configuration over the defaults in dst; keys it does not know are someone else's.
func parseJSON(data []byte, dst any) error {
	d := json.NewDecoder(bytes.NewReader(pythonFloats.ReplaceAll(data, []byte("${1}null"))))
	return d.Decode(dst)
}
