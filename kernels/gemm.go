package kernels

import "fmt"

// GEMMArgs are the operands of a batched matrix product. Rows of one operand are contiguous.
//
//	Out[b] = act(Alpha · op(A[b]) · op(B[b]) + Bias + Residual[b]) (+ Out[b] if Accumulate, before act: only with ActNone)
//
// A is [Batch, M, K], or [Batch, K, M] with TransA; B is [Batch, K, N], or [Batch, N, K] with TransB; A or B may have batch 1 for all.
// B may be a weight of 16 bits, BF16 or F16, which is widened, exactly; all else is float32.
// Bias is [N], Residual and Out are [Batch, M, N]. A linear layer is A = x [1, M, K], B = weight [1, N, K], TransB.
type GEMMArgs struct {
	A, B, Out      View
	Bias, Residual View // optional
	TransA, TransB bool
	Alpha          float32
	Accumulate     bool
	Act            Act
}

// GEMM is the batched matrix product with a fused epilogue.
var GEMM = register(&Op[GEMMArgs]{
	Name: "gemm",
	// batch, M, N, K, transA, transB, epilogue (1 bias, 2 residual, 4 accumulate, 8 GELU, 16 one B for all, 32 B in BF16, 64 in F16)
	Dims: [][]int{{1, 1, 1, 1, 0, 0, 0}, {1, 5, 7, 3, 0, 1, 1}, {1, 17, 33, 65, 1, 0, 2}, {2, 13, 50, 129, 0, 1, 9}, {3, 31, 29, 40, 0, 0, 4},
		{1, 77, 130, 260, 0, 1, 3}, {2, 64, 96, 37, 1, 1, 16}, {1, 130, 515, 390, 0, 0, 0}, {1, 1, 300, 70, 0, 1, 1}, {1, 100, 1, 64, 0, 0, 0}, {1, 9, 16, 700, 1, 0, 4},
		{1, 3, 41, 70, 0, 1, 3}, {1, 4, 64, 128, 0, 1, 9}, {1, 2, 130, 97, 0, 1, 4}, {1, 11, 131, 270, 0, 1, 11}, {3, 4, 70, 40, 0, 1, 2}, {1, 25, 3, 50, 0, 1, 1}, {1, 29, 16, 20, 0, 0, 3}, {1, 13, 2101, 70, 0, 1, 1}, {1, 5, 600, 1800, 0, 1, 3}, {37, 6, 9, 11, 0, 0, 3}, {2, 70, 300, 210, 1, 1, 0}, {1, 30, 260, 1024, 0, 1, 0}, {1, 1030, 17, 20, 1, 0, 0}, {1, 30, 40, 4100, 1, 0, 3}, {1, 20, 24, 5003, 0, 1, 9},
		{1, 5, 7, 3, 0, 1, 33}, {1, 77, 130, 260, 0, 1, 67}, {3, 31, 29, 41, 0, 0, 36}, {2, 64, 96, 37, 1, 1, 80}, {1, 300, 70, 530, 0, 1, 41}, {1, 25, 3, 50, 0, 1, 65}, {2, 30, 260, 1024, 0, 1, 32}, {1, 9, 16, 9000, 1, 0, 64}},
	Make: func(r *Rand, d []int) GEMMArgs {
		b, m, n, k, e := d[0], d[1], d[2], d[3], d[6]
		a := GEMMArgs{TransA: d[4] == 1, TransB: d[5] == 1, Alpha: 1, A: r.Normal(b, m, k), Out: Poison(b, m, n)}
		if a.TransA {
			a.A, a.Alpha = r.Normal(b, k, m), 0.5
		}
		bb := b
		if e&16 != 0 {
			bb = 1
		}
		if a.B = r.Weight(e, 32, bb, k, n); a.TransB {
			a.B = a.B.As(bb, n, k)
		}
		if e&1 != 0 {
			a.Bias = r.Normal(n)
		}
		if e&2 != 0 {
			a.Residual = r.Normal(b, m, n)
		}
		if e&4 != 0 {
			a.Out, a.Accumulate = r.Normal(b, m, n), true
		}
		if e&8 != 0 {
			a.Act = GELU
		}
		return a
	},
	Views: func(a *GEMMArgs) (in, out []*View) {
		if a.Accumulate {
			return views(&a.A, &a.B, &a.Bias, &a.Residual, &a.Out), views(&a.Out)
		}
		return views(&a.A, &a.B, &a.Bias, &a.Residual), views(&a.Out)
	},
	Cost: func(a *GEMMArgs) Cost {
		b, m, n, k := a.Sizes()
		in, out := a.A.Bytes()+a.B.Bytes(), a.Out.Bytes()
		return Cost{2 * float64(b) * float64(m) * float64(n) * float64(k), float64(in + out)}
	},
	Check: (*GEMMArgs).check,
	Ref:   gemmRef,
})

// Sizes are batch, M, N and K.
func (a *GEMMArgs) Sizes() (b, m, n, k int) {
	if k = a.A.Dim(2); a.TransA {
		k = a.A.Dim(1)
	}
	return a.Out.Dim(0), a.Out.Dim(1), a.Out.Dim(2), k
}

func (a *GEMMArgs) check() error {
	bad := func() error {
		return fmt.Errorf("a %v, b %v, out %v, bias %v, residual %v, transA %v, transB %v: want a [B, M, K], b [B, K, N], out [B, M, N], bias [N]", a.A, a.B, a.Out, a.Bias, a.Residual, a.TransA, a.TransB)
	}
	if a.A.Rank() != 3 || a.B.Rank() != 3 || a.Out.Rank() != 3 || a.A.Absent() || a.B.Absent() || a.Out.Absent() {
		return bad()
	}
	b, m, n, k := a.Sizes()
	am, bk, bn := a.A.Dim(1), a.B.Dim(1), a.B.Dim(2)
	if a.TransA {
		am = a.A.Dim(2)
	}
	if a.TransB {
		bk, bn = bn, bk
	}
	if am != m || bk != k || bn != n || (a.A.Dim(0) != b && a.A.Dim(0) != 1) || (a.B.Dim(0) != b && a.B.Dim(0) != 1) ||
		!a.Bias.IsOpt(n) || !a.Residual.IsOpt(b, m, n) || (a.Accumulate && a.Act != ActNone) {
		return bad()
	}
	return nil
}

func gemmRef(a *GEMMArgs) {
	bs, m, n, k := a.Sizes()
	x, y, o, bias, res := a.A.F32(), a.B.Floats(), a.Out.F32(), a.Bias.F32(), a.Residual.F32()
	for b := 0; b < bs; b++ {
		xb, yb := x, y
		if a.A.Dim(0) > 1 {
			xb = x[b*m*k:]
		}
		if a.B.Dim(0) > 1 {
			yb = y[b*k*n:]
		}
		for i := 0; i < m; i++ {
			for j := 0; j < n; j++ {
				s := 0.0
				for l := 0; l < k; l++ {
					ai, bi := i*k+l, l*n+j
					if a.TransA {
						ai = l*m + i
					}
					if a.TransB {
						bi = j*k + l
					}
					s += float64(xb[ai]) * float64(yb[bi])
				}
				s *= float64(a.Alpha)
				if bias != nil {
					s += float64(bias[j])
				}
				at := (b*m+i)*n + j
				if res != nil {
					s += float64(res[at])
				}
				if a.Accumulate {
					s += float64(o[at])
				}
				o[at] = float32(a.Act.Eval(s))
			}
		}
	}
}
