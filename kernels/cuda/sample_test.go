//go:build cuda

package cuda

import (
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// TestDraw: numbers drawn on the device are those of the host, to the bit, of any length, key and step.
func TestDraw(t *testing.T) {
	b := backend{}
	s, err := b.NewStream(0)
	require.NoError(t, err)
	for i, n := range []int{1, 2, 3, 4, 7, 1023, 1 << 17} {
		key := kernels.Key{Seed: 0x9E3779B97F4A7C15 * uint64(i+1), Item: uint64(i) << 33, Step: uint32(i)}
		for _, normal := range []bool{false, true} {
			p, err := b.Alloc(0, 4*n)
			require.NoError(t, err)
			require.NoError(t, b.Draw(s, p, n, key, normal))
			got, want := make([]float32, n), make([]float32, n)
			require.NoError(t, b.CopyOut(s, unsafe.Pointer(&got[0]), p, 4*n))
			b.Free(0, p)
			if key.Uniform(want); normal {
				key.Normal(want)
			}
			for j := range want {
				require.Equal(t, math.Float32bits(want[j]), math.Float32bits(got[j]), "number %d of %d, normal %v", j, n, normal)
			}
		}
	}
}
