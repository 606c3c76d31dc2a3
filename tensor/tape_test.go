package tensor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Backward through many layers holds a few gradients at a time, and leaves what the caller has made as it was.
func TestBackwardFreesGradients(t *testing.T) {
	s := NewScope(CPU(), WithTape())
	defer s.Close()
	x := s.Watch(s.Full(1, 4))
	y := x
	for range 100 {
		y = s.Add(s.Affine(y, 0.5, 0), s.Affine(y, 0.5, 0.25)) // y + 0.25
	}
	loss := s.SumAll(y)
	before := s.live
	g := s.Backward(loss)
	require.Less(t, s.live-before, 10)
	require.Equal(t, []float32{1, 1, 1, 1}, g.Of(x).Float32s())
	require.Equal(t, []float32{26, 26, 26, 26}, y.Float32s())
	require.Equal(t, float32(104), loss.Item())
}
