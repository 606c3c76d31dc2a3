package cpu

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"syntic/kernels"
)

func init() {
	kernels.GEMM.Add(kernels.Variant[kernels.GEMMArgs]{
		Name: "gonum", Device: kernels.CPU, Rank: 5, Note: "gonum's blas32.Gemm, epilogue in Go: an oracle for the others",
		Usable: gemmF32, Run: func(_ *kernels.Stream, a *kernels.GEMMArgs) error { gonumGEMM(a); return nil },
	})
}

func gonumGEMM(a *kernels.GEMMArgs) {
	batch, m, n, k := a.Sizes()
	x, y, out, bias, res := a.A.F32(), a.B.F32(), a.Out.F32(), a.Bias.F32(), a.Residual.F32()
	general := func(data []float32, rows, cols int, trans bool) (blas.Transpose, blas32.General) {
		if trans {
			return blas.Trans, blas32.General{Rows: cols, Cols: rows, Stride: rows, Data: data}
		}
		return blas.NoTrans, blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: data}
	}
	for b := range batch {
		xb, yb, o := x, y, out[b*m*n:(b+1)*m*n]
		if a.A.Dim(0) > 1 {
			xb = x[b*m*k:]
		}
		if a.B.Dim(0) > 1 {
			yb = y[b*k*n:]
		}
		beta := float32(1)
		if !a.Accumulate {
			beta = 0
			clear(o) // gonum multiplies by beta, and 0 · NaN is NaN
		}
		ta, ma := general(xb[:m*k], m, k, a.TransA)
		tb, mb := general(yb[:k*n], k, n, a.TransB)
		blas32.Gemm(ta, tb, a.Alpha, ma, mb, beta, blas32.General{Rows: m, Cols: n, Stride: n, Data: o})
		for i := range o {
			if bias != nil {
				o[i] += bias[i%n]
			}
			if res != nil {
				o[i] += res[b*m*n+i]
			}
		}
		if a.Act != kernels.ActNone {
			microGo.activate(a.Act, o)
		}
	}
}
