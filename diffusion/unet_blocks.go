package diffusion

import (
	"syntic/nn"
	"syntic/tensor"
)

// TimeEmbedding is the MLP over the sinusoids of the time.
type TimeEmbedding struct {
	In  *nn.Linear `name:"linear_1"`
	Out *nn.Linear `name:"linear_2"`
}

// Forward makes silu(MLP(x)) [B, T] of sinusoids x [B, C]: the last SiLU belongs to the residual blocks, which all begin with it, so it is
// done once here.
func (m *TimeEmbedding) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	h := s.LinearAct(x, m.In.Weight, m.In.Bias, tensor.SiLU)
	if s.Tracing() {
		s.Trace(m, "", m.Out.Forward(s, h)) // what the original calls its result: without the SiLU
	}
	return s.LinearAct(h, m.Out.Weight, m.Out.Bias, tensor.SiLU)
}

// ResnetBlock is two normalised convolutions beside a shortcut; the time moves the channels between them. The VAE's have no time.
type ResnetBlock struct {
	Norm1    *nn.GroupNorm `name:"norm1"`
	Conv1    *nn.Conv2D    `name:"conv1"`
	Time     *nn.Linear    `name:"time_emb_proj"`
	Norm2    *nn.GroupNorm `name:"norm2"`
	Conv2    *nn.Conv2D    `name:"conv2"`
	Shortcut *nn.Conv2D    `name:"conv_shortcut"` // where the width changes
}

// Forward maps x [B, H, W, I] to [B, H, W, O] with temb = silu(time) [B or 1, T], nil where the block has no time.
func (r *ResnetBlock) Forward(s *tensor.Scope, x, temb *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(c *tensor.Scope) *tensor.Tensor {
		h := normSiLU(c, r.Norm1, x)
		y := r.Conv1.Forward(c, h) // [B, H, W, O]
		spent(s, c, h)
		if r.Time != nil {
			t := r.Time.Forward(c, temb) // [B, O]
			h = y
			y = c.Add(h, c.Reshape(t, t.Dim(0), 1, 1, t.Dim(1)))
			spent(s, c, h)
		}
		h = normSiLU(c, r.Norm2, y)
		spent(s, c, y)
		if r.Shortcut != nil {
			x = r.Shortcut.Forward(c, x)
		}
		x = convAdd(c, r.Conv2, h, x)
		c.Trace(r, "", x)
		return x
	})
}

// spent frees a tensor that nothing needs any more, if c is a scope of its own within s; there is none where gradients are recorded, which need everything. Tensors
// of other scopes stay.
func spent(s, c *tensor.Scope, t *tensor.Tensor) {
	if c != s {
		c.Free(t)
	}
}

// convAdd is a 3×3 or 1×1 convolution of stride 1 that keeps the size, plus residual.
func convAdd(s *tensor.Scope, c *nn.Conv2D, x, residual *tensor.Tensor) *tensor.Tensor {
	p := c.Weight.Dim(1) / 2
	return s.Conv2DFull(x, c.Weight, c.Bias, residual, tensor.ConvOptions{Stride: 1, Pad: [4]int{p, p, p, p}})
}

// resnets makes residual blocks that differ only in width.
type resnets struct {
	dev    *tensor.Device
	temb   int // width of the time embedding, 0 for none
	groups int
	eps    float32
}

func (r resnets) new(in, out int) *ResnetBlock {
	b := &ResnetBlock{
		Norm1: nn.NewGroupNorm(r.dev, in, r.groups, r.eps), Conv1: nn.NewConv2D(r.dev, in, out, 3, 1, 1),
		Norm2: nn.NewGroupNorm(r.dev, out, r.groups, r.eps), Conv2: nn.NewConv2D(r.dev, out, out, 3, 1, 1),
	}
	if r.temb > 0 {
		b.Time = nn.NewLinear(r.dev, r.temb, out, true)
	}
	if in != out {
		b.Shortcut = nn.NewConv2D(r.dev, in, out, 1, 1, 0)
	}
	return b
}

