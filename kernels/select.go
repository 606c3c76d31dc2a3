package kernels

import (
	"fmt"
	"math"
)

// SelectArgs are the K largest values of each row, falling, and where they are; of equal ones the lower index is first. NaN is never among them: a row with
// fewer than K numbers ends in −Inf at index −1.
type SelectArgs struct {
	X     View // [N, C]
	Value View // [N, K]
	Index View // i32 [N, K]
}

// Select finds the largest values of rows: the continuations of beams.
var Select = register(&Op[SelectArgs]{
	Name: "select",
	// N, C, K, 1: many equal, 2: also no numbers
	Dims: [][]int{{1, 1, 1, 0}, {3, 257, 5, 0}, {5, 2051, 10, 1}, {4, 33, 33, 1}, {7, 300, 9, 2}, {2, 49408, 10, 0}},
	Make: func(r *Rand, d []int) SelectArgs {
		a := SelectArgs{r.Normal(d[0], d[1]), Poison(d[0], d[2]), PoisonInts(d[0], d[2])}
		x := a.X.F32()
		for i := range x {
			if d[3] > 0 {
				x[i] = float32(math.Trunc(float64(x[i])))
			}
			if d[3] == 2 && (i%3 == 0 || i/d[1] == 1 && i%d[1] > 4) {
				x[i] = float32(math.NaN())
			}
			if d[3] == 2 && i%7 == 1 {
				x[i] = float32(math.Inf(-1))
			}
		}
		return a
	},
	Views: func(a *SelectArgs) (in, out []*View) { return views(&a.X), views(&a.Value, &a.Index) },
	Cost:  func(a *SelectArgs) Cost { return Cost{float64(a.X.Len()), float64(a.X.Bytes())} },
	Check: func(a *SelectArgs) error {
		var n, c, k int
		if !a.X.Bind(&n, &c) || !a.Value.Bind(&n, &k) || !a.Index.Bind(&n, &k) || a.Index.DType != I32 || k > c {
			return fmt.Errorf("x %v, value %v, index %v: want x [N, C], value, index i32 [N, K], 1 ≤ K ≤ C", a.X, a.Value, a.Index)
		}
		return nil
	},
	Ref: func(a *SelectArgs) {
		c, k := a.X.Dim(1), a.Value.Dim(1)
		for i := range a.X.Dim(0) {
			row, value, index := a.X.F32()[i*c:(i+1)*c], a.Value.F32()[i*k:(i+1)*k], a.Index.I32()[i*k:(i+1)*k]
			taken := make([]bool, c)
			for l := range value {
				value[l], index[l] = float32(math.Inf(-1)), -1
				for j, x := range row {
					if !taken[j] && x == x && (index[l] < 0 || x > value[l]) {
						value[l], index[l] = x, int32(j)
					}
				}
				if index[l] >= 0 {
					taken[index[l]] = true
				}
			}
		}
	},
})
