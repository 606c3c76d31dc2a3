package kernels

import (
	"fmt"
	"math"
)

// SoftmaxArgs are Out[n] = softmax(X[n]) over the C columns of each row, or its logarithm with Log. X and Out are [N, C]. Out may be X.
type SoftmaxArgs struct {
	X, Out View
	Log    bool
}

var softmaxDims = [][]int{{1, 1, 0}, {1, 1, 1}, {5, 33, 0}, {17, 257, 1}, {3, 5003, 0}, {2, 1025, 1}, {100, 7, 0}} // N, C, log

// Softmax is the softmax of rows.
var Softmax = register(&Op[SoftmaxArgs]{
	Name: "softmax",
	Dims: softmaxDims,
	Make: func(r *Rand, d []int) SoftmaxArgs {
		return SoftmaxArgs{X: r.Uniform(-20, 20, d[0], d[1]), Out: Poison(d[0], d[1]), Log: d[2] == 1}
	},
	Views: func(a *SoftmaxArgs) (in, out []*View) { return views(&a.X), views(&a.Out) },
	Cost:  func(a *SoftmaxArgs) Cost { return Cost{12 * float64(a.X.Len()), float64(2 * a.X.Bytes())} },
	Check: func(a *SoftmaxArgs) error {
		var n, c int
		if !a.X.Bind(&n, &c) || !a.Out.Bind(&n, &c) {
			return fmt.Errorf("x %v, out %v: want [N, C] both", a.X, a.Out)
		}
		return nil
	},
	Ref: softmaxRef,
})

func softmaxRef(a *SoftmaxArgs) {
	n, c, x, o := a.X.Dim(0), a.X.Dim(1), a.X.F32(), a.Out.F32()
	for i := 0; i < n; i++ {
		top, sum := math.Inf(-1), 0.0
		for _, v := range x[i*c : i*c+c] {
			top = math.Max(top, float64(v))
		}
		for _, v := range x[i*c : i*c+c] {
			sum += math.Exp(float64(v) - top)
		}
		for j := i * c; j < i*c+c; j++ {
			if v := float64(x[j]) - top; a.Log {
				o[j] = float32(v - math.Log(sum))
			} else {
				o[j] = float32(math.Exp(v) / sum)
			}
		}
	}
}

// SoftmaxGradArgs are the gradient of Softmax from its output: DX = Out·(DOut − Σ_c DOut·Out), or with Log DX = DOut − exp(Out)·Σ_c DOut.
// All are [N, C]. DX may be DOut.
type SoftmaxGradArgs struct {
	Out, DOut, DX View
	Log           bool
}

// SoftmaxGrad is the gradient of Softmax.
var SoftmaxGrad = register(&Op[SoftmaxGradArgs]{
	Name: "softmax_grad",
	Dims: softmaxDims,
	Make: func(r *Rand, d []int) SoftmaxGradArgs {
		f := SoftmaxArgs{X: r.Normal(d[0], d[1]), Out: Poison(d[0], d[1]), Log: d[2] == 1}
		softmaxRef(&f)
		return SoftmaxGradArgs{Out: f.Out, DOut: r.Normal(d[0], d[1]), DX: Poison(d[0], d[1]), Log: f.Log}
	},
	Views: func(a *SoftmaxGradArgs) (in, out []*View) { return views(&a.Out, &a.DOut), views(&a.DX) },
	Cost:  func(a *SoftmaxGradArgs) Cost { return Cost{4 * float64(a.DX.Len()), float64(3 * a.DX.Bytes())} },
	Check: func(a *SoftmaxGradArgs) error {
		var n, c int
		if !a.Out.Bind(&n, &c) || !a.DOut.Bind(&n, &c) || !a.DX.Bind(&n, &c) {
			return fmt.Errorf("out %v, dout %v, dx %v: want [N, C] all", a.Out, a.DOut, a.DX)
		}
		return nil
	},
	Ref: func(a *SoftmaxGradArgs) {
		n, c, o, d, dx := a.Out.Dim(0), a.Out.Dim(1), a.Out.F32(), a.DOut.F32(), a.DX.F32()
		for i := 0; i < n; i++ {
			s := 0.0
			for j := i * c; j < i*c+c; j++ {
				if a.Log {
					s += float64(d[j])
				} else {
					s += float64(d[j]) * float64(o[j])
				}
			}
			for j := i * c; j < i*c+c; j++ {
				if a.Log {
					dx[j] = float32(float64(d[j]) - math.Exp(float64(o[j]))*s)
				} else {
					dx[j] = float32(float64(o[j]) * (float64(d[j]) - s))
				}
			}
		}
	},
})
