//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

func init() {
	for _, format := range productFormats {
		add(kernels.Conv2D, kernels.Variant[kernels.Conv2DArgs]{Name: "mma_" + format.String(), Rank: 5, Operands: format, Note: onlyByName(format),
			Usable: func(a *kernels.Conv2DArgs) bool {
				return isF32(&a.Bias, &a.Residual, &a.Out) && (a.X.DType == kernels.F32 || a.X.DType == format) && a.W.DType <= kernels.F16
			},
			Run: func(s *kernels.Stream, a *kernels.Conv2DArgs) error { return convMMA(s, a, format) }})
		add(kernels.Conv2DGradX, kernels.Variant[kernels.Conv2DGradXArgs]{Name: "mma_" + format.String(), Rank: 5, Operands: format, Note: onlyByName(format),
			Usable: func(a *kernels.Conv2DGradXArgs) bool { return isF32(&a.DOut, &a.DX) && a.W.DType <= kernels.F16 },
			Run:    func(s *kernels.Stream, a *kernels.Conv2DGradXArgs) error { return convGradXMMA(s, a, format) }})
		add(kernels.Conv2DGradW, kernels.Variant[kernels.Conv2DGradWArgs]{Name: "mma_" + format.String(), Rank: 5, Operands: format, Note: onlyByName(format),
			Usable: func(a *kernels.Conv2DGradWArgs) bool { return isF32(&a.X, &a.DOut, &a.DW, &a.DBias) },
			Run:    func(s *kernels.Stream, a *kernels.Conv2DGradWArgs) error { return convGradWMMA(s, a, format) }})
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

// convGradXMMA rounds the gradient, whose channels are filled up to 16 bytes, and lays the weight as [KH, KW, I, O], O filled up.
func convGradXMMA(s *kernels.Stream, a *kernels.Conv2DGradXArgs, format kernels.DType) error {
	z := a.Sizes()
	ld, pixels, taps := roundUp(z.O, chunk(format)), z.B*z.OH*z.OW, z.KH*z.KW
	var ws arena
	g, w := ws.take(format.Size()*pixels*ld), ws.take(format.Size()*taps*z.I*ld)
	if err := ws.alloc(s); err != nil {
		return err
	}
	defer ws.space.free()
	if err := roundRows(s, format, &a.DOut, ws.at(g, 0), 1, pixels, z.O, ld, false); err != nil {
		return err
	}
	if err := roundRows(s, format, &a.W, ws.at(w, 0), 1, taps*z.I, z.O, ld, true); err != nil {
		return err
	}
	step := a.Stride
	grid := blocks(step * step * ceilDiv(z.B*ceilDiv(z.H, step)*ceilDiv(z.W, step), 128) * ceilDiv(z.I, 128))
	depth := ceilDiv(z.KH, step) * ceilDiv(z.KW, step) * ld // of the phase that has most taps
	return apart(depth, kernels.View{}, kernels.View{}, kernels.ActNone, func(k0, k1 int, _, _ kernels.View, _ kernels.Act) error {
		return launch(s, "conv_grad_x_mma_"+format.String(), grid, convArgs(z, a.Stride, a.Pad, []any{ws.at(g, 0), ws.at(w, 0), a.DX}, int32(ld), int32(k0), int32(k1))...)
	})
}

// convGradWMMA rounds image and gradient, and goes through the pixels in runs as conv_tiled does, mmaApart of each at a time.
func convGradWMMA(s *kernels.Stream, a *kernels.Conv2DGradWArgs, format kernels.DType) error {
	z := a.Sizes()
	ldG, ldX, pixels := roundUp(z.O, chunk(format)), roundUp(z.I, chunk(format)), z.B*z.OH*z.OW
	var ws arena
	g, x := ws.take(format.Size()*pixels*ldG), ws.take(format.Size()*z.B*z.H*z.W*ldX)
	if err := ws.alloc(s); err != nil {
		return err
	}
	defer ws.space.free()
	if err := roundRows(s, format, &a.DOut, ws.at(g, 0), 1, pixels, z.O, ldG, false); err != nil {
		return err
	}
	if err := roundRows(s, format, &a.X, ws.at(x, 0), 1, z.B*z.H*z.W, z.I, ldX, false); err != nil {
		return err
	}
	tiles := ceilDiv(z.O, 128) * ceilDiv(z.KH*z.KW*ldX, 128)
	return convRuns(s, a, tiles, pixels, 1, func(to unsafe.Pointer, parts, run int) error {
		return apart(run, kernels.View{}, kernels.View{}, kernels.ActNone, func(k0, k1 int, _, _ kernels.View, _ kernels.Act) error {
			return launch(s, "conv_grad_w_mma_"+format.String(), blocks(tiles*parts), convArgs(z, a.Stride, a.Pad, []any{ws.at(g, 0), ws.at(x, 0), to}, int32(ldG), int32(ldX), int64(run), int64(k0), int64(k1))...)
		})
	})
}
