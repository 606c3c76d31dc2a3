package tensor

import "syntic/kernels"

// MatMul is a·b for matrices [M, K] and [K, N], or for batches of them [B, M, K] and [B, K, N]; either operand is read transposed by its flag.
// A batch of size 1, or a matrix beside a batch, serves for all.
func (s *Scope) MatMul(a, b *Tensor, transA, transB bool) *Tensor {
	return s.MatMulScaled(a, b, transA, transB, 1)
}

func batch3(t *Tensor) kernels.View {
	if t.Rank() == 2 {
		return t.as(1, t.Dim(0), t.Dim(1))
	}
	if t.Rank() != 3 {
		fail("matmul of %v: want two or three dimensions", t)
	}
	return t.View()
}

// MatMulScaled is alpha · a·b.
func (s *Scope) MatMulScaled(a, b *Tensor, transA, transB bool, alpha float32) *Tensor {
	av, bv := batch3(a), batch3(b)
	m, n := av.Dim(1), bv.Dim(2)
	if transA {
		m = av.Dim(2)
	}
	if transB {
		n = bv.Dim(1)
	}
	batch := max(av.Dim(0), bv.Dim(0))
	out := s.Empty(batch, m, n)
	run(s, kernels.GEMM, kernels.GEMMArgs{A: av, B: bv, Out: out.v, TransA: transA, TransB: transB, Alpha: alpha})
	if s.tracks(a, b) {
		record(s, out, matMulStep{a, b, transA, transB, alpha, [3]int{batch, m, n}})
	}
	if a.Rank() == 2 && b.Rank() == 2 {
		return s.Reshape(out, m, n)
	}
	return out
}

// matMulStep is the product with the shape of its result.
type matMulStep struct {
	a, b           *Tensor
	transA, transB bool
	alpha          float32
	shape          [3]int
}

func (o *matMulStep) back(g *Gradients, dout *Tensor) {
	av, bv, dv, batch := batch3(o.a), batch3(o.b), dout.as(o.shape[:]...), o.shape[0]
	if o.a.wants() {
		args := kernels.GEMMArgs{A: dv, B: bv, TransB: !o.transB, Alpha: o.alpha}
		if o.transA { // dA [K, M] = op(B) [K, N] · dOutᵀ
			args = kernels.GEMMArgs{A: bv, TransA: o.transB, B: dv, TransB: true, Alpha: o.alpha}
		}
		g.Add(o.a, g.s.matGrad(o.a, av, batch, args))
	}
	if o.b.wants() {
		args := kernels.GEMMArgs{A: av, TransA: !o.transA, B: dv, Alpha: o.alpha}
		if o.transB { // dB [N, K] = dOutᵀ · op(A) [M, K]
			args = kernels.GEMMArgs{A: dv, TransA: true, B: av, TransB: o.transA, Alpha: o.alpha}
		}
		g.Add(o.b, g.s.matGrad(o.b, bv, batch, args))
	}
}

// matGrad makes the gradient of one operand, summed over the batch if the operand served for all.
func (s *Scope) matGrad(t *Tensor, v kernels.View, batch int, args kernels.GEMMArgs) *Tensor {
	if v.Dim(0) == batch {
		d := s.Empty(t.Shape()...)
		args.Out = d.as(v.Shape()...)
		run(s, kernels.GEMM, args)
		return d
	}
	all := s.Empty(batch, v.Dim(1), v.Dim(2))
	args.Out = all.v
	run(s, kernels.GEMM, args)
	d := s.Empty(t.Shape()...)
	n := v.Dim(1) * v.Dim(2)
	run(s, kernels.Reduce, kernels.ReduceArgs{X: all.as(1, batch, n), Out: d.as(1, 1, n), Scale: 1})
	s.Free(all)
	return d
}

