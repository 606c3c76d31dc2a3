package cpu

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// Projection on a bank in bfloat16 is the reference's on the same numbers, within what rounding queries and weights costs, and the same bits with any
// number of workers.
func TestProjectionOnHalves(t *testing.T) {
	const tol = (1+1.0/256)*(1+1.0/256) - 1 // of a product of two rounded numbers
	for _, d := range [][]int{{1, 1, 1, 0, 0}, {3, 257, 33, 0, 0}, {5, 1000, 64, 0, 1}, {70, 5000, 96, 0, 0}, {1, 5000, 64, 0, 0}, {2, 2500, 512, 0, 0}, {2, 301, 256, 0, 1}, {65, 300, 512, 0, 0}} {
		a := kernels.ProjectTopK.Make(kernels.NewRand(uint64(d[1])), d)
		half := make([]uint16, a.Mem.Len())
		kernels.Narrow(half, a.Mem.F32(), kernels.BF16)
		kernels.Widen(a.Mem.F32(), half, kernels.BF16)
		want := a
		want.Out = kernels.Poison(d[0], d[2])
		kernels.ProjectTopK.Ref(&want)
		a.Mem = kernels.Of(half, d[1], d[2])
		largest := 0.0
		for _, x := range want.Out.F32() {
			largest = max(largest, float64(max(x, -x)))
		}
		for _, m := range bf16Micros {
			if !m.available() {
				continue
			}
			var first []float32
			for _, workers := range []int{1, 2, 8} {
				old := runtime.GOMAXPROCS(workers)
				a.Out = kernels.Poison(d[0], d[2])
				m.project(&a)
				runtime.GOMAXPROCS(old)
				if first == nil {
					first = a.Out.F32()
					for i, x := range want.Out.F32() {
						require.InDelta(t, x, first[i], tol*largest, "%s %v element %d", m.name, d, i)
					}
				}
				require.Equal(t, first, a.Out.F32(), "%s %v", m.name, d)
			}
		}
	}
}
