package tensor

import (
	"slices"

	"syntic/kernels"
)

// Act is an elementwise function.
type Act = kernels.Act

// The elementwise functions. GELU is exact, GELUTanh is GPT-2's gelu_new, QuickGELU is CLIP's.
const (
	ActNone   = kernels.ActNone
	GELU      = kernels.GELU
	GELUTanh  = kernels.GELUTanh
	QuickGELU = kernels.QuickGELU
	SiLU      = kernels.SiLU
	ReLU      = kernels.ReLU
	Sigmoid   = kernels.Sigmoid
	Tanh      = kernels.Tanh
	Exp       = kernels.Exp
	Log       = kernels.Log
	Square    = kernels.Square
	Abs       = kernels.Abs
)

// ActByName finds a function by the name that configurations use ("gelu", "quick_gelu", "silu", …).
func ActByName(name string) (Act, error) { return kernels.ActByName(name) }

// Act applies f to every element.
func (s *Scope) Act(x *Tensor, f Act) *Tensor {
	out := s.Empty(x.Shape()...)
	run(s, kernels.Unary, kernels.UnaryArgs{F: f, X: x.View(), Out: out.v})
	if s.tracks(x) {
		record(s, out, actStep{x, f})
	}
	return out
}

type actStep struct {
	x *Tensor
	f Act
}

func (o *actStep) back(g *Gradients, dout *Tensor) {
	dx := g.s.Empty(o.x.Shape()...)
	run(g.s, kernels.UnaryGrad, kernels.UnaryGradArgs{F: o.f, X: o.x.View(), DOut: dout.View(), DX: dx.v})
	g.Add(o.x, dx)
}

// GLU is value · f(gate) for x [..., 2C] that holds value, then gate; the result is [..., C]. GEGLU is f = GELU (Shazeer 2020).
func (s *Scope) GLU(x *Tensor, f Act) *Tensor {
	c := x.Dim(-1)
	if c%2 != 0 {
		fail("glu of %v: want an even last dimension", x)
	}
	var dims [kernels.MaxRank]int
	n, shape := x.Len()/c, append(dims[:0], x.Shape()...)
	shape[len(shape)-1] = c / 2
	out := s.Empty(shape...)
	run(s, kernels.GLU, kernels.GLUArgs{F: f, X: x.as(n, c), Out: out.as(n, c/2)})
	if s.tracks(x) {
		record(s, out, gluStep{x, f})
	}
	return out
}

type gluStep struct {
	x *Tensor
	f Act
}

func (o *gluStep) back(g *Gradients, dout *Tensor) {
	x, c := o.x, o.x.Dim(-1)
	n, dx := x.Len()/c, g.s.Empty(x.Shape()...)
	run(g.s, kernels.GLUGrad, kernels.GLUGradArgs{F: o.f, X: x.as(n, c), DOut: dout.as(n, c/2), DX: dx.as(n, c)})
	g.Add(x, dx)
}

// Add is a + b. In all binary ops b broadcasts: its shape, with ones put before it, has a's sizes or ones, and the broadcast
// dimensions can be told by three groups (b the same as a; [C] to [..., C]; [B, 1, 1, C] to [B, H, W, C]; …).
func (s *Scope) Add(a, b *Tensor) *Tensor { return s.binary(kernels.Add, a, 1, b, 1) }

// Sub is a − b.
func (s *Scope) Sub(a, b *Tensor) *Tensor { return s.binary(kernels.Sub, a, 1, b, 1) }

// Mul is a · b, elementwise.
func (s *Scope) Mul(a, b *Tensor) *Tensor { return s.binary(kernels.Mul, a, 1, b, 1) }

// Div is a / b, elementwise.
func (s *Scope) Div(a, b *Tensor) *Tensor { return s.binary(kernels.Div, a, 1, b, 1) }

// AddScaled is alpha·a + beta·b.
func (s *Scope) AddScaled(a *Tensor, alpha float32, b *Tensor, beta float32) *Tensor {
	return s.binary(kernels.Add, a, alpha, b, beta)
}

