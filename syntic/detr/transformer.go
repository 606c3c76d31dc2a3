package detr

import (
	"syntic/nn"
	"syntic/tensor"
)

// Attention is multi-head attention (Vaswani et al. 2017, section 3.2.2).
type Attention struct {
	Query *nn.Linear `name:"q_proj"`
	Key   *nn.Linear `name:"k_proj"`
	Value *nn.Linear `name:"v_proj"`
	Out   *nn.Linear `name:"out_proj"`
	heads int
}

func newAttention(dev *tensor.Device, width, heads int) *Attention {
	l := func() *nn.Linear { return nn.NewLinear(dev, width, width, true) }
	return &Attention{l(), l(), l(), l(), heads}
}

// forward is residual + dropout(attention) for q [B, N, C], k and v [B, M, C] and keep i32 [B, M] or nil.
func (a *Attention) forward(s *tensor.Scope, q, k, v, keep, residual *tensor.Tensor, d *dropout) *tensor.Tensor {
	split := func(l *nn.Linear, x *tensor.Tensor) *tensor.Tensor {
		return s.Reshape(l.Forward(s, x), x.Dim(0), x.Dim(1), a.heads, -1) // [B, N, H, C/H]
	}
	x := s.Attention(split(a.Query, q), split(a.Key, k), split(a.Value, v), tensor.AttentionOptions{KeyMask: keep})
	return d.linearAdd(s, a.Out, s.Reshape(x, q.Shape()...), residual)
}

// FFN is the two-layer perceptron of a transformer layer.
type FFN struct {
	In  *nn.Linear `name:"fc1"`
	Out *nn.Linear `name:"fc2"`
}

func newFFN(dev *tensor.Device, width, inner int) FFN {
	return FFN{nn.NewLinear(dev, width, inner, true), nn.NewLinear(dev, inner, width, true)}
}

// forward is x + dropout(MLP(x)).
func (f *FFN) forward(s *tensor.Scope, x *tensor.Tensor, d *dropout) *tensor.Tensor {
	return d.linearAdd(s, f.Out, s.LinearAct(x, f.In.Weight, f.In.Bias, tensor.ReLU), x)
}

// EncoderLayer lets the cells of the image see each other; norms come after the sums.
type EncoderLayer struct {
	SelfAttention *Attention    `name:"self_attn"`
	Norm1         *nn.LayerNorm `name:"self_attn_layer_norm"`
	FFN           FFN           `name:""`
	Norm2         *nn.LayerNorm `name:"final_layer_norm"`
}

func newEncoderLayer(dev *tensor.Device, c *Config) *EncoderLayer {
	return &EncoderLayer{newAttention(dev, c.Width, c.EncoderHeads), nn.NewLayerNorm(dev, c.Width, layerNormEps),
		newFFN(dev, c.Width, c.EncoderFFN), nn.NewLayerNorm(dev, c.Width, layerNormEps)}
}

const layerNormEps = 1e-5

// forward maps cells x [B, N, C] at positions pos [B or 1, N, C]; keep as in Attention.
func (l *EncoderLayer) forward(s *tensor.Scope, x, pos, keep *tensor.Tensor, d *dropout) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		at := s.Add(x, pos)
		h := l.Norm1.Forward(s, l.SelfAttention.forward(s, at, at, x, keep, x, d))
		return l.Norm2.Forward(s, l.FFN.forward(s, h, d))
	})
}

// DecoderLayer lets the queries see each other, then the image.
type DecoderLayer struct {
	SelfAttention  *Attention    `name:"self_attn"`
	Norm1          *nn.LayerNorm `name:"self_attn_layer_norm"`
	ImageAttention *Attention    `name:"encoder_attn"`
	Norm2          *nn.LayerNorm `name:"encoder_attn_layer_norm"`
	FFN            FFN           `name:""`
	Norm3          *nn.LayerNorm `name:"final_layer_norm"`
}

func newDecoderLayer(dev *tensor.Device, c *Config) *DecoderLayer {
	norm := func() *nn.LayerNorm { return nn.NewLayerNorm(dev, c.Width, layerNormEps) }
	return &DecoderLayer{newAttention(dev, c.Width, c.DecoderHeads), norm(), newAttention(dev, c.Width, c.DecoderHeads), norm(),
		newFFN(dev, c.Width, c.DecoderFFN), norm()}
}

// forward maps the queries' states x [B, Q, C]; query [Q, C] is what makes them differ, cells [B, N, C] the image and at [B, N, C] the same
// with positions.
func (l *DecoderLayer) forward(s *tensor.Scope, x, query, cells, at, keep *tensor.Tensor, d *dropout) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		q := s.Add(x, query)
		h := l.Norm1.Forward(s, l.SelfAttention.forward(s, q, q, x, nil, x, d))
		h = l.Norm2.Forward(s, l.ImageAttention.forward(s, s.Add(h, query), at, cells, keep, h, d))
		return l.Norm3.Forward(s, l.FFN.forward(s, h, d))
	})
}

// dropout gives every place of a model its own stream of random numbers; nil drops nothing.
type dropout struct {
	p    float32
	key  tensor.Key
	next uint32
}

// linearAdd is residual + dropout(l(x)).
func (d *dropout) linearAdd(s *tensor.Scope, l *nn.Linear, x, residual *tensor.Tensor) *tensor.Tensor {
	if d == nil || d.p == 0 {
		return s.LinearAdd(x, l.Weight, l.Bias, residual)
	}
	d.next++
	k := d.key
	k.Seed ^= uint64(d.next) * 0x9e3779b97f4a7c15
	return s.Add(residual, s.Dropout(l.Forward(s, x), d.p, k))
}
