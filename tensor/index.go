package tensor

import (
	"slices"
	"unsafe"

	"syntic/kernels"
)

func (s *Scope) view(x *Tensor, shape []int) *Tensor {
	return s.twin(Tensor{v: x.storedAs(shape...), buf: x.buf, dev: x.dev, host: x.host})
}

// Reshape is the same memory in another shape; one size may be -1.
func (s *Scope) Reshape(x *Tensor, shape ...int) *Tensor {
	var dims [kernels.MaxRank]int
	shape = append(dims[:0], shape...)
	known, open := 1, -1
	for i, d := range shape {
		if d == -1 && open < 0 {
			open = i
			continue
		}
		known *= d
	}
	if open >= 0 && known > 0 {
		shape[open] = x.Len() / known
	}
	if product(shape) != x.Len() {
		fail("reshape %v to %v: %d elements", x, slices.Clone(shape), x.Len())
	}
	out := s.view(x, shape)
	if s.tracks(x) {
		record(s, out, reshapeStep{x})
	}
	return out
}

type reshapeStep struct{ x *Tensor }

func (o *reshapeStep) back(g *Gradients, dout *Tensor) { g.Add(o.x, g.s.view(dout, o.x.Shape())) }

// Permute copies x with its dimensions in another order: the result's dimension i is x's dimension perm[i].
func (s *Scope) Permute(x *Tensor, perm ...int) *Tensor {
	if len(perm) != x.Rank() {
		fail("permute %v by %v", x, slices.Clone(perm))
	}
	out := s.permute(x, perm)
	if s.tracks(x) {
		step := permuteStep{x: x}
		copy(step.perm[:], perm)
		record(s, out, step)
	}
	return out
}

type permuteStep struct {
	x    *Tensor
	perm [kernels.MaxRank]int
}

func (o *permuteStep) back(g *Gradients, dout *Tensor) {
	var inv [kernels.MaxRank]int
	n := o.x.Rank()
	for i, p := range o.perm[:n] {
		inv[p] = i
	}
	g.Add(o.x, g.s.permute(dout, inv[:n]))
}

func (s *Scope) permute(x *Tensor, perm []int) *Tensor {
	a := kernels.PermuteArgs{X: x.View()}
	var dims [kernels.MaxRank]int
	shape := dims[:len(perm)]
	for i, p := range perm {
		if p < 0 || p >= len(perm) {
			fail("permute %v by %v", x, slices.Clone(perm))
		}
		shape[i], a.Perm[i] = x.Dim(p), p
	}
	out := s.empty(x.computed(), shape...)
	a.Out = out.v
	run(s, kernels.Permute, a)
	return out
}

// rows folds x around an axis: [product of the sizes before it, product of the rest].
func rows(x *Tensor, axis int) (outer, inner int) {
	outer = 1
	for _, d := range x.Shape()[:axis] {
		outer *= d
	}
	return outer, x.Len() / max(outer, 1)
}

func axisOf(x *Tensor, axis int) int {
	if axis < 0 {
		axis += x.Rank()
	}
	if axis < 0 || axis >= x.Rank() {
		fail("axis %d of %v", axis, x)
	}
	return axis
}

// Concat joins tensors along an axis; the other sizes must agree.
func (s *Scope) Concat(axis int, xs ...*Tensor) *Tensor {
	axis = axisOf(xs[0], axis)
	var dims [kernels.MaxRank]int
	shape := append(dims[:0], xs[0].Shape()...)
	shape[axis] = 0
	for _, x := range xs {
		if x.Rank() != len(shape) {
			fail("concat of %v and %v", xs[0], x)
		}
		for i, d := range x.Shape() {
			if i != axis && d != shape[i] {
				fail("concat of %v and %v along axis %d", xs[0], x, axis)
			}
		}
		shape[axis] += x.Dim(axis)
	}
	out := s.empty(xs[0].computed(), shape...)
	outer, inner := rows(out, axis)
	at := 0
	for _, x := range xs {
		_, w := rows(x, axis)
		s.block(x.as(outer, w), 0, out.as(outer, inner), at, w)
		at += w
	}
	if s.tracks(xs...) {
		record(s, out, concatStep{s.tape.list(xs), axis, outer, inner})
	}
	return out
}

// concatStep joins rows of tensors to outer rows of inner numbers.
type concatStep struct {
	xs                 []*Tensor
	axis, outer, inner int
}

func (o *concatStep) back(g *Gradients, dout *Tensor) {
	at := 0
	for _, x := range o.xs {
		_, w := rows(x, o.axis)
		g.s.blockGrad(g, x, dout.as(o.outer, o.inner), at, w, 0, w)
		at += w
	}
}

func (s *Scope) block(src kernels.View, from int, dst kernels.View, to, width int) {
	if width > 0 && src.Len() > 0 {
		run(s, kernels.CopyBlock, kernels.CopyBlockArgs{Src: src, Dst: dst, SrcAt: from, DstAt: to, Width: width})
	}
}

