package diffusion

import (
	"fmt"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// VAE maps images to latents of an eighth of their height and width (at four levels) and back: AutoencoderKL of Stable Diffusion 1.x
// (Rombach et al. 2022, section 3.1). Its own latents; the UNet's are these times Config.ScalingFactor.
type VAE struct {
	Config VAEConfig

	Encoder   *Encoder   `name:"encoder"`
	Decoder   *Decoder   `name:"decoder"`
	Quant     *nn.Conv2D `name:"quant_conv"`
	PostQuant *nn.Conv2D `name:"post_quant_conv"`

	weights *safetensors.File // the memory of parameters that were mapped
}

// Encode gives the distribution of the latents of images x [B, H, W, 3] in -1..1, H and W multiples of 2^(levels-1). The result lives in s.
func (v *VAE) Encode(s *tensor.Scope, x *tensor.Tensor) *Posterior {
	moments := s.Do(func(s *tensor.Scope) *tensor.Tensor {
		h := v.Encoder.Forward(s, x) // [B, h, w, 2·latent]
		if v.Quant != nil {
			h = v.Quant.Forward(s, h)
		}
		return h
	})
	c := v.Config.LatentChannels
	return &Posterior{
		Mean:   s.Slice(moments, 3, 0, c),
		LogVar: s.Clamp(s.Slice(moments, 3, c, 2*c), -30, 20),
	}
}

// Decode makes images [B, 8h, 8w, 3] (at four levels), about -1..1, of latents z [B, h, w, latent]: the UNet's divided by
// Config.ScalingFactor.
func (v *VAE) Decode(s *tensor.Scope, z *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		if v.PostQuant != nil {
			z = v.PostQuant.Forward(s, z)
		}
		return v.Decoder.Forward(s, z)
	})
}

// Posterior is a diagonal Gaussian for each latent number: [B, h, w, latent] each.
type Posterior struct {
	Mean, LogVar *tensor.Tensor
}

// Std is the standard deviation.
func (p *Posterior) Std(s *tensor.Scope) *tensor.Tensor {
	return s.Act(s.Scale(p.LogVar, 0.5), tensor.Exp)
}

// Sample draws latents; image b's noise depends on keys[b] alone.
func (p *Posterior) Sample(s *tensor.Scope, keys []tensor.Key) *tensor.Tensor {
	noise := Noise(s, keys, p.Mean.Shape()[1:]...)
	return s.Add(p.Mean, s.Mul(p.Std(s), noise))
}

// KL is the divergence from the standard normal distribution, summed over all latent numbers of the batch, [1]:
// ½ Σ (mean² + var − 1 − logvar) (Kingma and Welling 2014, appendix B).
func (p *Posterior) KL(s *tensor.Scope) *tensor.Tensor {
	sum := s.Add(s.Act(p.Mean, tensor.Square), s.Sub(s.Act(p.LogVar, tensor.Exp), p.LogVar))
	return s.SumAll(s.Affine(sum, 0.5, -0.5))
}

// Noise is standard normal numbers [len(keys), shape...]: row b is the stream of keys[b], whatever the other rows are.
func Noise(s *tensor.Scope, keys []tensor.Key, shape ...int) *tensor.Tensor {
	return s.RandnRows(keys, shape...)
}

// NewVAE makes an autoencoder with all parameters zero; nn.Init or Load fill them. The error names a key of the configuration.
func NewVAE(dev *tensor.Device, c VAEConfig) (*VAE, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	v := &VAE{Config: c, Encoder: newEncoder(dev, &c), Decoder: newDecoder(dev, &c)}
	if c.UseQuantConv {
		v.Quant = nn.NewConv2D(dev, 2*c.LatentChannels, 2*c.LatentChannels, 1, 1, 0)
	}
	if c.UsePostQuantConv {
		v.PostQuant = nn.NewConv2D(dev, c.LatentChannels, c.LatentChannels, 1, 1, 0)
	}
	return v, nil
}

// Factor is the number of pixels along an edge for one latent.
func (v *VAE) Factor() int { return 1 << (len(v.Config.BlockOutChannels) - 1) }

// Scale makes the UNet's latents of the VAE's, [B, h, w, latent].
func (v *VAE) Scale(s *tensor.Scope, z *tensor.Tensor) *tensor.Tensor {
	f := v.Config.ScalingFactor
	if len(v.Config.LatentsStd) == 0 {
		return s.Scale(z, float32(f))
	}
	return v.eachChannel(s, z, func(mean, std float64) (a, b float64) { return f / std, -mean * f / std })
}

// Unscale makes the VAE's latents of the UNet's.
func (v *VAE) Unscale(s *tensor.Scope, z *tensor.Tensor) *tensor.Tensor {
	f := v.Config.ScalingFactor
	if len(v.Config.LatentsStd) == 0 {
		return s.Scale(z, float32(1/f))
	}
	return v.eachChannel(s, z, func(mean, std float64) (a, b float64) { return std / f, mean })
}

// eachChannel is a·z + b with a and b for each channel.
func (v *VAE) eachChannel(s *tensor.Scope, z *tensor.Tensor, line func(mean, std float64) (a, b float64)) *tensor.Tensor {
	n := len(v.Config.LatentsStd)
	scale, shift := make([]float32, n), make([]float32, n)
	for i := range n {
		a, b := line(v.Config.LatentsMean[i], v.Config.LatentsStd[i])
		scale[i], shift[i] = float32(a), float32(b)
	}
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		return s.Add(s.Mul(z, s.FromFloat32s(scale, n)), s.FromFloat32s(shift, n))
	})
}

// Pixels maps images from -1..1 to 0..1 and cuts off what is outside.
func Pixels(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.Clamp(s.Affine(x, 0.5, 0.5), 0, 1)
}

// Close frees the parameters and the file they were mapped from.
func (v *VAE) Close() { release(v, &v.weights) }

// checkImage tells whether an image of this size can be encoded.
func (v *VAE) checkImage(shape []int) error {
	f := v.Factor()
	if len(shape) != 4 || shape[3] != v.Config.InChannels || shape[1]%f != 0 || shape[2]%f != 0 || shape[1] < f || shape[2] < f {
		return fmt.Errorf("image %v: want [B, H, W, %d] with H and W multiples of %d", shape, v.Config.InChannels, f)
	}
	return nil
}
