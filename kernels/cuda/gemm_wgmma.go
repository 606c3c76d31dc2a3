//go:build cuda

package cuda

import (
	"fmt"
	"unsafe"

	"syntic/kernels"
)

func init() {
	for format, name := range map[kernels.DType]string{kernels.BF16: "wgmma_bf16", kernels.F16: "wgmma_f16"} {
		addHopper(kernels.GEMM, kernels.Variant[kernels.GEMMArgs]{Name: name, Rank: 6, Operands: format,
			Usable: func(a *kernels.GEMMArgs) bool {
				_, _, _, k := a.Sizes()
				return k > 0 && isF32(&a.A, &a.Out, &a.Bias, &a.Residual) && a.B.DType <= kernels.F16
			},
			Run: func(s *kernels.Stream, a *kernels.GEMMArgs) error { return gemmRounded(s, a, format) }})
	}
}

// gemmOut is what gemm_wgmma makes of a product.
type gemmOut struct {
	out, bias, residual unsafe.Pointer
	batch, m, n, k      int
	alpha               float32
	accumulate          bool
	act                 kernels.Act
}

// gemmRounded rounds the operands where they lie otherwise than wgmma takes them, never transposing, and multiplies them.
func gemmRounded(s *kernels.Stream, a *kernels.GEMMArgs, format kernels.DType) error {
	batch, m, n, k := a.Sizes()
	left, right := operandOf(&a.A, format, a.TransA), operandOf(&a.B, format, !a.TransB)
	var ws arena
	at, bt := part(-1), part(-1)
	inPlace := func(v *kernels.View, o operand) bool { return v.DType == format && o.aligned() }
	if !inPlace(&a.A, left) {
		left.ld = roundUp(left.inner, 8)
		at = ws.take(2 * left.batch * left.lines * left.ld)
	}
	if !inPlace(&a.B, right) {
		right.ld = roundUp(right.inner, 8)
		bt = ws.take(2 * right.batch * right.lines * right.ld)
	}
	if err := ws.alloc(s); err != nil {
		return err
	}
	defer ws.space.free()
	for v, o := range map[*kernels.View]*operand{&a.A: &left, &a.B: &right} {
		to := at
		if v == &a.B {
			to = bt
		}
		if to < 0 {
			continue
		}
		o.p = ws.at(to, 0)
		total := o.batch * o.lines * o.ld
		if err := launch(s, "round_rows_"+suffixOf(format), each(total), *v, int32(v.DType), o.p, int64(total), int32(o.lines), int32(o.inner), int64(o.ld), false); err != nil {
			return err
		}
	}
	return gemmWGMMA(s, left, right, &gemmOut{out: a.Out.Ptr(), bias: a.Bias.Ptr(), residual: a.Residual.Ptr(), batch: batch, m: m, n: n, k: k,
		alpha: a.Alpha, accumulate: a.Accumulate, act: a.Act})
}

// operandOf is a view [batch, lines, inner] as it lies in memory.
func operandOf(v *kernels.View, format kernels.DType, across bool) operand {
	return operand{p: v.Ptr(), format: format, batch: v.Dim(0), lines: v.Dim(1), inner: v.Dim(2), ld: v.Dim(2), across: across}
}

func suffixOf(format kernels.DType) string {
	if format == kernels.F16 {
		return "f16"
	}
	return "bf16"
}

// gemmWGMMA launches the products, one launch for each mmaApart of K. Tiles are narrow where wide ones would be emptier.
func gemmWGMMA(s *kernels.Stream, a, b operand, o *gemmOut) error {
	layout, cols := "nt", wgmmaCols
	switch {
	case a.across && b.across:
		layout = "tn"
	case a.across:
		layout = "tt"
	case b.across:
		layout = "nn"
	}
	if roundUp(o.n, wgmmaCols/2) < roundUp(o.n, wgmmaCols) {
		cols /= 2
	}
	left, err := a.tensorMap(wgmmaRows)
	if err != nil {
		return err
	}
	right, err := b.tensorMap(cols)
	if err != nil {
		return err
	}
	tiles := o.batch * ceilDiv(o.m, wgmmaRows) * ceilDiv(o.n, cols)
	for k0 := 0; k0 < o.k; k0 += mmaApart {
		bias, residual, act := o.bias, o.residual, kernels.ActNone
		if k0 > 0 {
			bias, residual = nil, nil
		}
		if k0+mmaApart >= o.k {
			act = o.act
		}
		if err := launch(s, fmt.Sprintf("gemm_wgmma_%s_%s_%d", layout, suffixOf(a.format), cols), persistent(s, tiles), left, right, a.step(), b.step(), o.out, bias, residual,
			int32(o.batch), int32(o.m), int32(o.n), int32(k0), int32(min(o.k-k0, mmaApart)), o.alpha, o.accumulate || k0 > 0, int32(act)); err != nil {
			return err
		}
	}
	return nil
}
