package cpu

import (
	"math"

	"syntic/kernels"
)

func init() {
	addVector(kernels.GroupNorm, "sums by channel and piece of rows: mean, then deviations", groupNormRun)
	addVector(kernels.GroupNormGrad, "sums by channel and piece of rows", groupNormGradRun)
}

// eachPiece cuts b images of p rows of c channels into pieces of pieceRows: piece u, of image i, has the rows from..to-1 counted over all
// images. Small pieces are done together, so that small images start no goroutine.
func eachPiece(b, p, c int, fn func(u, i, from, to int)) {
	step := pieceRows(c)
	pieces := ceilDiv(p, step)
	Ranges(b*pieces, max(1, grain/(min(step, p)*c)), func(lo, hi int) {
		for u := lo; u < hi; u++ {
			i, r := u/pieces, u%pieces*step
			fn(u, i, i*p+r, i*p+min(p, r+step))
		}
	})
}

// groupNormRun reads X three times: sums of each channel, squared deviations of each channel, result. Channels are folded into groups in float64.
func groupNormRun(v *vector, a *kernels.GroupNormArgs) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	x, o, gain, bias, act := a.X.F32(), a.Out.F32(), a.Gain.F32(), a.Bias.F32(), a.Act
	pieces := ceilDiv(p, pieceRows(c))
	part, cols := getScratch(b*pieces*c), getScratch(b*2*c)
	defer putAll(part, cols)
	each := func(fn func(i, from, to int, acc []float32)) { // from and to are rows, counted over all images
		eachPiece(b, p, c, func(u, i, from, to int) { fn(i, from, to, part.f[u*c:u*c+c]) })
	}
	each(func(i, from, to int, acc []float32) {
		copy(acc, x[from*c:])
		for r := from + 1; r < to; r++ {
			v.axpby(acc, acc, x[r*c:r*c+c], 1, 1)
		}
	})
	w, count := c/a.Groups, float64(p*(c/a.Groups))
	fold := func(i, g int) (s float64) {
		for u := i * pieces; u < (i+1)*pieces; u++ {
			for _, x := range part.f[u*c+g*w : u*c+g*w+w] {
				s += float64(x)
			}
		}
		return s / count
	}
	groups, means, rstds, eps := a.Groups, a.Mean.F32(), a.Rstd.F32(), float64(a.Eps)
	Ranges(b*groups, max(1, grain/(pieces*w)), func(lo, hi int) {
		for u := lo; u < hi; u++ {
			i, g := u/groups, u%groups
			m := float32(fold(i, g))
			for k := g * w; k < g*w+w; k++ {
				cols.f[i*2*c+k] = m
			}
			if means != nil {
				means[u] = m
			}
		}
	})
	each(func(i, from, to int, acc []float32) {
		clear(acc)
		for r := from; r < to; r++ {
			v.sqDevCols(acc, x[r*c:r*c+c], cols.f[i*2*c:i*2*c+c])
		}
	})
	Ranges(b*groups, max(1, grain/(pieces*w)), func(lo, hi int) {
		for u := lo; u < hi; u++ {
			i, g := u/groups, u%groups
			r := 1 / math.Sqrt(fold(i, g)+eps)
			for k := g * w; k < g*w+w; k++ {
				cols.f[i*2*c+c+k] = float32(r * float64(gain[k]))
			}
			if rstds != nil {
				rstds[u] = float32(r)
			}
		}
	})
	each(func(i, from, to int, _ []float32) {
		for r := from; r < to; r++ {
			v.normCols(o[r*c:r*c+c], x[r*c:r*c+c], cols.f[i*2*c:i*2*c+c], cols.f[i*2*c+c:i*2*c+2*c], bias)
		}
		if act != kernels.ActNone {
			v.act[act](o[from*c:to*c], o[from*c:to*c])
		}
	})
}

