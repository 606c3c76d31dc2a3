package kernels

import (
	"fmt"
	"math"
)

// RowNormArgs scale rows to length 1: Out[n] = X[n] / max(|X[n]|, Eps). X and Out are [N, D]; Norm [N] receives |X[n]|, for the gradient. Out may be X.
type RowNormArgs struct {
	X, Out View
	Norm   View // optional
	Eps    float32
}

var rowNormDims = [][]int{{1, 1, 0}, {5, 33, 1}, {17, 257, 1}, {3, 2050, 1}, {100, 6, 0}} // N, D, with norm

// RowNorm scales rows to length 1.
var RowNorm = register(&Op[RowNormArgs]{
	Name: "row_norm",
	Dims: rowNormDims,
	Make: func(r *Rand, d []int) RowNormArgs {
		a := RowNormArgs{X: shortRow(r.Normal(d[0], d[1])), Out: Poison(d[0], d[1]), Eps: 1e-6}
		if d[2] == 1 {
			a.Norm = Poison(d[0])
		}
		return a
	},
	Views: func(a *RowNormArgs) (in, out []*View) { return views(&a.X), views(&a.Out, &a.Norm) },
	Cost:  func(a *RowNormArgs) Cost { return Cost{3 * float64(a.X.Len()), float64(2 * a.X.Bytes())} },
	Check: func(a *RowNormArgs) error {
		var n, d int
		if !a.X.Bind(&n, &d) || !a.Out.Bind(&n, &d) || !a.Norm.IsOpt(n) || !(a.Eps > 0) {
			return fmt.Errorf("x %v, out %v, norm %v, eps %g: want x, out [N, D], norm [N], eps > 0", a.X, a.Out, a.Norm, a.Eps)
		}
		return nil
	},
	Ref: rowNormRef,
})

// shortRow makes the last of several rows shorter than any eps.
func shortRow(v View) View {
	if n, d := v.Dim(0), v.Dim(1); n > 1 {
		for j := (n - 1) * d; j < n*d; j++ {
			v.F32()[j] *= 1e-10
		}
	}
	return v
}

func rowNormRef(a *RowNormArgs) {
	n, d, x := a.X.Dim(0), a.X.Dim(1), a.X.F32()
	for i := 0; i < n; i++ {
		s := 0.0
		for _, v := range x[i*d : i*d+d] {
			s += float64(v) * float64(v)
		}
		s = math.Sqrt(s)
		if a.Norm.F32() != nil {
			a.Norm.F32()[i] = float32(s)
		}
		for j := i * d; j < i*d+d; j++ {
			a.Out.F32()[j] = float32(float64(x[j]) / math.Max(s, float64(a.Eps)))
		}
	}
}

// RowNormGradArgs are the gradient of RowNorm: DX = (DOut − Out·⟨Out, DOut⟩) / Norm, or DOut / Eps for a row that is not longer than Eps.
// DX may be DOut.
type RowNormGradArgs struct {
	Out, Norm, DOut, DX View
	Eps                 float32
}

// RowNormGrad is the gradient of RowNorm.
var RowNormGrad = register(&Op[RowNormGradArgs]{
	Name: "row_norm_grad",
	Dims: rowNormDims,
	Make: func(r *Rand, d []int) RowNormGradArgs {
		f := RowNormArgs{X: r.Normal(d[0], d[1]), Out: Poison(d[0], d[1]), Norm: Poison(d[0]), Eps: 1.5}
		if d[1] > 10 {
			f.X, f.Eps = shortRow(f.X), 0.5
		}
		rowNormRef(&f)
		return RowNormGradArgs{Out: f.Out, Norm: f.Norm, DOut: r.Normal(d[0], d[1]), DX: Poison(d[0], d[1]), Eps: f.Eps}
	},
	Views: func(a *RowNormGradArgs) (in, out []*View) { return views(&a.Out, &a.Norm, &a.DOut), views(&a.DX) },
	Cost:  func(a *RowNormGradArgs) Cost { return Cost{5 * float64(a.DX.Len()), float64(3 * a.DX.Bytes())} },
	Check: func(a *RowNormGradArgs) error {
		var n, d int
		if !a.Out.Bind(&n, &d) || !a.DOut.Bind(&n, &d) || !a.DX.Bind(&n, &d) || !a.Norm.Is(n) || !(a.Eps > 0) {
			return fmt.Errorf("out %v, norm %v, dout %v, dx %v, eps %g: want out, dout, dx [N, D], norm [N], eps > 0", a.Out, a.Norm, a.DOut, a.DX, a.Eps)
		}
		return nil
	},
	Ref: func(a *RowNormGradArgs) {
		n, d, o, g := a.Out.Dim(0), a.Out.Dim(1), a.Out.F32(), a.DOut.F32()
		for i := 0; i < n; i++ {
			dot, norm := 0.0, float64(a.Norm.F32()[i])
			if norm > float64(a.Eps) {
				for j := i * d; j < i*d+d; j++ {
					dot += float64(o[j]) * float64(g[j])
				}
			} else {
				norm = float64(a.Eps)
			}
			for j := i * d; j < i*d+d; j++ {
				a.DX.F32()[j] = float32((float64(g[j]) - float64(o[j])*dot) / norm)
			}
		}
	},
})
