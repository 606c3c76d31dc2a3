//go:build amd64 && !purego

package cpu

import "unsafe"

//go:generate go run ./gen -routine gemm -out gemm_amd64.s
//go:generate go run ./gen -routine pack -out pack_amd64.s

// microsASM are the micro-kernels in assembly, worst first.
func microsASM() []*micro {
	return []*micro{
		{name: "avx2", note: "AVX2+FMA, blocked, 6×16 tiles", mr: 6, nr: 16, transpose: transpose256, lanes: 8, available: needs(isaAVX2),
			run: []func(*tile){nil, tile256r1, tile256r2, tile256r3, tile256r4, tile256r5, tile256r6}},
		{name: "avx512", note: "AVX-512, blocked, 12×32 tiles", mr: 12, nr: 32, masked: true, transpose: transpose512, lanes: 16, strips: strips512, available: needs(isaAVX512),
			run: []func(*tile){nil, tile512r1, tile512r2, tile512r3, tile512r4, tile512r5, tile512r6, tile512r7, tile512r8, tile512r9, tile512r10, tile512r11, tile512r12}},
	}
}

//go:noescape
func tile256r1(t *tile)

//go:noescape
func tile256r2(t *tile)

//go:noescape
func tile256r3(t *tile)

//go:noescape
func tile256r4(t *tile)

//go:noescape
func tile256r5(t *tile)

//go:noescape
func tile256r6(t *tile)

//go:noescape
func tile512r1(t *tile)

//go:noescape
func tile512r2(t *tile)

//go:noescape
func tile512r3(t *tile)

//go:noescape
func tile512r4(t *tile)

//go:noescape
func tile512r5(t *tile)

//go:noescape
func tile512r6(t *tile)

//go:noescape
func tile512r7(t *tile)

//go:noescape
func tile512r8(t *tile)

//go:noescape
func tile512r9(t *tile)

//go:noescape
func tile512r10(t *tile)

//go:noescape
func tile512r11(t *tile)

//go:noescape
func tile512r12(t *tile)

//go:noescape
func transpose256(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, n uintptr)

//go:noescape
func transpose512(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, n uintptr)

//go:noescape
func strips512(dst unsafe.Pointer, width uintptr, src unsafe.Pointer, ld, rows, n uintptr)
