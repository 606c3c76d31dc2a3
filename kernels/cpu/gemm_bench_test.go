package cpu

import (
	"fmt"
	"testing"

	"syntic/kernels"
)

// BenchmarkTile is the micro-kernel alone on operands in the first-level cache: the ceiling of everything above it.
func BenchmarkTile(b *testing.B) {
	for _, m := range allMicros() {
		if !m.available() {
			continue
		}
		b.Run(m.name, func(b *testing.B) {
			const k = 128
			r := kernels.NewRand(1)
			x, y, o := r.Normal(k, m.mr), r.Normal(k, m.nr), kernels.Zeros(m.mr, m.nr)
			t := &tile{a: x.Ptr(), ars: 4, acs: uintptr(4 * m.mr), b: y.Ptr(), bs: uintptr(4 * m.nr), c: o.Ptr(), cs: uintptr(4 * m.nr), k: k, alpha: 1, mask: 1<<m.nr - 1}
			for b.Loop() {
				m.run[m.mr](t)
			}
			each := 2 * k * float64(m.mr*m.nr)
			if m.pairs != nil {
				each *= 2
			}
			flops(b, each)
		})
	}
}

func flops(b *testing.B, each float64) {
	b.ReportMetric(each*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// BenchmarkGEMM has the shapes of tiny and real models: batch, M, N, K, transA, transB.
func BenchmarkGEMM(b *testing.B) {
	s := &kernels.Stream{}
	for _, d := range [][]int{{1, 50, 64, 64, 0, 1}, {1, 77, 512, 512, 0, 1}, {1, 512, 256, 256, 0, 1}, {1, 512, 256, 256, 0, 0}, {1, 256, 256, 2048, 1, 0}, {1, 64, 64, 8192, 1, 0},
		{1, 1, 512, 512, 0, 1}, {1, 4, 512, 2048, 0, 1}, {1, 1, 512, 512, 0, 0}, {1, 1024, 1024, 1024, 0, 0}, {1, 1024, 1024, 1024, 1, 0}, {1, 512, 512, 2048, 1, 0}, {1, 160, 160, 512, 1, 0}, {1, 77, 512, 512, 0, 0}, {1, 160, 512, 512, 0, 0}, {1, 320, 320, 320, 0, 0}, {1, 77, 512, 2048, 0, 1}, {1, 512, 512, 512, 0, 1}, {1, 1600, 3072, 768, 0, 1}, {64, 50, 50, 32, 0, 1}} {
		a := kernels.GEMM.Make(kernels.NewRand(1), append(append([]int(nil), d...), 1))
		c := kernels.GEMM.Cost(&a)
		b.Run(fmt.Sprint(d), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := kernels.GEMM.Run(s, &a); err != nil {
					b.Fatal(err)
				}
			}
			flops(b, c.FLOPs)
		})
	}
}

// BenchmarkConv2D has the convolutions of the tiny models, forward and both gradients: B, H, W, I, O, KH, KW, stride, pads, epilogue.
func BenchmarkConv2D(b *testing.B) {
	s := &kernels.Stream{}
	for _, d := range [][]int{{4, 64, 64, 3, 16, 3, 3, 1, 1, 1, 1, 1, 1}, {4, 64, 64, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1}, {4, 64, 64, 16, 32, 3, 3, 2, 1, 1, 1, 1, 1},
		{8, 8, 8, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1}, {8, 8, 8, 160, 160, 3, 3, 1, 1, 1, 1, 1, 1}, {8, 8, 8, 160, 64, 1, 1, 1, 0, 0, 0, 0, 1}} {
		one(b, s, kernels.Conv2D, "forward", d)
		one(b, s, kernels.Conv2DGradX, "grad_x", d)
		one(b, s, kernels.Conv2DGradW, "grad_w", d)
	}
}

func one[A any](b *testing.B, s *kernels.Stream, op *kernels.Op[A], name string, d []int) {
	a := op.Make(kernels.NewRand(1), d)
	b.Run(fmt.Sprint(name, d), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := op.Run(s, &a); err != nil {
				b.Fatal(err)
			}
		}
		flops(b, op.Cost(&a).FLOPs)
	})
}
