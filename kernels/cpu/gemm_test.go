package cpu

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
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
