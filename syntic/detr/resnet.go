package detr

import (
	"fmt"
	"math"

	"syntic/nn"
	"syntic/tensor"
)

// ResNet is the backbone (He et al. 2016): a stem that shrinks the image four times, then stages of residual layers.
type ResNet struct {
	Stem   stem     `name:"embedder"`
	Stages []*stage `name:"encoder.stages"`
	out    int      // the stage whose result counts
}

type stem struct {
	Conv *ConvNorm `name:"embedder"`
}

type stage struct {
	Layers []*Residual `name:"layers"`
}

func newResNet(dev *tensor.Device, c *BackboneConfig) *ResNet {
	r := &ResNet{Stem: stem{newConvNorm(dev, c.Channels, c.EmbeddingSize, 7, 2)}, out: c.out()}
	in := c.EmbeddingSize
	for i, width := range c.HiddenSizes {
		st := &stage{}
		for j := range c.Depths[i] {
			stride := 1
			if j == 0 && (i > 0 || c.DownsampleInFirstStage) {
				stride = 2
			}
			st.Layers = append(st.Layers, newResidual(dev, c, in, width, stride))
			in = width
		}
		r.Stages = append(r.Stages, st)
	}
	return r
}

// Forward maps images [B, H, W, 3] to features [B, h, w, C] of the stage that the configuration names.
func (r *ResNet) Forward(s *tensor.Scope, px *tensor.Tensor) *tensor.Tensor {
	x := s.Do(func(s *tensor.Scope) *tensor.Tensor {
		return s.MaxPool(r.Stem.Conv.Forward(s, px, nil, tensor.ReLU), 3, 2, 1) // [B, H/4, W/4, C0]
	})
	s.Trace(r, "embedder", x)
	for i, st := range r.Stages[:r.out+1] {
		for _, l := range st.Layers {
			x = l.Forward(s, x) // [B, H/2^(i+2), W/2^(i+2), Ci]
		}
		if s.Tracing() {
			s.Trace(r, fmt.Sprintf("encoder.stages.%d", i), x)
		}
	}
	return x
}

// Residual is one layer of a stage: two 3×3 convolutions (basic), or 1×1, 3×3, 1×1 through a quarter of the width (bottleneck).
type Residual struct {
	Convs    []*ConvNorm `name:"layer"`
	Shortcut *ConvNorm   `name:"shortcut"` // where width or size change
}

func newResidual(dev *tensor.Device, c *BackboneConfig, in, out, stride int) *Residual {
	r := &Residual{}
	if c.LayerType == "basic" {
		r.Convs = []*ConvNorm{newConvNorm(dev, in, out, 3, stride), newConvNorm(dev, out, out, 3, 1)}
	} else {
		mid, first, second := out/4, 1, stride
		if c.DownsampleInBottleneck {
			first, second = stride, 1
		}
		r.Convs = []*ConvNorm{newConvNorm(dev, in, mid, 1, first), newConvNorm(dev, mid, mid, 3, second), newConvNorm(dev, mid, out, 1, 1)}
	}
	if in != out || stride != 1 {
		r.Shortcut = newConvNorm(dev, in, out, 1, stride)
	}
	return r
}

// Forward maps x [B, H, W, I] to [B, H/stride, W/stride, O].
func (r *Residual) Forward(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		h, last := x, len(r.Convs)-1
		for _, c := range r.Convs[:last] {
			h = c.Forward(s, h, nil, tensor.ReLU)
		}
		if r.Shortcut != nil {
			x = r.Shortcut.Forward(s, x, nil, tensor.ActNone)
		}
		return r.Convs[last].Forward(s, h, x, tensor.ReLU)
	})
}

// ConvNorm is a convolution without bias and a frozen batch norm, computed as one convolution.
type ConvNorm struct {
	Conv *nn.Conv2D  `name:"convolution"`
	Norm *FrozenNorm `name:"normalization"`

	calibrate bool // the next Forward sets the norm's statistics, see Model.Calibrate
}

func newConvNorm(dev *tensor.Device, in, out, kernel, stride int) *ConvNorm {
	c := nn.NewConv2D(dev, in, out, kernel, stride, kernel/2)
	c.Bias = nil
	return &ConvNorm{Conv: c, Norm: newFrozenNorm(dev, out)}
}

