//go:build cuda

package cuda

import "syntic/kernels"

func init() {
	add(kernels.Softmax, kernels.Variant[kernels.SoftmaxArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.SoftmaxArgs) bool { return isF32(&a.X, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.SoftmaxArgs) error {
			return launch(s, "softmax_f32", blocks(a.X.Dim(0)), a.X, a.Out, int32(a.X.Dim(1)), a.Log)
		}})
	add(kernels.SoftmaxGrad, kernels.Variant[kernels.SoftmaxGradArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.SoftmaxGradArgs) bool { return isF32(&a.Out, &a.DOut, &a.DX) },
		Run: func(s *kernels.Stream, a *kernels.SoftmaxGradArgs) error {
			return launch(s, "softmax_grad_f32", blocks(a.Out.Dim(0)), a.Out, a.DOut, a.DX, int32(a.Out.Dim(1)), a.Log)
		}})
}
