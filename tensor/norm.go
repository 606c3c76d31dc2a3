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
	record(s, out, layerNormStep{x, gain, bias, mean, rstd})
	return out
}

type layerNormStep struct{ x, gain, bias, mean, rstd *Tensor }

func (o *layerNormStep) back(g *Gradients, dout *Tensor) {
	n, c := lastDim(o.x)
	dx, dgain, dbias := g.s.Empty(o.x.Shape()...), g.s.like(o.gain), g.s.like(o.bias)
	run(g.s, kernels.LayerNormGrad, kernels.LayerNormGradArgs{X: o.x.as(n, c), Gain: o.gain.View(), Mean: o.mean.v, Rstd: o.rstd.v, DOut: dout.as(n, c),
		DX: dx.as(n, c), DGain: dgain.View(), DBias: dbias.View()})
	g.Add(o.x, dx)
	g.Add(o.gain, dgain)
	g.Add(o.bias, dbias)
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
	record(s, out, groupNormStep{x, gain, bias, mean, rstd, groups, act})
	return out
}

type groupNormStep struct {
	x, gain, bias, mean, rstd *Tensor
	groups                    int
	act                       Act
}

func (o *groupNormStep) back(g *Gradients, dout *Tensor) {
	b, c := o.x.Dim(0), o.x.Dim(-1)
	p := o.x.Len() / (b * c)
	dx, dgain, dbias := g.s.Empty(o.x.Shape()...), g.s.like(o.gain), g.s.like(o.bias)
	run(g.s, kernels.GroupNormGrad, kernels.GroupNormGradArgs{X: o.x.as(b, p, c), Gain: o.gain.View(), Bias: o.bias.View(), Mean: o.mean.v, Rstd: o.rstd.v,
		DOut: dout.as(b, p, c), DX: dx.as(b, p, c), DGain: dgain.View(), DBias: dbias.View(), Groups: o.groups, Act: o.act})
	g.Add(o.x, dx)
	g.Add(o.gain, dgain)
	g.Add(o.bias, dbias)
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
		record(s, out, softmaxStep{x, out, log})
	}
	return out
}

type softmaxStep struct {
	x, out *Tensor
	log    bool
}

func (o *softmaxStep) back(g *Gradients, dout *Tensor) {
	n, c := lastDim(o.x)
	dx := g.s.Empty(o.x.Shape()...)
	run(g.s, kernels.SoftmaxGrad, kernels.SoftmaxGradArgs{Out: o.out.as(n, c), DOut: dout.as(n, c), DX: dx.as(n, c), Log: o.log})
	g.Add(o.x, dx)
}

const normalizeEps = 1e-12 // torch.nn.functional.normalize

// Normalize divides each row (last dimension) by its length, or by 1e-12 if it is shorter than that.
func (s *Scope) Normalize(x *Tensor) *Tensor {
	n, d := lastDim(x)
	out := s.Empty(x.Shape()...)
	a := kernels.RowNormArgs{X: x.as(n, d), Out: out.as(n, d), Eps: normalizeEps}
	if !s.tracks(x) {
		run(s, kernels.RowNorm, a)
		return out
	}
	norm := s.Empty(n)
	a.Norm = norm.v
	run(s, kernels.RowNorm, a)
	record(s, out, normalizeStep{x, out, norm})
	return out
}

type normalizeStep struct{ x, out, norm *Tensor }

func (o *normalizeStep) back(g *Gradients, dout *Tensor) {
	n, d := lastDim(o.x)
	dx := g.s.Empty(o.x.Shape()...)
	run(g.s, kernels.RowNormGrad, kernels.RowNormGradArgs{Out: o.out.as(n, d), Norm: o.norm.v, DOut: dout.as(n, d), DX: dx.as(n, d), Eps: normalizeEps})
	g.Add(o.x, dx)
}
