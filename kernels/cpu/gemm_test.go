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
	require.Equal(t, []uintptr{0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 84, 88},
		[]uintptr{unsafe.Offsetof(x.a), unsafe.Offsetof(x.ars), unsafe.Offsetof(x.acs), unsafe.Offsetof(x.b), unsafe.Offsetof(x.bs), unsafe.Offsetof(x.c), unsafe.Offsetof(x.cs),
			unsafe.Offsetof(x.bias), unsafe.Offsetof(x.res), unsafe.Offsetof(x.k), unsafe.Offsetof(x.alpha), unsafe.Offsetof(x.acc), unsafe.Offsetof(x.mask)})
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
	c := kernels.Conv2D.Make(kernels.NewRand(1), []int{1, 8, 8, 16, 16, 3, 3, 1, 1, 1, 1, 1, 3})
	require.Zero(t, testing.AllocsPerRun(50, func() { require.NoError(t, kernels.Conv2D.Run(s, &c)) }), "conv2d")
}
