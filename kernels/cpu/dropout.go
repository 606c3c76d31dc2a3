package cpu

import "syntic/kernels"

func init() {
	addGo(kernels.Dropout, "", func(a *kernels.DropoutArgs) {
		x, o, p, key := a.X.F32(), a.Out.F32(), a.P, a.Key
		scale := float32(1 / (1 - float64(p)))
		Ranges(len(x), grain/4, func(lo, hi int) { // grain/4 is a multiple of 4: a block is never cut
			var u [64]float32
			for ; lo < hi; lo += len(u) {
				n := min(len(u), hi-lo)
				uniforms(key, uint32(lo/4), u[:])
				for j, x := range x[lo : lo+n] {
					y := x * scale
					if u[j] < p {
						y = 0
					}
					o[lo+j] = y
				}
			}
		})
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

// uniforms fills dst, whose length is a multiple of 4, with Key.Uniform's numbers from block i on: Philox-4x32-10 with the words in registers.
func uniforms(key kernels.Key, i uint32, dst []float32) {
	for ; len(dst) >= 4; dst, i = dst[4:], i+1 {
		c0, c1, c2, c3 := i, key.Step, uint32(key.Item), uint32(key.Item>>32)
		k0, k1 := uint32(key.Seed), uint32(key.Seed>>32)
		for range 10 {
			p0, p1 := uint64(c0)*0xD2511F53, uint64(c2)*0xCD9E8D57
			c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
			k0 += 0x9E3779B9
			k1 += 0xBB67AE85
		}
		for j, w := range [4]uint32{c0, c1, c2, c3} {
			dst[j] = (float32(w>>8) + 0.5) * (1.0 / (1 << 24))
		}
	}
}
