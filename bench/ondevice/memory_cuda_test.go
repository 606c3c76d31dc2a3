//go:build cuda

package ondevice

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/tensor"
)

// TestKeepNearby: a search of a bank on the device that keeps its rows in fewer bits gives the same bits, until its values change.
func TestKeepNearby(t *testing.T) {
	dev, err := tensor.Open("cuda")
	require.NoError(t, err)
	const m, d, k = 300, 40, 7
	mem := tensor.NewParameter(dev, m, d)
	defer mem.Release()
	s := tensor.NewScope(dev)
	defer s.Close()
	set := func(seed uint64) { mem.SetData(s.Normalize(s.Randn(tensor.Key{Seed: seed}, m, d)).Float32s()) }
	set(1)
	query := s.Normalize(s.Randn(tensor.Key{Seed: 2}, 20, d))
	search := func() ([]float32, []int32) {
		score, index := s.TopK(query, mem, k)
		return score.Float32s(), index.Int32s()
	}
	for _, format := range []tensor.DType{kernels.BF16, kernels.U8} {
		_, exact := search()
		mem.KeepNearby(format)
		require.Positive(t, mem.NearbyBytes())
		_, near := search()
		require.Equal(t, exact, near)
		set(uint64(3 + format))
		require.Zero(t, mem.NearbyBytes(), "what was kept is of other values")
	}
}
