package cpu

import (
	"math"

	"syntic/kernels"
)

func init() {
	addVector(kernels.GroupNorm, "sums and deviations by channel and piece of rows, folded in float64", groupNormRun)
	addVector(kernels.GroupNormGrad, "sums by channel and piece of rows", groupNormGradRun)
}

// imageRows is b images of p rows of c channels, cut into pieces of step rows: piece u, of image i, has the rows from..to-1 counted over all images.
type imageRows struct{ b, p, c, step, pieces int }

func rowsOfImages(b, p, c int) imageRows {
	step := pieceRows(c)
	return imageRows{b, p, c, step, ceilDiv(p, step)}
}

func (m *imageRows) piece(u int) (i, from, to int) {
	i, r := u/m.pieces, u%m.pieces*m.step
	return i, i*m.p + r, i*m.p + min(m.p, r+m.step)
}

// grain is how many pieces are done together, so that small images start no goroutine.
func (m *imageRows) grain() int { return max(1, grain/(min(m.step, m.p)*m.c)) }

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

// groupNormWork is a group norm in progress.
type groupNormWork struct {
	imageRows
	v                      *vector
	x, o, gain, mean, rstd []float32
	act                    kernels.Act
	groups                 int
	eps                    float64
	part, cols             []float32 // sums of each piece [2, c]; columns of each image [2, wide], then the bias
	wide                   int
}

// col is, of image i, the mean (0) or rstd·gain (1); of image b, the bias.
func (w *groupNormWork) col(i, j int) []float32 { return w.cols[(i*2+j)*w.wide:][:w.wide] }

// groupNormRun reads X twice: for the sums and squared deviations of each channel of each piece, and for the result. While a piece is in the cache
// its deviations are taken from its own means; those of the whole follow from them, in float64, where channels are folded into groups.
func groupNormRun(v *vector, a *kernels.GroupNormArgs) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	w := groupNormWork{imageRows: rowsOfImages(b, p, c), v: v, x: a.X.F32(), o: a.Out.F32(), gain: a.Gain.F32(), mean: a.Mean.F32(), rstd: a.Rstd.F32(),
		act: a.Act, groups: a.Groups, eps: float64(a.Eps), wide: wideRow(p, c)}
	part, cols := getScratch(b*w.pieces*2*c), getScratch((b*2+1)*w.wide)
	w.part, w.cols = part.f, cols.f
	bias := w.col(b, 0)
	copy(bias, a.Bias.F32())
	repeat(bias, c)
	groupNormPieces.ranges(b*w.pieces, w.grain(), w)
	groupNormImages.ranges(b, max(1, grain/(w.pieces*c)), w)
	groupNormEnds.ranges(b*w.pieces, w.grain(), w)
	part.put()
	cols.put()
}

var groupNormPieces = newSpread(func(w *groupNormWork, lo, hi int) {
	c := w.c
	for u := lo; u < hi; u++ {
		_, from, to := w.piece(u)
		groupNormSums(w.v, w.part[u*2*c:][:2*c], w.x[from*c:to*c], w.wide)
	}
})

var groupNormImages = newSpread(func(w *groupNormWork, lo, hi int) {
	c, groups, pieces := w.c, w.groups, w.pieces
	for i := lo; i < hi; i++ {
		mean, scale := w.col(i, 0), w.col(i, 1)
		for g := range groups {
			m, variance := groupMoments(w.part[i*pieces*2*c:][:pieces*2*c], w.p, w.step, c, c/groups, g)
			r := 1 / math.Sqrt(variance+w.eps)
			for k := g * (c / groups); k < (g+1)*(c/groups); k++ {
				mean[k], scale[k] = float32(m), float32(r*float64(w.gain[k]))
			}
			if w.mean != nil {
				w.mean[i*groups+g] = float32(m)
			}
			if w.rstd != nil {
				w.rstd[i*groups+g] = float32(r)
			}
		}
		repeat(mean, c)
		repeat(scale, c)
	}
})

var groupNormEnds = newSpread(func(w *groupNormWork, lo, hi int) {
	c, bias := w.c, w.col(w.b, 0)
	for u := lo; u < hi; u++ {
		i, from, to := w.piece(u)
		mean, scale := w.col(i, 0), w.col(i, 1)
		for at := from * c; at < to*c; at += w.wide {
			n := min(w.wide, to*c-at)
			w.v.normCols(w.o[at:at+n], w.x[at:at+n], mean[:n], scale[:n], bias[:n])
		}
		if w.act != kernels.ActNone {
			w.v.act[w.act](w.o[from*c:to*c], w.o[from*c:to*c])
		}
	}
})

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

// groupNormGradWork is the gradients of a group norm in progress: d = DOut·Act', into DX where there is an activation.
type groupNormGradWork struct {
	imageRows
	v              *vector
	x, dout, dx, d []float32
	act            kernels.Act
	part, cols     []float32 // sums of each piece [2, c]; columns of each image [5, wide], then the bias
	wide           int
}

// col is, of image i, mean, k1 = rstd·gain, k2, k3 and Σ d; of image b, the bias.
func (w *groupNormGradWork) col(i, j int) []float32 { return w.cols[(i*5+j)*w.wide:][:w.wide] }

