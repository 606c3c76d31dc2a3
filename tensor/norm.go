package tensor

import "syntic/kernels"

// lastDim is x as rows: their number and length; it folds all dimensions but the last.
func lastDim(x *Tensor) (n, c int) {
	if x.Rank() == 0 || x.Len() == 0 {
		fail("rows of %v: want [..., C], not empty", x)
	}
	return x.Len() / x.Dim(-1), x.Dim(-1)
}

// LayerNorm normalises over the last dimension of x [..., C] and applies gain and bias [C], either of which may be nil (Ba et al. 2016).
// It panics with an *Error if the shapes disagree.
func (s *Scope) LayerNorm(x, gain, bias *Tensor, eps float32) *Tensor {
	n, c := lastDim(x)
	out := s.Empty(x.Shape()...)
	a := kernels.LayerNormArgs{X: x.as(n, c), Gain: gain.View(), Bias: bias.View(), Out: out.as(n, c), Eps: eps}
	if !s.tracks(x, gain, bias) {
		run(s, kernels.LayerNorm, a)
		return out
	}
	mean, rstd := s.Empty(n), s.Empty(n)
	a.Mean, a.Rstd = mean.v, rstd.v
	run(s, kernels.LayerNorm, a)
	s.record(out, func(g *Gradients, dout *Tensor) {
		dx, dgain, dbias := s.Empty(x.Shape()...), s.like(gain), s.like(bias)
		run(s, kernels.LayerNormGrad, kernels.LayerNormGradArgs{X: x.as(n, c), Gain: gain.View(), Mean: mean.v, Rstd: rstd.v, DOut: dout.as(n, c),
			DX: dx.as(n, c), DGain: dgain.View(), DBias: dbias.View()})
		g.Add(x, dx)
		g.Add(gain, dgain)
		g.Add(bias, dbias)
	})
	return out
}

// like is room for the gradient of t, nil if none is wanted.
func (s *Scope) like(t *Tensor) *Tensor {
	if !t.wants() {
		return nil
	}
	return s.Empty(t.Shape()...)
}

// GroupNorm normalises groups of channels of x [B, H, W, C] or [B, P, C], applies gain and bias [C], then act, ActNone or SiLU (Wu & He 2018).
// It panics with an *Error if the shapes disagree or groups does not divide C.
func (s *Scope) GroupNorm(x, gain, bias *Tensor, groups int, eps float32, act Act) *Tensor {
	if x.Rank() < 3 || x.Len() == 0 || groups < 1 {
		fail("group norm of %v in %d groups: want x [B, H, W, C] or [B, P, C], not empty", x, groups)
	}
	b, c := x.Dim(0), x.Dim(-1)
	p := x.Len() / (b * c)
	out := s.Empty(x.Shape()...)
	a := kernels.GroupNormArgs{X: x.as(b, p, c), Gain: gain.View(), Bias: bias.View(), Out: out.as(b, p, c), Groups: groups, Eps: eps, Act: act}
	if !s.tracks(x, gain, bias) {
		run(s, kernels.GroupNorm, a)
		return out
	}
	mean, rstd := s.Empty(b, groups), s.Empty(b, groups)
	a.Mean, a.Rstd = mean.v, rstd.v
	run(s, kernels.GroupNorm, a)
	s.record(out, func(g *Gradients, dout *Tensor) {
		dx, dgain, dbias := s.Empty(x.Shape()...), s.like(gain), s.like(bias)
		run(s, kernels.GroupNormGrad, kernels.GroupNormGradArgs{X: x.as(b, p, c), Gain: gain.View(), Bias: bias.View(), Mean: mean.v, Rstd: rstd.v,
			DOut: dout.as(b, p, c), DX: dx.as(b, p, c), DGain: dgain.View(), DBias: dbias.View(), Groups: groups, Act: act})
		g.Add(x, dx)
		g.Add(gain, dgain)
		g.Add(bias, dbias)
	})
	return out
}

// Softmax is the softmax over the last dimension.
func (s *Scope) Softmax(x *Tensor) *Tensor { return s.softmax(x, false) }

// LogSoftmax is the logarithm of Softmax.
func (s *Scope) LogSoftmax(x *Tensor) *Tensor { return s.softmax(x, true) }

func (s *Scope) softmax(x *Tensor, log bool) *Tensor {
	n, c := lastDim(x)
	out := s.Empty(x.Shape()...)
	run(s, kernels.Softmax, kernels.SoftmaxArgs{X: x.as(n, c), Out: out.as(n, c), Log: log})
	if s.tracks(x) {
		s.record(out, func(g *Gradients, dout *Tensor) {
			dx := s.Empty(x.Shape()...)
			run(s, kernels.SoftmaxGrad, kernels.SoftmaxGradArgs{Out: out.as(n, c), DOut: dout.as(n, c), DX: dx.as(n, c), Log: log})
			g.Add(x, dx)
		})
	}
	return out
}

// Normalize divides each row (last dimension) by its length, or by 1e-12 if it is shorter than that.
func (s *Scope) Normalize(x *Tensor) *Tensor {
	const eps = 1e-12 // torch.nn.functional.normalize
	n, d := lastDim(x)
	out := s.Empty(x.Shape()...)
	a := kernels.RowNormArgs{X: x.as(n, d), Out: out.as(n, d), Eps: eps}
	if !s.tracks(x) {
		run(s, kernels.RowNorm, a)
		return out
	}
	norm := s.Empty(n)
	a.Norm = norm.v
	run(s, kernels.RowNorm, a)
	s.record(out, func(g *Gradients, dout *Tensor) {
		dx := s.Empty(x.Shape()...)
		run(s, kernels.RowNormGrad, kernels.RowNormGradArgs{Out: out.as(n, d), Norm: norm.v, DOut: dout.as(n, d), DX: dx.as(n, d), Eps: eps})
		g.Add(x, dx)
	})
	return out
}
