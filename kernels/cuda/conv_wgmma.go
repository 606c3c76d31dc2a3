//go:build cuda

package cuda

import (
	"fmt"
	"unsafe"

	"syntic/kernels"
	"syntic/kernels/cuda/driver"
)

func init() {
	for format, name := range map[kernels.DType]string{kernels.BF16: "wgmma_bf16", kernels.F16: "wgmma_f16"} {
		addHopper(kernels.Conv2D, kernels.Variant[kernels.Conv2DArgs]{Name: name, Rank: 6, Operands: format,
			Usable: func(a *kernels.Conv2DArgs) bool {
				return isF32(&a.X, &a.Bias, &a.Residual, &a.Out) && a.W.DType <= kernels.F16
			},
			Run: func(s *kernels.Stream, a *kernels.Conv2DArgs) error { return convWGMMA(s, a, format) }})
		addHopper(kernels.Conv2DGradX, kernels.Variant[kernels.Conv2DGradXArgs]{Name: name, Rank: 6, Operands: format,
			Usable: func(a *kernels.Conv2DGradXArgs) bool {
				return a.Stride == 1 && isF32(&a.DOut, &a.DX) && a.W.DType <= kernels.F16
			},
			Run: func(s *kernels.Stream, a *kernels.Conv2DGradXArgs) error { return convGradXWGMMA(s, a, format) }})
		addHopper(kernels.Conv2DGradW, kernels.Variant[kernels.Conv2DGradWArgs]{Name: name, Rank: 6, Operands: format,
			Usable: func(a *kernels.Conv2DGradWArgs) bool { return isF32(&a.X, &a.DOut, &a.DW, &a.DBias) },
			Run:    func(s *kernels.Stream, a *kernels.Conv2DGradWArgs) error { return convGradWWGMMA(s, a, format) }})
	}
}

// patch is the sides of a set of neighbouring pixels, in so many images, that a tile or a slab has.
type patch struct{ wide, high, deep int }

// patchOf is the patch of so many pixels, a power of two, of which images [B, OH, OW] take the fewest; of equal ones the widest, then the highest.
func patchOf(z kernels.ConvSizes, pixels int) (best patch, count int) {
	for wide := pixels; wide > 0; wide /= 2 {
		for high := pixels / wide; high > 0; high /= 2 {
			p := patch{wide, high, pixels / wide / high}
			if n := ceilDiv(z.OW, wide) * ceilDiv(z.OH, high) * ceilDiv(z.B, p.deep); count == 0 || n < count {
				best, count = p, n
			}
		}
	}
	return best, count
}

// images are pixels [count, high, wide] of 16-bit channels, ld apart.
type images struct {
	p                               unsafe.Pointer
	format                          kernels.DType
	count, high, wide, channels, ld int
}

// bytes are those of all.
func (m images) bytes() int { return 2 * m.count * m.high * m.wide * m.ld }

// tensorMap describes them to copies of slabs of channels of a patch.
func (m images) tensorMap(p patch) (*driver.TensorMap, error) {
	return driver.NewTensorMap(mapFormat(m.format), m.p, []int{m.channels, m.wide, m.high, m.count}, []int{2 * m.ld, 2 * m.ld * m.wide, 2 * m.ld * m.wide * m.high},
		[]int{wgmmaSlab, p.wide, p.high, p.deep}, driver.Swizzle128)
}

// imagesOf are B images of [h, w, channels] in phases of a stride, yet without an address.
func imagesOf(format kernels.DType, b, h, w, channels, stride int) images {
	return images{format: format, count: b * stride * stride, high: ceilDiv(h, stride), wide: ceilDiv(w, stride), channels: channels, ld: roundUp(channels, 8)}
}

// round fills them with the numbers of float32 images.
func (m images) round(s *kernels.Stream, v *kernels.View, stride int) error {
	total := m.count * m.high * m.wide * m.ld
	return launch(s, "conv_phases_"+suffixOf(m.format), each(total), *v, m.p, int64(total), int32(v.Dim(0)), int32(v.Dim(1)), int32(v.Dim(2)), int32(m.channels), int32(m.ld), int32(stride))
}

// convWGMMA rounds X, and W where it is not of the format, and multiplies them.
func convWGMMA(s *kernels.Stream, a *kernels.Conv2DArgs, format kernels.DType) error {
	z := a.Sizes()
	x := imagesOf(format, z.B, z.H, z.W, z.I, a.Stride)
	w := operand{p: a.W.Ptr(), format: format, batch: 1, lines: z.O * z.KH * z.KW, inner: z.I, ld: z.I}
	var ws arena
	xt, wt := ws.take(x.bytes()), part(-1)
	if a.W.DType != format || !w.aligned() {
		w.ld = x.ld
		wt = ws.take(2 * w.lines * w.ld)
	}
	if err := ws.alloc(s); err != nil {
		return err
	}
	defer ws.space.free()
	x.p = ws.at(xt, 0)
	if err := x.round(s, &a.X, a.Stride); err != nil {
		return err
	}
	if wt >= 0 {
		w.p = ws.at(wt, 0)
		if err := w.round(s, &a.W, false); err != nil {
			return err
		}
	}
	cols := wgmmaWide(z.O)
	filters, err := driver.NewTensorMap(mapFormat(format), w.p, []int{z.I, z.KH * z.KW, z.O}, []int{2 * w.ld, 2 * w.ld * z.KH * z.KW}, []int{wgmmaSlab, 1, cols}, driver.Swizzle128)
	if err != nil {
		return err
	}
	return convTiles(s, z, x, filters, cols, a.Pad, a.Stride, 0, a)
}

