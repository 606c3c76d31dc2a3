package cpu

import (
	"math"

	"syntic/kernels"
)

func init() {
	addVector(kernels.AdamW, "", func(v *vector, a *kernels.AdamWArgs) {
		scale, ok := a.Scale()
		if !ok {
			return
		}
		c1, c2 := a.Corrections()
		lr := float64(a.LR)
		c := adamwConst{grad: scale, b1: a.Beta1, c1: float32(1 - float64(a.Beta1)), b2: a.Beta2, c2: float32(1 - float64(a.Beta2)),
			keep: float32(1 - lr*float64(a.Decay)), step: float32(lr / c1), root: float32(1 / math.Sqrt(c2)), eps: a.Eps}
		p, g, m, s := a.Param.F32(), a.Grad.F32(), a.M.F32(), a.V.F32()
		adamwPieces.ranges(len(p), grain, adamwWork{v, c, p, g, m, s})
	})
}

// adamwWork is a step.
type adamwWork struct {
	loops      *vector
	c          adamwConst
	p, g, m, v []float32
}

var adamwPieces = newSpread(func(w *adamwWork, lo, hi int) {
	w.loops.adamw(w.p[lo:hi], w.g[lo:hi], w.m[lo:hi], w.v[lo:hi], &w.c)
})
