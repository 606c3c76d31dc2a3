package cpu

import "syntic/kernels"

func init() {
	addVector(kernels.Dropout, "", func(v *vector, a *kernels.DropoutArgs) {
		x := a.X.F32()
		dropoutPieces.ranges(len(x), grain/4, dropoutWork{v, x, a.Out.F32(), a.Key, a.P}) // grain/4 is a multiple of 4: a block of four numbers is never cut
	})
	addGo(kernels.BoxLoss, "float64, by pieces of boxes", func(a *kernels.BoxLossArgs) {
		const piece = 256
		n, p, t, d, inv := a.Pred.Dim(0), a.Pred.F32(), a.Target.F32(), a.DPred.F32(), 1/float64(a.Norm)
		w1, w2 := float64(a.WL1), float64(a.WGIoU)
		part := getScratch(2 * ceilDiv(n, piece))
		defer part.put()
		Ranges(n, piece, func(lo, hi int) {
			var l1, giou float64
			for i := lo; i < hi; i++ {
				var u, v, g [4]float64
				for j := range u {
					u[j], v[j] = float64(p[4*i+j]), float64(t[4*i+j])
				}
				a, b := kernels.BoxLossOne(&u, &v, w1, w2, &g)
				l1, giou = l1+a, giou+b
				if d != nil {
					for j := range g {
						d[4*i+j] = float32(g[j] * inv)
					}
				}
			}
			part.f[lo/piece*2], part.f[lo/piece*2+1] = float32(l1), float32(giou)
		})
		var l1, giou float64
		for i := 0; i < len(part.f); i += 2 {
			l1, giou = l1+float64(part.f[i]), giou+float64(part.f[i+1])
		}
		a.L1.F32()[0], a.GIoU.F32()[0] = float32(l1*inv), float32(giou*inv)
	})
}

type dropoutWork struct {
	v    *vector
	x, o []float32
	key  kernels.Key
	p    float32
}

var dropoutPieces = newSpread(func(w *dropoutWork, lo, hi int) {
	u := getScratch(ceilDiv(hi-lo, 64) * 64)
	w.v.uniforms(u.f, &w.key, uint32(lo/4))
	w.v.keep(w.o[lo:hi], w.x[lo:hi], u.f[:hi-lo], w.p, float32(1/(1-float64(w.p))))
	u.put()
})
