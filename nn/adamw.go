package nn

import (
	"math"

	"syntic/tensor"
)

// AdamWOptions are AdamW's settings besides the learning rate.
type AdamWOptions struct {
	Beta1, Beta2, Eps float32                   // 0: 0.9, 0.999, 1e-8
	Decay             float32                   // decoupled weight decay
	NoDecay           func(name string) bool    // parameters that are not decayed; nil: all are
	ClipNorm          float32                   // limit of the global gradient norm; 0: none
	LRScale           func(name string) float32 // factor on the learning rate by name; nil: 1
	Muon              func(name string) bool    // weights that are matrices and take Muon's step instead; nil: none
}

// AdamW is the optimizer of Loshchilov & Hutter 2019, equal to torch.optim.AdamW; clipping is torch's clip_grad_norm_.
type AdamW struct {
	params []Named
	m, v   []*tensor.Tensor
	o      AdamWOptions
	step   int
}

// NewAdamW makes an optimizer for those parameters that are trainable now.
func NewAdamW(dev *tensor.Device, params []Named, o AdamWOptions) *AdamW {
	if o.Beta1 == 0 {
		o.Beta1 = 0.9
	}
	if o.Beta2 == 0 {
		o.Beta2 = 0.999
	}
	if o.Eps == 0 {
		o.Eps = 1e-8
	}
	a := &AdamW{o: o}
	for _, p := range params {
		if p.Trainable() {
			p.Own()
			a.params = append(a.params, p)
			a.m = append(a.m, moment(dev, p))
			a.v = append(a.v, moment(dev, p))
		}
	}
	return a
}

func moment(dev *tensor.Device, p Named) *tensor.Tensor {
	t := tensor.NewParameter(dev, p.Shape()...)
	t.SetTrainable(false)
	return t
}

// Steps is the number of steps done.
func (a *AdamW) Steps() int { return a.step }

// Step changes the parameters that have a gradient and returns the global norm of the gradients before clipping.
// If the norm is not finite nothing is changed and the step does not count: the caller decides what to make of it.
func (a *AdamW) Step(s *tensor.Scope, g *tensor.Gradients, lr float32) (gradNorm float64) {
	var grads []*tensor.Tensor
	for _, p := range a.params {
		if d := g.Of(p.Tensor); d != nil {
			grads = append(grads, d)
		}
	}
	if len(grads) == 0 {
		return 0
	}
	gradNorm = math.Sqrt(float64(s.SumSquares(grads...).Item()))
	if math.IsNaN(gradNorm) || math.IsInf(gradNorm, 0) {
		return gradNorm
	}
	scale := float32(1)
	if c := float64(a.o.ClipNorm); c > 0 {
		scale = float32(min(1, c/(gradNorm+1e-6)))
	}
	a.step++
	for i, p := range a.params {
		d := g.Of(p.Tensor)
		if d == nil {
			continue
		}
		decay, rate := a.o.Decay, lr
		if a.o.NoDecay != nil && a.o.NoDecay(p.Name) {
			decay = 0
		}
		if a.o.LRScale != nil {
			rate *= a.o.LRScale(p.Name)
		}
		if _, _, ok := asMatrix(p.Tensor); ok && a.o.Muon != nil && a.o.Muon(p.Name) {
			muon(s, p.Tensor, d, a.m[i], rate, decay, scale)
			continue
		}
		s.AdamW(p.Tensor, d, a.m[i], a.v[i], tensor.AdamWStep{LR: rate, Beta1: a.o.Beta1, Beta2: a.o.Beta2, Eps: a.o.Eps, Decay: decay, GradScale: scale, Step: a.step})
	}
	return gradNorm
}

// Release frees the moments.
func (a *AdamW) Release() {
	for i := range a.m {
		a.m[i].Release()
		a.v[i].Release()
	}
}

// EMA keeps an exponential moving average of parameters.
type EMA struct {
	params []Named
	avg    []*tensor.Tensor
	decay  float32
}

// NewEMA begins at the parameters' values of now.
func NewEMA(dev *tensor.Device, params []Named, decay float32) *EMA {
	e := &EMA{params: params, decay: decay}
	for _, p := range params {
		t := tensor.NewParameter(dev, p.Shape()...)
		t.SetData(p.Float32s())
		t.SetTrainable(false)
		e.avg = append(e.avg, t)
	}
	return e
}

// Update moves the average by one step. Early on the decay is (1 + step)/(10 + step) where that is smaller, so that the beginning is forgotten.
func (e *EMA) Update(s *tensor.Scope, step int) {
	d := min(e.decay, float32(1+step)/float32(10+step))
	for i, p := range e.params {
		s.Lerp(e.avg[i], p.Tensor, 1-d)
	}
}

// Swap exchanges the parameters' values with the average: for evaluation, and again to go back.
func (e *EMA) Swap() {
	for i, p := range e.params {
		old := p.Float32s()
		p.SetData(e.avg[i].Float32s())
		e.avg[i].SetData(old)
	}
}
