package cpu

import (
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// Panels that are kept beside a weight give the bits that a weight packed at every call gives, for every micro-kernel, format of weights, remainder of rows,
// columns and depth, and depth cut into parts for many processors.
func TestKeptPanels(t *testing.T) {
	for _, d := range [][]int{{1, 1, 5, 3, 0, 1, 3}, {1, 50, 768, 770, 0, 1, 11}, {1, 77, 130, 1025, 0, 1, 0}, {1, 200, 97, 390, 0, 0, 4}, {1, 7, 33, 9000, 0, 1, 3}, {1, 9, 16, 5001, 1, 0, 0},
		{3, 31, 40, 41, 0, 0, 16}, {1, 300, 1100, 64, 0, 1, 33}, {1, 40, 70, 129, 0, 1, 65}, {1, 64, 300, 2048, 0, 1, 9}} {
		for _, m := range allMicros() {
			if !m.available() {
				continue
			}
			a := kernels.GEMM.Make(kernels.NewRand(3), d)
			plain := slices.Clone(a.Out.F32())
			b, kept := a, new(kernels.Kept)
			b.Out = kernels.Of(plain, a.Out.Shape()...)
			made := 0
			kept.OnMake(func() { made++ })
			a.B = a.B.Constant(kept)
			again := slices.Clone(a.Out.F32())
			m.gemm(&b)
			m.gemm(&a)
			require.Equal(t, plain, a.Out.F32(), "%s %v", m.name, d)
			bytes := kept.Bytes()
			require.Positive(t, bytes, "%s %v", m.name, d)
			a.Out = kernels.Of(again, a.Out.Shape()...)
			m.gemm(&a)
			require.Equal(t, plain, again, "%s %v, from panels that were there", m.name, d)
			require.Equal(t, bytes, kept.Bytes(), "packed once")
			require.Equal(t, 1, made, "and told once")
			kept.Drop()
			require.Zero(t, kept.Bytes())
		}
	}
}

// Products with panels that are there allocate nothing, on one processor and on several.
func TestKeptPanelsAllocateNothing(t *testing.T) {
	for _, procs := range []int{1, 2} {
		old := runtime.GOMAXPROCS(procs)
		for _, m := range allMicros() {
			if !m.available() || m.level < isaAVX2 {
				continue
			}
			a := kernels.GEMM.Make(kernels.NewRand(1), []int{1, 50, 300, 256, 0, 1, 3})
			kept := new(kernels.Kept)
			a.B = a.B.Constant(kept)
			m.gemm(&a)
			require.Less(t, testing.AllocsPerRun(100, func() { m.gemm(&a) }), 1.0, m.name)
			kept.Drop()
		}
		runtime.GOMAXPROCS(old)
	}
}

// The same for convolutions, also of patches side by side, whose lines are taken as long pixels, and of odd channels.
func TestKeptFilters(t *testing.T) {
	for _, d := range [][]int{{1, 12, 16, 3, 70, 4, 4, 4, 0, 0, 0, 0, 1}, {1, 7, 7, 5, 33, 3, 3, 1, 1, 1, 1, 1, 3}, {1, 5, 4, 33, 17, 1, 1, 1, 0, 0, 0, 0, 0}, {2, 6, 4, 3, 40, 2, 2, 2, 0, 0, 0, 0, 17}} {
		for _, m := range allMicros() {
			if !m.available() {
				continue
			}
			a := kernels.Conv2D.Make(kernels.NewRand(3), d)
			plain := slices.Clone(a.Out.F32())
			b, kept := a, new(kernels.Kept)
			b.Out = kernels.Of(plain, a.Out.Shape()...)
			a.W = a.W.Constant(kept)
			m.conv2d(&b)
			for range 2 {
				m.conv2d(&a)
				require.Equal(t, plain, a.Out.F32(), "%s %v", m.name, d)
			}
			require.Positive(t, kept.Bytes(), "%s %v", m.name, d)
			kept.Drop()
		}
	}
}
