package kernels

import "fmt"

// BinaryKind is an elementwise function of two numbers.
type BinaryKind uint8

// The functions of Binary.
const (
	Add BinaryKind = iota
	Sub
	Mul
	Div
)

func (k BinaryKind) String() string { return [...]string{"add", "sub", "mul", "div"}[k] }

// BinaryArgs are Out = Alpha·A (kind) Beta·B over three dimensions: A and Out are [N, M, C], each dimension of B is the same or 1.
// For Mul and Div the factors multiply. Out may be A.
type BinaryArgs struct {
	Kind        BinaryKind
	A, B, Out   View
	Alpha, Beta float32
}

// Binary is elementwise arithmetic with a broadcast second operand.
var Binary = register(&Op[BinaryArgs]{
	Name: "binary",
	// kind, N, M, C, B's dims
	Dims: [][]int{{0, 1, 1, 1, 1, 1, 1}, {0, 3, 5, 37, 3, 5, 37}, {1, 3, 5, 37, 1, 1, 37}, {2, 3, 5, 37, 3, 1, 37}, {0, 2, 7, 16, 1, 7, 16}, {2, 4, 6, 5, 4, 6, 1}, {3, 2, 3, 33, 2, 1, 1}, {2, 2, 3, 33, 1, 1, 1}},
	Make: func(r *Rand, d []int) BinaryArgs {
		return BinaryArgs{BinaryKind(d[0]), r.Normal(d[1:4]...), r.Uniform(0.5, 2, d[4:7]...), Poison(d[1:4]...), 1.5, -0.75}
	},
	Views: func(a *BinaryArgs) (in, out []*View) { return views(&a.A, &a.B), views(&a.Out) },
	Cost: func(a *BinaryArgs) Cost {
		return Cost{2 * float64(a.A.Len()), float64(a.A.Bytes() + a.B.Bytes() + a.Out.Bytes())}
	},
	Check: func(a *BinaryArgs) error {
		ok := a.A.Rank() == 3 && a.B.Rank() == 3 && a.Out.Is(a.A.Shape()...)
		for i := 0; ok && i < 3; i++ {
			ok = a.B.Dim(i) == 1 || a.B.Dim(i) == a.A.Dim(i)
		}
		if !ok {
			return fmt.Errorf("%v of a %v, b %v, out %v: want a, out [N, M, C], each dimension of b the same or 1", a.Kind, a.A, a.B, a.Out)
		}
		return nil
	},
	Ref: func(a *BinaryArgs) {
		n, m, c := a.A.Dim(0), a.A.Dim(1), a.A.Dim(2)
		x, y, o := a.A.F32(), a.B.F32(), a.Out.F32()
		sn, sm, sc := a.BStrides()
		for i := 0; i < n; i++ {
			for j := 0; j < m; j++ {
				for k := 0; k < c; k++ {
					at := (i*m+j)*c + k
					u, v := float64(x[at])*float64(a.Alpha), float64(y[i*sn+j*sm+k*sc])*float64(a.Beta)
					switch a.Kind {
					case Add:
						u += v
					case Sub:
						u -= v
					case Mul:
						u *= v
					case Div:
						u /= v
					}
					o[at] = float32(u)
				}
			}
		}
	},
})

// BStrides are the steps of B along N, M and C; 0 where it is broadcast.
func (a *BinaryArgs) BStrides() (n, m, c int) {
	if a.B.Dim(2) > 1 {
		c = 1
	}
	if a.B.Dim(1) > 1 {
		m = a.B.Dim(2)
	}
	if a.B.Dim(0) > 1 {
		n = a.B.Dim(1) * a.B.Dim(2)
	}
	return n, m, c
}

// AffineArgs are Out = Clamp(A·X + B, Lo, Hi); no clamp if Lo = Hi. Out may be X.
type AffineArgs struct {
	X, Out       View
	A, B, Lo, Hi float32
}

