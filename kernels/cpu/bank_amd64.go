//go:build amd64 && !purego

package cpu

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

//go:generate go run ./gen -routine bank -out bank_amd64.s

// dots512 computes the dot products of n rows of mem, d apart and d long, with a query, for n up to memRows and d multiples of 16. A lane goes through n/16
// rows that follow each other.
func dots512(dst, mem, query []float32, d, n int) {
	_, _, _ = dst[n-1], mem[n*d-1], query[d-1]
	var lanes [memRows / 16][16]float32
	each := n / 16
	bankDotsF32(unsafe.Pointer(&lanes), unsafe.Pointer(&mem[0]), uintptr(4*d*each), unsafe.Pointer(&query[0]), 0, nil, uintptr(d/16), uintptr(each), 0)
	for r := range lanes[:each] {
		for i, x := range lanes[r] {
			dst[i*each+r] = x
		}
	}
}

// blend512 adds n rows of mem, d long, times w to acc, for d a multiple of 256, and asks for the memory that dots512 does not: after the next 16 rows.
func blend512(acc, mem, w []float32, d, n int) {
	_, _, _ = acc[d-1], mem[n*d-1], w[n-1]
	bankBlendF32(unsafe.Pointer(&acc[0]), unsafe.Pointer(&mem[0]), uintptr(4*d), unsafe.Pointer(&w[0]), uintptr(n), uintptr(d/256), uintptr(4*d*(n+16)))
}

// scan512 are the scans in assembly, where the machine can do them.
func scan512() *scanner {
	if !cpuid.CPU.Supports(cpuid.AVX512BF16, cpuid.AVX512VNNI) {
		return nil
	}
	return &scanner{name: "avx512", available: needs(isaAVX512), half: bf16ASM()[0], round: bankRound, pairs: bankDotsBF16, bytes: bankDotsI8, weave: bankWeave, blend: bankBlendBF16,
		tiles: []func(*tile){nil, tile32i1, tile32i2, tile32i3, tile32i4, tile32i5, tile32i6, tile32i7, tile32i8, tile32i9, tile32i10, tile32i11, tile32i12}}
}

//go:noescape
func bankDotsF32(dst, rows unsafe.Pointer, ld uintptr, query unsafe.Pointer, first uintptr, scales unsafe.Pointer, lines, steps, ahead uintptr)

//go:noescape
func bankDotsBF16(dst, rows unsafe.Pointer, ld uintptr, query unsafe.Pointer, first uintptr, scales unsafe.Pointer, lines, steps, ahead uintptr)

//go:noescape
func bankDotsI8(dst, rows unsafe.Pointer, ld uintptr, query unsafe.Pointer, first uintptr, scales unsafe.Pointer, lines, steps, ahead uintptr)

//go:noescape
func bankRound(dst, src unsafe.Pointer, width, n uintptr, norms unsafe.Pointer)

//go:noescape
func tile32i1(t *tile)

//go:noescape
func tile32i2(t *tile)

//go:noescape
func tile32i3(t *tile)

//go:noescape
func tile32i4(t *tile)

//go:noescape
func tile32i5(t *tile)

//go:noescape
func tile32i6(t *tile)

//go:noescape
func tile32i7(t *tile)

//go:noescape
func tile32i8(t *tile)

//go:noescape
func tile32i9(t *tile)

//go:noescape
func tile32i10(t *tile)

//go:noescape
func tile32i11(t *tile)

//go:noescape
func tile32i12(t *tile)

//go:noescape
func bankWeave(dst, rows unsafe.Pointer, width, n, panel uintptr)

//go:noescape
func bankBlendF32(acc, rows unsafe.Pointer, ld uintptr, weights unsafe.Pointer, n, blocks, ahead uintptr)

//go:noescape
func bankBlendBF16(acc, rows unsafe.Pointer, ld uintptr, weights unsafe.Pointer, n, blocks, ahead uintptr)
