package pretrain

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"syntic/diffusion"
	"syntic/nn"
	"syntic/syntic/world"
	"syntic/tensor"
)

// VAEConfig is the tiny autoencoder: 64×64 pictures to 16×16×4 latents. Level 0 works on full-size pictures and costs most, so it is narrow.
func VAEConfig() diffusion.VAEConfig {
	c := diffusion.DefaultVAEConfig()
	for len(c.DownBlockTypes) < 3 {
		c.DownBlockTypes, c.UpBlockTypes = append(c.DownBlockTypes, "DownEncoderBlock2D"), append(c.UpBlockTypes, "UpDecoderBlock2D")
	}
	c.BlockOutChannels, c.LayersPerBlock, c.NormNumGroups, c.SampleSize = []int{16, 32, 32}, 1, 8, world.Side
	c.ScalingFactor = 1 // latents are standardised by channel instead
	return c
}

// scoreScenes is how many held-out scenes a score is made of.
const scoreScenes = 256

func photo(int) world.Domain { return world.Photo }

// VAE is the training of the autoencoder: squared error and a small KL (Rombach et al. 2022), without perceptual or adversarial terms.
func VAE(dev *tensor.Device, steps int, seed uint64, from string) (*Job, error) {
	v, err := diffusion.NewVAE(dev, VAEConfig())
	if err != nil {
		return nil, err
	}
	nn.Init(v, seed)
	if from != "" {
		if v, err = diffusion.LoadVAE(dev, from); err != nil {
			return nil, err
		}
	}
	const batch = 16
	loss := diffusion.VAELoss{KL: 2e-5, Square: true}
	var src *source
	return &Job{
		Name: "vae", Params: nn.Parameters(v), Batch: batch, Steps: steps, Decay: 0.998,
		Optimizer: nn.AdamWOptions{Beta2: 0.99, Decay: 1e-4, ClipNorm: 1, NoDecay: small, Muon: matrices}, LR: 2e-3, Schedule: nn.Cosine(100, 0.02),
		Loss: func(s *tensor.Scope, step int) (*tensor.Tensor, error) {
			if src == nil {
				src = newSource(batch, step, false, domainOf)
			}
			return loss.Loss(s, v, signed(s, src.batch().Pixels), tensor.Key{Seed: seed, Item: uint64(step * batch)})
		},
		Scores: func(context.Context) (map[string]float64, error) { return restored(dev, v), nil },
		Save: func(dir string) error {
			if err := standardise(dev, v); err != nil {
				return err
			}
			return v.Save(dir, "F16")
		},
	}, nil
}

// VAEDecoder goes on with the decoder of the trained VAE alone, by mean squared error: its latents, on which the UNet is trained, stay what
// they are. Where it has been trained, Pack takes its model in place of the VAE's.
func VAEDecoder(dev *tensor.Device, steps int, models string) (*Job, error) {
	v, err := diffusion.LoadVAE(dev, filepath.Join(models, "vae", "model"))
	if err != nil {
		return nil, fmt.Errorf("the decoder is trained on the VAE's latents: train the VAE first: %w", err)
	}
	nn.Freeze(v.Encoder)
	nn.Freeze(v.Quant)
	part := &struct {
		Decoder   *diffusion.Decoder `name:"decoder"`
		PostQuant *nn.Conv2D         `name:"post_quant_conv"`
	}{v.Decoder, v.PostQuant}
	const batch = 16
	var src *source
	return &Job{
		Name: "vae-decoder", Params: nn.Parameters(part), Batch: batch, Steps: steps, Decay: 0.998,
		Optimizer: nn.AdamWOptions{Beta2: 0.99, Decay: 1e-4, ClipNorm: 1, NoDecay: small, Muon: matrices}, LR: 1e-3, Schedule: nn.Cosine(100, 0.02),
		Loss: func(s *tensor.Scope, step int) (*tensor.Tensor, error) {
			if src == nil {
				src = newSource(batch, step+decoderScenes, false, domainOf)
			}
			x := signed(s, src.batch().Pixels)
			return s.MSE(v.Decode(s, v.Encode(s, x).Mean), x), nil
		},
		Scores: func(context.Context) (map[string]float64, error) { return restored(dev, v), nil },
		Save:   func(dir string) error { return v.Save(dir, "F16") },
	}, nil
}

// decoderScenes is the batch of scenes at which the decoder's own training begins: beyond those that the VAE was trained on.
const decoderScenes = 1 << 16

// restored is the score of an autoencoder: mean PSNR on held-out photos.
func restored(dev *tensor.Device, v *diffusion.VAE) map[string]float64 {
	psnr := 0.0
	for i := 0; i < scoreScenes; i += 32 {
		b := drawBatch(world.Val, sceneSeed, i, 32, false, photo)
		psnr += reconstruct(dev, v, b.Pixels) * 32 / scoreScenes
	}
	return map[string]float64{"psnr_db": psnr}
}

// reconstruct is the mean PSNR, in dB, of pictures that go through the autoencoder (without noise) and back to bytes.
func reconstruct(dev *tensor.Device, v *diffusion.VAE, pix []uint8) float64 {
	s := tensor.NewScope(dev)
	defer s.Close()
	y := v.Decode(s, v.Encode(s, signed(s, pix)).Mean).Float32s()
	n, sum := len(pix)/world.PixelBytes, 0.0
	for b := range n {
		e := 0.0
		for i := b * world.PixelBytes; i < (b+1)*world.PixelBytes; i++ {
			d := math.Round(min(max(float64(y[i])*127.5+127.5, 0), 255)) - float64(pix[i])
			e += d * d
		}
		sum += 10 * math.Log10(255*255*world.PixelBytes/max(e, 1e-9))
	}
	return sum / float64(n)
}

// standardise measures mean and deviation of each latent channel on training scenes and puts them into the configuration.
func standardise(dev *tensor.Device, v *diffusion.VAE) error {
	c := v.Config.LatentChannels
	sum, square, n := make([]float64, c), make([]float64, c), 0.0
	for i := 0; i < 512; i += 32 {
		s := tensor.NewScope(dev)
		z := v.Encode(s, signed(s, drawBatch(world.Web, sceneSeed, i, 32, false, domainOf).Pixels)).Mean.Float32s()
		s.Close()
		for k, x := range z {
			sum[k%c] += float64(x)
			square[k%c] += float64(x) * float64(x)
		}
		n += float64(len(z) / c)
	}
	v.Config.LatentsMean, v.Config.LatentsStd = make([]float64, c), make([]float64, c)
	for k := range c {
		m := sum[k] / n
		v.Config.LatentsMean[k], v.Config.LatentsStd[k] = m, math.Sqrt(max(square[k]/n-m*m, 1e-12))
	}
	return nil
}
