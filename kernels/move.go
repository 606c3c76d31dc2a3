package kernels

import "fmt"

// PermuteArgs copy X with its dimensions in another order: Out's dimension i is X's dimension Perm[i]. Elements have 4 bytes.
type PermuteArgs struct {
	X, Out View
	Perm   [MaxRank]int
}

// Permute is a transposing copy.
var Permute = register(&Op[PermuteArgs]{
	Name: "permute",
	Dims: [][]int{{2, 3, 5, 7, 0, 3, 1, 2}, {2, 3, 5, 7, 0, 2, 1, 3}, {1, 4, 33, 70, 0, 1, 3, 2}, {4, 3, 2, 1, 3, 2, 1, 0}},
	Make: func(r *Rand, d []int) PermuteArgs {
		a := PermuteArgs{X: r.Normal(d[:4]...)}
		copy(a.Perm[:], d[4:])
		a.Out = Poison(d[d[4]], d[d[5]], d[d[6]], d[d[7]])
		return a
	},
	Views: func(a *PermuteArgs) (in, out []*View) { return views(&a.X), views(&a.Out) },
	Cost:  func(a *PermuteArgs) Cost { return Cost{0, float64(2 * a.X.Bytes())} },
	Check: func(a *PermuteArgs) error {
		n := a.X.Rank()
		ok, seen := a.Out.Rank() == n && !a.X.Absent() && !a.Out.Absent() && a.X.DType.Size() == 4, 0
		for i := 0; ok && i < n; i++ {
			p := a.Perm[i]
			ok = p >= 0 && p < n && a.Out.Dim(i) == a.X.Dim(p)
			seen |= 1 << p
		}
		if !ok || seen != 1<<n-1 {
			return fmt.Errorf("x %v, out %v, perm %v: want a permutation of x's dimensions, 4-byte elements", a.X, a.Out, a.Perm[:n])
		}
		return nil
	},
	Ref: func(a *PermuteArgs) {
		n := a.X.Rank()
		var stride, idx [MaxRank]int
		s := 1
		for i := n - 1; i >= 0; i-- {
			stride[i] = s
			s *= a.X.Dim(i)
		}
		x, o := NewView(F32, a.X.Ptr(), a.X.Len()), NewView(F32, a.Out.Ptr(), a.X.Len())
		xs, os := x.F32(), o.F32()
		for at := range os {
			from := 0
			for i := 0; i < n; i++ {
				from += idx[i] * stride[a.Perm[i]]
			}
			os[at] = xs[from]
			for i := n - 1; i >= 0; i-- {
				if idx[i]++; idx[i] < a.Out.Dim(i) {
					break
				}
				idx[i] = 0
			}
		}
	},
})

// CopyBlockArgs copy a block of Width columns from column SrcAt of each row of Src [N, S] to column DstAt of each row of Dst [N, D];
// with Accumulate (float32 only) they add. The other columns of Dst are left alone. Concatenation and slices are made of it. Elements have 4 bytes.
type CopyBlockArgs struct {
	Src, Dst            View
	SrcAt, DstAt, Width int
	Accumulate          bool
}

// CopyBlock copies columns.
var CopyBlock = register(&Op[CopyBlockArgs]{
	Name: "copy_block",
	Dims: [][]int{{1, 1, 1, 0, 0, 1, 0}, {7, 20, 33, 3, 11, 17, 0}, {7, 20, 33, 3, 11, 17, 1}},
	Make: func(r *Rand, d []int) CopyBlockArgs {
		return CopyBlockArgs{r.Normal(d[0], d[1]), r.Normal(d[0], d[2]), d[3], d[4], d[5], d[6] == 1}
	},
	Views: func(a *CopyBlockArgs) (in, out []*View) { return views(&a.Src, &a.Dst), views(&a.Dst) },
	Cost:  func(a *CopyBlockArgs) Cost { return Cost{0, float64(a.Src.Dim(0)*a.Width) * 8} },
	Check: func(a *CopyBlockArgs) error {
		var n, s, d int
		if !a.Src.Bind(&n, &s) || !a.Dst.Bind(&n, &d) || a.SrcAt < 0 || a.DstAt < 0 || a.Width < 1 || a.SrcAt+a.Width > s || a.DstAt+a.Width > d || a.Src.DType.Size() != 4 || a.Src.DType != a.Dst.DType {
			return fmt.Errorf("src %v from column %d, dst %v to column %d, width %d: want [N, S] and [N, D] that hold the block, 4-byte elements", a.Src, a.SrcAt, a.Dst, a.DstAt, a.Width)
		}
		return nil
	},
	Ref: func(a *CopyBlockArgs) {
		n, s, d := a.Src.Dim(0), a.Src.Dim(1), a.Dst.Dim(1)
		x, y := NewView(F32, a.Src.Ptr(), n*s), NewView(F32, a.Dst.Ptr(), n*d)
		xs, ys := x.F32(), y.F32()
		for i := 0; i < n; i++ {
			for j := 0; j < a.Width; j++ {
				v := xs[i*s+a.SrcAt+j]
				if a.Accumulate {
					v += ys[i*d+a.DstAt+j]
				}
				ys[i*d+a.DstAt+j] = v
			}
		}
	},
})

