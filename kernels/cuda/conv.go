//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

func init() {
	add(kernels.Conv2D, kernels.Variant[kernels.Conv2DArgs]{Name: "tiled_f32", Rank: 10,
		Usable: func(a *kernels.Conv2DArgs) bool {
			return isF32(&a.X, &a.Bias, &a.Residual, &a.Out) && a.W.DType <= kernels.F16
		},
		Run: func(s *kernels.Stream, a *kernels.Conv2DArgs) error {
			z := a.Sizes()
			return launch(s, "conv_tiled_f32", blocks(ceilDiv(z.B*z.OH*z.OW, 64)*ceilDiv(z.O, 64)),
				convArgs(z, a.Stride, a.Pad, []any{a.X, a.W, a.Bias, a.Residual, a.Out}, int32(a.W.DType), int32(a.Act))...)
		}})
	add(kernels.Conv2DGradX, kernels.Variant[kernels.Conv2DGradXArgs]{Name: "tiled_f32", Rank: 10,
		Usable: func(a *kernels.Conv2DGradXArgs) bool { return isF32(&a.DOut, &a.DX) && a.W.DType <= kernels.F16 },
		Run: func(s *kernels.Stream, a *kernels.Conv2DGradXArgs) error {
			z := a.Sizes()
			return launch(s, "conv_grad_x_tiled_f32", blocks(ceilDiv(z.B*z.H*z.W, 64)*ceilDiv(z.I, 64)),
				convArgs(z, a.Stride, a.Pad, []any{a.DOut, a.W, a.DX}, int32(a.W.DType))...)
		}})
	add(kernels.Conv2DGradW, kernels.Variant[kernels.Conv2DGradWArgs]{Name: "tiled_f32", Rank: 10,
		Usable: func(a *kernels.Conv2DGradWArgs) bool { return isF32(&a.X, &a.DOut, &a.DW, &a.DBias) },
		Run:    convGradW})
}

// convArgs are the arguments of a kernel of conv_tiled.cu: operands, sizes, the rest.
func convArgs(z kernels.ConvSizes, stride int, pad [4]int, operands []any, rest ...any) []any {
	for _, n := range []int{z.B, z.H, z.W, z.I, z.O, z.KH, z.KW, z.OH, z.OW, stride, pad[0], pad[1]} {
		operands = append(operands, int32(n))
	}
	return append(operands, rest...)
}

func convGradW(s *kernels.Stream, a *kernels.Conv2DGradWArgs) error {
	z := a.Sizes()
	tiles := ceilDiv(z.O, 64) * ceilDiv(z.KH*z.KW*z.I, 64)
	return convRuns(s, a, tiles, z.B*z.OH*z.OW, 1, func(to unsafe.Pointer, parts, run int) error {
		return launch(s, "conv_grad_w_tiled_f32", blocks(tiles*parts), convArgs(z, a.Stride, a.Pad, []any{a.X, a.DOut, to}, int64(run))...)
	})
}

// convRuns cuts the pixels, which lie in units of so many, into runs where there are too few tiles to keep a device busy; the cut depends on sizes alone.
// products leaves DW's parts in `to`, one a run of so many units, together at least 256 pixels; then they and the gradient of the bias are added up.
func convRuns(s *kernels.Stream, a *kernels.Conv2DGradWArgs, tiles, units, pixels int, products func(to unsafe.Pointer, parts, run int) error) error {
	parts := max(1, min(ceilDiv(units*pixels, 1024), 256/tiles))
	run := roundUp(ceilDiv(units, parts), 256/pixels)
	parts = ceilDiv(units, run)
	to := a.DW.Ptr()
	if parts > 1 {
		ws, err := workspace(s, parts*a.DW.Bytes())
		if err != nil {
			return err
		}
		defer ws.free()
		to = ws.ptr
	}
	if err := products(to, parts, run); err != nil {
		return err
	}
	if parts > 1 {
		if err := reduce(s, &kernels.ReduceArgs{X: kernels.NewView(kernels.F32, to, 1, parts, a.DW.Len()), Out: a.DW.As(1, 1, a.DW.Len()), Scale: 1}); err != nil {
			return err
		}
	}
	if a.DBias.Absent() {
		return nil
	}
	return reduce(s, &kernels.ReduceArgs{X: a.DOut.As(1, a.DOut.Len()/a.DBias.Len(), a.DBias.Len()), Out: a.DBias.As(1, 1, a.DBias.Len()), Scale: 1})
}
