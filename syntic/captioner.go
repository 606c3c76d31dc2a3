package syntic

import (
	"context"
	"fmt"
	"strings"

	"syntic/syntic/config"
	"syntic/syntic/plan"
)

// Captioner turns features of real images into sentences: projection, prefix, search. It does not refine: that needs the text.
type Captioner struct {
	Decoder *Decoder
	Memory  *Memory  // nil: features are not projected
	Text    Detokens // ids to text
	Project config.Memory
	Decode  config.Decode

	Gap    *Gap        // corrects images' features before they are projected; or nil
	Encode TextEncoder // of beams, for Decode.Rerank
}

// Detokens turns a tokenizer's ids into text; bpe.Tokenizer does.
type Detokens interface{ Decode(ids []int32) string }

// Caption is what was written for one image.
type Caption struct {
	Text string
	Hypothesis
	Others []Hypothesis // the other beams, best first
}

// Caption writes captions for N images with features v [N, E] of the image encoder and their context (nil for a decoder that
// reads none). The captions of an image do not depend on the others.
func (c *Captioner) Caption(ctx context.Context, v []float32, about *Context, progress plan.Progress) ([]Caption, error) {
	if _, err := rowsOf(v, c.Decoder.Shape.Features); err != nil {
		return nil, err
	}
	if c.Decode.Rerank != "none" && c.Decode.Rerank != "" && c.Encode == nil {
		return nil, fmt.Errorf("decode.rerank %s: no encoder of texts: want CLIP's", c.Decode.Rerank)
	}
	own := v
	v = c.Gap.Correct(v)
	if c.Memory != nil {
		if e := c.Memory.Features(); e != c.Decoder.Shape.Features {
			return nil, fmt.Errorf("memory of features of size %d: want %d, the decoder's", e, c.Decoder.Shape.Features)
		}
		var err error
		if v, err = c.Memory.Project(ctx, v, nil, c.Project, progress); err != nil {
			return nil, err
		}
	}
	found, err := c.Decoder.Generate(ctx, v, about, c.Decode, progress)
	if err != nil {
		return nil, err
	}
	if c.Decode.Rerank == "clip" || c.Decode.Rerank == "fusion" {
		if err := rerank(ctx, found, own, c.Text, c.Encode, c.Decode.Rerank); err != nil {
			return nil, err
		}
	}
	out := make([]Caption, len(found))
	for i, beams := range found {
		out[i] = Caption{strings.TrimSpace(c.Text.Decode(beams[0].Tokens)), beams[0], beams[1:]}
	}
	return out, nil
}
