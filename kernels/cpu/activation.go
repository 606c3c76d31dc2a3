package cpu

import "syntic/kernels"

func init() {
	addVector(kernels.Unary, "polynomials in float32", func(v *vector, a *kernels.UnaryArgs) {
		x, o := a.X.F32(), a.Out.F32()
		unaryPieces.ranges(len(x), grain, unaryWork{v.act[a.F], o, x})
	})
	addVector(kernels.UnaryGrad, "polynomials in float32", func(v *vector, a *kernels.UnaryGradArgs) {
		x := a.X.F32()
		unaryGradPieces.ranges(len(x), grain, unaryGradWork{v.actGrad[a.F], a.DX.F32(), x, a.DOut.F32()})
	})
	addVector(kernels.GLU, "a row at a time", func(v *vector, a *kernels.GLUArgs) {
		n, c := a.Out.Dim(0), a.Out.Dim(1)
		gluRows.ranges(n, rowGrain(3*c), gluWork{v, c, v.act[a.F], a.Out.F32(), a.X.F32()})
	})
	addVector(kernels.GLUGrad, "a row at a time", func(v *vector, a *kernels.GLUGradArgs) {
		n, c := a.DOut.Dim(0), a.DOut.Dim(1)
		gluGradRows.ranges(n, rowGrain(5*c), gluGradWork{gluWork{v, c, v.act[a.F], a.DX.F32(), a.X.F32()}, v.actGrad[a.F], a.DOut.F32()})
	})
}

// unaryWork is o = f(x).
type unaryWork struct {
	f    func(dst, x []float32)
	o, x []float32
}

var unaryPieces = newSpread(func(w *unaryWork, lo, hi int) { w.f(w.o[lo:hi], w.x[lo:hi]) })

// unaryGradWork is dx = f'(x)·d.
type unaryGradWork struct {
	f        func(dx, x, d []float32)
	dx, x, d []float32
}

var unaryGradPieces = newSpread(func(w *unaryGradWork, lo, hi int) { w.f(w.dx[lo:hi], w.x[lo:hi], w.d[lo:hi]) })

// gluWork is o = value·f(gate) for rows of c values, then c gates, in x.
type gluWork struct {
	v    *vector
	c    int
	f    func(dst, x []float32)
	o, x []float32
}

var gluRows = newSpread(func(w *gluWork, lo, hi int) {
	c := w.c
	for i := lo; i < hi; i++ {
		row, out := w.x[i*2*c:(i+1)*2*c], w.o[i*c:(i+1)*c]
		w.f(out, row[c:])
		w.v.mul(out, out, row[:c], 1)
	}
})

// gluGradWork makes the gradient of x, in o, of that of the result, d.
type gluGradWork struct {
	gluWork
	g func(dx, x, d []float32)
	d []float32
}

var gluGradRows = newSpread(func(w *gluGradWork, lo, hi int) {
	c := w.c
	for i := lo; i < hi; i++ {
		row, out, in := w.x[i*2*c:(i+1)*2*c], w.o[i*2*c:(i+1)*2*c], w.d[i*c:(i+1)*c]
		w.f(out[:c], row[c:])
		w.v.mul(out[:c], out[:c], in, 1)
		w.g(out[c:], row[c:], in)
		w.v.mul(out[c:], out[c:], row[:c], 1)
	}
})
