//go:build amd64 && !purego

package cpu

import "unsafe"

//go:generate go run ./gen -routine gemm -out gemm_amd64.s
//go:generate go run ./gen -routine pack -out pack_amd64.s

// microsASM are the micro-kernels in assembly, worst first.
func microsASM() []*micro {
	return []*micro{
		{name: "avx2", note: "AVX2+FMA, blocked, 6×16 tiles", mr: 6, nr: 16, transposes: []transpose{{8, transpose256}}, level: isaAVX2,
			run:  []func(*tile){nil, tile16r1, tile16r2, tile16r3, tile16r4, tile16r5, tile16r6},
			half: []func(*tile){nil, tile8r1, tile8r2, tile8r3, tile8r4, tile8r5, tile8r6},
			dots: []func(*tile){nil, dots256r1, dots256r2}, step: 8},
		{name: "avx512", note: "AVX-512, blocked, 12×32 tiles", mr: 12, nr: 32, masked: true, transposes: []transpose{{16, transpose512}, {8, transpose256}}, strips: strips512, level: isaAVX512,
			run:  []func(*tile){nil, tile32r1, tile32r2, tile32r3, tile32r4, tile32r5, tile32r6, tile32r7, tile32r8, tile32r9, tile32r10, tile32r11, tile32r12},
			half: []func(*tile){nil, tile16zr1, tile16zr2, tile16zr3, tile16zr4, tile16zr5, tile16zr6, tile16zr7, tile16zr8, tile16zr9, tile16zr10, tile16zr11, tile16zr12},
			dots: []func(*tile){nil, dots512r1, dots512r2, dots512r3, dots512r4}, step: 16},
	}
}

//go:noescape
func tile8r1(t *tile)

//go:noescape
func tile8r2(t *tile)

//go:noescape
func tile8r3(t *tile)

//go:noescape
func tile8r4(t *tile)

//go:noescape
func tile8r5(t *tile)

//go:noescape
func tile8r6(t *tile)

//go:noescape
func tile16r1(t *tile)

//go:noescape
func tile16r2(t *tile)

//go:noescape
func tile16r3(t *tile)

//go:noescape
func tile16r4(t *tile)

//go:noescape
func tile16r5(t *tile)

//go:noescape
func tile16r6(t *tile)

//go:noescape
func tile16zr1(t *tile)

//go:noescape
func tile16zr2(t *tile)

//go:noescape
func tile16zr3(t *tile)

//go:noescape
func tile16zr4(t *tile)

//go:noescape
func tile16zr5(t *tile)

//go:noescape
func tile16zr6(t *tile)

//go:noescape
func tile16zr7(t *tile)

//go:noescape
func tile16zr8(t *tile)

//go:noescape
func tile16zr9(t *tile)

//go:noescape
func tile16zr10(t *tile)

//go:noescape
func tile16zr11(t *tile)

//go:noescape
func tile16zr12(t *tile)

//go:noescape
func tile32r1(t *tile)

//go:noescape
func tile32r2(t *tile)

//go:noescape
func tile32r3(t *tile)

//go:noescape
func tile32r4(t *tile)

//go:noescape
func tile32r5(t *tile)

//go:noescape
func tile32r6(t *tile)

//go:noescape
func tile32r7(t *tile)

//go:noescape
func tile32r8(t *tile)

//go:noescape
func tile32r9(t *tile)

//go:noescape
func tile32r10(t *tile)

//go:noescape
func tile32r11(t *tile)

//go:noescape
func tile32r12(t *tile)

//go:noescape
func dots256r1(t *tile)

//go:noescape
func dots256r2(t *tile)

//go:noescape
func dots512r1(t *tile)

//go:noescape
func dots512r2(t *tile)

//go:noescape
func dots512r3(t *tile)

//go:noescape
func dots512r4(t *tile)

//go:noescape
func transpose256(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, n uintptr)

//go:noescape
func transpose512(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, n uintptr)

//go:noescape
func strips512(dst unsafe.Pointer, step, width uintptr, src unsafe.Pointer, ld, rows, n uintptr)
