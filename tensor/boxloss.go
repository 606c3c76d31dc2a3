package tensor

import "syntic/kernels"

// BoxLoss is DETR's losses of matched boxes (Carion et al. 2020), pred and target [N, 4] as (cx, cy, w, h):
//
//	l1 = Σ|pred − target| / norm,   giou = Σ(1 − generalised IoU) / norm,   both [1]
//
// norm is the number of target boxes in the batch. Gradients flow to pred. It panics with an *Error if shapes disagree or norm is not positive.
func (s *Scope) BoxLoss(pred, target *Tensor, norm float32) (l1, giou *Tensor) {
	l1, giou = s.Empty(1), s.Empty(1)
	a := kernels.BoxLossArgs{Pred: pred.View(), Target: target.View(), L1: l1.v, GIoU: giou.v, Norm: norm}
	run(s, kernels.BoxLoss, a)
	if !s.tracks(pred) {
		return l1, giou
	}
	back := func(w1, w2 float32) func(g *Gradients, dout *Tensor) {
		return func(g *Gradients, dout *Tensor) {
			a, d := a, s.Empty(pred.Shape()...)
			a.L1, a.GIoU = s.Empty(1).v, s.Empty(1).v // the losses are not changed
			a.DPred, a.WL1, a.WGIoU = d.v, w1, w2
			run(s, kernels.BoxLoss, a)
			g.Add(pred, s.Mul(d, dout))
		}
	}
	s.record(l1, back(1, 0))
	s.record(giou, back(0, 1))
	return l1, giou
}
