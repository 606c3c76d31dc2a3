//go:build amd64 && !purego

package cpu

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

//go:generate go run ./gen -routine bf16 -out bf16_amd64.s

// bf16ASM are the micro-kernels with bfloat16 operands in assembly.
func bf16ASM() []*micro {
	for _, m := range micros {
		if m.name == "avx512" {
			return []*micro{{name: "bf16", note: "bfloat16 operands, AVX512_BF16, 12×32 tiles; only by name", level: isaAVX512, mr: 12, nr: 32, masked: true,
				transposes: m.transposes, strips: m.strips,
				run:   []func(*tile){nil, tile32br1, tile32br2, tile32br3, tile32br4, tile32br5, tile32br6, tile32br7, tile32br8, tile32br9, tile32br10, tile32br11, tile32br12},
				half:  []func(*tile){nil, tile16br1, tile16br2, tile16br3, tile16br4, tile16br5, tile16br6, tile16br7, tile16br8, tile16br9, tile16br10, tile16br11, tile16br12},
				pairs: &rounding{have: func() bool { return cpuid.CPU.Supports(cpuid.AVX512BF16, cpuid.AVX512VNNI) }, plain: m, rows: roundRows512, pairs: roundPairs512, zip: zipRows512, fixed: fixed512}}}
		}
	}
	return nil
}

//go:noescape
func tile16br1(t *tile)

//go:noescape
func tile16br2(t *tile)

//go:noescape
func tile16br3(t *tile)

//go:noescape
func tile16br4(t *tile)

//go:noescape
func tile16br5(t *tile)

//go:noescape
func tile16br6(t *tile)

//go:noescape
func tile16br7(t *tile)

//go:noescape
func tile16br8(t *tile)

//go:noescape
func tile16br9(t *tile)

//go:noescape
func tile16br10(t *tile)

//go:noescape
func tile16br11(t *tile)

//go:noescape
func tile16br12(t *tile)

//go:noescape
func tile32br1(t *tile)

//go:noescape
func tile32br2(t *tile)

//go:noescape
func tile32br3(t *tile)

//go:noescape
func tile32br4(t *tile)

//go:noescape
func tile32br5(t *tile)

//go:noescape
func tile32br6(t *tile)

//go:noescape
func tile32br7(t *tile)

//go:noescape
func tile32br8(t *tile)

//go:noescape
func tile32br9(t *tile)

//go:noescape
func tile32br10(t *tile)

//go:noescape
func tile32br11(t *tile)

//go:noescape
func tile32br12(t *tile)

//go:noescape
func roundRows512(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, width, n uintptr)

//go:noescape
func roundPairs512(dst unsafe.Pointer, step uintptr, x, y unsafe.Pointer, ld, width, n uintptr)

//go:noescape
func zipRows512(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, width, n uintptr)
