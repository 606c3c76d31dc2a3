package kernels

import "fmt"

// DropoutArgs set elements to zero with probability P and scale the others by 1/(1−P) (Srivastava et al. 2014). Element i is kept if
// number i of the stream Key.Uniform is at least P. The gradient is the same op on the gradient. Out may be X.
type DropoutArgs struct {
	X, Out View
	P      float32
	Key    Key
}

// Dropout drops elements at random.
var Dropout = register(&Op[DropoutArgs]{
	Name: "dropout",
	Dims: [][]int{{1, 10}, {3, 50}, {1037, 10}, {40001, 30}, {20, 0}}, // elements, percent
	Make: func(r *Rand, d []int) DropoutArgs {
		return DropoutArgs{r.Normal(d[0]), Poison(d[0]), float32(d[1]) / 100, Key{Seed: 1 << 40, Item: 7 << 33, Step: 3}}
	},
	Views: func(a *DropoutArgs) (in, out []*View) { return views(&a.X), views(&a.Out) },
	Cost:  func(a *DropoutArgs) Cost { return Cost{float64(a.X.Len()), float64(2 * a.X.Bytes())} },
	Check: func(a *DropoutArgs) error {
		if a.X.Absent() || a.Out.Absent() || a.X.Len() != a.Out.Len() || !(a.P >= 0 && a.P < 1) {
			return fmt.Errorf("x %v, out %v, p %g: want the same number of elements and 0 ≤ p < 1", a.X, a.Out, a.P)
		}
		return nil
	},
	Ref: func(a *DropoutArgs) {
		o := a.Out.F32()
		u := make([]float32, len(o))
		a.Key.Uniform(u)
		for i, x := range a.X.F32() {
			if o[i] = 0; u[i] >= a.P {
				o[i] = float32(float64(x) / (1 - float64(a.P)))
			}
		}
	},
})
