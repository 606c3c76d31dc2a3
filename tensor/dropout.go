package tensor

import "syntic/kernels"

// Dropout sets elements of x to zero with probability p and scales the others by 1/(1−p) (Srivastava et al. 2014). Which ones depends on the
// key and the element's position alone; with p = 0 it is x itself. It panics with an *Error unless 0 ≤ p < 1.
func (s *Scope) Dropout(x *Tensor, p float32, key Key) *Tensor {
	if p == 0 {
		return x
	}
	out := s.drop(x, p, key)
	if s.tracks(x) {
		record(s, out, dropoutStep{x, p, key})
	}
	return out
}

func (s *Scope) drop(x *Tensor, p float32, key Key) *Tensor {
	out := s.Empty(x.Shape()...)
	run(s, kernels.Dropout, kernels.DropoutArgs{X: x.View(), Out: out.v, P: p, Key: key})
	return out
}

type dropoutStep struct {
	x   *Tensor
	p   float32
	key Key
}

func (o *dropoutStep) back(g *Gradients, dout *Tensor) { g.Add(o.x, g.s.drop(dout, o.p, o.key)) }
