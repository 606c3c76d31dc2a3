package nn

import "syntic/tensor"

// Linear is y = x·Wᵀ + b for x [..., in]; Weight [out, in], Bias [out] or nil.
type Linear struct {
	Weight *tensor.Tensor `name:"weight" init:"fan_in"`
	Bias   *tensor.Tensor `name:"bias" init:"zeros"`
}

// NewLinear makes a linear layer.
func NewLinear(dev *tensor.Device, in, out int, bias bool) *Linear {
	l := &Linear{Weight: tensor.NewParameter(dev, out, in)}
	if bias {
		l.Bias = tensor.NewParameter(dev, out)
	}
	return l
}

// Forward applies the layer.
func (l *Linear) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.Linear(x, l.Weight, l.Bias)
}

// Conv2D is a convolution of images [B, H, W, in]; Weight [out, K, K, in], Bias [out] or nil.
type Conv2D struct {
	Weight      *tensor.Tensor `name:"weight,oihw" init:"fan_in"`
	Bias        *tensor.Tensor `name:"bias" init:"zeros"`
	Stride, Pad int
}

// NewConv2D makes a convolution with a square kernel and a bias. Set Bias to nil for none.
func NewConv2D(dev *tensor.Device, in, out, kernel, stride, pad int) *Conv2D {
	return &Conv2D{tensor.NewParameter(dev, out, kernel, kernel, in), tensor.NewParameter(dev, out), stride, pad}
}

// Forward applies the layer.
func (c *Conv2D) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.Conv2D(x, c.Weight, c.Bias, c.Stride, c.Pad)
}

// LayerNorm normalises the last dimension (Ba et al. 2016).
type LayerNorm struct {
	Weight *tensor.Tensor `name:"weight" init:"ones"`
	Bias   *tensor.Tensor `name:"bias" init:"zeros"`
	Eps    float32
}

// NewLayerNorm makes a layer norm of c channels.
func NewLayerNorm(dev *tensor.Device, c int, eps float32) *LayerNorm {
	return &LayerNorm{tensor.NewParameter(dev, c), tensor.NewParameter(dev, c), eps}
}

// Forward applies the layer.
func (l *LayerNorm) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.LayerNorm(x, l.Weight, l.Bias, l.Eps)
}

// GroupNorm normalises groups of channels of an image (Wu & He 2018).
type GroupNorm struct {
	Weight *tensor.Tensor `name:"weight" init:"ones"`
	Bias   *tensor.Tensor `name:"bias" init:"zeros"`
	Groups int
	Eps    float32
}

// NewGroupNorm makes a group norm of c channels.
func NewGroupNorm(dev *tensor.Device, c, groups int, eps float32) *GroupNorm {
	return &GroupNorm{tensor.NewParameter(dev, c), tensor.NewParameter(dev, c), groups, eps}
}

// Forward applies the layer to x [B, H, W, C] or [B, P, C].
func (g *GroupNorm) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.GroupNorm(x, g.Weight, g.Bias, g.Groups, g.Eps, tensor.ActNone)
}

// Embedding is a table of vectors, Weight [V, C].
type Embedding struct {
	Weight *tensor.Tensor `name:"weight" init:"normal"`
}

// NewEmbedding makes a table of v vectors of c numbers.
func NewEmbedding(dev *tensor.Device, v, c int) *Embedding {
	return &Embedding{tensor.NewParameter(dev, v, c)}
}

// Forward looks ids of any shape up.
func (e *Embedding) Forward(s *tensor.Scope, ids *tensor.Tensor) *tensor.Tensor {
	return s.Embedding(e.Weight, ids)
}
