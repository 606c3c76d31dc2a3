package tensor

import "syntic/kernels"

// ProjectTopK blends, for each row of query [N, D], the k most similar rows of mem [M, D] by a softmax of their dot products
// over tau; k = 0 takes all rows. The result is [N, D]. tau is in units of similarity. The gradient flows to query, not to mem.
// It panics with an *Error if the shapes disagree, k is not in 0..M, or tau is not positive.
func (s *Scope) ProjectTopK(query, mem *Tensor, k int, tau float32) *Tensor {
	return s.ProjectTopKExcept(query, mem, nil, k, tau)
}

// ProjectTopKExcept is ProjectTopK in which query n does not see row exclude[n] of mem: i32 [N], -1 for none; nil excludes nothing.
// With exclude, k must be less than M.
func (s *Scope) ProjectTopKExcept(query, mem, exclude *Tensor, k int, tau float32) *Tensor {
	out := s.Empty(query.Shape()...)
	a := kernels.ProjectTopKArgs{Query: query.View(), Exclude: exclude.View(), Out: out.v, K: k, Tau: tau}
	if k == 0 && s.dev.IsCPU() && kernels.ProjectTopK.Rounds() == BF16 {
		a.Mem = mem.weight(BF16)
	} else {
		a.Mem = mem.View()
	}
	run(s, kernels.ProjectTopK, a)
	if s.tracks(query) {
		record(s, out, projectStep{query, mem, exclude, out, k, tau})
	}
	return out
}

type projectStep struct {
	query, mem, exclude, out *Tensor
	k                        int
	tau                      float32
}

func (o *projectStep) back(g *Gradients, dout *Tensor) {
	d := g.s.Empty(o.query.Shape()...)
	run(g.s, kernels.ProjectTopKGrad, kernels.ProjectTopKGradArgs{Query: o.query.View(), Mem: o.mem.View(), Exclude: o.exclude.View(), Out: o.out.v, DOut: dout.View(), DQuery: d.v, K: o.k, Tau: o.tau})
	g.Add(o.query, d)
}

// ProjectTopKKept is ProjectTopKExcept that also tells of each query, [N], the similarity of the last of its k rows and the share that the k rows have of
// the softmax over all: 1 means that nothing was left out. k must be positive. No gradient flows.
func (s *Scope) ProjectTopKKept(query, mem, exclude *Tensor, k int, tau float32) (out, kth, mass *Tensor) {
	if query.Rank() != 2 {
		fail("projection of %v: want query [N, D]", query)
	}
	out, kth, mass = s.Empty(query.Shape()...), s.Empty(query.Dim(0)), s.Empty(query.Dim(0))
	run(s, kernels.ProjectTopK, kernels.ProjectTopKArgs{Query: query.View(), Mem: mem.View(), Exclude: exclude.View(), Out: out.v, K: k, Tau: tau, Kth: kth.v, Mass: mass.v})
	return out, kth, mass
}

// TopK finds, for each row of query [N, D], the k rows of mem [M, D] with the largest dot products: score [N, k], falling, and index i32 [N, k];
// of equal ones the lower index comes first. No gradient flows. It panics with an *Error if the shapes disagree or k is not in 1..M.
func (s *Scope) TopK(query, mem *Tensor, k int) (score, index *Tensor) {
	return s.TopKExcept(query, mem, nil, k)
}

// TopKExcept is TopK in which query n does not see row exclude[n] of mem: i32 [N], -1 for none. With exclude, k must be less than M.
func (s *Scope) TopKExcept(query, mem, exclude *Tensor, k int) (score, index *Tensor) {
	if query.Rank() != 2 || k < 1 {
		fail("top-%d of query %v: want query [N, D], k ≥ 1", k, query)
	}
	score, index = s.Empty(query.Dim(0), k), s.EmptyInts(query.Dim(0), k)
	a := kernels.TopKArgs{Query: query.View(), Mem: mem.View(), Exclude: exclude.View(), Score: score.v, Index: index.v}
	if n := mem.buf.near.Load(); n != nil {
		a.Near, a.Bounds = n.rows.As(mem.Shape()...), n.bounds
	}
	run(s, kernels.TopK, a)
	return score, index
}

// Select finds the k largest values of each row of x [N, C]: value [N, k], falling, and index i32 [N, k]; of equal ones the lower index comes first. NaN is
// never among them: a row with fewer than k numbers ends in −Inf at index −1. No gradient flows. It panics with an *Error if k is not in 1..C.
func (s *Scope) Select(x *Tensor, k int) (value, index *Tensor) {
	if x.Rank() != 2 || k < 1 {
		fail("%d largest of %v: want x [N, C], 1 ≤ k ≤ C", k, x)
	}
	value, index = s.Empty(x.Dim(0), k), s.EmptyInts(x.Dim(0), k)
	run(s, kernels.Select, kernels.SelectArgs{X: x.View(), Value: value.v, Index: index.v})
	return value, index
}

// nearby is what kernels.Nearby made of a bank, in memory of its device.
type nearby struct {
	rows, bounds kernels.View
	free         func() // nil: the collector does
}

// KeepNearby keeps, beside a parameter [M, D] that serves as a bank, its rows in fewer bits: BF16, half its memory, or U8, a quarter. TopK then reads those
// and no more than a few rows of the bank itself; its results stay the same bits. The values must not change afterwards but by SetData, which forgets
// the copy, as Release does. It panics with an *Error for another tensor or format, or too little memory of the device.
func (t *Tensor) KeepNearby(d DType) {
	if !t.parameter || t.Rank() != 2 || t.Len() == 0 {
		fail("keep %v nearby: want a parameter [M, D]", t)
	}
	v := t.View()
	if !t.dev.IsCPU() {
		v = kernels.Of(t.Float32s(), t.Shape()...)
	}
	rows, bounds, err := kernels.Nearby(&v, d)
	check(err)
	n := &nearby{rows: rows, bounds: bounds}
	if !t.dev.IsCPU() {
		n = n.on(t.dev)
	}
	t.forgetNearby()
	t.buf.near.Store(n)
}

// on is a copy in memory of a device.
func (n *nearby) on(dev *Device) *nearby {
	s, err := dev.backend.NewStream(dev.info.Index)
	check(err)
	there := &nearby{}
	var free []func()
	for _, v := range []struct{ to, from *kernels.View }{{&there.rows, &n.rows}, {&there.bounds, &n.bounds}} {
		p, class := dev.pool.get(v.from.Bytes())
		free = append(free, func() { dev.pool.put(p, class) })
		*v.to = kernels.NewView(v.from.DType, p, v.from.Shape()...)
		check(dev.backend.CopyIn(s, p, v.from.Ptr(), v.from.Bytes()))
	}
	check(dev.backend.Sync(s))
	there.free = func() {
		for _, f := range free {
			f()
		}
	}
	return there
}

// forgetNearby gives back what KeepNearby keeps.
func (t *Tensor) forgetNearby() {
	if n := t.buf.near.Swap(nil); n != nil && n.free != nil {
		n.free()
	}
}

// NearbyBytes is the memory that KeepNearby takes beside the bank.
func (t *Tensor) NearbyBytes() int {
	if n := t.buf.near.Load(); n != nil {
		return n.rows.Bytes() + n.bounds.Bytes()
	}
	return 0
}