// Affine scales, shifts and clamps.
var Affine = register(&Op[AffineArgs]{
	Name: "affine",
	Dims: [][]int{{1, 0}, {1001, 0}, {77, 1}},
	Make: func(r *Rand, d []int) AffineArgs {
		a := AffineArgs{X: r.Normal(d[0]), Out: Poison(d[0]), A: 1.5, B: -0.25}
		if d[1] == 1 {
			a.Lo, a.Hi = -1, 0.5
		}
		return a
	},
	Views: func(a *AffineArgs) (in, out []*View) { return views(&a.X), views(&a.Out) },
	Cost:  func(a *AffineArgs) Cost { return Cost{2 * float64(a.X.Len()), float64(2 * a.X.Bytes())} },
	Check: func(a *AffineArgs) error {
		if a.X.Absent() || a.X.Len() != a.Out.Len() || a.Lo > a.Hi {
			return fmt.Errorf("x %v, out %v, clamp %g..%g: want the same number of elements and Lo ≤ Hi", a.X, a.Out, a.Lo, a.Hi)
		}
		return nil
	},
	Ref: func(a *AffineArgs) {
		o := a.Out.F32()
		for i, x := range a.X.F32() {
			v := float64(a.A)*float64(x) + float64(a.B)
			if a.Lo != a.Hi {
				v = min(max(v, float64(a.Lo)), float64(a.Hi))
			}
			o[i] = float32(v)
		}
	},
})

// ReduceArgs sum X [N, M, C] over the dimensions in which Out has 1: Out = Scale · Σ X (+ Out if Accumulate).
type ReduceArgs struct {
	X, Out     View
	Scale      float32
	Accumulate bool
}

// Reduce sums over any of three dimensions, in a fixed order.
var Reduce = register(&Op[ReduceArgs]{
	Name: "reduce",
	Dims: [][]int{{1, 1, 1, 1, 1, 1}, {3, 5, 37, 1, 1, 37}, {3, 5, 37, 3, 1, 37}, {3, 5, 37, 3, 5, 1}, {4, 300, 33, 1, 1, 1}, {2, 9, 8, 1, 9, 8}, {2, 9, 8, 2, 1, 1}, {500, 3, 7, 1, 1, 7}, {500, 3, 7, 1, 3, 1}, {2, 9001, 7, 2, 1, 7}},
	Make: func(r *Rand, d []int) ReduceArgs {
		a := ReduceArgs{X: r.Normal(d[:3]...), Out: Poison(d[3:]...), Scale: 0.5}
		if d[1] == 5 {
			a.Out, a.Accumulate = r.Normal(d[3:]...), true
		}
		return a
	},
	Views: func(a *ReduceArgs) (in, out []*View) {
		if a.Accumulate {
			return views(&a.X, &a.Out), views(&a.Out)
		}
		return views(&a.X), views(&a.Out)
	},
	Cost: func(a *ReduceArgs) Cost { return Cost{float64(a.X.Len()), float64(a.X.Bytes() + a.Out.Bytes())} },
	Check: func(a *ReduceArgs) error {
		ok := a.X.Rank() == 3 && a.Out.Rank() == 3
		for i := 0; ok && i < 3; i++ {
			ok = a.Out.Dim(i) == 1 || a.Out.Dim(i) == a.X.Dim(i)
		}
		if !ok {
			return fmt.Errorf("x %v, out %v: want x [N, M, C], each dimension of out the same or 1", a.X, a.Out)
		}
		return nil
	},
	Ref: func(a *ReduceArgs) {
		n, m, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
		on, om, oc := a.Out.Dim(0), a.Out.Dim(1), a.Out.Dim(2)
		sum := make([]float64, on*om*oc)
		for i := 0; i < n; i++ {
			for j := 0; j < m; j++ {
				for k := 0; k < c; k++ {
					sum[(i%on*om+j%om)*oc+k%oc] += float64(a.X.F32()[(i*m+j)*c+k])
				}
			}
		}
		for i, o := range a.Out.F32() {
			v := sum[i] * float64(a.Scale)
			if a.Accumulate {
				v += float64(o)
			}
			a.Out.F32()[i] = float32(v)
		}
	},
})
