package clip

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

// TestEncodersAllocateNothing: in a scope that begins anew for each call, encoding into memory of the caller leaves nothing to the collector.
func TestEncodersAllocateNothing(t *testing.T) {
	m, outer := load(t)
	c := m.Config
	n := 5<<18/(77*c.Text.MLP) + 1 // so many that layers take texts in parts
	ids, side := make([]int32, n*77), c.Image.ImageSize
	for i := range ids {
		if ids[i] = int32(i % 40); i%77 == 60 {
			ids[i] = int32(c.Text.VocabSize - 1)
		}
	}
	texts, images := outer.FromInt32s(ids, n, 77), outer.Randn(tensor.Key{Seed: 1}, n, side, side, 3)
	s, out := tensor.NewScope(tensor.CPU()), make([]float32, n*c.Projection)
	defer s.Close()
	for name, call := range map[string]func(){
		"texts":  func() { m.EncodeText(s, texts).CopyTo(out) },
		"images": func() { m.EncodeImage(s, images).CopyTo(out) },
	} {
		got := testing.AllocsPerRun(12, func() {
			s.Reset()
			call()
		})
		require.Zero(t, got, name)
	}
}
