//go:build cuda

package cuda

import "syntic/kernels"

func init() {
	add(kernels.Unary, kernels.Variant[kernels.UnaryArgs]{Name: "elementwise_f32", Rank: 10,
		Usable: func(a *kernels.UnaryArgs) bool { return isF32(&a.X, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.UnaryArgs) error {
			return launch(s, "unary_f32", each(a.X.Len()), int32(a.F), a.X, a.Out, int64(a.X.Len()))
		}})
	add(kernels.UnaryGrad, kernels.Variant[kernels.UnaryGradArgs]{Name: "elementwise_f32", Rank: 10,
		Usable: func(a *kernels.UnaryGradArgs) bool { return isF32(&a.X, &a.DOut, &a.DX) },
		Run: func(s *kernels.Stream, a *kernels.UnaryGradArgs) error {
			return launch(s, "unary_grad_f32", each(a.X.Len()), int32(a.F), a.X, a.DOut, a.DX, int64(a.X.Len()))
		}})
	add(kernels.GLU, kernels.Variant[kernels.GLUArgs]{Name: "elementwise_f32", Rank: 10,
		Usable: func(a *kernels.GLUArgs) bool { return isF32(&a.X, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.GLUArgs) error {
			return launch(s, "glu_f32", each(a.Out.Len()), int32(a.F), a.X, a.Out, int64(a.Out.Len()), int32(a.Out.Dim(1)))
		}})
	add(kernels.GLUGrad, kernels.Variant[kernels.GLUGradArgs]{Name: "elementwise_f32", Rank: 10,
		Usable: func(a *kernels.GLUGradArgs) bool { return isF32(&a.X, &a.DOut, &a.DX) },
		Run: func(s *kernels.Stream, a *kernels.GLUGradArgs) error {
			return launch(s, "glu_grad_f32", each(a.DOut.Len()), int32(a.F), a.X, a.DOut, a.DX, int64(a.DOut.Len()), int32(a.DOut.Dim(1)))
		}})
	add(kernels.Binary, kernels.Variant[kernels.BinaryArgs]{Name: "elementwise_f32", Rank: 10,
		Usable: func(a *kernels.BinaryArgs) bool { return isF32(&a.A, &a.B, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.BinaryArgs) error {
			sn, sm, sc := a.BStrides()
			return launch(s, "binary_f32", each(a.A.Len()), int32(a.Kind), a.A, a.B, a.Out, int64(a.A.Dim(0)), int64(a.A.Dim(1)), int64(a.A.Dim(2)),
				int64(sn), int64(sm), int64(sc), a.Alpha, a.Beta)
		}})
	add(kernels.Affine, kernels.Variant[kernels.AffineArgs]{Name: "elementwise_f32", Rank: 10,
		Usable: func(a *kernels.AffineArgs) bool { return isF32(&a.X, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.AffineArgs) error {
			return launch(s, "affine_f32", each(a.X.Len()), a.X, a.Out, int64(a.X.Len()), a.A, a.B, a.Lo, a.Hi)
		}})
	add(kernels.Lerp, kernels.Variant[kernels.LerpArgs]{Name: "elementwise_f32", Rank: 10,
		Usable: func(a *kernels.LerpArgs) bool { return isF32(&a.X, &a.Y) },
		Run: func(s *kernels.Stream, a *kernels.LerpArgs) error {
			return launch(s, "lerp_f32", each(a.X.Len()), a.X, a.Y, int64(a.X.Len()), a.T)
		}})
	add(kernels.Dropout, kernels.Variant[kernels.DropoutArgs]{Name: "elementwise_f32", Rank: 10,
		Usable: func(a *kernels.DropoutArgs) bool { return isF32(&a.X, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.DropoutArgs) error {
			return launch(s, "dropout_f32", each(ceilDiv(a.X.Len(), 4)), a.X, a.Out, int64(a.X.Len()), a.P, a.Key.Seed, a.Key.Item, a.Key.Step)
		}})
	add(kernels.AdamW, kernels.Variant[kernels.AdamWArgs]{Name: "elementwise_f32", Rank: 10,
		Usable: func(a *kernels.AdamWArgs) bool { return isF32(&a.Param, &a.Grad, &a.M, &a.V, &a.Norm) },
		Run: func(s *kernels.Stream, a *kernels.AdamWArgs) error {
			c1, c2 := a.Corrections()
			keep1, keep2 := 1-float64(a.Beta1), 1-float64(a.Beta2)
			return launch(s, "adamw_f32", each(a.Param.Len()), a.Param, a.Grad, a.M, a.V, int64(a.Param.Len()), a.Beta1, a.Beta2, float32(keep1), float32(keep2),
				float32(c1), float32(c2), a.LR, a.Eps, float32(1-float64(a.LR)*float64(a.Decay)), a.GradScale, a.Norm, a.ClipNorm)
		}})
}
