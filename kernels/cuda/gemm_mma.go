//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

// productFormats are the formats to which operands of products are rounded where that is asked for by name: mma_bf16, mma_f16, mma_tf32.
var productFormats = []kernels.DType{kernels.BF16, kernels.F16, kernels.TF32}

func onlyByName(format kernels.DType) string { return format.String() + " operands; only by name" }

func init() {
	for _, format := range productFormats {
		add(kernels.GEMM, kernels.Variant[kernels.GEMMArgs]{Name: "mma_" + format.String(), Rank: 5, Operands: format, Note: onlyByName(format),
			Usable: func(a *kernels.GEMMArgs) bool {
				return isF32(&a.A, &a.Out, &a.Bias, &a.Residual) && a.B.DType <= kernels.F16
			},
			Run: func(s *kernels.Stream, a *kernels.GEMMArgs) error { return gemmMMA(s, a, format) }})
	}
}

// mmaApart is how many products one launch of gemm_mma or conv_mma adds up: longer depths take several, each adding to Out what it has, so that they
// cost no digits. Sums apart within the kernel would take the registers of its second block on a multiprocessor.
const mmaApart = 2048

// chunk is how many numbers of a format are copied at once.
func chunk(format kernels.DType) int { return 16 / format.Size() }

// apart calls run for each part of a depth that is added up apart; the first takes the bias and the residual, the last the activation.
func apart(depth int, bias, residual kernels.View, act kernels.Act, run func(k0, k1 int, bias, residual kernels.View, act kernels.Act) error) error {
	for k0 := 0; k0 < max(depth, 1); k0 += mmaApart {
		k1, f := min(k0+mmaApart, depth), kernels.ActNone
		if k1 == depth {
			f = act
		}
		if err := run(k0, k1, bias, residual, f); err != nil {
			return err
		}
		bias, residual = kernels.View{}, kernels.View{}
	}
	return nil
}

// gemmMMA rounds the operands into rows along K, but B where it lies so in the format already, and multiplies them.
func gemmMMA(s *kernels.Stream, a *kernels.GEMMArgs, format kernels.DType) error {
	b, m, n, k := a.Sizes()
	size, ld := format.Size(), roundUp(k, chunk(format))
	inPlace := a.B.DType == format && a.TransB && ld == k && uintptr(a.B.Ptr())%16 == 0
	var ws arena
	at := ws.take(size * a.A.Dim(0) * m * ld)
	bt := part(-1)
	if !inPlace {
		bt = ws.take(size * a.B.Dim(0) * n * ld)
	}
	if err := ws.alloc(s); err != nil {
		return err
	}
	defer ws.space.free()
	left, right := ws.at(at, 0), a.B.Ptr()
	if err := roundRows(s, format, &a.A, left, a.A.Dim(0), m, k, ld, a.TransA); err != nil {
		return err
	}
	if !inPlace {
		right = ws.at(bt, 0)
		if err := roundRows(s, format, &a.B, right, a.B.Dim(0), n, k, ld, !a.TransB); err != nil {
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
	return apart(k, a.Bias, a.Residual, a.Act, func(k0, k1 int, bias, residual kernels.View, act kernels.Act) error {
		return launch(s, "gemm_mma_"+format.String(), blocks(b*ceilDiv(m, 128)*ceilDiv(n, 128)), unsafe.Add(left, size*k0), unsafe.Add(right, size*k0), int64(ld), int64(ld),
			a.Out, bias, residual, int32(m), int32(n), int32(k1-k0), stepA, stepB, a.Alpha, a.Accumulate || k0 > 0, int32(act))
	})
}

// roundRows lays batches of [rows, depth], with trans [depth, rows], in a format and in rows ld apart.
func roundRows(s *kernels.Stream, format kernels.DType, v *kernels.View, to unsafe.Pointer, batch, rows, depth, ld int, trans bool) error {
	total := batch * rows * ld
	return launch(s, "round_rows_"+format.String(), each(total), *v, int32(v.DType), to, int64(total), int32(rows), int32(depth), int64(ld), trans)
}
