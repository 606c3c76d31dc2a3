package parity

import (
	"fmt"
	"os"
	"path/filepath"

	"syntic/nn"
	"syntic/syntic"
	"syntic/tensor"
)

// ignored marks rows that no loss is taken of, as the library does.
const ignored = -100

func (r *run) decoder() error {
	d, err := r.openDecoder()
	if err != nil {
		return err
	}
	defer d.Release()
	m := d.Model
	s := r.scope(nn.Paths(m), func(path string) string { return decoderLayer(path, len(m.Blocks)) })
	defer s.Close()
	prefix := r.floats(s, "prefix", 0, 0, d.Shape.Width)
	b, p := prefix.Dim(0), prefix.Dim(1)
	x, t := prefix, 0
	var ids, mask *tensor.Tensor
	if r.has("input_ids") {
		ids = r.ints(s, "input_ids", m.Tokens.Weight.Dim(0), b, 0)
		x, t = s.Concat(1, prefix, m.Tokens.Forward(s, ids)), ids.Dim(1)
	}
	if p+t > d.Shape.Positions {
		fail("prefix and text have %d positions: want at most the model's %d", p+t, d.Shape.Positions)
	}
	if r.has("attention_mask") {
		mask = r.behind(s, p, r.ints(s, "attention_mask", 2, b, t).Int32s(), b, t)
	}
	logits := m.Forward(s, x, mask)
	r.give("logits", logits)
	if ids != nil {
		r.give("loss", s.Reshape(r.loss(s, logits, ids, mask, p)))
	}
	return nil
}

// openDecoder reads a folder that this program saved, or one with a GPT-2 model.
func (r *run) openDecoder() (*syntic.Decoder, error) {
	if _, err := os.Stat(filepath.Join(r.dir, "decoder.json")); err == nil {
		return syntic.LoadDecoder(r.dev, r.dir)
	}
	return syntic.LoadGPT2(r.dev, r.dir)
}

// behind is a mask [b, p+t] that shows the prefix whole and the text by its own mask [b, t].
func (r *run) behind(s *tensor.Scope, p int, text []int32, b, t int) *tensor.Tensor {
	all := make([]int32, 0, b*(p+t))
	for i := range b {
		for range p {
			all = append(all, 1)
		}
		all = append(all, text[i*t:(i+1)*t]...)
	}
	return s.FromInt32s(all, b, p+t)
}

// loss is the mean cross entropy of the text, [1]: each position predicts the next token, the last one of the prefix the first; masked
// tokens count nothing.
func (r *run) loss(s *tensor.Scope, logits, ids, mask *tensor.Tensor, p int) *tensor.Tensor {
	b, t, n := ids.Dim(0), ids.Dim(1), logits.Dim(1)
	want, keep := ids.Int32s(), []int32(nil)
	if mask != nil {
		keep = mask.Int32s()
	}
	for i := range b {
		for j := range t {
			if keep != nil && keep[i*n+p+j] == 0 {
				want[i*t+j] = ignored
			}
		}
	}
	rows := s.Reshape(s.Slice(logits, 1, p-1, n-1), b*t, logits.Dim(2))
	return s.CrossEntropy(rows, s.FromInt32s(want, b*t), tensor.CrossEntropyOptions{Ignore: ignored})
}

// decoderLayer gives the library's names of hidden states; the last one is behind the last norm.
func decoderLayer(path string, layers int) string {
	var i int
	switch {
	case path == "embeddings":
		return "hidden.0"
	case path == "ln_f":
		return fmt.Sprintf("hidden.%d", layers)
	}
	if n, _ := fmt.Sscanf(path, "h.%d", &i); n != 1 || i == layers-1 {
		return ""
	}
	return fmt.Sprintf("hidden.%d", i+1)
}
