package kernels

import (
	"fmt"
	"math"
)

// AdamWArgs are one step of AdamW (Loshchilov & Hutter 2019, algorithm 2 with bias correction) in place, with g = GradScale·Grad:
//
//	M = Beta1·M + (1 − Beta1)·g,   V = Beta2·V + (1 − Beta2)·g²
//	Param = (1 − LR·Decay)·Param − LR·m̂ / (√v̂ + Eps),   m̂ = M/(1 − Beta1^Step), v̂ = V/(1 − Beta2^Step)
//
// Param, Grad, M and V have the same number of elements; Step counts from 1. With Norm, g is further scaled by min(1, ClipNorm/(√Norm + 1e-6)), unless ClipNorm
// is 0, and nothing changes where Norm is not finite: clipping by the norm of all gradients without waiting for its value.
type AdamWArgs struct {
	Param, Grad, M, V                       View
	Norm                                    View // [1], optional: the sum of the squares of all gradients
	LR, Beta1, Beta2, Eps, Decay, GradScale float32
	ClipNorm                                float32
	Step                                    int
}

// AdamW is one optimizer step.
var AdamW = register(&Op[AdamWArgs]{
	Name: "adamw",
	Dims: [][]int{{1, 1}, {33, 2}, {1037, 100}, {40003, 9}, {1037, 3, 1}, {1037, 3, 2}, {1037, 3, 3}}, // elements, step, norm: 1 clipped, 2 not, 3 infinite
	Make: func(r *Rand, d []int) AdamWArgs {
		a := AdamWArgs{Param: r.Normal(d[0]), Grad: r.Normal(d[0]), M: r.Normal(d[0]), V: r.Uniform(0.001, 2, d[0]),
			LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Decay: 0.05, GradScale: 0.5, Step: d[1]}
		if len(d) > 2 {
			a.ClipNorm, a.Norm = 2, Of([]float32{[]float32{0, 50, 3, float32(math.Inf(1))}[d[2]]}, 1)
		}
		return a
	},
	Views: func(a *AdamWArgs) (in, out []*View) {
		return views(&a.Param, &a.Grad, &a.M, &a.V, &a.Norm), views(&a.Param, &a.M, &a.V)
	},
	Cost: func(a *AdamWArgs) Cost { return Cost{15 * float64(a.Param.Len()), float64(7 * a.Param.Bytes())} },
	Check: func(a *AdamWArgs) error {
		n := a.Param.Len()
		if a.Param.Absent() || a.Grad.Absent() || a.M.Absent() || a.V.Absent() || a.Grad.Len() != n || a.M.Len() != n || a.V.Len() != n ||
			!a.Norm.IsOpt(1) || !(a.ClipNorm >= 0) || a.Step < 1 || !(a.Beta1 >= 0 && a.Beta1 < 1) || !(a.Beta2 >= 0 && a.Beta2 < 1) {
			return fmt.Errorf("param %v, grad %v, m %v, v %v, norm %v, clip norm %g, step %d, betas %g %g: want the same number of elements, norm [1], clip norm ≥ 0, step ≥ 1, betas in [0, 1)",
				a.Param, a.Grad, a.M, a.V, a.Norm, a.ClipNorm, a.Step, a.Beta1, a.Beta2)
		}
		return nil
	},
	Ref: func(a *AdamWArgs) {
		p, m, v := a.Param.F32(), a.M.F32(), a.V.F32()
		b1, b2, lr := float64(a.Beta1), float64(a.Beta2), float64(a.LR)
		c1, c2 := a.Corrections()
		scale, ok := a.Scale()
		if !ok {
			return
		}
		for i, g := range a.Grad.F32() {
			g := float64(g) * float64(scale)
			mi, vi := b1*float64(m[i])+(1-b1)*g, b2*float64(v[i])+(1-b2)*g*g
			m[i], v[i] = float32(mi), float32(vi)
			p[i] = float32(float64(p[i])*(1-lr*float64(a.Decay)) - lr*(mi/c1)/(math.Sqrt(vi/c2)+float64(a.Eps)))
		}
	},
})

