package cpu

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// The offsets that the assembly uses (gen/gemm.go).
func TestTileLayout(t *testing.T) {
	var x tile
	require.Equal(t, []uintptr{0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 84, 88, 96, 104},
		[]uintptr{unsafe.Offsetof(x.a), unsafe.Offsetof(x.ars), unsafe.Offsetof(x.acs), unsafe.Offsetof(x.b), unsafe.Offsetof(x.bs), unsafe.Offsetof(x.c), unsafe.Offsetof(x.cs),
			unsafe.Offsetof(x.bias), unsafe.Offsetof(x.res), unsafe.Offsetof(x.k), unsafe.Offsetof(x.alpha), unsafe.Offsetof(x.acc), unsafe.Offsetof(x.mask),
			unsafe.Offsetof(x.ahead), unsafe.Offsetof(x.aheadStep)})
}

func TestLowerISA(t *testing.T) {
	have, err := lowerISA(isaAVX512, "avx2")
	require.NoError(t, err)
	require.Equal(t, isaAVX2, have)
	have, err = lowerISA(isaGo, "avx512")
	require.NoError(t, err)
	require.Equal(t, isaGo, have, "never raised")
	_, err = lowerISA(isaAVX2, "sse")
	require.ErrorContains(t, err, "want go, avx2 or avx512")
}

// Products take their work space from pools: after the first call nothing is allocated.
func TestProductsAllocateNothing(t *testing.T) {
	s := &kernels.Stream{}
	old := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(old)
	for _, d := range [][]int{{1, 50, 64, 64, 0, 1, 3}, {1, 64, 64, 500, 1, 0, 0}, {1, 2, 64, 64, 0, 1, 1}} {
		a := kernels.GEMM.Make(kernels.NewRand(1), d)
		require.Zero(t, testing.AllocsPerRun(50, func() { require.NoError(t, kernels.GEMM.Run(s, &a)) }), "%v", d)
	}
	for _, d := range [][]int{{1, 8, 8, 16, 16, 3, 3, 1, 1, 1, 1, 1, 3}, {1, 8, 8, 40, 40, 3, 3, 1, 1, 1, 1, 1, 3}} {
		c := kernels.Conv2D.Make(kernels.NewRand(1), d)
		require.Zero(t, testing.AllocsPerRun(50, func() { require.NoError(t, kernels.Conv2D.Run(s, &c)) }), "conv2d %v", d)
	}
}

// Large sizes, where every block, stage and task boundary is crossed and the float64 reference is too slow: gonum is the oracle. Both sum in
// float32 over up to 2500 terms, so they may differ by about √2500 roundings of the largest value.
func TestGEMMAgainstGonum(t *testing.T) {
	for _, d := range [][]int{{1, 250, 2100, 790, 0, 0, 0}, {1, 130, 530, 1100, 0, 1, 3}, {1, 1100, 90, 500, 1, 0, 4}, {2, 300, 310, 400, 1, 1, 0}, {1, 97, 700, 2500, 0, 1, 0}} {
		a := kernels.GEMM.Make(kernels.NewRand(3), d)
		want := append([]float32(nil), a.Out.F32()...)
		b := a
		b.Out = kernels.Of(want, a.Out.Shape()...)
		gonumGEMM(&b)
		top := float32(0)
		for _, v := range want {
			top = max(top, v, -v)
		}
		for _, m := range micros {
			if haveISA() < m.level {
				continue
			}
			c := a
			c.Out = kernels.Of(append([]float32(nil), a.Out.F32()...), a.Out.Shape()...)
			m.gemm(&c)
			for i, v := range c.Out.F32() {
				if e := v - want[i]; !(max(e, -e) <= 3e-6*top) {
					t.Fatalf("%s %v: element %d is %g, gonum has %g", m.name, d, i, v, want[i])
				}
			}
		}
	}
}
