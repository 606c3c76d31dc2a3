//go:build cuda

package cuda

import "syntic/kernels"

func init() {
	add(kernels.GEMM, kernels.Variant[kernels.GEMMArgs]{Name: "tiled_f32", Rank: 10,
		Usable: func(a *kernels.GEMMArgs) bool {
			return isF32(&a.A, &a.Out, &a.Bias, &a.Residual) && a.B.DType <= kernels.F16
		},
		Run: gemmTiled})
}

func gemmTiled(s *kernels.Stream, a *kernels.GEMMArgs) error {
	b, m, n, k := a.Sizes()
	stepA, stepB := int64(m*k), int64(k*n)
	if a.A.Dim(0) == 1 {
		stepA = 0
	}
	if a.B.Dim(0) == 1 {
		stepB = 0
	}
	return launch(s, "gemm_tiled_f32", blocks(b*ceilDiv(m, 64)*ceilDiv(n, 64)), a.A, a.B, a.Out, a.Bias, a.Residual, int32(m), int32(n), int32(k),
		stepA, stepB, a.TransA, a.TransB, int32(a.B.DType), a.Alpha, a.Accumulate, int32(a.Act))
}
