package diffusion

import (
	"fmt"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// UNet predicts the noise in latents (or the velocity: what it was trained for) from the latents, their time and text states. It is the
// UNet2DConditionModel of Stable Diffusion 1.x (Rombach et al. 2022, section 3.3) in any size; the names of its parameters are those of
// diffusers' checkpoints.
type UNet struct {
	Config UNetConfig

	ConvIn        *nn.Conv2D     `name:"conv_in"`
	TimeEmbedding *TimeEmbedding `name:"time_embedding"`
	Down          []*DownBlock   `name:"down_blocks"`
	Mid           *MidBlock      `name:"mid_block"`
	Up            []*UpBlock     `name:"up_blocks"`
	NormOut       *nn.GroupNorm  `name:"conv_norm_out"`
	ConvOut       *nn.Conv2D     `name:"conv_out"`

	weights *safetensors.File // the memory of parameters that were mapped
	graphs  stepGraphs
}

// Forward predicts for latents x [B, H, W, InChannels] at times t (of the training schedule, 0..999; one for all images or one an image)
// under text; the result is [B, H, W, OutChannels]. H and W may be odd. What it needs on the way is freed unless s records gradients.
func (u *UNet) Forward(s *tensor.Scope, x *tensor.Tensor, t []float64, text *Context) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor { return u.forward(s, x, u.sinusoids(s, t), text) })
}

// forward is Forward for the sinusoids of the times [B or 1, C0].
func (u *UNet) forward(s *tensor.Scope, x, sin *tensor.Tensor, text *Context) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		if u.Config.CenterInputSample {
			x = s.Affine(x, 2, -1)
		}
		s.Trace(u, "time_proj", sin)
		temb := u.TimeEmbedding.Forward(s, sin) // [B or 1, 4·C0]
		x := u.ConvIn.Forward(s, x)             // [B, H, W, C0]
		s.Trace(u.ConvIn, "", x)
		var room [32]*tensor.Tensor
		skips := append(room[:0], x) // what the way up will need, in the order it was made
		for _, b := range u.Down {
			x, skips = b.Forward(s, x, temb, text, skips) // halves H and W but in the last block
			s.Trace(b, "", x)
		}
		x = u.Mid.Forward(s, x, temb, text)
		s.Trace(u.Mid, "", x)
		for _, b := range u.Up {
			n := len(skips) - len(b.Resnets) // each block takes its skips from the end, the last one first
			var size *tensor.Tensor
			if n > 0 {
				size = skips[n-1] // the next block's first skip: the size to grow to
			}
			x = b.Forward(s, x, temb, text, skips[n:], size)
			s.Trace(b, "", x)
			skips = skips[:n]
		}
		h := normSiLU(s, u.NormOut, x)
		traceNorm(s, u.NormOut, x)
		h = u.ConvOut.Forward(s, h)
		s.Trace(u.ConvOut, "", h)
		return h
	})
}

// sinusoids is the time embedding before its MLP, [len(t), C0].
func (u *UNet) sinusoids(s *tensor.Scope, t []float64) *tensor.Tensor {
	c := u.Config.BlockOutChannels[0]
	return s.FloatsBy(func(dst []float32) { embedTimes(dst, t, c, u.Config.FlipSinToCos, u.Config.FreqShift) }, len(t), c)
}

// Context is the text that the UNet attends to: the keys and values of every cross-attention layer, made once by [UNet.Context] and used in
// every step of a sampling run.
type Context struct {
	keys, values map[*Attention]*tensor.Tensor // [B, L, heads, C/heads]
}

// Context prepares text states hidden [B, L, CrossAttentionDim] for Forward with B images (B = 1 serves any number). It lives in s.
func (u *UNet) Context(s *tensor.Scope, hidden *tensor.Tensor) *Context {
	c := &Context{keys: map[*Attention]*tensor.Tensor{}, values: map[*Attention]*tensor.Tensor{}}
	u.eachCross(func(a *Attention) { c.keys[a], c.values[a] = a.keyValue(s, hidden) })
	return c
}

// of is the keys and values for layer a and n images; a single text serves for all of them.
func (c *Context) of(s *tensor.Scope, a *Attention, n int) (k, v *tensor.Tensor) {
	k, v = c.keys[a], c.values[a]
	if k.Dim(0) == 1 && n > 1 {
		k, v = s.Repeat0(k, n), s.Repeat0(v, n)
	}
	return k, v
}

func (u *UNet) eachTransformer(fn func(*Transformer)) {
	for _, b := range u.Down {
		for _, t := range b.Attentions {
			fn(t)
		}
	}
	for _, t := range u.Mid.Attentions {
		fn(t)
	}
	for _, b := range u.Up {
		for _, t := range b.Attentions {
			fn(t)
		}
	}
}

// NewUNet makes a UNet with all parameters zero; nn.Init or nn.Load fill them. The error names a key of the configuration.
func NewUNet(dev *tensor.Device, c UNetConfig) (*UNet, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("unet: %w", err)
	}
	w, heads := c.BlockOutChannels, c.heads()
	last := len(w) - 1
	r := resnets{dev: dev, temb: 4 * w[0], groups: c.NormNumGroups, eps: c.NormEps}
	u := &UNet{
		Config:        c,
		ConvIn:        nn.NewConv2D(dev, c.InChannels, w[0], 3, 1, 1),
		TimeEmbedding: &TimeEmbedding{In: nn.NewLinear(dev, w[0], 4*w[0], true), Out: nn.NewLinear(dev, 4*w[0], 4*w[0], true)},
		NormOut:       nn.NewGroupNorm(dev, w[0], c.NormNumGroups, c.NormEps),
		ConvOut:       nn.NewConv2D(dev, w[0], c.OutChannels, 3, 1, 1),
	}
	at, skips := w[0], []int{w[0]} // channels now, and of the skips in the order they are made
	for i := range w {
		b := &DownBlock{}
		for range c.LayersPerBlock {
			b.Resnets = append(b.Resnets, r.new(at, w[i]))
			if c.DownBlockTypes[i] == "CrossAttnDownBlock2D" {
				b.Attentions = append(b.Attentions, newTransformer(dev, w[i], heads.At(i), &c))
			}
			at = w[i]
			skips = append(skips, at)
		}
		if i < last {
			b.Downsamplers = []*Downsample{{Conv: nn.NewConv2D(dev, at, at, 3, 2, c.DownsamplePadding)}}
			skips = append(skips, at)
		}
		u.Down = append(u.Down, b)
	}
	u.Mid = &MidBlock{
		Resnets:    []*ResnetBlock{r.new(at, at), r.new(at, at)},
		Attentions: []*Transformer{newTransformer(dev, at, heads.At(last), &c)},
	}
	for j := range w {
		i := last - j
		b := &UpBlock{}
		for range c.LayersPerBlock + 1 {
			skip := skips[len(skips)-1]
			skips = skips[:len(skips)-1]
			b.Resnets = append(b.Resnets, r.new(at+skip, w[i]))
			if c.UpBlockTypes[j] == "CrossAttnUpBlock2D" {
				b.Attentions = append(b.Attentions, newTransformer(dev, w[i], heads.At(i), &c))
			}
			at = w[i]
		}
		if i > 0 {
			b.Upsamplers = []*Upsample{{Conv: nn.NewConv2D(dev, at, at, 3, 1, 1)}}
		}
		u.Up = append(u.Up, b)
	}
	return u, nil
}

// Close frees the parameters and the file they were mapped from.
func (u *UNet) Close() {
	u.graphs.close()
	release(u, &u.weights)
}
