package kernels

import (
	"fmt"
	"math"
)

// BoxLossArgs are DETR's losses of matched boxes (Carion et al. 2020, eq. 9; Rezatofighi et al. 2019), boxes as (cx, cy, w, h):
//
//	L1 = Σ_n |Pred − Target|₁ / Norm,   GIoU = Σ_n (1 − giou(Pred, Target)) / Norm
//
// Pred and Target are [N, 4], L1 and GIoU [1]; DPred [N, 4] is the gradient of WL1·L1 + WGIoU·GIoU. Where a largest or smallest of two
// is a tie, the gradient is shared half and half.
type BoxLossArgs struct {
	Pred, Target View
	L1, GIoU     View
	DPred        View // optional
	WL1, WGIoU   float32
	Norm         float32
}

// BoxLoss is DETR's box losses.
var BoxLoss = register(&Op[BoxLossArgs]{
	Name: "box_loss",
	Dims: [][]int{{1, 1}, {7, 1}, {100, 0}, {1031, 1}}, // N, with gradient
	Make: func(r *Rand, d []int) BoxLossArgs {
		a := BoxLossArgs{Pred: r.Uniform(0.1, 0.6, d[0], 4), Target: r.Uniform(0.1, 0.6, d[0], 4), L1: Poison(1), GIoU: Poison(1), WL1: 5, WGIoU: 2, Norm: float32(d[0]) / 2}
		if d[1] == 1 {
			a.DPred = Poison(d[0], 4)
		}
		return a
	},
	Views: func(a *BoxLossArgs) (in, out []*View) {
		return views(&a.Pred, &a.Target), views(&a.L1, &a.GIoU, &a.DPred)
	},
	Cost: func(a *BoxLossArgs) Cost { return Cost{60 * float64(a.Pred.Dim(0)), float64(3 * a.Pred.Bytes())} },
	Check: func(a *BoxLossArgs) error {
		n, four := 0, 4
		if !a.Pred.Bind(&n, &four) || !a.Target.Is(n, 4) || !a.L1.Is(1) || !a.GIoU.Is(1) || !a.DPred.IsOpt(n, 4) || !(a.Norm > 0) {
			return fmt.Errorf("pred %v, target %v, l1 %v, giou %v, dpred %v, norm %g: want pred, target, dpred [N, 4], l1, giou [1], norm > 0", a.Pred, a.Target, a.L1, a.GIoU, a.DPred, a.Norm)
		}
		return nil
	},
	Ref: func(a *BoxLossArgs) {
		var l1, giou float64
		for i := 0; i < a.Pred.Dim(0); i++ {
			var p, t, d [4]float64
			for j := range p {
				p[j], t[j] = float64(a.Pred.F32()[4*i+j]), float64(a.Target.F32()[4*i+j])
			}
			l, g := BoxLossOne(&p, &t, float64(a.WL1), float64(a.WGIoU), &d)
			l1, giou = l1+l, giou+g
			if a.DPred.F32() != nil {
				for j := range d {
					a.DPred.F32()[4*i+j] = float32(d[j] / float64(a.Norm))
				}
			}
		}
		a.L1.F32()[0], a.GIoU.F32()[0] = float32(l1/float64(a.Norm)), float32(giou/float64(a.Norm))
	},
})

// BoxLossOne is the pair |p − t|₁ and 1 − giou(p, t) of two boxes (cx, cy, w, h), and in d the gradient of their sum weighted by wl1 and
// wgiou with respect to p. Boxes without area have an intersection over union of 0.
func BoxLossOne(p, t *[4]float64, wl1, wgiou float64, d *[4]float64) (l1, giou float64) {
	for j := range p {
		l1 += math.Abs(p[j] - t[j])
		d[j] = wl1 * sign(p[j]-t[j])
	}
	var inner, outer, size, want [2]float64 // along x and y: of the intersection, of the hull, of p, of t
	var dInnerLo, dInnerHi, dOuterLo, dOuterHi [2]float64
	for j := range inner {
		lo, hi, tlo, thi := p[j]-p[j+2]/2, p[j]+p[j+2]/2, t[j]-t[j+2]/2, t[j]+t[j+2]/2
		size[j], want[j] = p[j+2], t[j+2]
		outer[j] = math.Max(hi, thi) - math.Min(lo, tlo)
		dOuterHi[j], dOuterLo[j] = above(hi-thi), -above(tlo-lo)
		if inner[j] = math.Min(hi, thi) - math.Max(lo, tlo); inner[j] >= 0 {
			dInnerHi[j], dInnerLo[j] = above(thi-hi), -above(lo-tlo)
		} else {
			inner[j] = 0
		}
	}
	inter, hull := inner[0]*inner[1], outer[0]*outer[1]
	union := size[0]*size[1] + want[0]*want[1] - inter
	if !(union > 0) || !(hull > 0) {
		return l1, 1
	}
	giou = inter/union - 1 + union/hull
	// 1 − giou = 2 − inter/union − union/hull, with union = area + … − inter
	byUnion := inter/(union*union) - 1/hull
	byInter, byHull := -1/union-byUnion, union/(hull*hull)
	for j := range inner {
		i, o := byInter*inner[1-j], byHull*outer[1-j] // by the extent along this axis
		lo, hi := i*dInnerLo[j]+o*dOuterLo[j], i*dInnerHi[j]+o*dOuterHi[j]
		d[j] += wgiou * (lo + hi)
		d[j+2] += wgiou * ((hi-lo)/2 + byUnion*size[1-j])
	}
	return l1, 1 - giou
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// above is the derivative of max(a, b) by a at x = a − b.
func above(x float64) float64 { return (1 + sign(x)) / 2 }
