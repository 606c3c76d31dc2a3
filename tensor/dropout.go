package tensor

import "syntic/kernels"

// Dropout sets elements of x to zero with probability p and scales the others by 1/(1−p) (Srivastava et al. 2014). Which ones depends on the
// key and the element's position alone; with p = 0 it is x itself. It panics with an *Error unless 0 ≤ p < 1.
func (s *Scope) Dropout(x *Tensor, p float32, key Key) *Tensor {
	if p == 0 {
		return x
	}
	drop := func(x *Tensor) *Tensor {
		out := s.Empty(x.Shape()...)
		run(s, kernels.Dropout, kernels.DropoutArgs{X: x.View(), Out: out.v, P: p, Key: key})
		return out
	}
	out := drop(x)
	if s.tracks(x) {
		s.record(out, func(g *Gradients, dout *Tensor) { g.Add(x, drop(dout)) })
	}
	return out
}
