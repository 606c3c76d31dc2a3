package syntic

import (
	"fmt"

	"syntic/nn"
	"syntic/tensor"
)

// Prefix turns an image's feature v and its context into the first tokens that the decoder sees: [patches, v, retrieved texts, objects u, words], of which
// SynTIC has [v, u], as in the paper's figure 1. Layout "tokens" gives feature and objects linear layers of their own, "concat" one to both together.
type Prefix struct {
	Feature   *nn.Linear     `name:"feature"`   // E → T·C; for concat 2E → T·C
	Objects   *nn.Linear     `name:"objects"`   // E → C, or nil
	Retrieved *nn.Linear     `name:"retrieved"` // E → C, or nil
	Patches   *patchLayers   `name:"patches"`
	Null      *tensor.Tensor `name:"null" init:"normal"` // [1, E], in place of objects when nothing was detected; or nil
}

func newPrefix(dev *tensor.Device, sh Shape) *Prefix {
	p := &Prefix{}
	in := sh.Features
	switch {
	case sh.Slots > 0 && sh.Layout == "concat":
		in *= 2
	case sh.Slots > 0:
		p.Objects = nn.NewLinear(dev, sh.Features, sh.Width, true)
	}
	if sh.Null {
		p.Null = tensor.NewParameter(dev, 1, sh.Features)
	}
	if sh.Retrieved > 0 {
		p.Retrieved = nn.NewLinear(dev, sh.Features, sh.Width, true)
	}
	if sh.Patches > 0 {
		p.Patches = &patchLayers{nn.NewLinear(dev, sh.Features, sh.Width, true), nn.NewLinear(dev, sh.Features, sh.Width, true)}
	}
	p.Feature = nn.NewLinear(dev, in, sh.tokens()*sh.Width, true)
	return p
}

// embed is the prefix [N, P, C] of N images and its mask i32 [N·P], nil when every token is seen. Objects stand at the end of their slots, and
// words at the end of theirs, so that the last prefix token, which predicts the first word, is always one that is seen.
func (d *Decoder) embed(s *tensor.Scope, v []float32, o *Context) (prefix *tensor.Tensor, mask []int32, err error) {
	p, sh := d.Prefix, d.Shape
	n := len(v) / sh.Features
	feature := s.FromFloat32s(v, n, 1, sh.Features)
	var objects *tensor.Tensor // [N, K, E]
	var empty []int            // slots of each image that are not seen
	if sh.Slots > 0 {
		objects, empty = p.slots(s, sh, o)
	}
	if objects != nil && sh.Layout == "concat" {
		feature = s.Concat(2, feature, objects) // [N, 1, 2E]
	}
	var room [5]*tensor.Tensor
	parts := room[:0]
	if sh.Patches > 0 {
		parts = append(parts, p.Patches.embed(s, o.Patches, sh.Features))
	}
	parts = append(parts, s.Reshape(p.Feature.Forward(s, feature), n, sh.tokens(), sh.Width))
	if sh.Retrieved > 0 {
		parts = append(parts, p.Retrieved.Forward(s, s.FromFloat32s(o.Retrieved, n, sh.Retrieved, sh.Features)))
	}
	if objects != nil && sh.Layout != "concat" {
		parts = append(parts, p.Objects.Forward(s, objects))
	}
	if sh.Words > 0 {
		rows, err := d.words(o)
		if err != nil {
			return nil, nil, err
		}
		parts = append(parts, d.Model.Tokens.Forward(s, s.FromInt32s(rows, n, sh.Words)))
	}
	if len(parts) > 1 {
		prefix = s.Concat(1, parts...)
	} else {
		prefix = parts[0]
	}
	return prefix, sh.mask(o, n, empty), nil
}

// slots are the objects' features [N, K, E], and how many slots of each image stand empty before them. They are looked up in a table whose row 0
// is the null token, so that its gradient needs no code of its own.
func (p *Prefix) slots(s *tensor.Scope, sh Shape, o *Context) (features *tensor.Tensor, empty []int) {
	n, e, k := len(o.Count), sh.Features, sh.Slots
	first := p.Null
	if first == nil {
		first = s.Zeros(1, e)
	}
	table := s.Concat(0, first, s.FromFloat32s(o.Features, n*k, e)) // [1 + N·K, E]
	rows := make([]int32, n*k)
	empty = make([]int, n)
	for i, count := range o.Count {
		empty[i] = k - max(count, 1)
		for j := range count {
			rows[i*k+empty[i]+j] = int32(1 + i*k + j)
		}
	}
	return s.Embedding(table, s.FromInt32s(rows, n, k)), empty
}

// words are the hard prompts as rows of the vocabulary [N·H], each at the end of its H places; what stands before it is not seen.
func (d *Decoder) words(o *Context) ([]int32, error) {
	h := d.Shape.Words
	rows := make([]int32, len(o.Words)*h)
	for i, prompt := range o.Words {
		for j, id := range prompt {
			row, ok := d.Vocab.row[id]
			if !ok {
				return nil, fmt.Errorf("image %d: token %d of the hard prompt: id %d is not in the vocabulary of %d ids", i, j, id, d.Vocab.Size())
			}
			rows[(i+1)*h-len(prompt)+j] = row
		}
	}
	return rows, nil
}

// mask says which of the prefix tokens of N images are seen, i32 [N·P]; nil: all.
func (sh Shape) mask(o *Context, n int, empty []int) []int32 {
	if sh.Slots <= 1 && sh.Words == 0 && sh.Patches == 0 {
		return nil
	}
	mask := make([]int32, n*sh.prefix())
	for i := range mask {
		mask[i] = 1
	}
	for i := range n {
		row := mask[i*sh.prefix() : (i+1)*sh.prefix()]
		if sh.Patches > 0 {
			clear(row[sh.Patches+o.Patches.Used[i] : sh.Patches+sh.Mixed])
		}
		if sh.Slots > 0 && sh.Layout != "concat" {
			clear(row[sh.Patches+sh.Mixed+sh.tokens()+sh.Retrieved:][:empty[i]])
		}
		if sh.Words > 0 {
			clear(row[len(row)-sh.Words : len(row)-len(o.Words[i])])
		}
	}
	return mask
}
