package tensor

import (
	"math"

	"syntic/kernels"
)

// AttentionOptions are what is optional in attention.
type AttentionOptions struct {
	Scale   float32 // of the dot products; 0 means 1/√D
	Causal  bool    // query n sees keys up to n + M − N
	KeyMask *Tensor // i32 [B, M]: 1 keep, 0 drop
	Bias    *Tensor // [B or 1, H or 1, N, M], added to the scores; a constant
}

// Attention is softmax(scale · q·kᵀ + bias)·v per head for q [B, N, H, D], k and v [B, M, H, D]; the result is [B, N, H, D] (Vaswani et al. 2017,
// eq. 1). A query that may see no key gets zeros. Gradients flow to q, k and v. It panics with an *Error if shapes disagree or if Bias wants a gradient.
func (s *Scope) Attention(q, k, v *Tensor, o AttentionOptions) *Tensor {
	if q.Rank() != 4 {
		fail("attention of q %v: want [B, N, H, D]", q)
	}
	if o.Scale == 0 {
		o.Scale = float32(1 / math.Sqrt(float64(q.Dim(3))))
	}
	if s.tracks(o.Bias) {
		fail("attention: no gradient flows to the bias %v; detach it", o.Bias)
	}
	out, record := s.Empty(q.Shape()...), s.tracks(q, k, v)
	a := kernels.AttentionArgs{Q: q.View(), K: k.View(), V: v.View(), KeyMask: o.KeyMask.View(), Bias: o.Bias.View(), Out: out.v, Scale: o.Scale, Causal: o.Causal}
	if record {
		a.LSE = s.Empty(q.Dim(0), q.Dim(2), q.Dim(1)).v
	}
	run(s, kernels.Attention, a)
	if record {
		a := a // or every call would keep its arguments on the heap for the gradient
		s.record(out, func(g *Gradients, dout *Tensor) {
			dq, dk, dv := s.Empty(q.Shape()...), s.Empty(k.Shape()...), s.Empty(v.Shape()...)
			run(s, kernels.AttentionGrad, kernels.AttentionGradArgs{Q: a.Q, K: a.K, V: a.V, KeyMask: a.KeyMask, Bias: a.Bias, Out: a.Out, LSE: a.LSE,
				DOut: dout.View(), DQ: dq.v, DK: dk.v, DV: dv.v, Scale: a.Scale, Causal: a.Causal})
			g.Add(q, dq)
			g.Add(k, dk)
			g.Add(v, dv)
		})
	}
	return out
}
