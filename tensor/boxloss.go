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
	record(s, l1, boxLossStep{pred, a, 1, 0})
	record(s, giou, boxLossStep{pred, a, 0, 1})
	return l1, giou
}

// boxLossStep is one of the two losses, whose weight is 1.
type boxLossStep struct {
	pred    *Tensor
	a       kernels.BoxLossArgs
	l1, iou float32
}

func (o *boxLossStep) back(g *Gradients, dout *Tensor) {
	a, d := o.a, g.s.Empty(o.pred.Shape()...)
	a.L1, a.GIoU = g.s.Empty(1).v, g.s.Empty(1).v // the losses are not changed
	a.DPred, a.WL1, a.WGIoU = d.v, o.l1, o.iou
	run(g.s, kernels.BoxLoss, a)
	g.Add(o.pred, g.s.Mul(d, dout))
}
