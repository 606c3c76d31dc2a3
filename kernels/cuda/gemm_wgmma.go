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

// gemmRounded rounds the operands, but B where it lies as wgmma takes it, and multiplies them. A is turned only where both are transposed, for which
// there is no kernel.
func gemmRounded(s *kernels.Stream, a *kernels.GEMMArgs, format kernels.DType) error {
	batch, m, n, k := a.Sizes()
	left, right := operandOf(&a.A, format, a.TransA), operandOf(&a.B, format, !a.TransB)
	turn := a.TransA && a.TransB
	if turn {
		left.lines, left.inner, left.across = m, k, false
	}
	var ws arena
	left.ld = roundUp(left.inner, 8)
	at, bt := ws.take(2*left.batch*left.lines*left.ld), part(-1)
	if a.B.DType != format || !right.aligned() {
		right.ld = roundUp(right.inner, 8)
		bt = ws.take(2 * right.batch * right.lines * right.ld)
	}
	if err := ws.alloc(s); err != nil {
		return err
	}
	defer ws.space.free()
	left.p = ws.at(at, 0)
	if err := left.round(s, &a.A, turn); err != nil {
		return err
	}
	if bt >= 0 {
		right.p = ws.at(bt, 0)
		if err := right.round(s, &a.B, false); err != nil {
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
	layout, cols := "nt", wgmmaWide(o.n)
	switch {
	case a.across && b.across:
		layout = "tn"
	case b.across:
		layout = "nn"
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
			int32(o.batch), int32(o.m), int32(o.n), int32(k0/wgmmaSlab), int32(ceilDiv(min(o.k-k0, mmaApart), wgmmaSlab)), o.alpha, o.accumulate || k0 > 0, int32(act)); err != nil {
			return err
		}
	}
	return nil
}
