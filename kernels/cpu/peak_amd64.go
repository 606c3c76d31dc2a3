//go:build amd64 && !purego

package cpu

import "github.com/klauspost/cpuid/v2"

//go:generate go run ./gen -routine peak -out peak_amd64.s

//go:noescape
func peakFMA512(n uintptr)

//go:noescape
func peakFMA256(n uintptr)

//go:noescape
func peakDot512(n uintptr)

// peakLoops are the loops of multiply-adds of this machine and operations of one turn; nil where there are none.
func peakLoops() (f32, half func(n uintptr), f32Ops, halfOps float64) {
	switch haveISA() {
	case isaAVX512:
		f32, f32Ops = peakFMA512, 24*16*2
		if cpuid.CPU.Supports(cpuid.AVX512BF16) {
			half, halfOps = peakDot512, 24*32*2
		}
	case isaAVX2:
		f32, f32Ops = peakFMA256, 12*8*2
	}
	return f32, half, f32Ops, halfOps
}