// Linear is x·wᵀ + b for x [..., in], w [out, in] and b [out] or nil; the result is [..., out].
func (s *Scope) Linear(x, w, b *Tensor) *Tensor { return s.linear(x, w, b, nil, ActNone) }

// LinearAct is act(x·wᵀ + b).
func (s *Scope) LinearAct(x, w, b *Tensor, act Act) *Tensor {
	if s.tracks(x, w, b) && act != ActNone { // the gradient needs the value before act
		return s.Act(s.linear(x, w, b, nil, ActNone), act)
	}
	return s.linear(x, w, b, nil, act)
}

// LinearAdd is x·wᵀ + b + residual, with residual of the result's shape.
func (s *Scope) LinearAdd(x, w, b, residual *Tensor) *Tensor {
	return s.linear(x, w, b, residual, ActNone)
}

// AddLinear adds x·wᵀ + b to sum, which has the shape that the result would have: the bits of LinearAdd, without memory of its own. It panics with an
// *Error if a gradient would flow.
func (s *Scope) AddLinear(sum, x, w, b *Tensor) {
	if s.tracks(sum, x, w, b) {
		fail("add x %v · weight %v to %v in place: want no gradient", x, w, sum)
	}
	m, n, k := linearSizes(x, w)
	run(s, kernels.GEMM, kernels.GEMMArgs{A: x.as(1, m, k), B: w.weight(kernels.GEMM.Rounds()).As(1, n, k), TransB: true, Out: sum.as(1, m, n), Bias: b.View(), Alpha: 1, Accumulate: true})
}

// linearSizes are the rows of x, those of w, and the length of both.
func linearSizes(x, w *Tensor) (m, n, k int) {
	if w.Rank() != 2 || x.Rank() < 1 || x.Dim(-1) != w.Dim(1) {
		fail("linear of x %v, weight %v: want x [..., in], weight [out, in]", x, w)
	}
	n, k = w.Dim(0), w.Dim(1)
	return x.Len() / k, n, k
}

func (s *Scope) linear(x, w, b, residual *Tensor, act Act) *Tensor {
	m, n, k := linearSizes(x, w)
	var dims [kernels.MaxRank]int
	shape := append(dims[:0], x.Shape()...)
	shape[len(shape)-1] = n
	out := s.Empty(shape...)
	args := kernels.GEMMArgs{A: x.as(1, m, k), B: w.weight(kernels.GEMM.Rounds()).As(1, n, k), TransB: true, Out: out.as(1, m, n), Bias: b.View(), Alpha: 1, Act: act}
	if residual != nil {
		args.Residual = residual.as(1, m, n)
	}
	run(s, kernels.GEMM, args)
	if s.tracks(x, w, b, residual) {
		record(s, out, linearStep{x, w, b, residual})
	}
	return out
}

type linearStep struct{ x, w, b, residual *Tensor }

func (o *linearStep) back(g *Gradients, dout *Tensor) {
	s, x, w, b := g.s, o.x, o.w, o.b
	m, n, k := linearSizes(x, w)
	dv := dout.as(1, m, n)
	if x.wants() {
		dx := s.Empty(x.Shape()...)
		run(s, kernels.GEMM, kernels.GEMMArgs{A: dv, B: w.weight(kernels.GEMM.Rounds()).As(1, n, k), Out: dx.as(1, m, k), Alpha: 1})
		g.Add(x, dx)
	}
	if w.wants() {
		dw := s.Empty(n, k)
		run(s, kernels.GEMM, kernels.GEMMArgs{A: dv, TransA: true, B: x.as(1, m, k), Out: dw.as(1, n, k), Alpha: 1})
		g.Add(w, dw)
	}
	if b.wants() {
		db := s.Empty(n)
		run(s, kernels.Reduce, kernels.ReduceArgs{X: dout.as(1, m, n), Out: db.as(1, 1, n), Scale: 1})
		g.Add(b, db)
	}
	if o.residual.wants() {
		g.Add(o.residual, dout)
	}
}