// groupNormGradRun: first d = DOut·Act' into DX (or DOut itself without an activation) with Σ d and Σ d·(x − mean) of each channel, then
// dx = k1·d − k2 − k3·(x − mean) with factors of each channel.
func groupNormGradRun(v *vector, a *kernels.GroupNormGradArgs) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	x, dout, dx, gain, bias, act := a.X.F32(), a.DOut.F32(), a.DX.F32(), a.Gain.F32(), a.Bias.F32(), a.Act
	w := c / a.Groups
	pieces := ceilDiv(p, pieceRows(c))
	part, cols := getScratch(b*pieces*2*c), getScratch(b*5*c)
	defer putAll(part, cols)
	col := func(i, j int) []float32 { return cols.f[(i*5+j)*c : (i*5+j+1)*c] } // mean, k1 = rstd·gain, k2, k3, Σ d
	for i := 0; i < b; i++ {
		mean, k1 := col(i, 0), col(i, 1)
		for k := range mean {
			g := i*a.Groups + k/w
			mean[k], k1[k] = a.Mean.F32()[g], a.Rstd.F32()[g]*gain[k]
		}
	}
	d := dout
	if act != kernels.ActNone {
		d = dx
	}
	eachPiece(b, p, c, func(u, i, from, to int) {
		mean := col(i, 0)
		if act != kernels.ActNone {
			y := getScratch((to - from) * c)
			for r := from; r < to; r++ {
				v.normCols(y.f[(r-from)*c:(r-from+1)*c], x[r*c:r*c+c], mean, col(i, 1), bias)
			}
			v.actGrad[act](dx[from*c:to*c], y.f, dout[from*c:to*c])
			y.put()
		}
		s1, s2 := part.f[u*2*c:u*2*c+c], part.f[u*2*c+c:u*2*c+2*c]
		clear(part.f[u*2*c : u*2*c+2*c])
		for r := from; r < to; r++ {
			v.axpby(s1, s1, d[r*c:r*c+c], 1, 1)
			v.mulDev(s2, d[r*c:r*c+c], x[r*c:r*c+c], mean)
		}
	})
	groupNormGradFold(a, part.f, cols.f, pieces)
	eachPiece(b, p, c, func(_, i, from, to int) {
		for ; from < to; from++ {
			at := from * c
			v.gradCols(dx[at:at+c], d[at:at+c], x[at:at+c], col(i, 0), col(i, 1), col(i, 2), col(i, 3))
		}
	})
}

// groupNormGradFold makes k2 and k3 (columns 2 and 3 of each image's five) and the gradients of gain and bias from the sums of the pieces.
func groupNormGradFold(a *kernels.GroupNormGradArgs, part, cols []float32, pieces int) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	w, gain, dgain, dbias := c/a.Groups, a.Gain.F32(), a.DGain.F32(), a.DBias.F32()
	rstds, groups := a.Rstd.F32(), a.Groups
	Ranges(groups, max(1, grain/(b*pieces*w)), func(lo, hi int) {
		for g := lo; g < hi; g++ {
			for i := 0; i < b; i++ {
				r, sg, sgh := float64(rstds[i*groups+g]), 0.0, 0.0
				for k := g * w; k < g*w+w; k++ {
					s1, s2 := 0.0, 0.0
					for u := i * pieces; u < (i+1)*pieces; u++ {
						s1 += float64(part[u*2*c+k])
						s2 += float64(part[u*2*c+c+k])
					}
					sg += s1 * float64(gain[k])
					sgh += s2 * float64(gain[k])
					cols[(i*5+4)*c+k] = float32(s1) // of each image, for the sums over images
					part[i*pieces*2*c+c+k] = float32(s2 * r)
				}
				n := float64(p * w)
				for k := g * w; k < g*w+w; k++ {
					cols[(i*5+2)*c+k], cols[(i*5+3)*c+k] = float32(r*sg/n), float32(r*r*r*sgh/n)
				}
			}
		}
	})
	if dbias != nil {
		foldParts(dbias, cols[4*c:], b, 5*c)
	}
	if dgain != nil {
		foldParts(dgain, part[c:], b, pieces*2*c)
	}
}