// convTiles launches the products of images and filters, one launch for each mmaApart of the products of an element; a has bias, residual, activation and Out.
// reverse: 0, or the last place of filters that lie in reverse order.
func convTiles(s *kernels.Stream, z kernels.ConvSizes, x images, filters *driver.TensorMap, cols int, pad [4]int, stride, reverse int, a *kernels.Conv2DArgs) error {
	p, patches := patchOf(z, wgmmaRows)
	pixels, err := x.tensorMap(p)
	if err != nil {
		return err
	}
	channels := ceilDiv(x.channels, wgmmaSlab)
	slabs, most := channels*z.KH*z.KW, mmaApart/wgmmaSlab
	for first := 0; first < slabs; first += most {
		bias, residual, act := a.Bias, a.Residual, kernels.ActNone
		if first > 0 {
			bias, residual = kernels.View{}, kernels.View{}
		}
		if first+most >= slabs {
			act = a.Act
		}
		if err := launch(s, fmt.Sprintf("conv_wgmma_%s_%d", suffixOf(x.format), cols), persistent(s, patches*ceilDiv(z.O, cols)), pixels, filters, bias, residual, a.Out,
			int32(z.B), int32(z.OH), int32(z.OW), int32(z.O), int32(p.wide), int32(p.high), int32(pad[1]), int32(pad[0]), int32(z.KW), int32(stride), int32(reverse), int32(channels),
			int32(first), int32(min(slabs-first, most)), first > 0, int32(act)); err != nil {
			return err
		}
	}
	return nil
}

// convGradXWGMMA is the convolution of DOut with W, its places in reverse order and its sides exchanged: rounded to [KH·KW, I, O].
func convGradXWGMMA(s *kernels.Stream, a *kernels.Conv2DGradXArgs, format kernels.DType) error {
	z := a.Sizes()
	g := imagesOf(format, z.B, z.OH, z.OW, z.O, 1)
	w := operand{format: format, batch: 1, lines: z.KH * z.KW * z.I, inner: z.O, ld: g.ld}
	var ws arena
	gt, wt := ws.take(g.bytes()), ws.take(2*w.lines*w.ld)
	if err := ws.alloc(s); err != nil {
		return err
	}
	defer ws.space.free()
	g.p, w.p = ws.at(gt, 0), ws.at(wt, 0)
	if err := g.round(s, &a.DOut, 1); err != nil {
		return err
	}
	if err := w.round(s, &a.W, true); err != nil {
		return err
	}
	cols := wgmmaWide(z.I)
	filters, err := driver.NewTensorMap(mapFormat(format), w.p, []int{z.O, z.KH * z.KW, z.I}, []int{2 * w.ld * z.I, 2 * w.ld}, []int{wgmmaSlab, 1, cols}, driver.Swizzle128)
	if err != nil {
		return err
	}
	back := z // H and OH, I and O change places
	back.H, back.W, back.I, back.OH, back.OW, back.O = z.OH, z.OW, z.O, z.H, z.W, z.I
	return convTiles(s, back, g, filters, cols, [4]int{z.KH - 1 - a.Pad[0], z.KW - 1 - a.Pad[1]}, 1, z.KH*z.KW-1, &kernels.Conv2DArgs{Out: a.DX})
}

// convGradWWGMMA rounds image and gradient, and cuts the pixels of out into slabs and parts, mmaApart of each at a time.
func convGradWWGMMA(s *kernels.Stream, a *kernels.Conv2DGradWArgs, format kernels.DType) error {
	z := a.Sizes()
	g, x := imagesOf(format, z.B, z.OH, z.OW, z.O, 1), imagesOf(format, z.B, z.H, z.W, z.I, a.Stride)
	var ws arena
	gt, xt := ws.take(g.bytes()), ws.take(x.bytes())
	if err := ws.alloc(s); err != nil {
		return err
	}
	defer ws.space.free()
	g.p, x.p = ws.at(gt, 0), ws.at(xt, 0)
	if err := g.round(s, &a.DOut, 1); err != nil {
		return err
	}
	if err := x.round(s, &a.X, a.Stride); err != nil {
		return err
	}
	p, slabs := patchOf(z, wgmmaSlab)
	left, err := g.tensorMap(p)
	if err != nil {
		return err
	}
	right, err := x.tensorMap(p)
	if err != nil {
		return err
	}
	width := z.KH * z.KW * roundUp(z.I, wgmmaSlab)
	cols := wgmmaWide(width)
	tiles, most := ceilDiv(z.O, wgmmaRows)*ceilDiv(width, cols), mmaApart/wgmmaSlab
	return convRuns(s, a, tiles, slabs, wgmmaSlab, func(to unsafe.Pointer, parts, run int) error {
		for first := 0; first < run; first += most {
			if err := launch(s, fmt.Sprintf("conv_grad_w_wgmma_%s_%d", suffixOf(format), cols), persistent(s, tiles*parts), left, right, to, int32(parts), int32(z.O), int32(z.I),
				int32(ceilDiv(z.OW, p.wide)), int32(ceilDiv(z.OH, p.high)), int32(p.wide), int32(p.high), int32(run), int32(z.KH*z.KW), int32(z.KW), int32(a.Pad[0]), int32(a.Pad[1]),
				int32(a.Stride), int32(z.B), int32(first), int32(min(run-first, most))); err != nil {
				return err
			}
		}
		return nil
	})
}