// Forward is act(norm(x ∗ W) + residual) of x [B, H, W, I]; residual may be nil.
func (c *ConvNorm) Forward(s *tensor.Scope, x, residual *tensor.Tensor, act tensor.Act) *tensor.Tensor {
	if c.calibrate {
		c.calibrate = false
		s.NoGrad(func() { c.Norm.measure(c.Conv.Forward(s, x)) })
	}
	if c.Norm.live && s.Recording() {
		return c.Norm.batch(s, c.Conv.Forward(s, x), residual, act)
	}
	scale, shift := c.Norm.fold(s)
	w := s.Mul(c.Conv.Weight, s.Reshape(scale, scale.Len(), 1, 1, 1))
	p := c.Conv.Pad
	return s.Conv2DFull(x, w, shift, residual, tensor.ConvOptions{Stride: c.Conv.Stride, Pad: [4]int{p, p, p, p}, Act: act})
}

// FrozenNorm is a batch norm whose statistics are constants: weight · (x − mean)/√(var + 1e-5) + bias, per channel. DETR freezes all four;
// a model trained from nothing learns weight and bias.
type FrozenNorm struct {
	Weight *tensor.Tensor `name:"weight" init:"ones"`
	Bias   *tensor.Tensor `name:"bias" init:"zeros"`
	Mean   *tensor.Tensor `name:"running_mean" init:"zeros"`
	Var    *tensor.Tensor `name:"running_var" init:"ones"`

	live bool // a pass that records uses, and remembers, the statistics of its own batch: see Model.LiveNorms
}

func newFrozenNorm(dev *tensor.Device, c int) *FrozenNorm {
	p := func() *tensor.Tensor { return tensor.NewParameter(dev, c) }
	n := &FrozenNorm{Weight: p(), Bias: p(), Mean: p(), Var: p()}
	n.Mean.SetTrainable(false)
	n.Var.SetTrainable(false)
	return n
}

const normEps = 1e-5

// fold gives scale and shift [C] such that the norm is scale·x + shift.
func (n *FrozenNorm) fold(s *tensor.Scope) (scale, shift *tensor.Tensor) {
	logStd := s.Scale(s.Act(s.Affine(n.Var, 1, normEps), tensor.Log), 0.5)
	scale = s.Mul(n.Weight, s.Act(s.Scale(logStd, -1), tensor.Exp))
	return scale, s.Sub(n.Bias, s.Mul(n.Mean, scale))
}

// momentum is how far the running statistics move to those of a batch, PyTorch's default.
const momentum = 0.1

// batch is act(norm(x) + residual) of x [B, H, W, C] with the statistics of x itself (Ioffe and Szegedy 2015, algorithm 1).
func (n *FrozenNorm) batch(s *tensor.Scope, x, residual *tensor.Tensor, act tensor.Act) *tensor.Tensor {
	mean := s.Mean(x, 0, 1, 2)
	d := s.Sub(x, mean)
	variance := s.Mean(s.Act(d, tensor.Square), 0, 1, 2)
	logStd := s.Scale(s.Act(s.Affine(variance, 1, normEps), tensor.Log), 0.5)
	scale := s.Mul(s.Reshape(n.Weight, 1, 1, 1, -1), s.Act(s.Scale(logStd, -1), tensor.Exp))
	y := s.Add(s.Mul(d, scale), n.Bias)
	if residual != nil {
		y = s.Add(y, residual)
	}
	for _, r := range []struct{ run, now *tensor.Tensor }{{n.Mean, mean}, {n.Var, variance}} {
		r.run.Own()
		s.Lerp(r.run, r.now, momentum)
	}
	if act == tensor.ActNone {
		return y
	}
	return s.Act(y, act)
}

// measure sets mean and variance to those of x [B, H, W, C], summed in float64 in order.
func (n *FrozenNorm) measure(x *tensor.Tensor) {
	c, data := x.Dim(-1), x.Float32s()
	sum, square := make([]float64, c), make([]float64, c)
	for i := 0; i < len(data); i += c {
		for j, v := range data[i : i+c] {
			sum[j] += float64(v)
			square[j] += float64(v) * float64(v)
		}
	}
	mean, variance, count := make([]float32, c), make([]float32, c), float64(len(data)/c)
	for j := range mean {
		m := sum[j] / count
		mean[j], variance[j] = float32(m), float32(math.Max(0, square[j]/count-m*m))
	}
	n.Mean.SetData(mean)
	n.Var.SetData(variance)
}
