package clip

import (
	"fmt"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// TextModel is the text tower: a causal transformer (CLIPTextTransformer), and the projection into the shared space where there is one.
type TextModel struct {
	Token      *nn.Embedding `name:"text_model.embeddings.token_embedding"`
	Position   *nn.Embedding `name:"text_model.embeddings.position_embedding"`
	Layers     []*Block      `name:"text_model.encoder.layers"`
	FinalNorm  *nn.LayerNorm `name:"text_model.final_layer_norm"`
	Projection *nn.Linear    `name:"text_projection"` // nil in Stable Diffusion's text encoder

	Config TextConfig

	weights *safetensors.File // whose memory parameters may be
}

// NewTextModel makes a text tower whose parameters are zero; with projection or, as Stable Diffusion's, without.
func NewTextModel(c TextConfig, dev *tensor.Device, projection bool) (*TextModel, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	layers, err := newBlocks(dev, c.Layers, c.Width, c.MLP, c.Heads, c.Act, c.NormEps)
	if err != nil {
		return nil, err
	}
	t := &TextModel{Token: nn.NewEmbedding(dev, c.VocabSize, c.Width), Position: nn.NewEmbedding(dev, c.MaxPositions, c.Width), Layers: layers,
		FinalNorm: nn.NewLayerNorm(dev, c.Width, c.NormEps), Config: c}
	if projection {
		t.Projection = nn.NewLinear(dev, c.Width, c.Projection, false)
	}
	return t, nil
}

// Hidden is the states [B, T, C] of all positions after the final layer norm, for ids i32 [B, T]: what Stable Diffusion attends to. mask is
// i32 [B, T], 1 for the positions that may be seen, or nil; without it padding is seen by the positions after it, as the originals do.
// It panics with an *tensor.Error if ids is not [B, T] or T exceeds the positions.
func (t *TextModel) Hidden(s *tensor.Scope, ids, mask *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		return t.FinalNorm.Forward(s, through(s, t.Layers, t.embed(s, ids), mask, true))
	})
}

// embed is the tokens' vectors plus the positions' [B, T, C].
func (t *TextModel) embed(s *tensor.Scope, ids *tensor.Tensor) *tensor.Tensor {
	if ids.Rank() != 2 || ids.Dim(1) < 1 || ids.Dim(1) > t.Config.MaxPositions {
		fail("text of ids %v: want i32 [B, T], T from 1 to %d", ids, t.Config.MaxPositions)
	}
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		x := s.Add(t.Token.Forward(s, ids), s.Slice(t.Position.Weight, 0, 0, ids.Dim(1)))
		s.Trace(t, "text_model.embeddings", x)
		return x
	})
}

// Pool takes, for each text, the state of its end out of hidden [B, T, C]: [B, C]. The end of a row of ids is its first largest id where
// eos_token_id is 2 (the hub's legacy value; the end has the largest id of the vocabulary), else the first that equals eos_token_id.
func (t *TextModel) Pool(s *tensor.Scope, hidden, ids *tensor.Tensor) *tensor.Tensor {
	return s.Embedding(s.Reshape(hidden, -1, hidden.Dim(2)), t.ends(s, ids, hidden.Dim(1)))
}

// ends is the positions of the texts' ends i32 [B] among those of all texts, n to each.
func (t *TextModel) ends(s *tensor.Scope, ids *tensor.Tensor, n int) *tensor.Tensor {
	return s.IntsBy(func(dst []int32) {
		for b := range dst {
			dst[b] = int32(b*n + t.end(ids, b))
		}
	}, ids.Dim(0))
}

// end is the position of the end in text b of ids. It panics if there is none.
func (t *TextModel) end(ids *tensor.Tensor, b int) int {
	if ids.Rank() != 2 {
		fail("text of ids %v: want i32 [B, T]", ids)
	}
	n := ids.Dim(1)
	at := endOf(ids.HostInts()[b*n:(b+1)*n], t.Config.EOS)
	if at < 0 {
		fail("text %d of %v has no end: want the id %d in it", b, ids, t.Config.EOS)
	}
	return at
}

// endOf is the position of the end in one text, -1 if it has none.
func endOf(ids []int32, eos int32) int {
	at := -1
	for i, id := range ids {
		if eos == legacyEOS {
			if at < 0 || id > ids[at] {
				at = i
			}
		} else if id == eos {
			return i
		}
	}
	return at
}

// Pooled is the final state [B, C] of each text's end: Pool of Hidden without a mask. No position sees those after it, so the batch is cut to its longest
// text, and of the last layer only the ends are computed.
func (t *TextModel) Pooled(s *tensor.Scope, ids *tensor.Tensor) *tensor.Tensor {
	n, longest := ids.Dim(0), 0
	for b := range n {
		longest = max(longest, t.end(ids, b)+1)
	}
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		cut := ids
		if longest < ids.Dim(1) {
			cut = s.Slice(ids, 1, 0, longest)
		}
		seen := s.IntsBy(func(dst []int32) { // the causal mask of each end
			clear(dst)
			for b := range n {
				for j := range t.end(ids, b) + 1 {
					dst[b*longest+j] = 1
				}
			}
		}, n, longest)
		last := len(t.Layers) - 1
		x := through(s, t.Layers[:last], t.embed(s, cut), nil, true)
		x = t.Layers[last].ForwardAt(s, x, t.ends(s, ids, longest), seen)
		return t.FinalNorm.Forward(s, x)
	})
}

// Encode is the texts' vectors in the shared space [B, E], of unit length, for ids i32 [B, T]. It panics with an *tensor.Error if a text has no end
// or the model no projection.
func (t *TextModel) Encode(s *tensor.Scope, ids *tensor.Tensor) *tensor.Tensor {
	if t.Projection == nil {
		fail("text encoder without text_projection: it has hidden states, but no vectors in CLIP's space")
	}
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		return s.Normalize(t.Projection.Forward(s, t.Pooled(s, ids)))
	})
}

// Close frees the parameters and the file they were mapped from.
func (t *TextModel) Close() { release(t, &t.weights) }

// fail panics as the ops of package tensor do.
func fail(format string, args ...any) { panic(&tensor.Error{Err: fmt.Errorf(format, args...)}) }