// broadcast3 folds the shapes of a and b into three dimensions so that b's are each a's or 1.
func broadcast3(a, b *Tensor) (full, small [3]int) {
	n := a.Rank()
	if b.Rank() > n {
		fail("%v does not broadcast to %v", b, a)
	}
	full, small = [3]int{1, 1, 1}, [3]int{1, 1, 1}
	g, last := 3, -1 // the group that is being filled, from the right, and whether its dimensions are b's (1) or broadcast (0)
	for i := n - 1; i >= 0; i-- {
		size, have := a.Dim(i), 1
		if j := i - (n - b.Rank()); j >= 0 {
			have = b.Dim(j)
		}
		if have != size && have != 1 {
			fail("%v does not broadcast to %v", b, a)
		}
		if size == 1 {
			continue
		}
		kind := 0
		if have == size {
			kind = 1
		}
		if kind != last {
			g--
			last = kind
		}
		if g < 0 {
			fail("%v does not broadcast to %v in three groups of dimensions", b, a)
		}
		full[g] *= size
		small[g] *= have
	}
	return full, small
}

func (s *Scope) binary(kind kernels.BinaryKind, a *Tensor, alpha float32, b *Tensor, beta float32) *Tensor {
	full, small := broadcast3(a, b)
	out := s.Empty(a.Shape()...)
	run(s, kernels.Binary, kernels.BinaryArgs{Kind: kind, A: a.as(full[:]...), B: b.as(small[:]...), Out: out.as(full[:]...), Alpha: alpha, Beta: beta})
	if !s.tracks(a, b) {
		return out
	}
	record(s, out, binaryStep{kind, a, b, out, alpha, beta, full, small})
	return out
}

// binaryStep is out = alpha·a op beta·b, with the shapes folded.
type binaryStep struct {
	kind        kernels.BinaryKind
	a, b, out   *Tensor
	alpha, beta float32
	full, small [3]int
}

func (o *binaryStep) back(g *Gradients, dout *Tensor) {
	a, b := o.a, o.b
	switch o.kind {
	case kernels.Add, kernels.Sub:
		if a.wants() {
			if o.alpha == 1 {
				g.Add(a, dout)
			} else {
				g.Add(a, g.s.affine(dout, o.alpha, 0))
			}
		}
		if b.wants() {
			if o.kind == kernels.Sub {
				o.toB(g, dout, -o.beta)
			} else {
				o.toB(g, dout, o.beta)
			}
		}
	case kernels.Mul:
		if a.wants() {
			g.Add(a, o.call(g.s, kernels.Mul, dout, o.alpha, b, o.small, o.beta))
		}
		if b.wants() {
			o.toB(g, o.call(g.s, kernels.Mul, dout, o.alpha*o.beta, a, o.full, 1), 1)
		}
	case kernels.Div:
		if a.wants() {
			g.Add(a, o.call(g.s, kernels.Div, dout, o.alpha, b, o.small, o.beta))
		}
		if b.wants() { // −dout · out / b
			o.toB(g, o.call(g.s, kernels.Div, o.call(g.s, kernels.Mul, dout, -1, o.out, o.full, 1), 1, b, o.small, 1), 1)
		}
	}
}

// call is alpha·x op beta·y, in the shape of a.
func (o *binaryStep) call(s *Scope, kind kernels.BinaryKind, x *Tensor, alpha float32, y *Tensor, yDims [3]int, beta float32) *Tensor {
	d, full := s.Empty(o.a.Shape()...), o.full[:]
	run(s, kernels.Binary, kernels.BinaryArgs{Kind: kind, A: x.as(full...), B: y.as(yDims[:]...), Out: d.as(full...), Alpha: alpha, Beta: beta})
	return d
}

// toB adds scale·d to the gradient of b, summed over the dimensions that were broadcast.
func (o *binaryStep) toB(g *Gradients, d *Tensor, scale float32) {
	if o.full == o.small {
		if scale != 1 {
			d = g.s.affine(d, scale, 0)
		}
		if len(d.Shape()) != len(o.b.Shape()) {
			d = g.s.view(d, o.b.Shape())
		}
		g.Add(o.b, d)
		return
	}
	sum := g.s.Empty(o.b.Shape()...)
	run(g.s, kernels.Reduce, kernels.ReduceArgs{X: d.as(o.full[:]...), Out: sum.as(o.small[:]...), Scale: scale})
	g.Add(o.b, sum)
}

func (s *Scope) affine(x *Tensor, a, b float32) *Tensor {
	out := s.Empty(x.Shape()...)
	run(s, kernels.Affine, kernels.AffineArgs{X: x.View(), Out: out.v, A: a, B: b})
	return out
}

