//go:build cuda

package ondevice

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/clip"
	"syntic/diffusion"
	"syntic/kernels/cuda/driver"
	"syntic/nn"
	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/detr"
	"syntic/syntic/world/pretrain"
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

// TestWaitsOfSearch: once a token, for the search on the host must know which beams go on.
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
	assert.Equal(t, longest, n)
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
	assert.Equal(t, 2+2*2+2*2, run(2), "the texts, two measurements, two batches")
}

// TestWaitsOfStopRules: batches that a rule ends have the features, losses and number of steps that they have on the CPU, and the host looks every eight steps.
func TestWaitsOfStopRules(t *testing.T) {
	dev, x, y := gpu(t), examples(16, 12), examples(17, 12)
	for _, o := range []config.Refine{{StopRecall: 0.9}, {StopPlateau: 0.7, Patience: 3}, {StopRecall: 1, StopPlateau: 0.2, Patience: 11}} {
		o.Steps, o.Batch, o.LR, o.Temperature, o.Direction, o.Optimiser = 37, 8, 0.05, 0.05, "image_to_text", "adam"
		refine := func(dev *tensor.Device) *syntic.Refined {
			r, err := syntic.Refine(context.Background(), dev, x.Features, y.Features[12:], 12, o, 4, nil)
			require.NoError(t, err)
			return r
		}
		want := refine(tensor.CPU())
		var got *syntic.Refined
		n := copies(func() { got = refine(dev) })
		assert.Equal(t, want.Steps, got.Steps)
		assert.Less(t, got.Steps, 37.0)
		assert.InDeltaSlice(t, want.Features, got.Features, 1e-4)
		assert.InDeltaSlice(t, want.Loss, got.Loss, 1e-4)
		assert.LessOrEqual(t, n, 2+2*2+2*(2+5), "the texts, two measurements, of each batch its end and at most five looks")
	}
}

// TestWaitsOfContrast: CLIP's loss waits for nothing, though it cuts the temperature.
func TestWaitsOfContrast(t *testing.T) {
	dev := gpu(t)
	m, err := clip.Load("../../clip/testdata/tiny", dev)
	require.NoError(t, err)
	defer m.Close()
	m.LogitScale.Own()
	m.LogitScale.SetData([]float32{9})
	s := tensor.NewScope(dev)
	defer s.Close()
	ids := make([]int32, 2*m.Config.Text.MaxPositions)
	for i := range ids {
		ids[i] = int32(m.Config.Text.VocabSize - 1)
	}
	px, texts := s.Randn(tensor.Key{Seed: 5}, 2, m.Pixels.Crop, m.Pixels.Crop, 3), s.FromInt32s(ids, 2, m.Config.Text.MaxPositions)
	assert.Zero(t, copies(func() { m.ContrastiveLoss(s, px, texts) }))
	assert.Equal(t, float32(clip.MaxLogScale), m.LogitScale.Item())
}

// TestWaitsOfPretraining: one a step, for loss and norm.
func TestWaitsOfPretraining(t *testing.T) {
	dev := gpu(t)
	run := func(steps int) int {
		m := nn.NewLinear(dev, 4, 5, true)
		nn.Init(m, 3)
		job := &pretrain.Job{Name: "test", Params: nn.Parameters(m), LR: 0.01, Schedule: nn.Cosine(1, 0.1), Steps: steps, Batch: 3, Decay: 0.9,
			Loss: func(s *tensor.Scope, step int) (*tensor.Tensor, error) {
				x := s.Randn(tensor.Key{Seed: uint64(step)}, 3, 4)
				return s.MSE(m.Forward(s, x), s.Zeros(3, 5)), nil
			},
			Scores: func(context.Context) (map[string]float64, error) { return map[string]float64{"one": 1}, nil }, Save: func(string) error { return nil }}
		return copies(func() {
			require.NoError(t, pretrain.Run(context.Background(), dev, job, pretrain.Options{Dir: t.TempDir(), Checkpoint: time.Hour}))
		})
	}
	assert.Equal(t, 5, run(8)-run(3))
}

