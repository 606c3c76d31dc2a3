package diffusion

import (
	"syntic/nn"
	"syntic/tensor"
)

// vaeEps is the epsilon of every norm of the autoencoder.
const vaeEps = 1e-6

// Encoder makes the moments of the latents of an image.
type Encoder struct {
	ConvIn  *nn.Conv2D     `name:"conv_in"`
	Down    []*EncoderDown `name:"down_blocks"`
	Mid     *VAEMid        `name:"mid_block"`
	NormOut *nn.GroupNorm  `name:"conv_norm_out"`
	ConvOut *nn.Conv2D     `name:"conv_out"`
}

// Forward maps x [B, H, W, 3] to [B, h, w, 2·latent].
func (e *Encoder) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	x = e.ConvIn.Forward(s, x)
	s.Trace(e.ConvIn, "", x)
	for _, d := range e.Down {
		x = d.Forward(s, x)
		s.Trace(d, "", x)
	}
	x = e.Mid.Forward(s, x)
	traceNorm(s, e.NormOut, x)
	return e.ConvOut.Forward(s, normSiLU(s, e.NormOut, x))
}

// EncoderDown is a level of the encoder.
type EncoderDown struct {
	Resnets      []*ResnetBlock `name:"resnets"`
	Downsamplers []*Downsample  `name:"downsamplers"`
}

// Forward maps x [B, H, W, I] to [B, H/2, W/2, O], or [B, H, W, O] in the last level.
func (d *EncoderDown) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(c *tensor.Scope) *tensor.Tensor {
		for _, r := range d.Resnets {
			from := x
			x = r.Forward(c, from, nil)
			spent(s, c, from)
		}
		for _, l := range d.Downsamplers { // zeros at the bottom and the right alone
			x = c.Conv2DFull(x, l.Conv.Weight, l.Conv.Bias, nil, tensor.ConvOptions{Stride: 2, Pad: [4]int{0, 0, 1, 1}})
			c.Trace(l, "", x)
		}
		return x
	})
}

// Decoder makes an image of latents.
type Decoder struct {
	ConvIn  *nn.Conv2D    `name:"conv_in"`
	Up      []*DecoderUp  `name:"up_blocks"`
	Mid     *VAEMid       `name:"mid_block"`
	NormOut *nn.GroupNorm `name:"conv_norm_out"`
	ConvOut *nn.Conv2D    `name:"conv_out"`
}

// Forward maps z [B, h, w, latent] to [B, H, W, 3].
func (d *Decoder) Forward(s *tensor.Scope, z *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(c *tensor.Scope) *tensor.Tensor {
		x := d.ConvIn.Forward(c, z)
		c.Trace(d.ConvIn, "", x)
		x = d.Mid.Forward(c, x)
		for _, u := range d.Up {
			from := x
			x = u.Forward(c, from)
			spent(s, c, from)
			c.Trace(u, "", x)
		}
		traceNorm(c, d.NormOut, x)
		h := normSiLU(c, d.NormOut, x)
		spent(s, c, x)
		return d.ConvOut.Forward(c, h)
	})
}

// DecoderUp is a level of the decoder.
type DecoderUp struct {
	Resnets    []*ResnetBlock `name:"resnets"`
	Upsamplers []*Upsample    `name:"upsamplers"`
}

// Forward maps x [B, H, W, I] to [B, 2H, 2W, O], or [B, H, W, O] in the last level.
func (u *DecoderUp) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(c *tensor.Scope) *tensor.Tensor {
		for _, r := range u.Resnets {
			from := x
			x = r.Forward(c, from, nil)
			spent(s, c, from)
		}
		for _, up := range u.Upsamplers {
			from := x
			x = up.Forward(c, from, 2*x.Dim(1), 2*x.Dim(2))
			spent(s, c, from)
		}
		return x
	})
}

// VAEMid is the narrowest level: residual block, attention, residual block.
type VAEMid struct {
	Attentions []*VAEAttention `name:"attentions"`
	Resnets    []*ResnetBlock  `name:"resnets"`
}

