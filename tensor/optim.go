package tensor

import "syntic/kernels"

// AdamWStep are the settings of one step of AdamW.
type AdamWStep struct {
	LR, Beta1, Beta2, Eps, Decay float32
	GradScale                    float32 // multiplies the gradient
	ClipNorm                     float32 // with Norm: scales gradients whose norm together is larger down to it; 0: none
	Norm                         *Tensor // [1], the sum of the squares of all gradients (SumSquares); where it is not finite nothing changes. May be nil
	Step                         int     // counts from 1
}

// AdamW changes param and its moments m and v in place (Loshchilov & Hutter 2019, as torch.optim.AdamW). It is not recorded.
func (s *Scope) AdamW(param, grad, m, v *Tensor, o AdamWStep) {
	run(s, kernels.AdamW, kernels.AdamWArgs{Param: param.View(), Grad: grad.View(), M: m.View(), V: v.View(), Norm: o.Norm.View(), ClipNorm: o.ClipNorm,
		LR: o.LR, Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, Decay: o.Decay, GradScale: o.GradScale, Step: o.Step})
}

// Lerp moves x towards y in place, x += t·(y − x): an average with decay d has t = 1 − d. It is not recorded.
func (s *Scope) Lerp(x, y *Tensor, t float32) {
	run(s, kernels.Lerp, kernels.LerpArgs{X: x.View(), Y: y.View(), T: t})
}

// SumSquares is the sum of the squares of all elements of all tensors, [1]. It is not recorded.
func (s *Scope) SumSquares(xs ...*Tensor) *Tensor {
	out := s.Zeros(1)
	for _, x := range xs {
		run(s, kernels.SumSquares, kernels.SumSquaresArgs{X: x.View(), Out: out.v, Accumulate: true})
	}
	return out
}

// Move changes x in place: x = a·x + b·y. It is not recorded.
func (s *Scope) Move(x *Tensor, a float32, y *Tensor, b float32) {
	run(s, kernels.Binary, kernels.BinaryArgs{Kind: kernels.Add, A: x.as(1, 1, x.Len()), B: y.as(1, 1, y.Len()), Out: x.as(1, 1, x.Len()), Alpha: a, Beta: b})
}
