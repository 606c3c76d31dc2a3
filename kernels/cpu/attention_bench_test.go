package cpu

import (
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"

	"syntic/kernels"
)

// BenchmarkAttention times the forward pass of models' sizes, batch × queries × keys × heads × width, all of them and one head: the rate of the least
// call, which other work on the machine hampers least, and of the middle one.
func BenchmarkAttention(b *testing.B) {
	for _, d := range [][]int{{2, 4096, 77, 8, 40, 32}, {1, 4096, 77, 1, 40, 32}, {32, 50, 50, 12, 64, 32}, {1, 50, 50, 1, 64, 32}, {1, 50, 50, 12, 64, 32}, {1, 40, 40, 4, 128, 33}, {1, 512, 77, 8, 40, 32}, {80, 40, 40, 4, 128, 33},
		{1, 40, 40, 1, 128, 33}, {64, 77, 77, 8, 64, 33}, {1, 4096, 4096, 2, 40, 32}, {2, 1024, 1024, 2, 80, 32}} {
		for _, bf16 := range []bool{false, true} {
			run, name := panels[0].attention, "f32"
			if bf16 {
				run, name = bf16Micros[len(bf16Micros)-1].attention, "bf16"
			}
			b.Run(fmt.Sprint(d, name), func(b *testing.B) {
				a := kernels.Attention.Make(kernels.NewRand(1), d)
				for _, v := range []*kernels.View{&a.Q, &a.K, &a.V, &a.Out} { // in memory such as tensors have
					if buf, err := mapMemory(4*v.Len() + 64); err == nil {
						f := unsafe.Slice((*float32)(unsafe.Pointer(&buf[0])), v.Len())
						copy(f, v.F32())
						*v = kernels.Of(f, v.Shape()...)
						b.Cleanup(func() { unmapMemory(buf) })
					}
				}
				flops, took := kernels.Attention.Cost(&a).FLOPs, make([]float64, 0, 1<<17)
				b.ReportAllocs()
				for b.Loop() {
					began := time.Now()
					run(&a)
					took = append(took, time.Since(began).Seconds())
				}
				slices.Sort(took)
				b.ReportMetric(flops/took[0]/1e9, "best-GFLOP/s")
				b.ReportMetric(flops/took[len(took)/2]/1e9, "GFLOP/s")
			})
		}
	}
}
