package diffusion

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
)

// BenchmarkTrainingStep is a step of a small UNet: widths 64 and 160 on 8×8×8 latents, batch 64.
func BenchmarkTrainingStep(b *testing.B) {
	c := DefaultUNetConfig()
	c.SampleSize, c.InChannels, c.OutChannels, c.CrossAttentionDim, c.AttentionHeadDim = 8, 8, 8, 64, Ints{4}
	c.DownBlockTypes, c.UpBlockTypes, c.BlockOutChannels = []string{"CrossAttnDownBlock2D", "CrossAttnDownBlock2D"}, []string{"CrossAttnUpBlock2D", "CrossAttnUpBlock2D"}, []int{64, 160}
	c.LayersPerBlock = 1
	u, err := NewUNet(tensor.CPU(), c)
	require.NoError(b, err)
	nn.Init(u, 1)
	sc, err := ParseScheduler([]byte(`{"prediction_type": "epsilon"}`), "DDIMScheduler")
	require.NoError(b, err)
	l := &NoiseLoss{Scheduler: sc, Gamma: 5}
	opt := nn.NewAdamW(tensor.CPU(), nn.Parameters(u), nn.AdamWOptions{ClipNorm: 1})
	b.ReportAllocs()
	for b.Loop() {
		s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
		x, hidden := s.Randn(tensor.Key{Seed: 8}, 64, 8, 8, 8), s.Randn(tensor.Key{Seed: 9}, 64, 20, 64)
		loss, err := l.Loss(s, u, x, hidden, tensor.Key{Seed: 1})
		require.NoError(b, err)
		opt.Step(s, s.Backward(loss), 1e-4)
		s.Close()
	}
}

// BenchmarkVAEStep is a step of a small autoencoder: widths 16 to 64 on 64×64 images, batch 16.
func BenchmarkVAEStep(b *testing.B) {
	c := DefaultVAEConfig()
	c.BlockOutChannels, c.LatentChannels, c.NormNumGroups = []int{16, 32, 64, 64}, 8, 8
	c.DownBlockTypes, c.UpBlockTypes = []string{"DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"}, []string{"UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"}
	v, err := NewVAE(tensor.CPU(), c)
	require.NoError(b, err)
	nn.Init(v, 1)
	l := VAELoss{KL: 1e-6}
	opt := nn.NewAdamW(tensor.CPU(), nn.Parameters(v), nn.AdamWOptions{ClipNorm: 1})
	b.ReportAllocs()
	for b.Loop() {
		s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
		loss, err := l.Loss(s, v, s.Randn(tensor.Key{Seed: 8}, 16, 64, 64, 3), tensor.Key{Seed: 1})
		require.NoError(b, err)
		opt.Step(s, s.Backward(loss), 1e-4)
		s.Close()
	}
}
