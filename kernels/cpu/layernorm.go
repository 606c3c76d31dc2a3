package cpu

import (
	"math"

	"syntic/kernels"
)

func init() {
	addVector(kernels.LayerNorm, "two passes over a row", layerNormRun)
	addVector(kernels.LayerNormGrad, "two passes over a row; gain and bias by pieces of rows", layerNormGradRun)
	addVector(kernels.RowNorm, "", rowNormRun)
	addVector(kernels.RowNormGrad, "", rowNormGradRun)
	addVector(kernels.Softmax, "three passes over a row", softmaxRun)
	addVector(kernels.SoftmaxGrad, "two passes over a row", softmaxGradRun)
}

// filled is opt, or c times x in scratch that is to be put back (nil if opt is there).
func filled(opt []float32, x float32, c int) ([]float32, *scratch) {
	if opt != nil {
		return opt, nil
	}
	s := getScratch(c)
	for i := range s.f {
		s.f[i] = x
	}
	return s.f, s
}

func layerNormRun(v *vector, a *kernels.LayerNormArgs) {
	n, c, x, o, mean, rstd, eps := a.X.Dim(0), a.X.Dim(1), a.X.F32(), a.Out.F32(), a.Mean.F32(), a.Rstd.F32(), float64(a.Eps)
	gain, s1 := filled(a.Gain.F32(), 1, c)
	bias, s2 := filled(a.Bias.F32(), 0, c)
	layerNormRows.ranges(n, rowGrain(c), layerNormWork{v, c, x, o, mean, rstd, gain, bias, eps})
	s1.put()
	s2.put()
}

type layerNormWork struct {
	v                            *vector
	c                            int
	x, o, mean, rstd, gain, bias []float32
	eps                          float64
}

var layerNormRows = newSpread(func(w *layerNormWork, lo, hi int) {
	v, c := w.v, w.c
	for i := lo; i < hi; i++ {
		row := w.x[i*c : i*c+c]
		m := float32(float64(v.sum(row)) / float64(c))
		r := float32(1 / math.Sqrt(float64(v.sqDev(row, m))/float64(c)+w.eps))
		v.normRow(w.o[i*c:i*c+c], row, w.gain, w.bias, m, r)
		if w.mean != nil {
			w.mean[i] = m
		}
		if w.rstd != nil {
			w.rstd[i] = r
		}
	}
})

func putAll(l ...*scratch) {
	for _, s := range l {
		if s != nil {
			s.put()
		}
	}
}

func layerNormGradRun(v *vector, a *kernels.LayerNormGradArgs) {
	n, c := a.X.Dim(0), a.X.Dim(1)
	gain, s1 := filled(a.Gain.F32(), 1, c)
	dgain, dbias := a.DGain.F32(), a.DBias.F32()
	step := pieceRows(c)
	pieces := ceilDiv(n, step)
	part := getScratch(pieces * 2 * c)
	clear(part.f)
	layerNormGradPieces.ranges(n, step, layerNormGradWork{v, c, step, a.X.F32(), a.DOut.F32(), a.DX.F32(), a.Mean.F32(), a.Rstd.F32(), gain, part.f, dgain != nil, dbias != nil})
	foldParts(dgain, part.f, pieces, 2*c)
	foldParts(dbias, part.f[min(c, len(part.f)):], pieces, 2*c)
	s1.put()
	part.put()
}

// layerNormGradWork is the gradients of rows, and in part those of gain and bias as far as pieces of step rows make them.
type layerNormGradWork struct {
	v                                *vector
	c, step                          int
	x, d, dx, mean, rstd, gain, part []float32
	toGain, toBias                   bool
}

var layerNormGradPieces = newSpread(func(w *layerNormGradWork, lo, hi int) {
	v, c := w.v, w.c
	accG, accB := w.part[lo/w.step*2*c:][:c], w.part[lo/w.step*2*c+c:][:c]
	for i := lo; i < hi; i++ {
		row, g, m, r := w.x[i*c:i*c+c], w.d[i*c:i*c+c], w.mean[i], float64(w.rstd[i])
		if w.toGain {
			v.addDev(accG, g, row, m, w.rstd[i])
		}
		if w.toBias {
			v.axpby(accB, accB, g, 1, 1)
		}
		sg, sgh := float64(v.dot(g, w.gain)), float64(v.dotDev(row, g, w.gain, m))*r
		v.rowGrad(w.dx[i*c:i*c+c], row, g, w.gain, m, w.rstd[i], float32(r*sg/float64(c)), float32(r*r*sgh/float64(c)))
	}
})

// foldParts is dst[k] = Σ_p part[p·stride + k], in float64; dst may be nil.
func foldParts(dst, part []float32, pieces, stride int) {
	if dst == nil {
		return
	}
	foldPieces.ranges(len(dst), max(1, grain/pieces), foldWork{dst, part, pieces, stride})
}

// foldWork is dst = Σ parts, stride apart.
type foldWork struct {
	dst, part      []float32
	pieces, stride int
}

