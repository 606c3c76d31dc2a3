package kernels

import (
	"fmt"
	"math"
	"sync"
)

// BoxMatchArgs are DETR's matching of queries with objects (Carion et al. 2020, eq. 1) and the targets of its set loss. Each of Layers decoder layers has B images
// of Q queries; objects First[b] to First[b+1]−1, at most Q, are those of image b in every layer. In each image every object has a query of its own
// such that the sum of the costs, in float64, is least:
//
//	−ClassCost·softmax(Logits[q])[Label[o]] + BoxCost·|Boxes[q] − Object[o]|₁ − GIoUCost·giou(Boxes[q], Object[o])
//
// A cost that is no number counts as 10⁹: the loss itself shows that a training has gone astray. Boxes are (cx, cy, w, h). Class is the label of a query's object and
// Weight 1, or the last class and Nothing. Index are the queries that have an object, by rising number, and Target the boxes of those. Every machine
// rounds the costs alike, so that all have the same matching of the same inputs.
type BoxMatchArgs struct {
	Logits View // [Layers·B·Q, C], the last class is "no object"
	Boxes  View // [Layers·B·Q, 4]
	Label  View // i32 [N], 0 to C−2
	Object View // [N, 4]
	First  View // i32 [B+1], from 0 to N
	Class  View // i32 [Layers·B·Q]
	Weight View // [Layers·B·Q]
	Index  View // i32 [Layers·N]
	Target View // [Layers·N, 4]

	Layers                       int
	ClassCost, BoxCost, GIoUCost float32
	Nothing                      float32
}

// BoxMatch is DETR's matching.
var BoxMatch = register(&Op[BoxMatchArgs]{
	Name: "box_match",
	Dims: [][]int{{1, 1, 1, 1, 1, 0}, {1, 1, 5, 3, 5, 0}, {2, 3, 33, 4, 7, 0}, {1, 5, 40, 3, 40, 1}, {3, 2, 70, 5, 9, 1}}, // layers, B, Q, labels, most objects of an image, with ties
	Make: makeBoxMatch,
	Views: func(a *BoxMatchArgs) (in, out []*View) {
		return views(&a.Logits, &a.Boxes, &a.Label, &a.Object, &a.First), views(&a.Class, &a.Weight, &a.Index, &a.Target)
	},
	Cost: func(a *BoxMatchArgs) Cost {
		pairs := float64(a.Layers*a.Label.Len()) * float64(a.sizes().queries)
		return Cost{40*pairs + 30*float64(a.Logits.Len()), sumBytes(views(&a.Logits, &a.Boxes, &a.Object), views(&a.Class, &a.Weight, &a.Index, &a.Target))}
	},
	Check: (*BoxMatchArgs).check,
	Ref: func(a *BoxMatchArgs) {
		for i := range a.Pictures() {
			a.Match(i)
		}
	},
})

// makeBoxMatch: the first image has as many objects as may be, others fewer or none. With ties, objects and queries are of a few kinds.
func makeBoxMatch(r *Rand, d []int) BoxMatchArgs {
	layers, b, q, labels, most := d[0], d[1], d[2], d[3], d[4]
	rows, counts, first := layers*b*q, r.Ints(most+1, b), make([]int32, b+1)
	for i, n := range counts.I32() {
		if first[i+1] = first[i] + n; i == 0 {
			first[1] = int32(most)
		}
		if i == 1 {
			first[2] = first[1] // an image without objects
		}
	}
	n := int(first[b])
	a := BoxMatchArgs{Logits: r.Normal(rows, labels+1), Boxes: r.Uniform(0.1, 0.6, rows, 4), Label: r.Ints(labels, n), Object: r.Uniform(0.1, 0.6, n, 4), First: Of(first, b+1),
		Class: PoisonInts(rows), Weight: Poison(rows), Index: PoisonInts(layers * n), Target: Poison(layers*n, 4), Layers: layers, ClassCost: 1, BoxCost: 5, GIoUCost: 2, Nothing: 0.1}
	if d[5] == 1 {
		for _, v := range views(&a.Logits, &a.Boxes, &a.Object) {
			for i, x := range v.F32() {
				if v.F32()[i] = 0.25; x > 0.4 {
					v.F32()[i] = 0.5
				}
			}
		}
	}
	return a
}

func (a *BoxMatchArgs) check() error {
	var r, c, n, b int
	four := 4
	if !a.Logits.Bind(&r, &c) || !a.Boxes.Is(r, 4) || !a.Label.Bind(&n) || !a.Object.Bind(&n, &four) || !a.First.Bind(&b) || a.Label.DType != I32 || a.First.DType != I32 || a.Layers < 1 || b < 2 ||
		r%(a.Layers*(b-1)) != 0 || !a.Class.Is(r) || !a.Weight.Is(r) || !a.Index.Is(a.Layers*n) || !a.Target.Is(a.Layers*n, 4) || a.Class.DType != I32 || a.Index.DType != I32 {
		return fmt.Errorf("logits %v, boxes %v, label %v, object %v, first %v, class %v, weight %v, index %v, target %v, %d layers: want logits [L·B·Q, C], boxes [L·B·Q, 4], label i32 [N], object [N, 4], first i32 [B+1], class i32, weight [L·B·Q], index i32 [L·N], target [L·N, 4]",
			a.Logits, a.Boxes, a.Label, a.Object, a.First, a.Class, a.Weight, a.Index, a.Target, a.Layers)
	}
	return nil
}

