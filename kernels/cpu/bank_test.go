package cpu

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// Searches, projections and their gradient take their work space from pools: after the first calls nothing is allocated, on one processor and on two.
func TestBanksAllocateNothing(t *testing.T) {
	r := kernels.NewRand(1)
	const m, d, k = 3000, 64, 7
	mem := r.Unit(m, d)
	half := make([]uint16, m*d)
	kernels.Narrow(half, mem.F32(), kernels.BF16)
	halves := kernels.Of(half, m, d)
	for _, n := range []int{1, 5, 70} {
		query, dout, out := r.Unit(n, d), r.Unit(n, d), kernels.Poison(n, d)
		calls := map[string]func(){}
		for _, rows := range []int{0, k} {
			project := kernels.ProjectTopKArgs{Query: query, Mem: mem, Out: out, K: rows, Tau: 0.1}
			if rows > 0 {
				project.Kth, project.Mass = kernels.Poison(n), kernels.Poison(n)
			}
			grad := kernels.ProjectTopKGradArgs{Query: query, Mem: mem, Out: out, DOut: dout, DQuery: kernels.Poison(n, d), K: rows, Tau: 0.1}
			name := map[bool]string{false: "all", true: "nearest"}[rows > 0]
			calls["project "+name] = func() { panels[0].projectTopK(&project) }
			calls["gradient "+name] = func() { panels[0].projectTopKGrad(&grad) }
		}
		onHalves := kernels.ProjectTopKArgs{Query: query, Mem: halves, Out: out, Tau: 0.1}
		for _, m := range bf16Micros {
			if m.available() {
				calls["project on halves, "+m.name] = func() { m.project(&onHalves) }
			}
		}
		for _, format := range []kernels.DType{kernels.F32, kernels.BF16, kernels.U8} {
			a := kernels.TopKArgs{Query: query, Mem: mem, Score: kernels.Poison(n, k), Index: kernels.PoisonInts(n, k)}
			if format != kernels.F32 {
				near, bounds, err := kernels.Nearby(&mem, format)
				require.NoError(t, err)
				a.Near, a.Bounds = near, bounds
			}
			calls["search "+format.String()] = func() { panels[0].topK(&a) }
		}
		for _, procs := range []int{1, 2} {
			old := runtime.GOMAXPROCS(procs)
			for name, call := range calls {
				for range 3 {
					call()
				}
				require.Less(t, testing.AllocsPerRun(20, call), 1.0, "%s, %d queries, %d processors", name, n, procs)
			}
			runtime.GOMAXPROCS(old)
		}
	}
}
