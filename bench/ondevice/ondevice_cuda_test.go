//go:build cuda

package ondevice

import (
	"context"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/clip"
	"syntic/diffusion"
	"syntic/kernels/cuda/emu"
	"syntic/nn"
	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/tensor"
)

func TestMain(m *testing.M) {
	if err := emu.Use(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// tolerance is of the largest value: float32 sums in another order, through the layers of tiny models.
const tolerance = 2e-5

type result struct {
	name   string
	values []float32
}

// same runs fn on the CPU and on the CUDA device, which runs it twice and must repeat its bits.
func same(t *testing.T, fn func(dev *tensor.Device, keep func(name string, x []float32))) {
	t.Helper()
	gpu, err := tensor.Open("cuda")
	require.NoError(t, err)
	var all [3][]result
	for i, dev := range []*tensor.Device{tensor.CPU(), gpu, gpu} {
		fn(dev, func(name string, x []float32) { all[i] = append(all[i], result{name, x}) })
	}
	for j, want := range all[0] {
		top := 0.0
		for _, x := range want.values {
			top = math.Max(top, math.Abs(float64(x)))
		}
		require.Positive(t, top, want.name)
		for i, x := range want.values {
			if d := math.Abs(float64(x) - float64(all[1][j].values[i])); !(d <= tolerance*top) {
				t.Fatalf("%s: element %d is %g on %v, %g on the CPU (largest %g)", want.name, i, all[1][j].values[i], gpu, x, top)
			}
		}
		require.Equal(t, all[1][j], all[2][j], "the same bits again")
	}
}

func TestCLIP(t *testing.T) {
	same(t, func(dev *tensor.Device, keep func(string, []float32)) {
		m, err := clip.Load("../../clip/testdata/tiny", dev)
		require.NoError(t, err)
		defer m.Close()
		s := tensor.NewScope(dev)
		defer s.Close()
		n, side := m.Config.Text.MaxPositions, m.Pixels.Crop
		end := int32(m.Config.Text.VocabSize - 1)
		ids := make([]int32, 2*n)
		for i := range ids {
			if ids[i] = int32(i % 7); i%n >= n-2-i/n {
				ids[i] = end
			}
		}
		keep("text", m.EncodeText(s, s.FromInt32s(ids, 2, n)).Float32s())
		keep("image", m.EncodeImage(s, s.Randn(tensor.Key{Seed: 5}, 2, side, side, 3)).Float32s())
	})
}

// TestUNet is a step of denoising, forward, and the gradients of its training.
func TestUNet(t *testing.T) {
	same(t, func(dev *tensor.Device, keep func(string, []float32)) {
		u, err := diffusion.LoadUNet(dev, "../../diffusion/testdata/sd/unet")
		require.NoError(t, err)
		defer u.Close()
		s := tensor.NewScope(dev, tensor.WithTape())
		defer s.Close()
		x, hidden := s.Randn(tensor.Key{Seed: 8}, 1, 8, 8, 4), s.Randn(tensor.Key{Seed: 9}, 1, 5, 48)
		out := u.Forward(s, x, []float64{500}, u.Context(s, hidden))
		keep("noise", out.Float32s())
		grads := s.Backward(s.MSE(out, x))
		for _, p := range nn.Parameters(u)[:4] {
			keep("gradient of "+p.Name, grads.Of(p.Tensor).Float32s())
		}
	})
}

func TestVAE(t *testing.T) {
	same(t, func(dev *tensor.Device, keep func(string, []float32)) {
		v, err := diffusion.LoadVAE(dev, "../../diffusion/testdata/sd/vae")
		require.NoError(t, err)
		defer v.Close()
		s := tensor.NewScope(dev)
		defer s.Close()
		z := s.Randn(tensor.Key{Seed: 8}, 1, 4, 4, 4)
		keep("image", v.Decode(s, z).Float32s())
	})
}

// TestDecoder trains for two steps and writes captions.
func TestDecoder(t *testing.T) {
	const n, e, end = 8, 12, 90
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	x := &syntic.Examples{Features: s.Normalize(s.Randn(tensor.Key{Seed: 3}, n, e)).Float32s()}
	for i := range int32(n) {
		x.Captions = append(x.Captions, []int32{10 + i, 20 + i%3, 30}[:2+i%2])
	}
	same(t, func(dev *tensor.Device, keep func(string, []float32)) {
		sh := syntic.Shape{Features: e, Width: 32, Layers: 2, Heads: 4, FFN: 64, Positions: 16, Layout: "tokens"}
		d, err := syntic.NewDecoder(dev, sh, syntic.NewVocabulary(x.Captions, end), 0.05, 7)
		require.NoError(t, err)
		defer d.Release()
		ctx := context.Background()
		curve, err := d.Train(ctx, x, syntic.TrainOptions{Train: config.Train{Epochs: 1, Batch: 4, LR: 1e-3, Schedule: "cosine", WeightDecay: 0.01, ClipNorm: 1}, MaxLength: 6, Seed: 5}, nil)
		require.NoError(t, err)
		require.Len(t, curve, 2)
		for _, p := range curve {
			keep("loss", []float32{float32(p.Loss)})
			keep("gradient norm", []float32{float32(p.GradNorm)})
		}
		found, err := d.Generate(ctx, x.Features[:2*e], nil, config.Decode{Beams: 2, MaxTokens: 4, LengthPenalty: 1}, nil)
		require.NoError(t, err)
		for _, beams := range found {
			keep("log probability", []float32{float32(beams[0].LogProb)})
		}
	})
}
