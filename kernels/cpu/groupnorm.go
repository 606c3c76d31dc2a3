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

// groupNormRun reads X three times: sums of each channel, squared deviations of each channel, result. Channels are folded into groups in float64.
func groupNormRun(v *vector, a *kernels.GroupNormArgs) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	x, o, gain, act := a.X.F32(), a.Out.F32(), a.Gain.F32(), a.Act
	pieces, wide := ceilDiv(p, pieceRows(c)), wideRow(p, c)
	part, cols := getScratch(b*pieces*c), getScratch((b*2+1)*wide)
	defer putAll(part, cols)
	col := func(i, j int) []float32 { return cols.f[(i*2+j)*wide:][:wide] } // mean, rstd·gain
	bias := col(b, 0)
	copy(bias, a.Bias.F32())
	repeat(bias, c)
	sums := func(add func(acc, x []float32, i int)) { // of each piece, over its rows
		eachPiece(b, p, c, func(u, i, from, to int) {
			acc := getScratch(wide)
			clear(acc.f)
			for at := from * c; at < to*c; at += wide {
				n := min(wide, to*c-at)
				add(acc.f[:n], x[at:at+n], i)
			}
			v.foldWide(part.f[u*c:u*c+c], acc.f)
			acc.put()
		})
	}
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
	eachImage := func(fn func(i int)) {
		Ranges(b, max(1, grain/(pieces*c)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				fn(i)
			}
		})
	}
	sums(func(acc, x []float32, _ int) { v.axpby(acc, acc, x, 1, 1) })
	eachImage(func(i int) {
		mean := col(i, 0)
		for g := range groups {
			m := float32(fold(i, g))
			for k := g * w; k < g*w+w; k++ {
				mean[k] = m
			}
			if means != nil {
				means[i*groups+g] = m
			}
		}
		repeat(mean, c)
	})
	sums(func(acc, x []float32, i int) { v.sqDevCols(acc, x, col(i, 0)[:len(x)]) })
	eachImage(func(i int) {
		scale := col(i, 1)
		for g := range groups {
			r := 1 / math.Sqrt(fold(i, g)+eps)
			for k := g * w; k < g*w+w; k++ {
				scale[k] = float32(r * float64(gain[k]))
			}
			if rstds != nil {
				rstds[i*groups+g] = float32(r)
			}
		}
		repeat(scale, c)
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