// groupNormGradRun: first d = DOut·Act' into DX (or DOut itself without an activation) with Σ d and Σ d·(x − mean) of each channel, then
// dx = k1·d − k2 − k3·(x − mean) with factors of each channel.
func groupNormGradRun(v *vector, a *kernels.GroupNormGradArgs) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	w := groupNormGradWork{imageRows: rowsOfImages(b, p, c), v: v, x: a.X.F32(), dout: a.DOut.F32(), dx: a.DX.F32(), act: a.Act, wide: wideRow(p, c)}
	part, cols := getScratch(b*w.pieces*2*c), getScratch((b*5+1)*w.wide)
	w.part, w.cols = part.f, cols.f
	gain := a.Gain.F32()
	for i := 0; i < b; i++ {
		mean, k1 := w.col(i, 0), w.col(i, 1)
		for k := range c {
			g := i*a.Groups + k/(c/a.Groups)
			mean[k], k1[k] = a.Mean.F32()[g], a.Rstd.F32()[g]*gain[k]
		}
		repeat(mean, c)
		repeat(k1, c)
	}
	bias := w.col(b, 0)
	copy(bias, a.Bias.F32())
	repeat(bias, c)
	if w.d = w.dout; w.act != kernels.ActNone {
		w.d = w.dx
	}
	groupNormGradPieces.ranges(b*w.pieces, w.grain(), w)
	groupNormGradFold(a, part.f, cols.f, w.pieces, w.wide)
	groupNormGradEnds.ranges(b*w.pieces, w.grain(), w)
	part.put()
	cols.put()
}

var groupNormGradPieces = newSpread(func(w *groupNormGradWork, lo, hi int) {
	v, c, wide := w.v, w.c, w.wide
	bias, acc := w.col(w.b, 0), getScratch(3*wide)
	s1, s2, y := acc.f[:wide], acc.f[wide:2*wide], acc.f[2*wide:]
	for u := lo; u < hi; u++ {
		i, from, to := w.piece(u)
		clear(acc.f[:2*wide])
		mean, k1 := w.col(i, 0), w.col(i, 1)
		for at := from * c; at < to*c; at += wide {
			n := min(wide, to*c-at)
			if w.act != kernels.ActNone {
				v.normCols(y[:n], w.x[at:at+n], mean[:n], k1[:n], bias[:n])
				v.actGrad[w.act](w.dx[at:at+n], y[:n], w.dout[at:at+n])
			}
			v.axpby(s1[:n], s1[:n], w.d[at:at+n], 1, 1)
			v.mulDev(s2[:n], w.d[at:at+n], w.x[at:at+n], mean[:n])
		}
		v.foldWide(w.part[u*2*c:u*2*c+c], s1)
		v.foldWide(w.part[u*2*c+c:u*2*c+2*c], s2)
	}
	acc.put()
})

var groupNormGradEnds = newSpread(func(w *groupNormGradWork, lo, hi int) {
	c := w.c
	for u := lo; u < hi; u++ {
		i, from, to := w.piece(u)
		for at := from * c; at < to*c; at += w.wide {
			n := min(w.wide, to*c-at)
			w.v.gradCols(w.dx[at:at+n], w.d[at:at+n], w.x[at:at+n], w.col(i, 0)[:n], w.col(i, 1)[:n], w.col(i, 2)[:n], w.col(i, 3)[:n])
		}
	}
})

// groupNormGradFold makes k2 and k3 (columns 2 and 3 of each image's five) and the gradients of gain and bias from the sums of the pieces.
func groupNormGradFold(a *kernels.GroupNormGradArgs, part, cols []float32, pieces, wide int) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	w, dgain, dbias := c/a.Groups, a.DGain.F32(), a.DBias.F32()
	groupNormGradGroups.ranges(a.Groups, max(1, grain/(b*pieces*w)), groupNormFold{b, p, c, pieces, wide, a.Groups, a.Gain.F32(), a.Rstd.F32(), part, cols})
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

// groupNormFold is sums of pieces that are added up to those of groups.
type groupNormFold struct {
	b, p, c, pieces, wide, groups int
	gain, rstds, part, cols       []float32
}

var groupNormGradGroups = newSpread(func(f *groupNormFold, lo, hi int) {
	c, w := f.c, f.c/f.groups
	for g := lo; g < hi; g++ {
		for i := 0; i < f.b; i++ {
			r, sg, sgh := float64(f.rstds[i*f.groups+g]), 0.0, 0.0
			for k := g * w; k < g*w+w; k++ {
				s1, s2 := 0.0, 0.0
				for u := i * f.pieces; u < (i+1)*f.pieces; u++ {
					s1 += float64(f.part[u*2*c+k])
					s2 += float64(f.part[u*2*c+c+k])
				}
				sg += s1 * float64(f.gain[k])
				sgh += s2 * float64(f.gain[k])
				f.cols[(i*5+4)*f.wide+k] = float32(s1) // of each image, for the sums over images
				f.part[i*f.pieces*2*c+c+k] = float32(s2 * r)
			}
			n := float64(f.p * w)
			for k := g * w; k < g*w+w; k++ {
				f.cols[(i*5+2)*f.wide+k], f.cols[(i*5+3)*f.wide+k] = float32(r*sg/n), float32(r*r*r*sgh/n)
			}
		}
	}
})
