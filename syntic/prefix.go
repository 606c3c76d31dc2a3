package syntic

import (
	"fmt"

	"syntic/nn"
	"syntic/tensor"
)

// Prefix turns an image's feature v and the features u of its objects into the first tokens that the decoder sees: [v, u], as in the paper's
// figure 1. Layout "tokens" gives each its own linear layer, "concat" one layer to both together.
type Prefix struct {
	Feature *nn.Linear     `name:"feature"`            // E → C; for concat 2E → C
	Objects *nn.Linear     `name:"objects"`            // E → C, or nil
	Null    *tensor.Tensor `name:"null" init:"normal"` // [1, E], in place of objects when nothing was detected; or nil
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
	p.Feature = nn.NewLinear(dev, in, sh.Width, true)
	return p
}

// Objects are the features of what was detected in N images: at most Slots for each, of which the first Count[i] are used. Count 0 means
// that nothing was detected; then the decoder needs a null token.
type Objects struct {
	Slots    int       // K
	Features []float32 // [N, K, E]; unused slots are not read
	Count    []int     // [N], 0..K
}

// pick is the part of the objects of some images; nil of nil.
func (o *Objects) pick(index []int, e int) *Objects {
	if o == nil {
		return nil
	}
	w := o.Slots * e
	out := &Objects{Slots: o.Slots, Features: make([]float32, len(index)*w), Count: make([]int, len(index))}
	for i, at := range index {
		copy(out.Features[i*w:(i+1)*w], o.Features[at*w:(at+1)*w])
		out.Count[i] = o.Count[at]
	}
	return out
}

// checkInputs compares features and objects with the decoder's shape and returns N.
func (sh Shape) checkInputs(v []float32, o *Objects) (int, error) {
	n := len(v) / sh.Features
	if len(v) != n*sh.Features {
		return 0, fmt.Errorf("%d numbers of features: want a multiple of their size %d", len(v), sh.Features)
	}
	if sh.Slots == 0 {
		return n, nil // objects are not used
	}
	if o == nil {
		return 0, fmt.Errorf("no objects: want them, as the decoder was trained with %d object slots", sh.Slots)
	}
	if o.Slots != sh.Slots || len(o.Count) != n || len(o.Features) != n*sh.Slots*sh.Features {
		return 0, fmt.Errorf("objects of %d slots, %d counts, %d numbers for %d images: want %d slots, a count an image, %d numbers",
			o.Slots, len(o.Count), len(o.Features), n, sh.Slots, n*sh.Slots*sh.Features)
	}
	for i, c := range o.Count {
		if c < 0 || c > sh.Slots || c == 0 && !sh.Null {
			return 0, fmt.Errorf("image %d: %d objects: want 1 to %d (0 only with a learned null token)", i, c, sh.Slots)
		}
	}
	return n, nil
}

// embed is the prefix [N, P, C] of N images and its mask i32 [N·P], nil when every token is seen. Objects stand at the end of their slots, so
// that the last prefix token, which predicts the first word, is always one that is seen.
func (p *Prefix) embed(s *tensor.Scope, sh Shape, v []float32, o *Objects) (prefix *tensor.Tensor, mask []int32) {
	e, k := sh.Features, sh.Slots
	n := len(v) / e
	feature := s.FromFloat32s(v, n, 1, e)
	if k == 0 {
		return p.Feature.Forward(s, feature), nil // [N, 1, C]
	}
	// Slots look their features up in a table whose row 0 is the null token, so that its gradient needs no code of its own.
	first := p.Null
	if first == nil {
		first = s.Zeros(1, e)
	}
	table := s.Concat(0, first, s.FromFloat32s(o.Features, n*k, e)) // [1 + N·K, E]
	rows := make([]int32, n*k)
	if k > 1 {
		mask = make([]int32, 0, n*(1+k))
	}
	for i, count := range o.Count {
		empty := k - max(count, 1)
		for j := range count {
			rows[i*k+empty+j] = int32(1 + i*k + j)
		}
		if k > 1 {
			mask = append(mask, 1)
			for j := range k {
				seen := int32(1)
				if j < empty {
					seen = 0
				}
				mask = append(mask, seen)
			}
		}
	}
	u := s.Embedding(table, s.FromInt32s(rows, n, k)) // [N, K, E]
	if sh.Layout == "concat" {
		return p.Feature.Forward(s, s.Concat(2, feature, u)), nil // [N, 1, C]
	}
	return s.Concat(1, p.Feature.Forward(s, feature), p.Objects.Forward(s, u)), mask // [N, 1+K, C]
}