// Scale is what the gradient is multiplied by, for operands in host memory; false where nothing is to change.
func (a *AdamWArgs) Scale() (float32, bool) {
	if a.Norm.Absent() {
		return a.GradScale, true
	}
	norm := math.Sqrt(float64(a.Norm.F32()[0]))
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return 0, false
	}
	if a.ClipNorm == 0 {
		return a.GradScale, true
	}
	return a.GradScale * float32(min(1, float64(a.ClipNorm)/(norm+1e-6))), true
}

// Corrections are 1 − Beta1^Step and 1 − Beta2^Step.
func (a *AdamWArgs) Corrections() (c1, c2 float64) {
	return 1 - math.Pow(float64(a.Beta1), float64(a.Step)), 1 - math.Pow(float64(a.Beta2), float64(a.Step))
}

// LerpArgs move X towards Y in place: X += T·(Y − X). An exponential moving average of weights with decay d has T = 1 − d.
type LerpArgs struct {
	X, Y View
	T    float32
}

// Lerp interpolates in place.
var Lerp = register(&Op[LerpArgs]{
	Name:  "lerp",
	Dims:  [][]int{{1}, {33}, {40003}},
	Make:  func(r *Rand, d []int) LerpArgs { return LerpArgs{r.Normal(d[0]), r.Normal(d[0]), 0.125} },
	Views: func(a *LerpArgs) (in, out []*View) { return views(&a.X, &a.Y), views(&a.X) },
	Cost:  func(a *LerpArgs) Cost { return Cost{3 * float64(a.X.Len()), float64(3 * a.X.Bytes())} },
	Check: func(a *LerpArgs) error {
		if a.X.Absent() || a.Y.Absent() || a.X.Len() != a.Y.Len() {
			return fmt.Errorf("x %v, y %v: want the same number of elements", a.X, a.Y)
		}
		return nil
	},
	Ref: func(a *LerpArgs) {
		x := a.X.F32()
		for i, y := range a.Y.F32() {
			x[i] = float32(float64(x[i]) + float64(a.T)*(float64(y)-float64(x[i])))
		}
	},
})

// SumSquaresArgs are Out = Σ X² (+ Out if Accumulate); Out is [1].
type SumSquaresArgs struct {
	X, Out     View
	Accumulate bool
}

// SumSquares is the squared length of everything.
var SumSquares = register(&Op[SumSquaresArgs]{
	Name: "sum_squares",
	Dims: [][]int{{1, 0}, {33, 1}, {70001, 0}},
	Make: func(r *Rand, d []int) SumSquaresArgs {
		if d[1] == 1 {
			return SumSquaresArgs{r.Normal(d[0]), r.Normal(1), true}
		}
		return SumSquaresArgs{r.Normal(d[0]), Poison(1), false}
	},
	Views: func(a *SumSquaresArgs) (in, out []*View) {
		if a.Accumulate {
			return views(&a.X, &a.Out), views(&a.Out)
		}
		return views(&a.X), views(&a.Out)
	},
	Cost: func(a *SumSquaresArgs) Cost { return Cost{2 * float64(a.X.Len()), float64(a.X.Bytes())} },
	Check: func(a *SumSquaresArgs) error {
		if a.X.Absent() || !a.Out.Is(1) {
			return fmt.Errorf("x %v, out %v: want out [1]", a.X, a.Out)
		}
		return nil
	},
	Ref: func(a *SumSquaresArgs) {
		s := 0.0
		if a.Accumulate {
			s = float64(a.Out.F32()[0])
		}
		for _, x := range a.X.F32() {
			s += float64(x) * float64(x)
		}
		a.Out.F32()[0] = float32(s)
	},
})
