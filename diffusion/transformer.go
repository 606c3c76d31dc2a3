package diffusion

import (
	"syntic/nn"
	"syntic/tensor"
)

// Transformer lets the pixels of an image attend to each other and to the text (Transformer2DModel).
type Transformer struct {
	Norm    *nn.GroupNorm       `name:"norm"`
	In      *nn.Conv2D          `name:"proj_in"`
	Blocks  []*TransformerBlock `name:"transformer_blocks"`
	Out     *nn.Conv2D          `name:"proj_out"`
	InFlat  *nn.Linear          `name:"proj_in"` // instead of the 1×1 convolutions, where use_linear_projection is set
	OutFlat *nn.Linear          `name:"proj_out"`
}

// Forward keeps the shape of x [B, H, W, C].
func (t *Transformer) Forward(s *tensor.Scope, x *tensor.Tensor, text *Context) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		b, h, w, c := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
		y := t.Norm.Forward(s, x)
		if t.InFlat != nil {
			y = t.InFlat.Forward(s, y)
		} else {
			y = t.In.Forward(s, y)
		}
		y = s.Reshape(y, b, h*w, c) // tokens, free
		for _, block := range t.Blocks {
			y = block.Forward(s, y, text)
		}
		y = s.Reshape(y, b, h, w, c)
		if t.OutFlat != nil {
			y = s.LinearAdd(y, t.OutFlat.Weight, t.OutFlat.Bias, x)
		} else {
			y = convAdd(s, t.Out, y, x)
		}
		s.Trace(t, "", y)
		return y
	})
}

// TransformerBlock is self-attention, attention to the text and a gated feed-forward layer, each normalised before and added after.
type TransformerBlock struct {
	Norm1 *nn.LayerNorm `name:"norm1"`
	Self  *Attention    `name:"attn1"`
	Norm2 *nn.LayerNorm `name:"norm2"`
	Cross *Attention    `name:"attn2"`
	Norm3 *nn.LayerNorm `name:"norm3"`
	FF    *FeedForward  `name:"ff"`
}

// Forward keeps the shape of x [B, N, C].
func (b *TransformerBlock) Forward(s *tensor.Scope, x *tensor.Tensor, text *Context) *tensor.Tensor {
	x = s.Do(func(s *tensor.Scope) *tensor.Tensor {
		h := b.Norm1.Forward(s, x)
		k, v := b.Self.keyValue(s, h)
		b.Self.trace(s, h, k, v)
		return b.Self.Forward(s, h, k, v, x)
	})
	x = s.Do(func(s *tensor.Scope) *tensor.Tensor {
		k, v := text.of(s, b.Cross, x.Dim(0))
		h := b.Norm2.Forward(s, x)
		b.Cross.trace(s, h, k, v)
		return b.Cross.Forward(s, h, k, v, x)
	})
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		h := b.Norm3.Forward(s, x)
		if s.Tracing() {
			s.Trace(b.FF, "", b.FF.Forward(s, h, nil))
		}
		return b.FF.Forward(s, h, x)
	})
}

// Attention is multi-head attention whose queries come from the image; keys and values from the image too, or from the text. Only the
// VAE's has biases before the attention.
type Attention struct {
	Q   *nn.Linear `name:"to_q"`
	K   *nn.Linear `name:"to_k"`
	V   *nn.Linear `name:"to_v"`
	Out *nn.Linear `name:"to_out.0"`

	heads int
}

// Forward is x's attention to k and v [B, M, heads, C/heads], projected, plus residual [B, N, C] (nil for none); the result is [B, N, C].
func (a *Attention) Forward(s *tensor.Scope, x, k, v, residual *tensor.Tensor) *tensor.Tensor {
	q := a.split(s, a.Q.Forward(s, x))
	h := s.Attention(q, k, v, tensor.AttentionOptions{}) // scale 1/√(C/heads)
	h = s.Reshape(h, x.Dim(0), x.Dim(1), -1)
	if residual == nil {
		return a.Out.Forward(s, h)
	}
	return s.LinearAdd(h, a.Out.Weight, a.Out.Bias, residual)
}

// trace shows the layer's own result, which the model never has without the residual.
func (a *Attention) trace(s *tensor.Scope, x, k, v *tensor.Tensor) {
	if s.Tracing() {
		s.Trace(a, "", a.Forward(s, x, k, v, nil))
	}
}

// keyValue makes keys and values [B, M, heads, C/heads] of x [B, M, any].
func (a *Attention) keyValue(s *tensor.Scope, x *tensor.Tensor) (k, v *tensor.Tensor) {
	return a.split(s, a.K.Forward(s, x)), a.split(s, a.V.Forward(s, x))
}

func (a *Attention) split(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.Reshape(x, x.Dim(0), x.Dim(1), a.heads, x.Dim(2)/a.heads)
}

// FeedForward is GEGLU (Shazeer 2020): one projection makes values and gates, the other one comes back.
type FeedForward struct {
	In  *nn.Linear `name:"net.0.proj"`
	Out *nn.Linear `name:"net.2"`
}

// Forward is the layer of x [B, N, C] plus residual, nil for none.
func (f *FeedForward) Forward(s *tensor.Scope, x, residual *tensor.Tensor) *tensor.Tensor {
	h := s.GLU(f.In.Forward(s, x), tensor.GELU) // [B, N, 8C] -> [B, N, 4C]
	if residual == nil {
		return f.Out.Forward(s, h)
	}
	return s.LinearAdd(h, f.Out.Weight, f.Out.Bias, residual)
}

func newTransformer(dev *tensor.Device, width, heads int, c *UNetConfig) *Transformer {
	t := &Transformer{Norm: nn.NewGroupNorm(dev, width, c.NormNumGroups, 1e-6)} // 1e-6 here whatever norm_eps says
	if c.UseLinearProjection {
		t.InFlat, t.OutFlat = nn.NewLinear(dev, width, width, true), nn.NewLinear(dev, width, width, true)
	} else {
		t.In, t.Out = nn.NewConv2D(dev, width, width, 1, 1, 0), nn.NewConv2D(dev, width, width, 1, 1, 0)
	}
	for range c.TransformerPerBlock {
		t.Blocks = append(t.Blocks, &TransformerBlock{
			Norm1: nn.NewLayerNorm(dev, width, 1e-5), Self: newAttention(dev, width, width, heads),
			Norm2: nn.NewLayerNorm(dev, width, 1e-5), Cross: newAttention(dev, width, c.CrossAttentionDim, heads),
			Norm3: nn.NewLayerNorm(dev, width, 1e-5),
			FF:    &FeedForward{In: nn.NewLinear(dev, width, 8*width, true), Out: nn.NewLinear(dev, 4*width, width, true)},
		})
	}
	return t
}

func newAttention(dev *tensor.Device, width, context, heads int) *Attention {
	return &Attention{
		Q: nn.NewLinear(dev, width, width, false), K: nn.NewLinear(dev, context, width, false), V: nn.NewLinear(dev, context, width, false),
		Out: nn.NewLinear(dev, width, width, true), heads: heads,
	}
}
