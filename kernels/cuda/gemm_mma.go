//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

func init() {
	for format, name := range map[kernels.DType]string{kernels.BF16: "mma_bf16", kernels.F16: "mma_f16"} {
		add(kernels.GEMM, kernels.Variant[kernels.GEMMArgs]{Name: name, Rank: 5, Operands: format,
			Usable: func(a *kernels.GEMMArgs) bool {
				return isF32(&a.A, &a.Out, &a.Bias, &a.Residual) && a.B.DType <= kernels.F16
			},
			Run: func(s *kernels.Stream, a *kernels.GEMMArgs) error { return gemmMMA(s, a, format) }})
	}
}

// mmaApart is how many products one launch of gemm_mma adds up: longer depths take several, each adding to Out what it has, so that they cost no digits.
// Sums apart within the kernel would take the registers of its second block on a multiprocessor.
const mmaApart = 2048

// gemmMMA rounds the operands into rows along K, but B where it lies so in the format already, and multiplies them.
func gemmMMA(s *kernels.Stream, a *kernels.GEMMArgs, format kernels.DType) error {
	b, m, n, k := a.Sizes()
	suffix := map[kernels.DType]string{kernels.BF16: "_bf16", kernels.F16: "_f16"}[format]
	ld := roundUp(k, 8)
	inPlace := a.B.DType == format && a.TransB && ld == k && uintptr(a.B.Ptr())%16 == 0
	var ws arena
	at := ws.take(2 * a.A.Dim(0) * m * ld)
	bt := part(-1)
	if !inPlace {
		bt = ws.take(2 * a.B.Dim(0) * n * ld)
	}
	if err := ws.alloc(s); err != nil {
		return err
	}
	defer ws.space.free()
	round := func(v *kernels.View, to unsafe.Pointer, rows int, trans bool) error {
		total := v.Dim(0) * rows * ld
		return launch(s, "round_rows"+suffix, each(total), *v, int32(v.DType), to, int64(total), int32(rows), int32(k), int64(ld), trans)
	}
	if err := round(&a.A, ws.at(at, 0), m, a.TransA); err != nil {
		return err
	}
	right := a.B.Ptr()
	if !inPlace {
		right = ws.at(bt, 0)
		if err := round(&a.B, right, n, !a.TransB); err != nil {
			return err
		}
	}
	stepA, stepB := int64(m*ld), int64(n*ld)
	if a.A.Dim(0) == 1 {
		stepA = 0
	}
	if a.B.Dim(0) == 1 {
		stepB = 0
	}
	left := ws.at(at, 0)
	for k0 := 0; k0 < max(k, 1); k0 += mmaApart {
		bias, residual, act := a.Bias, a.Residual, kernels.ActNone
		if k0 > 0 {
			bias, residual = kernels.View{}, kernels.View{}
		}
		if k0+mmaApart >= k {
			act = a.Act
		}
		err := launch(s, "gemm_mma"+suffix, blocks(b*ceilDiv(m, 128)*ceilDiv(n, 128)), unsafe.Add(left, 2*k0), unsafe.Add(right, 2*k0), int64(ld), int64(ld),
			a.Out, bias, residual, int32(m), int32(n), int32(min(k-k0, mmaApart)), stepA, stepB, a.Alpha, a.Accumulate || k0 > 0, int32(act))
		if err != nil {
			return err
		}
	}
	return nil
}
