package syntic

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"syntic/nn"
	"syntic/syntic/config"
	"syntic/tensor"
)

// Patches are the features of the parts of N images, of which each becomes a prefix token, and what tags say in the place of some of them or behind
// them (PCM-Net, Luo et al. 2024).
type Patches struct {
	Count    int       // P, of an image
	Slots    int       // M, at most so many stand behind them
	Features []float32 // [N, P, E], of the patches, or of tags in the place of some
	Tagged   []bool    // [N, P]: it is of tags, and goes through the layer of tags
	Behind   []float32 // [N, M, E], of tags
	Used     []int     // [N], how many of those
}

// Mixed is what tags say of the patches of an image: chosen are the patches of the Mix highest similarities of any patch [P, E] with any tag
// [T, E], rising; blends [len(chosen), E] are for each the tags weighted by the softmax of their similarities over Temperature.
func Mixed(patches, tags []float32, e int, o config.Patches) (chosen []int, blends []float32) {
	p, t := len(patches)/e, len(tags)/e
	sim := make([]float64, p*t)
	cells := make([]int, p*t)
	for i := range p {
		for j := range t {
			sim[i*t+j] = similarity(patches[i*e:(i+1)*e], tags[j*e:(j+1)*e])
		}
	}
	for c := range cells {
		cells[c] = c
	}
	slices.SortStableFunc(cells, func(a, b int) int { return cmp.Compare(sim[b], sim[a]) })
	for _, c := range cells[:min(o.Mix, len(cells))] {
		if !slices.Contains(chosen, c/t) {
			chosen = append(chosen, c/t)
		}
	}
	slices.Sort(chosen)
	for _, i := range chosen {
		row := sim[i*t : (i+1)*t]
		top, sum, blend := slices.Max(row), 0.0, make([]float64, e)
		for j, s := range row {
			w := math.Exp((s - top) / o.Temperature)
			sum += w
			for d, x := range unit(tags[j*e : (j+1)*e]) {
				blend[d] += w * float64(x)
			}
		}
		for _, x := range blend {
			blends = append(blends, float32(x/sum))
		}
	}
	return chosen, blends
}

// NewPatches holds the patches [P, E] of an image, with what its tags [T, E] say of them: in training in their place, at test behind them.
func NewPatches(patches, tags []float32, e int, o config.Patches, training bool) *Patches {
	x := &Patches{Count: len(patches) / e, Slots: o.Mix, Features: slices.Clone(patches), Tagged: make([]bool, len(patches)/e),
		Behind: make([]float32, o.Mix*e), Used: []int{0}}
	chosen, blends := Mixed(patches, tags, e, o)
	if !training {
		x.Used[0] = copy(x.Behind, blends) / e
		return x
	}
	for k, i := range chosen {
		copy(x.Features[i*e:(i+1)*e], blends[k*e:(k+1)*e])
		x.Tagged[i] = true
	}
	return x
}

// Append adds the images of y, which have as many patches, and slots.
func (x *Patches) Append(y *Patches) {
	x.Count, x.Slots = y.Count, y.Slots
	x.Features, x.Tagged = append(x.Features, y.Features...), append(x.Tagged, y.Tagged...)
	x.Behind, x.Used = append(x.Behind, y.Behind...), append(x.Used, y.Used...)
}

// pick are some images; nil of nil.
func (x *Patches) pick(index []int, e int) *Patches {
	if x == nil {
		return nil
	}
	out := &Patches{Count: x.Count, Slots: x.Slots, Features: rowsAt(x.Features, x.Count*e, index), Behind: rowsAt(x.Behind, x.Slots*e, index)}
	for _, at := range index {
		out.Tagged, out.Used = append(out.Tagged, x.Tagged[at*x.Count:(at+1)*x.Count]...), append(out.Used, x.Used[at])
	}
	return out
}

// check compares patches with the decoder's shape.
func (x *Patches) check(n int, sh Shape) error {
	if sh.Patches == 0 {
		return nil
	}
	if x == nil || x.Count != sh.Patches || x.Slots != sh.Mixed || len(x.Features) != n*x.Count*sh.Features || len(x.Tagged) != n*x.Count ||
		len(x.Behind) != n*x.Slots*sh.Features || len(x.Used) != n {
		return fmt.Errorf("patches of %d images: want %d each and %d slots behind them, as the decoder was trained with", n, sh.Patches, sh.Mixed)
	}
	for i, used := range x.Used {
		if used < 0 || used > x.Slots {
			return fmt.Errorf("image %d: %d slots behind its patches: want 0 to %d", i, used, x.Slots)
		}
	}
	return nil
}

// patchLayers make prefix tokens of patches and of tags.
type patchLayers struct {
	Patch *nn.Linear `name:"patch"` // E → C
	Tag   *nn.Linear `name:"tag"`   // E → C
}

// embed is the tokens [N, P + M, C].
func (l *patchLayers) embed(s *tensor.Scope, x *Patches, e int) *tensor.Tensor {
	n := len(x.Used)
	own := s.FromFloat32s(x.Features, n*x.Count, e)
	both := s.Concat(0, l.Patch.Forward(s, own), l.Tag.Forward(s, own)) // [2·N·P, C], of which each place takes one
	rows := make([]int32, n*x.Count)
	for i, tagged := range x.Tagged {
		if rows[i] = int32(i); tagged {
			rows[i] += int32(n * x.Count)
		}
	}
	tokens := s.Embedding(both, s.FromInt32s(rows, n, x.Count))
	return s.Concat(1, tokens, l.Tag.Forward(s, s.FromFloat32s(x.Behind, n, x.Slots, e)))
}
