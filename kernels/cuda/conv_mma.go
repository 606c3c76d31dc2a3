//go:build cuda

package cuda

import "syntic/kernels"

func init() {
	for _, format := range productFormats {
		add(kernels.Conv2D, kernels.Variant[kernels.Conv2DArgs]{Name: "mma_" + format.String(), Rank: 5, Operands: format, Note: onlyByName(format),
			Usable: func(a *kernels.Conv2DArgs) bool {
				return isF32(&a.Bias, &a.Residual, &a.Out) && (a.X.DType == kernels.F32 || a.X.DType == format) && a.W.DType <= kernels.F16
			},
			Run: func(s *kernels.Stream, a *kernels.Conv2DArgs) error { return convMMA(s, a, format) }})
	}
}

// convMMA rounds image and weight, whose channels are filled up to 16 bytes, but reads in place what lies so already.
func convMMA(s *kernels.Stream, a *kernels.Conv2DArgs, format kernels.DType) error {
	z := a.Sizes()
	ld := roundUp(z.I, chunk(format))
	var ws arena
	views := []*kernels.View{&a.X, &a.W}
	parts := []part{-1, -1}
	rows := func(v *kernels.View) int { return v.Len() / z.I }
	for i, v := range views {
		if v.DType != format || ld != z.I || !aligned(v) {
			parts[i] = ws.take(format.Size() * rows(v) * ld)
		}
	}
	if ws.bytes > 0 {
		if err := ws.alloc(s); err != nil {
			return err
		}
		defer ws.space.free()
	}
	operands := []any{a.X, a.W}
	for i, v := range views {
		if parts[i] < 0 {
			continue
		}
		operands[i] = ws.at(parts[i], 0)
		if err := roundRows(s, format, v, ws.at(parts[i], 0), 1, rows(v), z.I, ld, false); err != nil {
			return err
		}
	}
	z.I = ld
	grid := blocks(ceilDiv(z.B*z.OH*z.OW, 128) * ceilDiv(z.O, 128))
	return apart(z.KH*z.KW*ld, a.Bias, a.Residual, a.Act, func(k0, k1 int, bias, residual kernels.View, act kernels.Act) error {
		return launch(s, "conv_mma_"+format.String(), grid, convArgs(z, a.Stride, a.Pad, append(operands[:2:2], bias, residual, a.Out), int32(k0), int32(k1), int32(act))...)
	})
}
