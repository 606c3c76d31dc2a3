package syntic

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// gpt2Config is config.json of Hugging Face's GPT2LMHeadModel, as far as it tells the decoder's shape.
type gpt2Config struct {
	Vocabulary int     `json:"vocab_size"`
	Positions  int     `json:"n_positions"`
	Width      int     `json:"n_embd"`
	Layers     int     `json:"n_layer"`
	Heads      int     `json:"n_head"`
	FFN        int     `json:"n_inner"` // absent or null: four times the width
	Activation string  `json:"activation_function"`
	Eps        float64 `json:"layer_norm_epsilon"`
	End        int32   `json:"eos_token_id"`
	ByLayer    bool    `json:"scale_attn_by_inverse_layer_idx"`
	Scale      bool    `json:"scale_attn_weights"`
	Tied       bool    `json:"tie_word_embeddings"`
}

// LoadGPT2 reads a folder of Hugging Face's GPT-2, config.json and model.safetensors (names with or without "transformer."), as a decoder
// without a prefix of its own and with the whole vocabulary. Its errors name the file and what is wrong in it.
func LoadGPT2(dev *tensor.Device, dir string) (d *Decoder, err error) {
	if d, err = readGPT2(dev, dir, func(Shape) Shape { return Shape{Features: 1, Layout: "tokens"} }); err == nil {
		d.Prefix = nil // GPT-2 has none
	}
	return d, err
}

// StartFromGPT2 makes a decoder to be trained whose Transformer has the weights of a folder of GPT-2, as ClipCap's does (Mokady et al. 2021), behind a
// prefix with random weights as [NewDecoder] makes them. Of sh only what the prefix is made of is looked at, and Positions, where it is not
// 0: the first so many of GPT-2's are taken. The vocabulary is the whole of GPT-2's: captions are ids of bpe.GPT2.
func StartFromGPT2(dev *tensor.Device, dir string, sh Shape, std float64, seed uint64) (*Decoder, error) {
	d, err := readGPT2(dev, dir, func(Shape) Shape { return sh })
	if err != nil {
		return nil, err
	}
	prefix := &Decoder{Model: &GPT2{}, Prefix: d.Prefix, Shape: d.Shape} // its parameters have the names that they have in d
	nn.Init(prefix, seed)
	prefix.rescale(std)
	return d, nil
}

// readGPT2 reads a folder; with tells the prefix for the Transformer's shape.
func readGPT2(dev *tensor.Device, dir string, with func(Shape) Shape) (d *Decoder, err error) {
	defer tensor.Catch(&err)
	path := filepath.Join(dir, "config.json")
	text, err := readLimited(path, maxDecoderJSON)
	if err != nil {
		return nil, err
	}
	c := gpt2Config{Vocabulary: 50257, Positions: 1024, Width: 768, Layers: 12, Heads: 12, Activation: "gelu_new", Eps: layerNormEps, End: 50256, Scale: true, Tied: true}
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	sh, err := c.shape()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	of, positions := with(sh), sh.Positions
	sh.Features, sh.Layout, sh.Slots, sh.Null = of.Features, of.Layout, of.Slots, of.Null
	sh.Tokens, sh.Retrieved, sh.Words, sh.Patches, sh.Mixed = of.Tokens, of.Retrieved, of.Words, of.Patches, of.Mixed
	if of.Positions != 0 {
		if sh.Positions = of.Positions; sh.Positions > positions {
			return nil, fmt.Errorf("%s: n_positions %d: want the decoder's %d or more", path, positions, sh.Positions)
		}
	}
	if err := sh.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f, err := safetensors.OpenFolder(dir, "", "model")
	if err != nil {
		return nil, err
	}
	defer f.Close() // nothing is mapped: a decoder that starts from GPT-2 is trained
	weights := f.Path()
	if blocks := len(f.Names()) / 12; sh.Layers > blocks {
		return nil, fmt.Errorf("%s: n_layer %d, but %s holds %d tensors: want 12 a layer", path, sh.Layers, weights, len(f.Names()))
	}
	d = newDecoder(dev, sh, FullVocabulary(c.Vocabulary, c.End))
	table, err := firstRows(f, sh.Positions, positions)
	if err != nil {
		return nil, err
	}
	if err := nn.Load(&Decoder{Model: d.Model}, table, nn.LoadOptions{Rename: gpt2Name}); err != nil {
		d.Release()
		return nil, fmt.Errorf("%s: %w", weights, err)
	}
	return d, nil
}

// firstRows is f with the first n rows of its table of positions, where the model takes fewer than the file has.
func firstRows(f *safetensors.File, n, of int) (*safetensors.File, error) {
	if n == of {
		return f, nil
	}
	var all []safetensors.Tensor
	for _, name := range f.Names() {
		t, err := f.As(name, name)
		if err != nil {
			return nil, err
		}
		if gpt2Name(name) == "transformer.wpe.weight" && len(t.Shape) == 2 && t.Shape[0] == of {
			t.Bytes, t.Shape[0] = t.Bytes[:len(t.Bytes)/of*n], n
		}
		all = append(all, t)
	}
	return f.Derive(all)
}

// shape checks the configuration.
func (c *gpt2Config) shape() (Shape, error) {
	if c.FFN == 0 {
		c.FFN = 4 * c.Width
	}
	sh := Shape{Features: 1, Width: c.Width, Layers: c.Layers, Heads: c.Heads, FFN: c.FFN, Positions: c.Positions, Layout: "tokens"}
	switch {
	case c.Activation != "gelu_new":
		return sh, fmt.Errorf("activation_function %q: want gelu_new", c.Activation)
	case float32(c.Eps) != layerNormEps:
		return sh, fmt.Errorf("layer_norm_epsilon %g: want %g", c.Eps, layerNormEps)
	case c.ByLayer || !c.Scale || !c.Tied:
		return sh, fmt.Errorf("want scale_attn_weights and tie_word_embeddings true, scale_attn_by_inverse_layer_idx false")
	case c.Vocabulary < 1 || c.Vocabulary > maxShape || c.End < 0 || int(c.End) >= c.Vocabulary:
		return sh, fmt.Errorf("vocab_size %d, eos_token_id %d: want a size from 1 to %d and an id below it", c.Vocabulary, c.End, maxShape)
	}
	return sh, nil
}

// gpt2Name is our name for one of the checkpoint's: the hub's first files lack "transformer." and hold the causal masks.
func gpt2Name(name string) string {
	name = "transformer." + strings.TrimPrefix(name, "transformer.")
	if strings.HasSuffix(name, ".attn.bias") || strings.HasSuffix(name, ".attn.masked_bias") || name == "transformer.lm_head.weight" {
		return "" // the mask; the tied table once more
	}
	return name
}

// Forward scores every row of the vocabulary after each of the embedded tokens x [B, N, C]: [B, N, V]. mask i32 [B, N] says which of them
// may be seen, beside those after; nil: all.
func (m *GPT2) Forward(s *tensor.Scope, x, mask *tensor.Tensor) *tensor.Tensor {
	return m.logits(s, m.hidden(s, x, mask, nil))
}
