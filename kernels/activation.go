package kernels

import (
	"fmt"
	"math"
)

// Act is an elementwise function of one number.
type Act uint8

// The functions. GELU is exact (erf), GELUTanh is GPT-2's gelu_new, QuickGELU is CLIP's x·σ(1.702x).
const (
	ActNone Act = iota
	GELU
	GELUTanh
	QuickGELU
	SiLU
	ReLU
	Sigmoid
	Tanh
	Exp
	Log
	Square
	Abs
	numActs
)

var actNames = [...]string{"none", "gelu", "gelu_new", "quick_gelu", "silu", "relu", "sigmoid", "tanh", "exp", "log", "square", "abs"}

func (f Act) String() string { return actNames[f] }

// ActByName finds a function by the name that configurations use.
func ActByName(name string) (Act, error) {
	switch name {
	case "swish":
		return SiLU, nil
	case "gelu_pytorch_tanh":
		return GELUTanh, nil
	}
	for i, n := range actNames {
		if n == name {
			return Act(i), nil
		}
	}
	return 0, fmt.Errorf("activation %q: want gelu, gelu_new, quick_gelu, silu, relu, sigmoid or tanh", name)
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

const sqrt2OverPi = 0.7978845608028654

// Eval is the function in float64.
func (f Act) Eval(x float64) float64 {
	switch f {
	case GELU:
		return 0.5 * x * (1 + math.Erf(x/math.Sqrt2))
	case GELUTanh:
		return 0.5 * x * (1 + math.Tanh(sqrt2OverPi*(x+0.044715*x*x*x)))
	case QuickGELU:
		return x * sigmoid(1.702*x)
	case SiLU:
		return x * sigmoid(x)
	case ReLU:
		return math.Max(x, 0)
	case Sigmoid:
		return sigmoid(x)
	case Tanh:
		return math.Tanh(x)
	case Exp:
		return math.Exp(x)
	case Log:
		return math.Log(x)
	case Square:
		return x * x
	case Abs:
		return math.Abs(x)
	}
	return x
}

// Deriv is the derivative in float64; 0 at ReLU's and Abs's corner.
func (f Act) Deriv(x float64) float64 {
	switch f {
	case GELU:
		return 0.5*(1+math.Erf(x/math.Sqrt2)) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	case GELUTanh:
		t := math.Tanh(sqrt2OverPi * (x + 0.044715*x*x*x))
		return 0.5*(1+t) + 0.5*x*(1-t*t)*sqrt2OverPi*(1+3*0.044715*x*x)
	case QuickGELU:
		s := sigmoid(1.702 * x)
		return s + 1.702*x*s*(1-s)
	case SiLU:
		s := sigmoid(x)
		return s + x*s*(1-s)
	case ReLU:
		if x > 0 {
			return 1
		}
		return 0
	case Sigmoid:
		s := sigmoid(x)
		return s * (1 - s)
	case Tanh:
		t := math.Tanh(x)
		return 1 - t*t
	case Exp:
		return math.Exp(x)
	case Log:
		return 1 / x
	case Square:
		return 2 * x
	case Abs:
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return 0
	}
	return 1
}

// UnaryArgs apply a function to every element: Out = F(X), same number of elements. Out may be X.
type UnaryArgs struct {
	F      Act
	X, Out View
}

// Unary applies an activation.
var Unary = register(&Op[UnaryArgs]{
	Name: "unary",
	Dims: unaryDims(),
	Make: func(r *Rand, d []int) UnaryArgs {
		x := r.Uniform(-5, 5, d[1])
		if Act(d[0]) == Log {
			x = r.Uniform(0.01, 5, d[1])
		}
		return UnaryArgs{Act(d[0]), x, Poison(d[1])}
	},
	Views: func(a *UnaryArgs) (in, out []*View) { return views(&a.X), views(&a.Out) },
	Cost:  func(a *UnaryArgs) Cost { return Cost{10 * float64(a.X.Len()), float64(2 * a.X.Bytes())} },
	Check: func(a *UnaryArgs) error {
		if a.X.Absent() || a.X.Len() != a.Out.Len() || a.F >= numActs {
			return fmt.Errorf("%v of x %v, out %v: want the same number of elements", a.F, a.X, a.Out)
		}
		return nil
	},
	Ref: func(a *UnaryArgs) {
		o := a.Out.F32()
		for i, x := range a.X.F32() {
			o[i] = float32(a.F.Eval(float64(x)))
		}
	},
})

func unaryDims() (d [][]int) {
	for f := range numActs {
		d = append(d, []int{int(f), 1}, []int{int(f), 1037})
	}
	return d
}

// UnaryGradArgs are DX = DOut · F'(X).
type UnaryGradArgs struct {
	F           Act
	X, DOut, DX View
}

// UnaryGrad is the gradient of Unary.
var UnaryGrad = register(&Op[UnaryGradArgs]{
	Name: "unary_grad",
	Dims: unaryDims(),
	Make: func(r *Rand, d []int) UnaryGradArgs {
		x := r.Uniform(-5, 5, d[1])
		if Act(d[0]) == Log {
			x = r.Uniform(0.01, 5, d[1])
		}
		return UnaryGradArgs{Act(d[0]), x, r.Normal(d[1]), Poison(d[1])}
	},
	Views: func(a *UnaryGradArgs) (in, out []*View) { return views(&a.X, &a.DOut), views(&a.DX) },
	Cost:  func(a *UnaryGradArgs) Cost { return Cost{15 * float64(a.X.Len()), float64(3 * a.X.Bytes())} },
	Check: func(a *UnaryGradArgs) error {
		if a.X.Absent() || a.X.Len() != a.DOut.Len() || a.X.Len() != a.DX.Len() {
			return fmt.Errorf("x %v, dout %v, dx %v: want the same number of elements", a.X, a.DOut, a.DX)
		}
		return nil
	},
	Ref: func(a *UnaryGradArgs) {
		g, o := a.DOut.F32(), a.DX.F32()
		for i, x := range a.X.F32() {
			o[i] = float32(float64(g[i]) * a.F.Deriv(float64(x)))
		}
	},
})

// GLUArgs are a gated unit: X [N, 2C] holds value then gate, Out [N, C] = value · F(gate). GEGLU is F = GELU (Shazeer 2020).
type GLUArgs struct {
	F      Act
	X, Out View
}

// GLU is the gated linear unit's elementwise part.
var GLU = register(&Op[GLUArgs]{
	Name:  "glu",
	Dims:  [][]int{{int(GELU), 1, 1}, {int(GELU), 7, 33}, {int(Sigmoid), 3, 100}},
	Make:  func(r *Rand, d []int) GLUArgs { return GLUArgs{Act(d[0]), r.Normal(d[1], 2*d[2]), Poison(d[1], d[2])} },
	Views: func(a *GLUArgs) (in, out []*View) { return views(&a.X), views(&a.Out) },
	Cost:  func(a *GLUArgs) Cost { return Cost{11 * float64(a.Out.Len()), float64(3 * a.Out.Bytes())} },
	Check: func(a *GLUArgs) error {
		if a.Out.Rank() != 2 || !a.X.Is(a.Out.Dim(0), 2*a.Out.Dim(1)) {
			return fmt.Errorf("x %v, out %v: want x [N, 2C], out [N, C]", a.X, a.Out)
		}
		return nil
	},
	Ref: func(a *GLUArgs) {
		n, c, x, o := a.Out.Dim(0), a.Out.Dim(1), a.X.F32(), a.Out.F32()
		for i := 0; i < n; i++ {
			for j := 0; j < c; j++ {
				o[i*c+j] = float32(float64(x[i*2*c+j]) * a.F.Eval(float64(x[i*2*c+c+j])))
			}
		}
	},
})

// GLUGradArgs are the gradient of GLU: DX [N, 2C] from DOut [N, C].
type GLUGradArgs struct {
	F           Act
	X, DOut, DX View
}

// GLUGrad is the gradient of GLU.
var GLUGrad = register(&Op[GLUGradArgs]{
	Name: "glu_grad",
	Dims: [][]int{{int(GELU), 1, 1}, {int(GELU), 7, 33}, {int(Sigmoid), 3, 100}},
	Make: func(r *Rand, d []int) GLUGradArgs {
		return GLUGradArgs{Act(d[0]), r.Normal(d[1], 2*d[2]), r.Normal(d[1], d[2]), Poison(d[1], 2*d[2])}
	},
	Views: func(a *GLUGradArgs) (in, out []*View) { return views(&a.X, &a.DOut), views(&a.DX) },
	Cost:  func(a *GLUGradArgs) Cost { return Cost{20 * float64(a.DOut.Len()), float64(5 * a.DOut.Bytes())} },
	Check: func(a *GLUGradArgs) error {
		if a.DOut.Rank() != 2 || !a.X.Is(a.DOut.Dim(0), 2*a.DOut.Dim(1)) || !a.DX.Is(a.X.Shape()...) {
			return fmt.Errorf("x %v, dout %v, dx %v: want x, dx [N, 2C], dout [N, C]", a.X, a.DOut, a.DX)
		}
		return nil
	},
	Ref: func(a *GLUGradArgs) {
		n, c, x, g, o := a.DOut.Dim(0), a.DOut.Dim(1), a.X.F32(), a.DOut.F32(), a.DX.F32()
		for i := 0; i < n; i++ {
			for j := 0; j < c; j++ {
				v, t, d := float64(x[i*2*c+j]), float64(x[i*2*c+c+j]), float64(g[i*c+j])
				o[i*2*c+j] = float32(d * a.F.Eval(t))
				o[i*2*c+c+j] = float32(d * v * a.F.Deriv(t))
			}
		}
	},
})
