//go:build amd64 && !purego

package cpu

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"

	"syntic/kernels"
)

//go:generate go run ./gen -routine widen -out widen_amd64.s

var haveF16C = cpuid.CPU.Supports(cpuid.F16C)

// widenASM widens the first of the numbers, and tells how many.
func widenASM(level isa, dst []float32, src []uint16, d kernels.DType) int {
	level = min(level, haveISA())
	if len(dst) < 16 || level < isaAVX2 || d == kernels.F16 && level < isaAVX512 && !haveF16C {
		return 0
	}
	run, n := widenF16x512, len(dst)&^15
	switch {
	case level >= isaAVX512 && d == kernels.BF16:
		run = widenBF16x512
	case level < isaAVX512 && d == kernels.BF16:
		run = widenBF16x256
	case level < isaAVX512:
		run = widenF16x256
	}
	_ = src[n-1]
	run(unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0]), uintptr(n))
	return n
}

// partASM is the routine that parts pairs; nil: none.
func partASM(level isa, d kernels.DType) partFunc {
	switch {
	case min(level, haveISA()) < isaAVX512:
		return nil
	case d == kernels.F16:
		return partF16x512
	}
	return partBF16x512
}

//go:noescape
func partF16x512(dst, src unsafe.Pointer, vecs, n uintptr)

//go:noescape
func partBF16x512(dst, src unsafe.Pointer, vecs, n uintptr)

//go:noescape
func widenF16x512(dst, src unsafe.Pointer, n uintptr)

//go:noescape
func widenBF16x512(dst, src unsafe.Pointer, n uintptr)

//go:noescape
func widenF16x256(dst, src unsafe.Pointer, n uintptr)

//go:noescape
func widenBF16x256(dst, src unsafe.Pointer, n uintptr)
