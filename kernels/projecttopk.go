package kernels

import (
	"fmt"
	"math"
	"sort"
)

// ProjectTopKArgs are the projection of queries on a memory bank.
type ProjectTopKArgs struct {
	Query   View // [N, D]
	Mem     View // [M, D]
	Exclude View // i32 [N], optional: a row of Mem that query n must not see; none if outside 0..M-1
	Out     View // [N, D]
	K       int  // 0 takes all rows
	Tau     float32
	Scale   View // [M], of a Mem of i8, whose row m stands for Scale[m]·Mem[m]
	Kth     View // [N], optional, with K > 0: the similarity of the last of the K rows
	Mass    View // [N], optional, with K > 0: the share that the K rows have of the softmax over all rows that the query may see
}

// ProjectTopK replaces each query by a blend of the K rows of a memory bank most similar to it; K = 0 takes all M rows:
//
//	Out[n] = Σ_j softmax_j(⟨Query[n], Mem[i_j]⟩/Tau) · Mem[i_j],   i_1..i_K the K nearest of M, ties in index order
//
// It is the projection of DeCap (Li et al. 2023, eq. 3 and 4) that SynTIC uses. No variant stores the N×M similarities.
// A query that may see no row at all gives zeros.
var ProjectTopK = register(&Op[ProjectTopKArgs]{
	Name: "project_topk",
	// N, M, D, K, 1: exclude, 1: with Kth and Mass, 2: of an i8 bank, 3: both
	Dims: append(projectDims(), []int{230, 2100, 16, 0, 1}, []int{230, 2100, 8, 5, 0}, []int{1, 33000, 4, 0, 0}, []int{1, 33000, 8, 3, 0},
		[]int{3, 257, 33, 5, 0, 1}, []int{70, 530, 24, 10, 1, 1}, []int{5, 77, 16, 77, 0, 1}, []int{2, 5, 7, 4, 1, 3}, []int{19, 530, 36, 10, 1, 2},
		[]int{9, 1100, 512, 40, 0, 3}),
	Make: makeProjectTopK,
	Views: func(a *ProjectTopKArgs) (in, out []*View) {
		return views(&a.Query, &a.Mem, &a.Exclude, &a.Scale), views(&a.Out, &a.Kth, &a.Mass)
	},
	Cost: func(a *ProjectTopKArgs) Cost {
		n, m, d, k := a.Sizes()
		return Cost{2 * float64(n) * float64(d) * float64(m+k), float64(a.Query.Bytes() + a.Mem.Bytes() + a.Out.Bytes())}
	},
	Check: (*ProjectTopKArgs).check,
	Ref:   projectTopKRef,
	Tol:   1e-5, // the similarities' rounding, over Tau, goes through exp
})

func projectDims() [][]int {
	return [][]int{{1, 1, 1, 1, 0}, {3, 257, 33, 5, 0}, {8, 2051, 96, 64, 0}, {5, 1000, 64, 0, 0}, {70, 530, 24, 0, 1}, {33, 129, 40, 16, 1}, {1, 5000, 16, 0, 0}, {2, 5, 7, 4, 1}, {4, 1, 8, 0, 0}, {65, 300, 512, 3, 0}}
}

func makeProjectTopK(r *Rand, d []int) ProjectTopKArgs {
	a := ProjectTopKArgs{Query: r.Unit(d[0], d[2]), Mem: r.Unit(d[1], d[2]), Exclude: makeExclude(r, d[4], d[1], d[0]), Out: Poison(d[0], d[2]), K: d[3], Tau: 0.05}
	if len(d) > 5 && d[5]&1 != 0 {
		a.Kth, a.Mass = Poison(d[0]), Poison(d[0])
	}
	if len(d) > 5 && d[5]&2 != 0 {
		a.Mem, a.Scale = packBytes(&a.Mem)
	}
	return a
}

// packBytes is x [M, D] in whole numbers of -127..127, i8, and what they stand for multiples of, row by row.
func packBytes(x *View) (bytes, scale View) {
	m, d := x.Dim(0), x.Dim(1)
	to, scales := make([]int8, m*d), make([]float32, m)
	for i := range m {
		row, top := x.F32()[i*d:(i+1)*d], 0.0
		for _, v := range row {
			top = max(top, math.Abs(float64(v)))
		}
		scales[i] = float32(top / 127)
		for j, v := range row {
			to[i*d+j] = int8(math.RoundToEven(float64(v) / float64(scales[i])))
		}
	}
	return Of(to, m, d), Of(scales, m)
}