var foldPieces = newSpread(func(w *foldWork, lo, hi int) {
	for k := lo; k < hi; k++ {
		s := 0.0
		for p := range w.pieces {
			s += float64(w.part[p*w.stride+k])
		}
		w.dst[k] = float32(s)
	}
})

func rowNormRun(v *vector, a *kernels.RowNormArgs) {
	n, c := a.X.Dim(0), a.X.Dim(1)
	rowNormRows.ranges(n, rowGrain(c), rowNormWork{v, c, a.X.F32(), a.Out.F32(), a.Norm.F32(), float64(a.Eps)})
}

type rowNormWork struct {
	v          *vector
	c          int
	x, o, norm []float32
	eps        float64
}

var rowNormRows = newSpread(func(w *rowNormWork, lo, hi int) {
	v, c := w.v, w.c
	for i := lo; i < hi; i++ {
		row := w.x[i*c : i*c+c]
		s := math.Sqrt(float64(v.dot(row, row)))
		if !(s > 1e-15 && s < 1e18) { // squares that float32 cannot hold
			s = 0
			for _, x := range row {
				s += float64(x) * float64(x)
			}
			s = math.Sqrt(s)
		}
		if w.norm != nil {
			w.norm[i] = float32(s)
		}
		if s = math.Max(s, w.eps); s > 1e-30 {
			v.affine(w.o[i*c:i*c+c], row, float32(1/s), 0)
			continue
		}
		for j, x := range row {
			w.o[i*c+j] = float32(float64(x) / s)
		}
	}
})

func rowNormGradRun(v *vector, a *kernels.RowNormGradArgs) {
	n, c := a.Out.Dim(0), a.Out.Dim(1)
	rowNormGradRows.ranges(n, rowGrain(c), rowNormGradWork{v, c, a.Out.F32(), a.DOut.F32(), a.DX.F32(), a.Norm.F32(), a.Eps})
}

type rowNormGradWork struct {
	v              *vector
	c              int
	o, d, dx, norm []float32
	eps            float32
}

var rowNormGradRows = newSpread(func(w *rowNormGradWork, lo, hi int) {
	c := w.c
	for i := lo; i < hi; i++ {
		row, g := w.o[i*c:i*c+c], w.d[i*c:i*c+c]
		if r := 1 / w.norm[i]; w.norm[i] > w.eps {
			w.v.axpby(w.dx[i*c:i*c+c], g, row, r, -w.v.dot(row, g)*r)
		} else {
			w.v.affine(w.dx[i*c:i*c+c], g, 1/w.eps, 0)
		}
	}
})

func softmaxRun(v *vector, a *kernels.SoftmaxArgs) {
	n, c := a.X.Dim(0), a.X.Dim(1)
	softmaxPieces.ranges(n, rowGrain(c), softmaxWork{v, a.X.F32(), a.Out.F32(), c, a.Log})
}

// softmaxWork is rows of c values.
type softmaxWork struct {
	v      *vector
	x, out []float32
	c      int
	log    bool
}

var softmaxPieces = newSpread(func(w *softmaxWork, lo, hi int) {
	v, c := w.v, w.c
	var tmp *scratch
	if w.log {
		tmp = getScratch(min(c, sumPiece))
	}
	for i := lo; i < hi; i++ {
		row, out := w.x[i*c:i*c+c], w.out[i*c:i*c+c]
		top, sum := v.maxOf(row), 0.0
		for j := 0; j < c; j += sumPiece {
			k := min(c, j+sumPiece)
			if w.log {
				sum += float64(v.expSum(tmp.f[:k-j], row[j:k], top))
			} else {
				sum += float64(v.expSum(out[j:k], row[j:k], top))
			}
		}
		if w.log {
			by := float32(math.Log(sum))
			for j, x := range row {
				out[j] = x - top - by
			}
		} else {
			v.affine(out, out, float32(1/sum), 0)
		}
	}
	tmp.put()
})

func softmaxGradRun(v *vector, a *kernels.SoftmaxGradArgs) {
	n, c := a.Out.Dim(0), a.Out.Dim(1)
	softmaxGradRows.ranges(n, rowGrain(c), softmaxGradWork{v, c, a.Out.F32(), a.DOut.F32(), a.DX.F32(), a.Log})
}

type softmaxGradWork struct {
	v        *vector
	c        int
	o, d, dx []float32
	log      bool
}

var softmaxGradRows = newSpread(func(w *softmaxGradWork, lo, hi int) {
	v, c, o, d, dx := w.v, w.c, w.o, w.d, w.dx
	if !w.log {
		for i := lo; i < hi; i++ {
			row, g := o[i*c:i*c+c], d[i*c:i*c+c]
			v.subMul(dx[i*c:i*c+c], g, row, v.dot(g, row))
		}
		return
	}
	tmp := getScratch(c)
	for i := lo; i < hi; i++ {
		g := d[i*c : i*c+c]
		s := v.sum(g)
		v.act[kernels.Exp](tmp.f, o[i*c:i*c+c])
		v.axpby(dx[i*c:i*c+c], g, tmp.f, 1, -s)
	}
	tmp.put()
})
