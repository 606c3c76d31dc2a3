//go:build cuda

package ondevice

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/diffusion"
	"syntic/kernels/cuda/driver"
	"syntic/nn"
	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/tensor"
)

// These tests count the copies from the device to the host, for each of which the host waits until the device has nothing to do.

func gpu(t *testing.T) *tensor.Device {
	dev, err := tensor.Open("cuda")
	require.NoError(t, err)
	return dev
}

func copies(fn func()) int {
	before := driver.CopiesToHost()
	fn()
	return int(driver.CopiesToHost() - before)
}

// examples are n of e features.
func examples(n, e int) *syntic.Examples {
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	x := &syntic.Examples{Features: s.Normalize(s.Randn(tensor.Key{Seed: 3}, n, e)).Float32s()}
	for i := range int32(n) {
		x.Captions = append(x.Captions, []int32{10 + i, 20 + i%3, 30}[:2+i%2])
	}
	return x
}

// TestWaitsOfTraining: one copy in sixteen steps, for their losses and norms.
func TestWaitsOfTraining(t *testing.T) {
	dev, x := gpu(t), examples(8, 12)
	d, err := syntic.NewDecoder(dev, syntic.Shape{Features: 12, Width: 16, Layers: 1, Heads: 2, FFN: 32, Positions: 16, Layout: "tokens"}, syntic.NewVocabulary(x.Captions, 90), 0.05, 7)
	require.NoError(t, err)
	defer d.Release()
	o := syntic.TrainOptions{Train: config.Train{Epochs: 5, Batch: 2, LR: 1e-3, Schedule: "cosine", WeightDecay: 0.01, ClipNorm: 1}, MaxLength: 6, Seed: 5}
	assert.Equal(t, 2, copies(func() {
		curve, err := d.Train(context.Background(), x, o, nil)
		require.NoError(t, err)
		require.Len(t, curve, 20)
		for _, p := range curve {
			assert.Positive(t, p.Loss)
			assert.Positive(t, p.GradNorm)
		}
	}), "of 20 steps")
}

// TestWaitsOfSearch: two copies a token, for the search on the host must know which beams go on.
func TestWaitsOfSearch(t *testing.T) {
	dev, x := gpu(t), examples(2, 12)
	d, err := syntic.NewDecoder(dev, syntic.Shape{Features: 12, Width: 16, Layers: 1, Heads: 2, FFN: 32, Positions: 16, Layout: "tokens"}, syntic.NewVocabulary(x.Captions, 90), 0.05, 7)
	require.NoError(t, err)
	defer d.Release()
	longest := 0
	n := copies(func() {
		found, err := d.Generate(context.Background(), x.Features, nil, config.Decode{Beams: 3, MaxTokens: 4, LengthPenalty: 1}, nil)
		require.NoError(t, err)
		for _, beams := range found {
			for _, b := range beams {
				n := len(b.Tokens)
				if b.Ended {
					n++
				}
				longest = max(longest, n)
			}
		}
	})
	assert.Equal(t, 2*longest, n)
}

// TestWaitsOfRefinement: none in the steps of a batch; four for its result, the losses, what was found, and for each measurement two.
func TestWaitsOfRefinement(t *testing.T) {
	dev, x, y := gpu(t), examples(16, 12), examples(17, 12)
	run := func(steps int) int {
		return copies(func() {
			_, err := syntic.Refine(context.Background(), dev, x.Features, y.Features[12:], 12, config.Refine{Steps: steps, Batch: 8, LR: 0.01, Temperature: 0.05, Direction: "image_to_text"}, 4, nil)
			require.NoError(t, err)
		})
	}
	assert.Equal(t, run(1), run(6), "whatever the number of steps")
	assert.Equal(t, 2+2*2+2*3, run(2), "the texts, two measurements, two batches")
}

// TestGraphOfTheUNet: sampling by a replayed graph gives the bits of sampling op by op, waits for nothing, and takes up other texts, shapes and weights.
func TestGraphOfTheUNet(t *testing.T) {
	dev := gpu(t)
	require.True(t, dev.HasGraphs())
	u, err := diffusion.LoadUNet(dev, "../../diffusion/testdata/sd/unet")
	require.NoError(t, err)
	defer u.Close()
	sch, err := diffusion.ParseScheduler([]byte("{}"), "DDIMScheduler")
	require.NoError(t, err)
	m := diffusion.Sampler{UNet: u, Scheduler: sch}
	s := tensor.NewScope(dev)
	defer s.Close()
	sample := func(eager bool, seed uint64, images, side int) []float32 {
		text, none := s.Randn(tensor.Key{Seed: seed}, 1, 5, 48), s.Randn(tensor.Key{Seed: seed + 1}, 1, 5, 48)
		o := diffusion.SampleOptions{Height: side, Width: side, Steps: 2, Eager: eager}
		for i := range images {
			o.Keys = append(o.Keys, tensor.Key{Seed: seed, Item: uint64(i)})
		}
		var z *tensor.Tensor
		assert.Zero(t, copies(func() { z, err = m.Sample(context.Background(), s, text, none, o) }))
		require.NoError(t, err)
		return z.Float32s()
	}
	first := sample(true, 1, 1, 6)
	require.Equal(t, first, sample(false, 1, 1, 6), "recorded")
	require.Equal(t, first, sample(false, 1, 1, 6), "replayed")
	require.Equal(t, sample(true, 9, 1, 6), sample(false, 9, 1, 6), "another text")
	require.Equal(t, sample(true, 7, 2, 4), sample(false, 7, 2, 4), "another shape")
	for _, p := range nn.Parameters(u)[:8] {
		x := p.Float32s()
		for i := range x {
			x[i] /= 2
		}
		hold := tensor.Scalar(dev, 1) // so that the parameter lies elsewhere afterwards
		p.Release()
		p.SetData(x)
		hold.Release()
	}
	require.NotEqual(t, first, sample(true, 1, 1, 6))
	require.Equal(t, sample(true, 1, 1, 6), sample(false, 1, 1, 6), "other weights")
	t.Setenv(tensor.GraphEnv, "off")
	require.False(t, dev.HasGraphs())
}
