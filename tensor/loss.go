package tensor

import "syntic/kernels"

// CrossEntropyOptions are what is optional in the cross entropy.
type CrossEntropyOptions struct {
	Smoothing float32 // torch's label smoothing, 0..1
	Ignore    int32   // rows with this target are left out; 0 means -100, as in torch (give rows weight 0 to leave out target 0)
	Weight    *Tensor // [N], of the rows
}

// CrossEntropy is the weighted mean, [1], of −log softmax(logits)[target] over the rows of logits [N, V] (or [..., V]) for target i32 [N].
// The gradient flows to logits. If every row is ignored or has weight 0, the loss is 0. It panics with an *Error if shapes disagree.
func (s *Scope) CrossEntropy(logits, target *Tensor, o CrossEntropyOptions) *Tensor {
	if logits.Rank() < 1 || logits.Len() != target.Len()*logits.Dim(-1) {
		fail("cross entropy of logits %v, target %v: want logits [N, V], target i32 [N]", logits, target)
	}
	if o.Ignore == 0 {
		o.Ignore = -100
	}
	n, v, out := target.Len(), logits.Dim(-1), s.Empty(1)
	a := kernels.CrossEntropyArgs{Logits: logits.as(n, v), Target: target.as(n), Weight: o.Weight.View(), Loss: out.v, Smoothing: o.Smoothing, Ignore: o.Ignore}
	if !s.tracks(logits) {
		run(s, kernels.CrossEntropy, a)
		return out
	}
	d := s.Empty(logits.Shape()...)
	a.DLogits = d.as(n, v)
	run(s, kernels.CrossEntropy, a)
	record(s, out, lossStep{of: [3]*Tensor{logits}, d: [3]*Tensor{d}})
	return out
}

// lossStep is a loss that has made the gradients d of its operands already.
type lossStep struct{ of, d [3]*Tensor }

func (o *lossStep) back(g *Gradients, dout *Tensor) {
	for i, t := range o.of {
		if t.wants() {
			g.Add(t, g.s.times(o.d[i], dout))
		}
	}
}

// LinearCrossEntropy is CrossEntropy of the logits Linear(x, w, b) for x [..., C], w [V, C] and b [V] or nil, which are not stored where the device has a
// kernel for it. Gradients flow to x, w and b. It panics with an *Error if shapes disagree.
func (s *Scope) LinearCrossEntropy(x, w, b, target *Tensor, o CrossEntropyOptions) *Tensor {
	if x.Rank() < 1 || w.Rank() != 2 || x.Dim(-1) != w.Dim(1) || x.Len() != target.Len()*x.Dim(-1) {
		fail("linear cross entropy of x %v, weight %v, target %v: want x [N, C], weight [V, C], target i32 [N]", x, w, target)
	}
	if w.isHalf() || !kernels.LinearCrossEntropy.Serves(s.stream.Kind) {
		return s.CrossEntropy(s.Linear(x, w, b), target, o)
	}
	if o.Ignore == 0 {
		o.Ignore = -100
	}
	n, c, out := target.Len(), x.Dim(-1), s.Empty(1)
	a := kernels.LinearCrossEntropyArgs{X: x.as(n, c), W: w.View(), Bias: b.View(), Target: target.as(n), Weight: o.Weight.View(), Loss: out.v, Smoothing: o.Smoothing, Ignore: o.Ignore}
	if !s.tracks(x, w, b) {
		run(s, kernels.LinearCrossEntropy, a)
		return out
	}
	d := [3]*Tensor{s.like(x), s.like(w), s.like(b)}
	a.DX, a.DW, a.DBias = d[0].View(), d[1].View(), d[2].View()
	if d[0] != nil {
		a.DX = d[0].as(n, c)
	}
	run(s, kernels.LinearCrossEntropy, a)
	record(s, out, lossStep{of: [3]*Tensor{x, w, b}, d: d})
	return out
}

// times is d·dout for dout of one element, and d itself where that is 1 and can be seen without waiting for a device.
func (s *Scope) times(d, dout *Tensor) *Tensor {
	if s.dev.IsCPU() && dout.Data()[0] == 1 {
		return d
	}
	return s.Mul(d, dout)
}

// InfoNCEOptions are what is optional in the contrastive loss.
type InfoNCEOptions struct {
	Target *Tensor // i32 [N]: the row of y that belongs to each row of x; nil: the same row
	WX, WY float32 // weights of the x→y and y→x directions; both 0 means 1/2 and 1/2, CLIP's loss
}

// InfoNCE is the contrastive loss, [1], of x [N, D] against y [M, D] with logits scale·x·yᵀ (van den Oord et al. 2018; symmetric: Radford et al. 2021).
// The caller normalises the rows; scale [1] is the factor itself, not its logarithm. Gradients flow to x, y and scale.
// It panics with an *Error if shapes disagree; WY needs N = M.
func (s *Scope) InfoNCE(x, y, scale *Tensor, o InfoNCEOptions) *Tensor {
	if o.WX == 0 && o.WY == 0 {
		o.WX, o.WY = 0.5, 0.5
	}
	out := s.Empty(1)
	a := kernels.InfoNCEArgs{X: x.View(), Y: y.View(), Scale: scale.View(), Target: o.Target.View(), Loss: out.v, WX: o.WX, WY: o.WY}
	if !s.tracks(x, y, scale) {
		run(s, kernels.InfoNCE, a)
		return out
	}
	dx, dy, ds := s.Empty(x.Shape()...), s.Empty(y.Shape()...), s.Empty(1)
	a.DX, a.DY, a.DScale = dx.v, dy.v, ds.v
	run(s, kernels.InfoNCE, a)
	record(s, out, lossStep{of: [3]*Tensor{x, y, scale}, d: [3]*Tensor{dx, dy, ds}})
	return out
}

// MSE is the mean of (x − y)² over all elements, [1].
func (s *Scope) MSE(x, y *Tensor) *Tensor {
	return s.MeanAll(s.Act(s.Sub(x, y), Square))
}

// MSEWeighted is the mean over all elements of w[b]·(x − y)², [1], for x and y [B, ...] and constant or learnt w [B].
func (s *Scope) MSEWeighted(x, y, w *Tensor) *Tensor {
	if x.Rank() < 1 || w.Len() != x.Dim(0) {
		fail("weighted mean squared error of %v with weights %v: want x [B, ...], w [B]", x, w)
	}
	b := x.Dim(0)
	d := s.Act(s.Sub(x, y), Square)
	return s.MeanAll(s.Mul(s.Reshape(d, b, -1), s.Reshape(w, b, 1)))
}