type boxMatchSizes struct{ images, queries, classes, objects int }

func (a *BoxMatchArgs) sizes() boxMatchSizes {
	b := a.First.Dim(0) - 1
	return boxMatchSizes{b, a.Logits.Dim(0) / (a.Layers * b), a.Logits.Dim(1), a.Label.Dim(0)}
}

// Pictures are how many matchings there are, one an image and layer.
func (a *BoxMatchArgs) Pictures() int { return a.Layers * (a.First.Dim(0) - 1) }

var assigners = sync.Pool{New: func() any { return new(assigner) }}

// Match makes matching i: the outputs of its queries.
func (a *BoxMatchArgs) Match(i int) {
	z := a.sizes()
	layer, b := i/z.images, i%z.images
	// what a kernel does with a First that is none: nothing outside the operands
	from := min(max(int(a.First.I32()[b]), 0), z.objects)
	n := min(max(int(a.First.I32()[b+1])-from, 0), z.objects-from, z.queries)
	s := assigners.Get().(*assigner)
	defer assigners.Put(s)
	s.reset(n, z.queries)
	for j := range z.queries {
		a.costs(s, i*z.queries+j, j, from, n)
	}
	for o := range n {
		s.add(o)
	}
	at := layer*z.objects + from
	class, weight, index, target, object := a.Class.I32(), a.Weight.F32(), a.Index.I32(), a.Target.F32(), a.Object.F32()
	for j, o := range s.row {
		row := i*z.queries + j
		if class[row], weight[row] = int32(z.classes-1), a.Nothing; o >= 0 {
			o += from
			class[row], weight[row] = a.Label.I32()[o], 1
			index[at] = int32(row)
			copy(target[4*at:4*at+4], object[4*o:])
			at++
		}
	}
}

// costs are column j of s: what query row costs with each of n objects.
func (a *BoxMatchArgs) costs(s *assigner, row, j, from, n int) {
	c := a.Logits.Dim(1)
	x, box := a.Logits.F32()[row*c:row*c+c], [4]float32(a.Boxes.F32()[4*row:])
	top, sum := x[0], 0.0
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	for _, v := range x {
		sum += expBelow(float64(v - top))
	}
	for o := range n {
		l, object := a.Label.I32()[from+o], [4]float32(a.Object.F32()[4*(from+o):])
		p := expBelow(float64(x[l]-top)) / sum
		far, giou := farAndGIoU(&box, &object)
		cost := math.FMA(-float64(a.GIoUCost), giou, math.FMA(float64(a.BoxCost), far, -float64(a.ClassCost)*p))
		if !(cost >= -math.MaxFloat64 && cost <= math.MaxFloat64) {
			cost = 1e9
		}
		s.cost[o*s.cols+j] = cost
	}
}

// farAndGIoU are the sum of the absolute differences of two boxes (cx, cy, w, h), and their generalised intersection over union (Rezatofighi et al. 2019). A product that is
// added to something is in a fused multiply-add: that is how every machine rounds it.
func farAndGIoU(a, b *[4]float32) (far, giou float64) {
	var inner, outer, p, q [2]float64 // along x and y: of the intersection, of the hull, of a, of b
	for i := range a {
		far += math.Abs(float64(a[i]) - float64(b[i]))
	}
	for i := range inner {
		aw, bw := float64(a[i+2]), float64(b[i+2])
		lo, hi, blo, bhi := float64(a[i])-aw/2, float64(a[i])+aw/2, float64(b[i])-bw/2, float64(b[i])+bw/2
		inner[i], outer[i], p[i], q[i] = positive(less(hi, bhi)-more(lo, blo)), more(hi, bhi)-less(lo, blo), positive(hi-lo), positive(bhi-blo)
	}
	inter, hull := inner[0]*inner[1], outer[0]*outer[1]
	union := math.FMA(p[0], p[1], math.FMA(q[0], q[1], -inter))
	if !(union > 0) || !(hull > 0) {
		return far, 0
	}
	return far, inter/union - math.FMA(outer[0], outer[1], -union)/hull
}

func less(a, b float64) float64 {
	if a < b {
		return a
	}
	return b
}

func more(a, b float64) float64 {
	if a > b {
		return a
	}
	return b
}

func positive(a float64) float64 { return more(a, 0) }

// expBelow is e^x for x ≤ 0 within 2 units of the last place, below e⁻⁷⁰⁰ 0: x = k ln 2 + r, and the series of e^r to r¹³.
func expBelow(x float64) float64 {
	if !(x > -700) {
		if x != x {
			return x
		}
		return 0
	}
	k := float64(int64(math.FMA(x, math.Log2E, -0.5)))
	r := math.FMA(-k, 1.90821492927058770002e-10, math.FMA(-k, 6.93147180369123816490e-01, x)) // ln 2 in two parts, k times the first exact
	p := 1.0 / 6227020800
	for _, c := range &expSeries {
		p = math.FMA(p, r, c)
	}
	return p * math.Float64frombits(uint64(1023+int64(k))<<52)
}

var expSeries = [...]float64{1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1}