// Bank is Mem as float32, of a bank in host memory: itself, or a copy.
func (a *ProjectTopKArgs) Bank() View {
	if a.Mem.DType != I8 {
		return Of(a.Mem.Floats(), a.Mem.Shape()...)
	}
	d, x := a.Mem.Dim(1), make([]float32, a.Mem.Len())
	for i, v := range a.Mem.I8() {
		x[i] = float32(v) * a.Scale.F32()[i/d]
	}
	return Of(x, a.Mem.Shape()...)
}

func makeExclude(r *Rand, flag, m, n int) View {
	if flag == 0 {
		return View{}
	}
	v := r.Ints(m, n)
	v.I32()[0] = -1
	return v
}

// Sizes are N, M, D and the number of rows taken (M where K is 0).
func (a *ProjectTopKArgs) Sizes() (n, m, d, k int) {
	if k = a.K; k == 0 {
		k = a.Mem.Dim(0)
	}
	return a.Query.Dim(0), a.Mem.Dim(0), a.Query.Dim(1), k
}

func (a *ProjectTopKArgs) check() error {
	var n, m, d int
	if !a.Query.Bind(&n, &d) || !a.Mem.Bind(&m, &d) || !a.Out.Bind(&n, &d) || !excludeFits(&a.Exclude, n, m, a.K) || a.K < 0 || a.K > m || !(a.Tau > 0) {
		return fmt.Errorf("query %v, mem %v, exclude %v, out %v, K %d, Tau %g: want query, out [N, D], mem [M, D], exclude i32 [N], 0 ≤ K ≤ M (less than M with exclude), Tau > 0",
			a.Query, a.Mem, a.Exclude, a.Out, a.K, a.Tau)
	}
	if !a.Kth.IsOpt(n) || !a.Mass.IsOpt(n) || a.K == 0 && !(a.Kth.Absent() && a.Mass.Absent()) || (a.Mem.DType == I8) != a.Scale.Is(m) || a.Scale.Absent() != (a.Mem.DType != I8) {
		return fmt.Errorf("mem %v, scale %v, kth %v, mass %v, K %d: want kth, mass [N], only with K > 0, scale [M] with a mem of i8 and no other", a.Mem, a.Scale, a.Kth, a.Mass, a.K)
	}
	return nil
}

func excludeFits(e *View, n, m, k int) bool {
	return e.Absent() || (e.DType == I32 && e.Is(n) && k < m)
}

// nearest are the k rows of mem most similar to query n in float64, nearest first, ties in index order, and their similarities.
func nearest(query, mem, exclude *View, n, k int) (index []int, sim []float64) {
	d := mem.Dim(1)
	q, b := query.F32()[n*d:n*d+d], mem.F32()
	sim = make([]float64, mem.Dim(0))
	for j := range sim {
		if !exclude.Absent() && int(exclude.I32()[n]) == j {
			continue
		}
		index = append(index, j)
		for i, x := range q {
			sim[j] += float64(x) * float64(b[j*d+i])
		}
	}
	sort.SliceStable(index, func(x, y int) bool { return sim[index[x]] > sim[index[y]] })
	if k > 0 {
		index = index[:k]
	}
	return index, sim
}