// EmbeddingArgs gather rows: Out[n] = Table[IDs[n]]; Table is [V, C], also BF16 or F16, IDs [N], Out [N, C]. An id outside 0..V-1 is an error of the caller; variants may panic.
type EmbeddingArgs struct{ Table, IDs, Out View }

// Embedding gathers rows of a table.
var Embedding = register(&Op[EmbeddingArgs]{
	Name: "embedding",
	Dims: [][]int{{1, 1, 1, 0}, {7, 3, 33, 0}, {50, 200, 64, 0}, {7, 9, 33, 1}, {50, 200, 64, 2}}, // V, N, C, table in BF16 (1) or F16 (2)
	Make: func(r *Rand, d []int) EmbeddingArgs {
		return EmbeddingArgs{r.Weight(d[3], 1, d[0], d[2]), r.Ints(d[0], d[1]), Poison(d[1], d[2])}
	},
	Views: func(a *EmbeddingArgs) (in, out []*View) { return views(&a.Table, &a.IDs), views(&a.Out) },
	Cost:  func(a *EmbeddingArgs) Cost { return Cost{0, float64(2*a.Out.Bytes() + a.IDs.Bytes())} },
	Check: func(a *EmbeddingArgs) error {
		var v, n, c int
		if !a.Table.Bind(&v, &c) || !a.IDs.Bind(&n) || !a.Out.Bind(&n, &c) || a.IDs.DType != I32 {
			return fmt.Errorf("table %v, ids %v, out %v: want table [V, C], ids i32 [N], out [N, C]", a.Table, a.IDs, a.Out)
		}
		return nil
	},
	Ref: func(a *EmbeddingArgs) {
		c, table := a.Table.Dim(1), a.Table.Floats()
		for i, id := range a.IDs.I32() {
			copy(a.Out.F32()[i*c:i*c+c], table[int(id)*c:int(id)*c+c])
		}
	},
})

// EmbeddingGradArgs scatter rows: DTable[IDs[n]] += DOut[n] in order of n, after DTable was set to zero (unless Accumulate).
type EmbeddingGradArgs struct {
	IDs, DOut, DTable View
	Accumulate        bool
}

// EmbeddingGrad is the gradient of Embedding.
var EmbeddingGrad = register(&Op[EmbeddingGradArgs]{
	Name: "embedding_grad",
	Dims: [][]int{{1, 1, 1}, {7, 3, 33}, {50, 200, 64}},
	Make: func(r *Rand, d []int) EmbeddingGradArgs {
		a := EmbeddingGradArgs{IDs: r.Ints(d[0], d[1]), DOut: r.Normal(d[1], d[2]), DTable: Poison(d[0], d[2])}
		if d[0] == 50 {
			a.DTable, a.Accumulate = r.Normal(d[0], d[2]), true
		}
		return a
	},
	Views: func(a *EmbeddingGradArgs) (in, out []*View) {
		if a.Accumulate {
			return views(&a.IDs, &a.DOut, &a.DTable), views(&a.DTable)
		}
		return views(&a.IDs, &a.DOut), views(&a.DTable)
	},
	Cost: func(a *EmbeddingGradArgs) Cost {
		return Cost{float64(a.DOut.Len()), float64(a.DOut.Bytes() + a.DTable.Bytes())}
	},
	Check: func(a *EmbeddingGradArgs) error {
		var v, n, c int
		if !a.DTable.Bind(&v, &c) || !a.IDs.Bind(&n) || !a.DOut.Bind(&n, &c) || a.IDs.DType != I32 {
			return fmt.Errorf("ids %v, dout %v, dtable %v: want ids i32 [N], dout [N, C], dtable [V, C]", a.IDs, a.DOut, a.DTable)
		}
		return nil
	},
	Ref: func(a *EmbeddingGradArgs) {
		c := a.DTable.Dim(1)
		sum := make([]float64, a.DTable.Len())
		if a.Accumulate {
			for i, v := range a.DTable.F32() {
				sum[i] = float64(v)
			}
		}
		for i, id := range a.IDs.I32() {
			for j := 0; j < c; j++ {
				sum[int(id)*c+j] += float64(a.DOut.F32()[i*c+j])
			}
		}
		for i, v := range sum {
			a.DTable.F32()[i] = float32(v)
		}
	},
})
