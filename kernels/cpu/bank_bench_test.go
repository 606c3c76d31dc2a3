package cpu

import (
	"fmt"
	"testing"

	"syntic/kernels"
)

// BenchmarkBank times projection and search over a bank of 100,000 × 512 by the variants that the machine takes by itself, and with a bank in fewer bits.
func BenchmarkBank(b *testing.B) {
	const m, d, k = 100000, 512, 64
	r := kernels.NewRand(1)
	mem := r.Unit(m, d)
	half := make([]uint16, m*d)
	kernels.Narrow(half, mem.F32(), kernels.BF16)
	halves := kernels.Of(half, m, d)
	var near, bounds [2]kernels.View
	for i, format := range []kernels.DType{kernels.BF16, kernels.U8} {
		near[i], bounds[i], _ = kernels.Nearby(&mem, format)
	}
	for _, n := range []int{1, 256} {
		query := r.Unit(n, d)
		run := func(name string, bytes int, call func() error) {
			b.Run(fmt.Sprintf("%s/q%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(bytes))
				for b.Loop() {
					if err := call(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(2*float64(n)*m*d*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
		out, score, index := kernels.Poison(n, d), kernels.Poison(n, k), kernels.PoisonInts(n, k)
		s := &kernels.Stream{}
		run("project", mem.Bytes(), func() error {
			return kernels.ProjectTopK.Run(s, &kernels.ProjectTopKArgs{Query: query, Mem: mem, Out: out, Tau: 0.01})
		})
		run("project-bf16", halves.Bytes(), func() error {
			return kernels.ProjectTopK.Run(s, &kernels.ProjectTopKArgs{Query: query, Mem: halves, Out: out, Tau: 0.01})
		})
		run("topk", mem.Bytes(), func() error {
			return kernels.TopK.Run(s, &kernels.TopKArgs{Query: query, Mem: mem, Score: score, Index: index})
		})
		for i, name := range []string{"topk-bf16", "topk-int8"} {
			run(name, near[i].Bytes(), func() error {
				return kernels.TopK.Run(s, &kernels.TopKArgs{Query: query, Mem: mem, Near: near[i], Bounds: bounds[i], Score: score, Index: index})
			})
		}
	}
}