// TestWaitsOfMuon: two a step, for the norm of all gradients and for those of all matrices.
func TestWaitsOfMuon(t *testing.T) {
	dev := gpu(t)
	type net struct {
		A *nn.Linear `name:"a"`
		B *nn.Linear `name:"b"`
	}
	after := func(dev *tensor.Device, n *int) []float32 {
		m := &net{nn.NewLinear(dev, 20, 30, true), nn.NewLinear(dev, 30, 20, false)}
		nn.Init(m, 3)
		opt := nn.NewAdamW(dev, nn.Parameters(m), nn.AdamWOptions{ClipNorm: 1, Muon: func(string) bool { return true }})
		defer opt.Release()
		s := tensor.NewScope(dev, tensor.WithTape())
		defer s.Close()
		y := m.B.Forward(s, m.A.Forward(s, s.Randn(tensor.Key{Seed: 5}, 7, 20)))
		g := s.Backward(s.MSE(y, s.Randn(tensor.Key{Seed: 6}, 7, 20)))
		*n = copies(func() { opt.Queue(s, g, 0.01, nil) })
		return append(m.A.Weight.Float32s(), m.B.Weight.Float32s()...)
	}
	var n int
	want := after(tensor.CPU(), &n)
	assert.InDeltaSlice(t, want, after(dev, &n), 1e-5)
	assert.Equal(t, 2, n)
}

// TestNoiseIsDrawnThere: noise is the host's to the bit, and none is copied to the device.
func TestNoiseIsDrawnThere(t *testing.T) {
	dev := gpu(t)
	noise := func(dev *tensor.Device) []float32 {
		s := tensor.NewScope(dev)
		defer s.Close()
		before := driver.CopiesToDevice()
		x := diffusion.Noise(s, []tensor.Key{{Seed: 3, Item: 1 << 40, Step: 7}, {Seed: 4}}, 5, 3, 4)
		y, z := s.Randn(tensor.Key{Seed: 9}, 1001), s.Uniform(tensor.Key{Seed: 9}, 1001)
		assert.Equal(t, before, driver.CopiesToDevice())
		return slices.Concat(x.Float32s(), y.Float32s(), z.Float32s())
	}
	require.Equal(t, noise(tensor.CPU()), noise(dev))
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
	x, hidden := s.Randn(tensor.Key{Seed: 3}, 1, 6, 6, 4), s.Randn(tensor.Key{Seed: 4}, 1, 5, 48)
	call, end := u.Repeated(s, x, hidden, 500)
	want := u.Forward(s, x, []float64{500}, u.Context(s, hidden)).Float32s()
	for range 2 {
		require.Equal(t, want, call(s).Float32s(), "as measured")
	}
	end()
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

// TestWaitsOfDetector: a step of the detector, with its matching in every layer, waits for nothing but the loss that is read, which is the CPU's.
func TestWaitsOfDetector(t *testing.T) {
	c := detr.ToyConfig([]string{"cup", "car", "cat"})
	c.Width, c.Queries, c.EncoderLayers, c.DecoderLayers, c.EncoderFFN, c.DecoderFFN = 16, 5, 1, 2, 24, 24
	c.BackboneConfig.EmbeddingSize, c.BackboneConfig.HiddenSizes, c.BackboneConfig.Depths = 6, []int{8, 12}, []int{1, 1}
	c.Dropout = 0.1
	objects := []detr.Target{{{Label: 0, Box: [4]float32{0.3, 0.4, 0.2, 0.3}}, {Label: 2, Box: [4]float32{0.7, 0.6, 0.3, 0.5}}}, {}}
	losses := func(dev *tensor.Device) (l [4]float32) {
		m, err := detr.New(c, dev)
		require.NoError(t, err)
		defer m.Close()
		m.Init(7)
		guide := detr.NewGuide(c, dev)
		defer nn.Release(guide)
		nn.Init(guide, 8)
		for i, targets := range [][]detr.Target{objects, {{}, {}}} {
			s := tensor.NewScope(dev, tensor.WithTape())
			px := s.Randn(tensor.Key{Seed: 5}, 2, 16, 16, 3)
			var x *detr.Losses
			assert.Zero(t, copies(func() {
				x, err = m.LossWith(s, px, targets, detr.LossOptions{Guide: guide, Dropout: &tensor.Key{Seed: 9}})
				require.NoError(t, err)
				s.Backward(x.Total)
			}))
			l[2*i], l[2*i+1] = x.Total.Item(), x.GIoU.Item()
			s.Close()
		}
		return l
	}
	want, got := losses(tensor.CPU()), losses(gpu(t))
	assert.InDeltaSlice(t, want[:], got[:], 1e-4)
	assert.Positive(t, want[1])
}
