package cpu

import (
	"math"

	"syntic/kernels"
)

func init() {
	addVector(kernels.GroupNorm, "sums and deviations by channel and piece of rows, folded in float64", groupNormRun)
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

// wideRow is how many numbers loops over the rows of an image take at once: so many rows of c channels, a power of two, that a call is worth it.
func wideRow(p, c int) int {
	n := 1
	for n < p && 2*n*c <= 512 {
		n *= 2
	}
	return n * c
}

// repeat fills x, of a power of two times c, with its first c numbers.
func repeat(x []float32, c int) {
	for n := c; n < len(x); n *= 2 {
		copy(x[n:2*n], x[:n])
	}
}

// foldWide adds the rows of c numbers that make up x, a power of two of them, into dst.
func (v *vector) foldWide(dst, x []float32) {
	for n := len(x) / 2; n >= len(dst); n /= 2 {
		v.axpby(x[:n], x[:n], x[n:2*n], 1, 1)
	}
	copy(dst, x)
}

// groupNormRun reads X twice: for the sums and squared deviations of each channel of each piece, and for the result. While a piece is in the cache
// its deviations are taken from its own means; those of the whole follow from them, in float64, where channels are folded into groups.
func groupNormRun(v *vector, a *kernels.GroupNormArgs) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	x, o, gain, act := a.X.F32(), a.Out.F32(), a.Gain.F32(), a.Act
	step, wide := pieceRows(c), wideRow(p, c)
	pieces := ceilDiv(p, step)
	part, cols := getScratch(b*pieces*2*c), getScratch((b*2+1)*wide)
	defer putAll(part, cols)
	col := func(i, j int) []float32 { return cols.f[(i*2+j)*wide:][:wide] } // mean, rstd·gain
	bias := col(b, 0)
	copy(bias, a.Bias.F32())
	repeat(bias, c)
	eachPiece(b, p, c, func(u, _, from, to int) { groupNormSums(v, part.f[u*2*c:][:2*c], x[from*c:to*c], wide) })
	groups, means, rstds, eps := a.Groups, a.Mean.F32(), a.Rstd.F32(), float64(a.Eps)
	Ranges(b, max(1, grain/(pieces*c)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			mean, scale := col(i, 0), col(i, 1)
			for g := range groups {
				m, variance := groupMoments(part.f[i*pieces*2*c:][:pieces*2*c], p, step, c, c/groups, g)
				r := 1 / math.Sqrt(variance+eps)
				for k := g * (c / groups); k < (g+1)*(c/groups); k++ {
					mean[k], scale[k] = float32(m), float32(r*float64(gain[k]))
				}
				if means != nil {
					means[i*groups+g] = float32(m)
				}
				if rstds != nil {
					rstds[i*groups+g] = float32(r)
				}
			}
			repeat(mean, c)
			repeat(scale, c)
		}
	})
	eachPiece(b, p, c, func(_, i, from, to int) {
		for at := from * c; at < to*c; at += wide {
			n := min(wide, to*c-at)
			v.normCols(o[at:at+n], x[at:at+n], col(i, 0)[:n], col(i, 1)[:n], bias[:n])
		}
		if act != kernels.ActNone {
			v.act[act](o[from*c:to*c], o[from*c:to*c])
		}
	})
}

// groupNormSums writes the sums of the channels of x, rows of len(part)/2 channels, then the sums of their squared deviations from x's own means.
func groupNormSums(v *vector, part, x []float32, wide int) {
	c, acc := len(part)/2, getScratch(2*wide)
	sums, mean := acc.f[:wide], acc.f[wide:]
	clear(sums)
	for at := 0; at < len(x); at += wide {
		n := min(wide, len(x)-at)
		v.axpby(sums[:n], sums[:n], x[at:at+n], 1, 1)
	}
	v.foldWide(part[:c], sums)
	v.affine(mean[:c], part[:c], 1/float32(len(x)/c), 0)
	repeat(mean, c)
	clear(sums)
	for at := 0; at < len(x); at += wide {
		n := min(wide, len(x)-at)
		v.sqDevCols(sums[:n], x[at:at+n], mean[:n])
	}
	v.foldWide(part[c:], sums)
	acc.put()
}

