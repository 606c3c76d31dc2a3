//go:build cuda

package cuda

import (
	"fmt"

	"syntic/kernels"
	"syntic/kernels/cuda/driver"
)

func init() {
	for format, name := range map[kernels.DType]string{kernels.BF16: "wgmma_bf16", kernels.F16: "wgmma_f16"} {
		addHopper(kernels.Conv2D, kernels.Variant[kernels.Conv2DArgs]{Name: name, Rank: 6, Operands: format,
			Usable: func(a *kernels.Conv2DArgs) bool {
				return a.Stride == 1 && isF32(&a.X, &a.Bias, &a.Residual, &a.Out) && a.W.DType <= kernels.F16
			},
			Run: func(s *kernels.Stream, a *kernels.Conv2DArgs) error { return convWGMMA(s, a, format) }})
	}
}

// patch is the sides of a tile of pixels: wide · high · deep = wgmmaRows.
type patch struct{ wide, high, deep int }

// patchOf is the patch that takes the fewest tiles; of equal ones the widest, then the highest.
func patchOf(z kernels.ConvSizes) (best patch, tiles int) {
	for wide := wgmmaRows; wide > 0; wide /= 2 {
		for high := wgmmaRows / wide; high > 0; high /= 2 {
			p := patch{wide, high, wgmmaRows / wide / high}
			if n := ceilDiv(z.OW, wide) * ceilDiv(z.OH, high) * ceilDiv(z.B, p.deep); tiles == 0 || n < tiles {
				best, tiles = p, n
			}
		}
	}
	return best, tiles
}

// convWGMMA rounds X, and W where it is not of the format, and multiplies them, one launch for each mmaApart of the products of an element.
func convWGMMA(s *kernels.Stream, a *kernels.Conv2DArgs, format kernels.DType) error {
	z := a.Sizes()
	x := operand{format: format, batch: 1, lines: z.B * z.H * z.W, inner: z.I, ld: roundUp(z.I, 8)}
	w := operand{p: a.W.Ptr(), format: format, batch: 1, lines: z.O * z.KH * z.KW, inner: z.I, ld: z.I}
	var ws arena
	xt, wt := ws.take(2*x.lines*x.ld), part(-1)
	if a.W.DType != format || !w.aligned() {
		w.ld = x.ld
		wt = ws.take(2 * w.lines * w.ld)
	}
	if err := ws.alloc(s); err != nil {
		return err
	}
	defer ws.space.free()
	x.p = ws.at(xt, 0)
	if err := x.round(s, &a.X, false); err != nil {
		return err
	}
	if wt >= 0 {
		w.p = ws.at(wt, 0)
		if err := w.round(s, &a.W, false); err != nil {
			return err
		}
	}
	p, patches := patchOf(z)
	cols := wgmmaWide(z.O)
	pixels, err := driver.NewTensorMap(mapFormat(format), x.p, []int{z.I, z.W, z.H, z.B}, []int{2 * x.ld, 2 * x.ld * z.W, 2 * x.ld * z.W * z.H}, []int{wgmmaSlab, p.wide, p.high, p.deep}, driver.Swizzle128)
	if err != nil {
		return err
	}
	filters, err := driver.NewTensorMap(mapFormat(format), w.p, []int{z.I, z.KH * z.KW, z.O}, []int{2 * w.ld, 2 * w.ld * z.KH * z.KW}, []int{wgmmaSlab, 1, cols}, driver.Swizzle128)
	if err != nil {
		return err
	}
	channels := ceilDiv(z.I, wgmmaSlab)
	slabs, most := channels*z.KH*z.KW, mmaApart/wgmmaSlab
	for first := 0; first < slabs; first += most {
		bias, residual, act := a.Bias, a.Residual, kernels.ActNone
		if first > 0 {
			bias, residual = kernels.View{}, kernels.View{}
		}
		if first+most >= slabs {
			act = a.Act
		}
		if err := launch(s, fmt.Sprintf("conv_wgmma_%s_%d", suffixOf(format), cols), persistent(s, patches*ceilDiv(z.O, cols)), pixels, filters, bias, residual, a.Out,
			int32(z.B), int32(z.OH), int32(z.OW), int32(z.O), int32(p.wide), int32(p.high), int32(a.Pad[1]), int32(a.Pad[0]), int32(z.KW), int32(channels),
			int32(first), int32(min(slabs-first, most)), first > 0, int32(act)); err != nil {
			return err
		}
	}
	return nil
}
