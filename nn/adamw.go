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
	grads  []*tensor.Tensor // of a step, in progress
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
	squares := a.Queue(s, g, lr, nil)
	if squares == nil {
		return 0
	}
	if gradNorm = math.Sqrt(float64(squares.Item())); math.IsNaN(gradNorm) || math.IsInf(gradNorm, 0) {
		a.step--
	}
	return gradNorm
}

// Queue is Step for trainings that look at what came out every so many steps: it waits for nothing on the device. It returns the square of the norm,
// [1], nil where no parameter has a gradient. stop, [1] and 0 at the start, becomes NaN at the first step whose norm is not finite, or if the caller makes
// it NaN, and stays so: then no later step changes anything. Steps count all the same. stop may be nil.
func (a *AdamW) Queue(s *tensor.Scope, g *tensor.Gradients, lr float32, stop *tensor.Tensor) (squares *tensor.Tensor) {
	grads := a.grads[:0]
	for _, p := range a.params {
		if d := g.Of(p.Tensor); d != nil {
			grads = append(grads, d)
		}
	}
	if len(grads) == 0 {
		return nil
	}
	squares = s.SumSquares(grads...)
	clear(grads) // keeps none alive
	a.grads = grads
	a.step++
	o := tensor.AdamWStep{Beta1: a.o.Beta1, Beta2: a.o.Beta2, Eps: a.o.Eps, GradScale: 1, ClipNorm: a.o.ClipNorm, Norm: squares, Step: a.step}
	if stop != nil {
		s.Move(stop, 1, squares, 0) // 0 times what is not finite is NaN
		o.Norm = s.AddScaled(squares, 1, stop, 1)
	}
	var matrices []matrixStep
	for i, p := range a.params {
		d := g.Of(p.Tensor)
		if d == nil {
			continue
		}
		o.Decay, o.LR = a.o.Decay, lr
		if a.o.NoDecay != nil && a.o.NoDecay(p.Name) {
			o.Decay = 0
		}
		if a.o.LRScale != nil {
			o.LR *= a.o.LRScale(p.Name)
		}
		if _, _, ok := asMatrix(p.Tensor); ok && a.o.Muon != nil && a.o.Muon(p.Name) {
			matrices = append(matrices, matrixStep{p.Tensor, d, a.m[i], o.LR, o.Decay})
			continue
		}
		s.AdamW(p.Tensor, d, a.m[i], a.v[i], o)
	}
	if len(matrices) > 0 {
		if clip, finite := a.clip(o.Norm); finite {
			muon(s, matrices, clip)
		}
	}
	return squares
}

// clip is what gradients are multiplied by, for Muon, which waits for it; false where the norm is not finite.
func (a *AdamW) clip(squares *tensor.Tensor) (scale float32, finite bool) {
	norm := math.Sqrt(float64(squares.Item()))
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return 0, false
	}
	if a.o.ClipNorm == 0 {
		return 1, true
	}
	return float32(min(1, float64(a.o.ClipNorm)/(norm+1e-6))), true
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
	dev    *tensor.Device
	params []Named
	avg    []*tensor.Tensor
	decay  float32
}

// NewEMA begins at the parameters' values of now.
func NewEMA(dev *tensor.Device, params []Named, decay float32) *EMA {
	e := &EMA{dev: dev, params: params, decay: decay}
	s := tensor.NewScope(dev)
	defer s.Close()
	for _, p := range params {
		t := tensor.NewParameter(dev, p.Shape()...)
		s.Assign(t, 0, p.Tensor)
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
	s := tensor.NewScope(e.dev)
	defer s.Close()
	for i, p := range e.params {
		p.Own()
		old := s.Copy(p.Tensor)
		s.Assign(p.Tensor, 0, e.avg[i])
		s.Assign(e.avg[i], 0, old)
		s.Free(old)
	}
}
