package cpu

import "syntic/kernels"

func init() {
	addVector(kernels.Unary, "polynomials in float32", func(v *vector, a *kernels.UnaryArgs) {
		x, o := a.X.F32(), a.Out.F32()
		unaryPieces.ranges(len(x), grain, unaryWork{v.act[a.F], o, x})
	})
	addVector(kernels.UnaryGrad, "polynomials in float32", func(v *vector, a *kernels.UnaryGradArgs) {
		x, d, dx, f := a.X.F32(), a.DOut.F32(), a.DX.F32(), v.actGrad[a.F]
		if len(x) <= grain {
			f(dx, x, d)
			return
		}
		Ranges(len(x), grain, func(lo, hi int) { f(dx[lo:hi], x[lo:hi], d[lo:hi]) })
	})
	addVector(kernels.GLU, "a row at a time", func(v *vector, a *kernels.GLUArgs) {
		n, c, x, o, f := a.Out.Dim(0), a.Out.Dim(1), a.X.F32(), a.Out.F32(), v.act[a.F]
		Ranges(n, rowGrain(3*c), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row, out := x[i*2*c:(i+1)*2*c], o[i*c:(i+1)*c]
				f(out, row[c:])
				v.mul(out, out, row[:c], 1)
			}
		})
	})
	addVector(kernels.GLUGrad, "a row at a time", func(v *vector, a *kernels.GLUGradArgs) {
		n, c, x, d, dx := a.DOut.Dim(0), a.DOut.Dim(1), a.X.F32(), a.DOut.F32(), a.DX.F32()
		f, g := v.act[a.F], v.actGrad[a.F]
		Ranges(n, rowGrain(5*c), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row, out, in := x[i*2*c:(i+1)*2*c], dx[i*2*c:(i+1)*2*c], d[i*c:(i+1)*c]
				f(out[:c], row[c:])
				v.mul(out[:c], out[:c], in, 1)
				g(out[c:], row[c:], in)
				v.mul(out[c:], out[c:], row[:c], 1)
			}
		})
	})
}

// unaryWork is o = f(x).
type unaryWork struct {
	f    func(dst, x []float32)
	o, x []float32
}

var unaryPieces = newSpread(func(w *unaryWork, lo, hi int) { w.f(w.o[lo:hi], w.x[lo:hi]) })