// Downsample halves height and width by a strided convolution.
type Downsample struct {
	Conv *nn.Conv2D `name:"conv"`
}

// Upsample grows an image by repeating pixels, then a convolution.
type Upsample struct {
	Conv *nn.Conv2D `name:"conv"`
}

// Forward maps x [B, H, W, C] to [B, h, w, C].
func (u *Upsample) Forward(s *tensor.Scope, x *tensor.Tensor, h, w int) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		x = u.Conv.Forward(s, s.Resize(x, h, w, tensor.Nearest))
		s.Trace(u, "", x)
		return x
	})
}

// DownBlock is one level on the way down: residual blocks, each followed by attention in the CrossAttn kind, then a downsampler but in the
// last level.
type DownBlock struct {
	Attentions   []*Transformer `name:"attentions"`
	Resnets      []*ResnetBlock `name:"resnets"`
	Downsamplers []*Downsample  `name:"downsamplers"`
}

// Forward gives the level's result and appends everything that the way up will need, in the order it was made; the result is the last of them.
func (b *DownBlock) Forward(s *tensor.Scope, x, temb *tensor.Tensor, text *Context, skips []*tensor.Tensor) (out *tensor.Tensor, all []*tensor.Tensor) {
	for i, r := range b.Resnets {
		x = r.Forward(s, x, temb)
		if len(b.Attentions) > 0 {
			x = b.Attentions[i].Forward(s, x, text)
		}
		skips = append(skips, x)
	}
	for _, d := range b.Downsamplers {
		x = d.Conv.Forward(s, x)
		s.Trace(d, "", x)
		skips = append(skips, x)
	}
	return x, skips
}

// MidBlock is the narrowest level: a residual block, then attention and a residual block for each further one.
type MidBlock struct {
	Attentions []*Transformer `name:"attentions"`
	Resnets    []*ResnetBlock `name:"resnets"`
}

// Forward keeps the shape of x [B, H, W, C].
func (b *MidBlock) Forward(s *tensor.Scope, x, temb *tensor.Tensor, text *Context) *tensor.Tensor {
	x = b.Resnets[0].Forward(s, x, temb)
	for i, a := range b.Attentions {
		x = a.Forward(s, x, text)
		x = b.Resnets[i+1].Forward(s, x, temb)
	}
	return x
}

// UpBlock is one level on the way up: residual blocks over the image so far and a skip, each followed by attention in the CrossAttn kind,
// then an upsampler but in the last level.
type UpBlock struct {
	Attentions []*Transformer `name:"attentions"`
	Resnets    []*ResnetBlock `name:"resnets"`
	Upsamplers []*Upsample    `name:"upsamplers"`
}

// Forward takes one skip for each residual block, the last one first, and grows to the height and width of size (nil in the last level).
func (b *UpBlock) Forward(s *tensor.Scope, x, temb *tensor.Tensor, text *Context, skips []*tensor.Tensor, size *tensor.Tensor) *tensor.Tensor {
	for i, r := range b.Resnets {
		skip, in := skips[len(skips)-1-i], x
		x = s.Do(func(s *tensor.Scope) *tensor.Tensor {
			return r.Forward(s, s.Concat(3, in, skip), temb) // [B, H, W, C + skip's] -> [B, H, W, O]
		})
		if len(b.Attentions) > 0 {
			x = b.Attentions[i].Forward(s, x, text)
		}
	}
	for _, u := range b.Upsamplers {
		x = u.Forward(s, x, size.Dim(1), size.Dim(2))
	}
	return x
}

// normSiLU is silu(norm(x)) in one op.
func normSiLU(s *tensor.Scope, n *nn.GroupNorm, x *tensor.Tensor) *tensor.Tensor {
	return s.GroupNorm(x, n.Weight, n.Bias, n.Groups, n.Eps, tensor.SiLU)
}

// traceNorm shows a norm's result, which the model itself never has without the SiLU.
func traceNorm(s *tensor.Scope, n *nn.GroupNorm, x *tensor.Tensor) {
	if s.Tracing() {
		s.Trace(n, "", n.Forward(s, x))
	}
}
