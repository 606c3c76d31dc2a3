//go:build cuda

package ondevice

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/diffusion"
	"syntic/tensor"
)

// TestCaptureBesideOthers: graphs are recorded, replayed and closed while other goroutines take memory, run ops of the same kinds, copy in and out and wait for the
// device; everybody gets the bits that they get alone. The race detector watches the host's side, the emulator that no call is made in a capture that a driver
// would refuse.
func TestCaptureBesideOthers(t *testing.T) {
	dev := gpu(t)
	work := func(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
		c := s.Child()
		defer c.Close()
		y := c.MatMul(x, x, false, true)
		return c.Keep(c.MatMul(c.Softmax(c.Act(y, tensor.GELU)), x, false, false))
	}
	alone := func(n int) (x, y []float32) {
		s := tensor.NewScope(dev)
		defer s.Close()
		in := s.Randn(tensor.Key{Seed: uint64(n)}, 1, n, 8)
		return in.Float32s(), work(s, in).Float32s()
	}
	var wg sync.WaitGroup
	for g := range 2 {
		x, want := alone(9 + g)
		wg.Go(func() { // records
			for range 4 {
				graph := tensor.NewGraph(dev, "test")
				in := graph.Input(1, 9+g, 8)
				s := tensor.NewScope(dev)
				s.Assign(in, 0, s.FromFloat32s(x, 1, 9+g, 8))
				out := graph.Record(func(s *tensor.Scope) *tensor.Tensor { return work(s, in) })
				for range 3 {
					graph.Replay(s)
					assert.Equal(t, want, out.Float32s(), "replayed")
				}
				s.Close()
				graph.Close()
			}
		})
		x2, want2 := alone(20 + g)
		wg.Go(func() { // runs op by op
			for range 12 {
				s := tensor.NewScope(dev)
				y := work(s, s.FromFloat32s(x2, 1, 20+g, 8))
				assert.Equal(t, want2, y.Float32s(), "op by op")
				assert.Equal(t, want2, tensor.Fetch(y)[0].Floats)
				s.Close()
				assert.NoError(t, dev.Sync())
			}
		})
	}
	wg.Wait()
}

// TestSamplersSideBySide: two goroutines sample from one UNet, whose graph serves one of them at a time; both get the bits that they get alone.
func TestSamplersSideBySide(t *testing.T) {
	dev := gpu(t)
	u, err := diffusion.LoadUNet(dev, "../../diffusion/testdata/sd/unet")
	require.NoError(t, err)
	defer u.Close()
	sch, err := diffusion.ParseScheduler([]byte("{}"), "DDIMScheduler")
	require.NoError(t, err)
	m := diffusion.Sampler{UNet: u, Scheduler: sch}
	sample := func(seed uint64) []float32 {
		s := tensor.NewScope(dev)
		defer s.Close()
		text, none := s.Randn(tensor.Key{Seed: seed}, 1, 5, 48), s.Randn(tensor.Key{Seed: seed + 1}, 1, 5, 48)
		z, err := m.Sample(context.Background(), s, text, none, diffusion.SampleOptions{Height: 4, Width: 4, Steps: 2, Keys: []tensor.Key{{Seed: seed}}})
		if !assert.NoError(t, err) {
			return nil
		}
		return z.Float32s()
	}
	want := [][]float32{sample(1), sample(5)}
	var wg sync.WaitGroup
	for i, seed := range []uint64{1, 5} {
		wg.Go(func() { assert.Equal(t, want[i], sample(seed)) })
	}
	wg.Wait()
}
