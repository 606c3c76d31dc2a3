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
	return s.attention(q, k, v, o)
}

// SelfAttention is Attention of queries, keys and values side by side in qkv [B, N, 3, H, D], as one projection to 3·H·D numbers makes them: they are
// read where they lie, and the gradient is written so too.
func (s *Scope) SelfAttention(qkv *Tensor, o AttentionOptions) *Tensor {
	if qkv.Rank() != 5 || qkv.Dim(2) != 3 {
		fail("self-attention of %v: want [B, N, 3, H, D]", qkv)
	}
	return s.attention(qkv, nil, nil, o)
}

// attention is that of q, k and v, or of a packed q alone.
func (s *Scope) attention(q, k, v *Tensor, o AttentionOptions) *Tensor {
	b, n, h, d := q.Dim(0), q.Dim(1), q.Dim(-2), q.Dim(-1)
	if o.Scale == 0 {
		o.Scale = float32(1 / math.Sqrt(float64(d)))
	}
	if s.tracks(o.Bias) {
		fail("attention: no gradient flows to the bias %v; detach it", o.Bias)
	}
	out, recorded := s.Empty(b, n, h, d), s.tracks(q, k, v)
	a := kernels.AttentionArgs{Q: q.View(), K: k.View(), V: v.View(), KeyMask: o.KeyMask.View(), Bias: o.Bias.View(), Out: out.v, Scale: o.Scale, Causal: o.Causal}
	if recorded {
		a.LSE = s.Empty(b, h, n).v
	}
	run(s, kernels.Attention, a)
	if recorded {
		record(s, out, attentionStep{q, k, v, a})
	}
	return out
}

// attentionStep is the call for q, k and v; the latter two are nil where all three are packed in q.
type attentionStep struct {
	q, k, v *Tensor
	a       kernels.AttentionArgs
}

func (o *attentionStep) back(g *Gradients, dout *Tensor) {
	like := func(t *Tensor) *Tensor {
		if t == nil {
			return nil
		}
		return g.s.Empty(t.Shape()...)
	}
	a, dq, dk, dv := &o.a, like(o.q), like(o.k), like(o.v)
	run(g.s, kernels.AttentionGrad, kernels.AttentionGradArgs{Q: a.Q, K: a.K, V: a.V, KeyMask: a.KeyMask, Bias: a.Bias, Out: a.Out, LSE: a.LSE,
		DOut: dout.View(), DQ: dq.View(), DK: dk.View(), DV: dv.View(), Scale: a.Scale, Causal: a.Causal})
	g.Add(o.q, dq)
	if o.k != nil {
		g.Add(o.k, dk)
		g.Add(o.v, dv)
	}
}