// projectWeights are softmax weights of the rows taken.
func projectWeights(index []int, sim []float64, tau float64) []float64 {
	w, sum := make([]float64, len(index)), 0.0
	for i, j := range index {
		w[i] = math.Exp((sim[j] - sim[index[0]]) / tau)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

func projectTopKRef(a *ProjectTopKArgs) {
	n, _, d, _ := a.Sizes()
	bank := a.Bank()
	b := bank.F32()
	for i := 0; i < n; i++ {
		index, sim := nearest(&a.Query, &bank, &a.Exclude, i, a.K)
		if !a.Kth.Absent() {
			a.Kth.F32()[i] = float32(sim[index[len(index)-1]])
		}
		if !a.Mass.Absent() {
			all, of := nearest(&a.Query, &bank, &a.Exclude, i, 0)
			mass := 0.0
			for _, w := range projectWeights(all, of, float64(a.Tau))[:a.K] {
				mass += w
			}
			a.Mass.F32()[i] = float32(mass)
		}
		o := make([]float64, d)
		for l, w := range projectWeights(index, sim, float64(a.Tau)) {
			for c := range o {
				o[c] += w * float64(b[index[l]*d+c])
			}
		}
		narrow(a.Out.F32()[i*d:i*d+d], o)
	}
}

// ProjectTopKGradArgs are the gradient of ProjectTopK with respect to Query (the choice of rows is constant, Mem has no gradient):
//
//	DQuery = 1/Tau · Σ_j w_j · ⟨DOut, Mem[i_j] − Out⟩ · Mem[i_j]
type ProjectTopKGradArgs struct {
	Query, Mem, Exclude View // as in the forward pass
	Out, DOut, DQuery   View
	K                   int
	Tau                 float32
	Scale               View // of a Mem of i8, as in the forward pass
}

// ProjectTopKGrad is the gradient of ProjectTopK.
var ProjectTopKGrad = register(&Op[ProjectTopKGradArgs]{
	Name: "project_topk_grad",
	Dims: append(projectDims(), []int{3, 257, 33, 5, 0, 2}, []int{19, 530, 36, 10, 1, 2}), // as of project_topk
	Make: func(r *Rand, d []int) ProjectTopKGradArgs {
		f := ProjectTopK.Make(r, d)
		projectTopKRef(&f)
		return ProjectTopKGradArgs{f.Query, f.Mem, f.Exclude, f.Out, r.Normal(d[0], d[2]), Poison(d[0], d[2]), f.K, f.Tau, f.Scale}
	},
	Views: func(a *ProjectTopKGradArgs) (in, out []*View) {
		return views(&a.Query, &a.Mem, &a.Exclude, &a.Out, &a.DOut, &a.Scale), views(&a.DQuery)
	},
	Cost: func(a *ProjectTopKGradArgs) Cost {
		f := a.Forward()
		n, m, d, k := f.Sizes()
		return Cost{2 * float64(n) * float64(d) * float64(m+2*k), float64(4*a.Query.Bytes() + a.Mem.Bytes())}
	},
	Check: func(a *ProjectTopKGradArgs) error {
		f := a.Forward()
		if err := f.check(); err != nil {
			return err
		}
		if !a.DOut.Is(a.Out.Shape()...) || !a.DQuery.Is(a.Out.Shape()...) {
			return fmt.Errorf("query %v, dout %v, dquery %v: want one shape [N, D]", a.Query, a.DOut, a.DQuery)
		}
		return nil
	},
	Ref: projectTopKGradRef,
	Tol: 2e-5, // as the forward pass; sums of either sign
})

// Forward are the arguments of the forward pass.
func (a *ProjectTopKGradArgs) Forward() ProjectTopKArgs {
	return ProjectTopKArgs{Query: a.Query, Mem: a.Mem, Exclude: a.Exclude, Out: a.Out, K: a.K, Tau: a.Tau, Scale: a.Scale}
}

func projectTopKGradRef(a *ProjectTopKGradArgs) {
	n, d := a.Query.Dim(0), a.Query.Dim(1)
	f := a.Forward()
	bank := f.Bank()
	b := bank.F32()
	for i := 0; i < n; i++ {
		index, sim := nearest(&a.Query, &bank, &a.Exclude, i, a.K)
		w := projectWeights(index, sim, float64(a.Tau))
		g, dot, mean := a.DOut.F32()[i*d:i*d+d], make([]float64, len(index)), 0.0
		for l, j := range index {
			for c, x := range g {
				dot[l] += float64(x) * float64(b[j*d+c])
			}
			mean += w[l] * dot[l]
		}
		dq := make([]float64, d)
		for l, j := range index {
			for c := range dq {
				dq[c] += w[l] * (dot[l] - mean) / float64(a.Tau) * float64(b[j*d+c])
			}
		}
		narrow(a.DQuery.F32()[i*d:i*d+d], dq)
	}
}

// TopKArgs are the K rows of Mem most similar to each query: their dot products, falling, and their indices; of equal ones the lower index is first.
type TopKArgs struct {
	Query   View // [N, D]
	Mem     View // [M, D]
	Exclude View // i32 [N], optional: a row of Mem that query n must not see; none if outside 0..M-1
	Near    View // bf16 or u8 [M, D], optional: Mem in fewer bits, by Nearby; it changes no result, only how fast a variant that takes it is
	Bounds  View // f32 [NearbyBounds, M], with Near
	Score   View // [N, K]
	Index   View // i32 [N, K]
}

// TopK is exact nearest-neighbour search by dot product. No variant stores the N×M similarities.
var TopK = register(&Op[TopKArgs]{
	Name: "topk",
	// N, M, D, K, 1: exclude, 1: with a bank in bf16, 2: in u8
	Dims: [][]int{{1, 1, 1, 1, 0, 0}, {3, 257, 33, 5, 0, 1}, {8, 2051, 96, 64, 0, 0}, {70, 530, 24, 10, 1, 0}, {1, 5000, 16, 100, 0, 0}, {2, 5, 7, 4, 1, 2}, {4, 9, 8, 9, 0, 0}, {230, 2100, 8, 5, 1, 0},
		{1, 5000, 64, 20, 0, 1}, {3, 5000, 64, 20, 1, 2}, {70, 5000, 64, 20, 1, 1}, {70, 5000, 36, 20, 1, 2}},
	Make: func(r *Rand, d []int) TopKArgs {
		a := TopKArgs{Query: r.Unit(d[0], d[2]), Mem: r.Unit(d[1], d[2]), Exclude: makeExclude(r, d[4], d[1], d[0]), Score: Poison(d[0], d[3]), Index: PoisonInts(d[0], d[3])}
		if format := map[int]DType{1: BF16, 2: U8}[d[len(d)-1]*(len(d)/6)]; format != F32 {
			a.Near, a.Bounds, _ = Nearby(&a.Mem, format)
		}
		return a
	},
	Views: func(a *TopKArgs) (in, out []*View) {
		return views(&a.Query, &a.Mem, &a.Exclude, &a.Near, &a.Bounds), views(&a.Score, &a.Index)
	},
	Cost: func(a *TopKArgs) Cost {
		bank := a.Mem.Bytes()
		if !a.Near.Absent() {
			bank = a.Near.Bytes() + a.Bounds.Bytes()
		}
		return Cost{2 * float64(a.Query.Len()) * float64(a.Mem.Dim(0)), float64(a.Query.Bytes() + bank)}
	},
	Check: func(a *TopKArgs) error {
		var n, m, d, k int
		if !a.Query.Bind(&n, &d) || !a.Mem.Bind(&m, &d) || !a.Score.Bind(&n, &k) || !a.Index.Bind(&n, &k) || a.Index.DType != I32 || k > m || !excludeFits(&a.Exclude, n, m, k) {
			return fmt.Errorf("query %v, mem %v, exclude %v, score %v, index %v: want query [N, D], mem [M, D], exclude i32 [N], score, index i32 [N, K], 1 ≤ K ≤ M (less than M with exclude)",
				a.Query, a.Mem, a.Exclude, a.Score, a.Index)
		}
		if !a.Near.Absent() && (!a.Near.Bind(&m, &d) || a.Near.DType != BF16 && a.Near.DType != U8 || !a.Bounds.Is(NearbyBounds, m)) || a.Near.Absent() != a.Bounds.Absent() {
			return fmt.Errorf("mem %v, near %v, bounds %v: want near bf16 or u8 of mem's shape and bounds f32 [%d, %d], or neither", a.Mem, a.Near, a.Bounds, NearbyBounds, m)
		}
		return nil
	},
	Ref: func(a *TopKArgs) {
		n, k := a.Score.Dim(0), a.Score.Dim(1)
		for i := 0; i < n; i++ {
			index, sim := nearest(&a.Query, &a.Mem, &a.Exclude, i, k)
			for l, j := range index {
				a.Score.F32()[i*k+l], a.Index.I32()[i*k+l] = float32(sim[j]), int32(j)
			}
		}
	},
})