// groupMoments is mean and variance of group g, w channels wide, from the sums of the pieces of an image of p rows, step rows each:
// Σ(x − M)² = Σ(x − m)² + 2(m − M)·Σ(x − m) + n·(m − M)² for the mean M of all and the mean m of n of them.
func groupMoments(part []float32, p, step, c, w, g int) (mean, variance float64) {
	for at := g * w; at < len(part); at += 2 * c {
		for _, s := range part[at : at+w] {
			mean += float64(s)
		}
	}
	mean /= float64(p * w)
	for u := 0; u*step < p; u++ {
		n := min(step, p-u*step)
		sums, squares := part[u*2*c+g*w:][:w], part[u*2*c+c+g*w:][:w]
		r := 1 / float32(n)
		for k, s := range sums {
			m := s * r
			d := float64(m) - mean
			variance += float64(squares[k]) + 2*d*(float64(s)-float64(n)*float64(m)) + float64(n)*d*d
		}
	}
	return mean, variance / float64(p*w)
}

// groupNormGradRun: first d = DOut·Act' into DX (or DOut itself without an activation) with Σ d and Σ d·(x − mean) of each channel, then
// dx = k1·d − k2 − k3·(x − mean) with factors of each channel.
func groupNormGradRun(v *vector, a *kernels.GroupNormGradArgs) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	x, dout, dx, gain, act := a.X.F32(), a.DOut.F32(), a.DX.F32(), a.Gain.F32(), a.Act
	w, wide := c/a.Groups, wideRow(p, c)
	pieces := ceilDiv(p, pieceRows(c))
	part, cols := getScratch(b*pieces*2*c), getScratch((b*5+1)*wide)
	defer putAll(part, cols)
	col := func(i, j int) []float32 { return cols.f[(i*5+j)*wide:][:wide] } // mean, k1 = rstd·gain, k2, k3, Σ d
	for i := 0; i < b; i++ {
		mean, k1 := col(i, 0), col(i, 1)
		for k := range c {
			g := i*a.Groups + k/w
			mean[k], k1[k] = a.Mean.F32()[g], a.Rstd.F32()[g]*gain[k]
		}
		repeat(mean, c)
		repeat(k1, c)
	}
	bias := col(b, 0)
	copy(bias, a.Bias.F32())
	repeat(bias, c)
	d := dout
	if act != kernels.ActNone {
		d = dx
	}
	eachPiece(b, p, c, func(u, i, from, to int) {
		acc := getScratch(3 * wide)
		s1, s2, y := acc.f[:wide], acc.f[wide:2*wide], acc.f[2*wide:]
		clear(acc.f[:2*wide])
		mean := col(i, 0)
		for at := from * c; at < to*c; at += wide {
			n := min(wide, to*c-at)
			if act != kernels.ActNone {
				v.normCols(y[:n], x[at:at+n], mean[:n], col(i, 1)[:n], bias[:n])
				v.actGrad[act](dx[at:at+n], y[:n], dout[at:at+n])
			}
			v.axpby(s1[:n], s1[:n], d[at:at+n], 1, 1)
			v.mulDev(s2[:n], d[at:at+n], x[at:at+n], mean[:n])
		}
		v.foldWide(part.f[u*2*c:u*2*c+c], s1)
		v.foldWide(part.f[u*2*c+c:u*2*c+2*c], s2)
		acc.put()
	})
	groupNormGradFold(a, part.f, cols.f, pieces, wide)
	eachPiece(b, p, c, func(_, i, from, to int) {
		for at := from * c; at < to*c; at += wide {
			n := min(wide, to*c-at)
			v.gradCols(dx[at:at+n], d[at:at+n], x[at:at+n], col(i, 0)[:n], col(i, 1)[:n], col(i, 2)[:n], col(i, 3)[:n])
		}
	})
}

// groupNormGradFold makes k2 and k3 (columns 2 and 3 of each image's five) and the gradients of gain and bias from the sums of the pieces.
func groupNormGradFold(a *kernels.GroupNormGradArgs, part, cols []float32, pieces, wide int) {
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
					cols[(i*5+4)*wide+k] = float32(s1) // of each image, for the sums over images
					part[i*pieces*2*c+c+k] = float32(s2 * r)
				}
				n := float64(p * w)
				for k := g * w; k < g*w+w; k++ {
					cols[(i*5+2)*wide+k], cols[(i*5+3)*wide+k] = float32(r*sg/n), float32(r*r*r*sgh/n)
				}
			}
		}
	})
	for i := range b {
		repeat(cols[(i*5+2)*wide:][:wide], c)
		repeat(cols[(i*5+3)*wide:][:wide], c)
	}
	if dbias != nil {
		foldParts(dbias, cols[4*wide:], b, 5*wide)
	}
	if dgain != nil {
		foldParts(dgain, part[c:], b, pieces*2*c)
	}
}
