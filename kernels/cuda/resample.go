//go:build cuda

package cuda

import "syntic/kernels"

func init() {
	add(kernels.Resize, kernels.Variant[kernels.ResizeArgs]{Name: "element_f32", Rank: 10,
		Usable: func(a *kernels.ResizeArgs) bool { return isF32(&a.X, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.ResizeArgs) error {
			return resample(s, "resize_f32", []any{a.X, a.Out}, &a.Out, &a.X, &a.Out, int32(a.Kind))
		}})
	add(kernels.ResizeGrad, kernels.Variant[kernels.ResizeGradArgs]{Name: "element_f32", Rank: 10,
		Usable: func(a *kernels.ResizeGradArgs) bool { return isF32(&a.DX, &a.DOut) },
		Run: func(s *kernels.Stream, a *kernels.ResizeGradArgs) error {
			return resample(s, "resize_grad_f32", []any{a.DOut, a.DX}, &a.DX, &a.DX, &a.DOut, int32(a.Kind))
		}})
	add(kernels.MaxPool, kernels.Variant[kernels.MaxPoolArgs]{Name: "element_f32", Rank: 10,
		Usable: func(a *kernels.MaxPoolArgs) bool { return isF32(&a.X, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.MaxPoolArgs) error {
			return resample(s, "max_pool_f32", []any{a.X, a.Out, a.Index}, &a.Out, &a.X, &a.Out, int32(a.Kernel), int32(a.Stride), int32(a.Pad))
		}})
	add(kernels.MaxPoolGrad, kernels.Variant[kernels.MaxPoolGradArgs]{Name: "element_f32", Rank: 10,
		Usable: func(a *kernels.MaxPoolGradArgs) bool { return isF32(&a.DOut, &a.DX) },
		Run: func(s *kernels.Stream, a *kernels.MaxPoolGradArgs) error {
			return resample(s, "max_pool_grad_f32", []any{a.Index, a.DOut, a.DX}, &a.DX, &a.DX, &a.DOut, int32(a.Kernel), int32(a.Stride), int32(a.Pad))
		}})
}

// resample launches one thread for each element of each; x [B, H, W, C] and out [B, OH, OW, C] are the larger and the smaller side of it.
func resample(s *kernels.Stream, name string, operands []any, each1, x, out *kernels.View, rest ...any) error {
	operands = append(operands, int64(each1.Len()), int32(x.Dim(1)), int32(x.Dim(2)), int32(x.Dim(3)), int32(out.Dim(1)), int32(out.Dim(2)))
	return launch(s, name, each(each1.Len()), append(operands, rest...)...)
}
