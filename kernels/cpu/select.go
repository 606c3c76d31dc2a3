package cpu

import (
	"math"

	"syntic/kernels"
)

func init() {
	addGo(kernels.Select, "", func(a *kernels.SelectArgs) {
		c, k := a.X.Dim(1), a.Value.Dim(1)
		x, value, index := a.X.F32(), a.Value.F32(), a.Index.I32()
		Ranges(a.X.Dim(0), rowGrain(c), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				largest(x[i*c:(i+1)*c], value[i*k:(i+1)*k], index[i*k:(i+1)*k])
			}
		})
	})
}

// largest puts the largest values of x, falling, and their indices, in the order of which equal ones stay; −Inf at −1 where there are no more numbers.
func largest(x, value []float32, index []int32) {
	n, k := 0, len(value)
	least := float32(math.Inf(-1))
	for i, v := range x {
		if !(v > least) && (n == k || v != v) {
			continue
		}
		if n < k {
			n++
		}
		at := n - 1
		for ; at > 0 && value[at-1] < v; at-- {
			value[at], index[at] = value[at-1], index[at-1]
		}
		value[at], index[at] = v, int32(i)
		if n == k {
			least = value[k-1]
		}
	}
	for ; n < k; n++ {
		value[n], index[n] = float32(math.Inf(-1)), -1
	}
}