// blockGrad adds a block of columns of src to the gradient of x, seen as rows of cols columns.
func (s *Scope) blockGrad(g *Gradients, x *Tensor, src kernels.View, from, cols, to, width int) {
	if !x.wants() || width == 0 || src.Len() == 0 {
		return
	}
	d := g.owned(x)
	fresh := d == nil
	switch {
	case fresh && width == cols:
		d = s.Empty(x.Shape()...)
	case fresh:
		d = s.Zeros(x.Shape()...)
	}
	run(s, kernels.CopyBlock, kernels.CopyBlockArgs{Src: src, Dst: d.as(x.Len()/cols, cols), SrcAt: from, DstAt: to, Width: width, Accumulate: !fresh})
	if fresh {
		g.Add(x, d)
	}
}

// Slice copies the part from..to-1 along an axis.
func (s *Scope) Slice(x *Tensor, axis, from, to int) *Tensor {
	axis = axisOf(x, axis)
	if from < 0 || to > x.Dim(axis) || from >= to {
		fail("slice %d..%d of axis %d of %v", from, to, axis, x)
	}
	var dims [kernels.MaxRank]int
	shape := append(dims[:0], x.Shape()...)
	shape[axis] = to - from
	outer, inner := rows(x, axis)
	step := inner / x.Dim(axis)
	out := s.empty(x.computed(), shape...)
	w := (to - from) * step
	s.block(x.as(outer, inner), from*step, out.as(outer, w), 0, w)
	if s.tracks(x) {
		record(s, out, sliceStep{x, outer, inner, from * step, w})
	}
	return out
}

// sliceStep is w columns from column at on, of outer rows of inner numbers.
type sliceStep struct {
	x                   *Tensor
	outer, inner, at, w int
}

func (o *sliceStep) back(g *Gradients, dout *Tensor) {
	g.s.blockGrad(g, o.x, dout.as(o.outer, o.w), 0, o.inner, o.at, o.w)
}

// Part is the rows from..to-1 along axis 0, where they lie in x: a copy, as Slice makes, only if a gradient flows.
func (s *Scope) Part(x *Tensor, from, to int) *Tensor {
	if x.Rank() < 1 || from < 0 || to > x.Dim(0) || from >= to {
		fail("rows %d..%d of %v", from, to, x)
	}
	switch {
	case s.tracks(x):
		return s.Slice(x, 0, from, to)
	case from == 0 && to == x.Dim(0):
		return x
	}
	var dims [kernels.MaxRank]int
	shape := append(dims[:0], x.Shape()...)
	shape[0] = to - from
	row, v := x.Len()/x.Dim(0), x.View()
	t := s.twin(Tensor{v: kernels.NewView(v.DType, unsafe.Add(v.Ptr(), from*row*v.DType.Size()), shape...), buf: x.buf, dev: x.dev})
	if x.host != nil {
		t.host = x.host[from*row : to*row]
	}
	return t
}

// Split cuts x into n equal parts along an axis.
func (s *Scope) Split(x *Tensor, axis, n int) []*Tensor {
	axis = axisOf(x, axis)
	w := x.Dim(axis) / n
	if w*n != x.Dim(axis) {
		fail("split %v into %d parts along axis %d", x, n, axis)
	}
	parts := make([]*Tensor, n)
	for i := range parts {
		parts[i] = s.Slice(x, axis, i*w, (i+1)*w)
	}
	return parts
}

// Repeat0 is n copies of x, one after the other along axis 0.
func (s *Scope) Repeat0(x *Tensor, n int) *Tensor {
	if n < 1 || s.tracks(x) {
		return s.Concat(0, slices.Repeat([]*Tensor{x}, n)...)
	}
	var dims [kernels.MaxRank]int
	shape := append(dims[:0], x.Shape()...)
	shape[0] *= n
	out, size := s.empty(x.computed(), shape...), x.Len()
	for i := range n {
		s.block(x.as(1, size), 0, out.as(1, n*size), i*size, size)
	}
	return out
}

// Embedding gathers rows of table [V, C] for ids of any shape; the result has the shape of ids and C.
func (s *Scope) Embedding(table, ids *Tensor) *Tensor {
	if table.Rank() != 2 {
		fail("embedding table %v: want [V, C]", table)
	}
	c, n := table.Dim(1), ids.Len()
	var dims [kernels.MaxRank]int
	out := s.Empty(append(append(dims[:0], ids.Shape()...), c)...)
	run(s, kernels.Embedding, kernels.EmbeddingArgs{Table: table.stored(), IDs: ids.as(n), Out: out.as(n, c)})
	if s.tracks(table) {
		record(s, out, embeddingStep{table, ids})
	}
	return out
}

type embeddingStep struct{ table, ids *Tensor }

func (o *embeddingStep) back(g *Gradients, dout *Tensor) {
	n, c := o.ids.Len(), o.table.Dim(1)
	d := g.owned(o.table) // of a table that is the output layer too: a few rows are added to a gradient of all
	fresh := d == nil
	if fresh {
		d = g.s.Empty(o.table.Shape()...)
	}
	run(g.s, kernels.EmbeddingGrad, kernels.EmbeddingGradArgs{IDs: o.ids.as(n), DOut: dout.as(n, c), DTable: d.View(), Accumulate: !fresh})
	if fresh {
		g.Add(o.table, d)
	}
}
