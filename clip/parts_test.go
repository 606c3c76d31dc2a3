package clip

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

// TestPartsAreExact: batches so large that they are computed in parts give the bits of every item alone, on any number of processors.
func TestPartsAreExact(t *testing.T) {
	m, s := load(t)
	c := m.Config
	n := 5<<18/(77*c.Text.MLP) + 9 // a few more than go through a layer at once
	ids, px := make([]int32, n*77), make([]float32, n*c.Image.ImageSize*c.Image.ImageSize*3)
	for i := range ids {
		ids[i] = int32(i % 77 * (i/77 + 3) % 50)
		if i%77 == 76-i/77%20 {
			ids[i] = int32(c.Text.VocabSize - 1)
		}
	}
	for i := range px {
		px[i] = float32(i%251)/125 - 1
	}
	b := m.Text.Layers[0]
	require.Less(t, s.Together(n, 77*c.Text.MLP, b.weights()), n)
	require.Equal(t, n, s.Together(n, 77*c.Text.MLP, 1<<30), "weights that fill the caches")
	var texts, images []float32
	for _, procs := range []int{1, 2} {
		old := runtime.GOMAXPROCS(procs)
		gotT := m.EncodeText(s, s.FromInt32s(ids, n, 77)).Float32s()
		gotI := m.EncodeImage(s, s.FromFloat32s(px, n, c.Image.ImageSize, c.Image.ImageSize, 3)).Float32s()
		runtime.GOMAXPROCS(old)
		if texts == nil {
			texts, images = gotT, gotI
		}
		require.Equal(t, texts, gotT)
		require.Equal(t, images, gotI)
	}
	e, size := c.Projection, len(px)/n
	for i := 0; i < n; i += 37 {
		require.Equal(t, texts[i*e:(i+1)*e], m.EncodeText(s, s.FromInt32s(ids[i*77:(i+1)*77], 1, 77)).Float32s(), "text %d", i)
		x := s.FromFloat32s(px[i*size:(i+1)*size], 1, c.Image.ImageSize, c.Image.ImageSize, 3)
		require.Equal(t, images[i*e:(i+1)*e], m.EncodeImage(s, x).Float32s(), "image %d", i)
	}
	taped := tensor.NewScope(tensor.CPU(), tensor.WithTape())
	defer taped.Close()
	require.Equal(t, n, taped.Together(n, 77*c.Text.MLP, 1), "all at once for a gradient")
}