// Affine is a·x + b.
func (s *Scope) Affine(x *Tensor, a, b float32) *Tensor {
	out := s.affine(x, a, b)
	if s.tracks(x) {
		record(s, out, affineStep{x, a})
	}
	return out
}

type affineStep struct {
	x *Tensor
	a float32
}

func (o *affineStep) back(g *Gradients, dout *Tensor) { g.Add(o.x, g.s.affine(dout, o.a, 0)) }

// Scale is a·x.
func (s *Scope) Scale(x *Tensor, a float32) *Tensor { return s.Affine(x, a, 0) }

// Clamp limits x to lo..hi; no gradient flows where it was cut. It panics unless lo < hi.
func (s *Scope) Clamp(x *Tensor, lo, hi float32) *Tensor {
	if !(lo < hi) {
		fail("clamp to %g..%g: want lo < hi", lo, hi)
	}
	out := s.Empty(x.Shape()...)
	run(s, kernels.Affine, kernels.AffineArgs{X: x.View(), Out: out.v, A: 1, Lo: lo, Hi: hi})
	if s.tracks(x) {
		record(s, out, clampStep{x, lo, hi})
	}
	return out
}

type clampStep struct {
	x      *Tensor
	lo, hi float32
}

func (o *clampStep) back(g *Gradients, dout *Tensor) {
	// relu'(x − lo) · relu'(hi − x): both derivatives are 0 or 1
	s, x, n := g.s, o.x, o.x.Len()
	d := s.Empty(x.Shape()...)
	t := s.affine(x, 1, -o.lo)
	run(s, kernels.UnaryGrad, kernels.UnaryGradArgs{F: ReLU, X: t.as(n), DOut: dout.as(n), DX: d.as(n)})
	t = s.affine(x, -1, o.hi)
	e := s.Empty(x.Shape()...)
	run(s, kernels.UnaryGrad, kernels.UnaryGradArgs{F: ReLU, X: t.as(n), DOut: d.as(n), DX: e.as(n)})
	g.Add(x, e)
}

// Sum sums over axes, which stay with size 1. The axes must be neighbours, or the first and the last group of dimensions.
func (s *Scope) Sum(x *Tensor, axes ...int) *Tensor { return s.reduce(x, 1, axes) }

// Mean is Sum divided by the number of elements summed.
func (s *Scope) Mean(x *Tensor, axes ...int) *Tensor {
	n := 1
	for _, a := range axes {
		n *= x.Dim(a)
	}
	return s.reduce(x, 1/float32(n), axes)
}

// SumAll is the sum of all elements, [1].
func (s *Scope) SumAll(x *Tensor) *Tensor { return s.Sum(s.Reshape(x, x.Len()), 0) }

// MeanAll is the mean of all elements, [1].
func (s *Scope) MeanAll(x *Tensor) *Tensor { return s.Mean(s.Reshape(x, x.Len()), 0) }

func (s *Scope) reduce(x *Tensor, scale float32, axes []int) *Tensor {
	var dims [kernels.MaxRank]int
	shape := append(dims[:0], x.Shape()...)
	for _, a := range axes {
		if a < 0 {
			a += len(shape)
		}
		if a < 0 || a >= len(shape) {
			fail("reduce %v over axes %v", x, slices.Clone(axes)) // a clone, so that no caller's axes go to the heap
		}
		shape[a] = 1
	}
	out := s.Empty(shape...)
	full, small := broadcast3(x, out)
	run(s, kernels.Reduce, kernels.ReduceArgs{X: x.as(full[:]...), Out: out.as(small[:]...), Scale: scale})
	if s.tracks(x) {
		record(s, out, reduceStep{x, scale, full, small})
	}
	return out
}

type reduceStep struct {
	x           *Tensor
	scale       float32
	full, small [3]int
}

func (o *reduceStep) back(g *Gradients, dout *Tensor) {
	dx, full := g.s.Zeros(o.x.Shape()...), o.full[:]
	run(g.s, kernels.Binary, kernels.BinaryArgs{Kind: kernels.Add, A: dx.as(full...), B: dout.as(o.small[:]...), Out: dx.as(full...), Alpha: 1, Beta: o.scale})
	g.Add(o.x, dx)
}