// Forward keeps the shape of x [B, H, W, C].
func (m *VAEMid) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		x = m.Resnets[0].Forward(s, x, nil)
		for _, a := range m.Attentions {
			x = a.Forward(s, x)
		}
		x = m.Resnets[1].Forward(s, x, nil)
		s.Trace(m, "", x)
		return x
	})
}

// VAEAttention is self-attention of all pixels, with one head.
type VAEAttention struct {
	Norm      *nn.GroupNorm `name:"group_norm"`
	Attention `name:""`
}

// Forward keeps the shape of x [B, H, W, C].
func (a *VAEAttention) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		b, n, c := x.Dim(0), x.Dim(1)*x.Dim(2), x.Dim(3)
		h := s.Reshape(a.Norm.Forward(s, x), b, n, c)
		k, v := a.keyValue(s, h)
		y := s.Reshape(a.Attention.Forward(s, h, k, v, s.Reshape(x, b, n, c)), x.Shape()...)
		s.Trace(a, "", y)
		return y
	})
}

func newEncoder(dev *tensor.Device, c *VAEConfig) *Encoder {
	w := c.BlockOutChannels
	r := resnets{dev: dev, groups: c.NormNumGroups, eps: vaeEps}
	e := &Encoder{ConvIn: nn.NewConv2D(dev, c.InChannels, w[0], 3, 1, 1)}
	at := w[0]
	for i := range w {
		d := &EncoderDown{}
		for range c.LayersPerBlock {
			d.Resnets = append(d.Resnets, r.new(at, w[i]))
			at = w[i]
		}
		if i < len(w)-1 {
			d.Downsamplers = []*Downsample{{Conv: nn.NewConv2D(dev, at, at, 3, 2, 0)}}
		}
		e.Down = append(e.Down, d)
	}
	e.Mid = newVAEMid(r, at, c)
	e.NormOut = nn.NewGroupNorm(dev, at, c.NormNumGroups, vaeEps)
	e.ConvOut = nn.NewConv2D(dev, at, 2*c.LatentChannels, 3, 1, 1)
	return e
}

func newDecoder(dev *tensor.Device, c *VAEConfig) *Decoder {
	w := c.BlockOutChannels
	r := resnets{dev: dev, groups: c.NormNumGroups, eps: vaeEps}
	at := w[len(w)-1]
	d := &Decoder{ConvIn: nn.NewConv2D(dev, c.LatentChannels, at, 3, 1, 1), Mid: newVAEMid(r, at, c)}
	for i := len(w) - 1; i >= 0; i-- {
		u := &DecoderUp{}
		for range c.LayersPerBlock + 1 {
			u.Resnets = append(u.Resnets, r.new(at, w[i]))
			at = w[i]
		}
		if i > 0 {
			u.Upsamplers = []*Upsample{{Conv: nn.NewConv2D(dev, at, at, 3, 1, 1)}}
		}
		d.Up = append(d.Up, u)
	}
	d.NormOut = nn.NewGroupNorm(dev, at, c.NormNumGroups, vaeEps)
	d.ConvOut = nn.NewConv2D(dev, at, c.OutChannels, 3, 1, 1)
	return d
}

func newVAEMid(r resnets, width int, c *VAEConfig) *VAEMid {
	m := &VAEMid{Resnets: []*ResnetBlock{r.new(width, width), r.new(width, width)}}
	if c.MidAddAttention {
		m.Attentions = []*VAEAttention{{
			Norm: nn.NewGroupNorm(r.dev, width, r.groups, vaeEps),
			Attention: Attention{
				Q: nn.NewLinear(r.dev, width, width, true), K: nn.NewLinear(r.dev, width, width, true),
				V: nn.NewLinear(r.dev, width, width, true), Out: nn.NewLinear(r.dev, width, width, true), heads: 1,
			},
		}}
	}
	return m
}
