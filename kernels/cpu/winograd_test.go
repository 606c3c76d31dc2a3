package cpu

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// The transforms in assembly are those in Go, but for the order of roundings.
func TestWinogradTransforms(t *testing.T) {
	const c, pixels, ld = 32, 36, 48
	r := kernels.NewRand(3)
	x, bias, res := r.Normal(pixels, ld), r.Normal(c), r.Normal(16, ld)
	run := func(f *winograd, withRes bool) (in, taps, out kernels.View) {
		in, taps, out = kernels.Zeros(pixels, ld), kernels.Zeros(pixels, ld), kernels.Zeros(16, ld)
		tmp := kernels.Zeros(pixels, 16)
		n, step := uintptr(c/f.lanes), uintptr(4*ld)
		f.input(in.Ptr(), step, x.Ptr(), 6*step, step, tmp.Ptr(), n)
		f.weight(taps.Ptr(), step, x.Ptr(), step, tmp.Ptr(), n)
		add, floor := res.Ptr(), float32(0)
		if !withRes {
			add, floor = nil, negInf
		}
		f.output(out.Ptr(), 4*step, step, x.Ptr(), step, bias.Ptr(), add, tmp.Ptr(), n, floor)
		return in, taps, out
	}
	for _, level := range []isa{isaAVX2, isaAVX512} {
		f := winogradASM(level)
		if f == nil || haveISA() < level {
			continue
		}
		for _, withRes := range []bool{false, true} {
			in, taps, out := run(winogradGo, withRes)
			in2, taps2, out2 := run(f, withRes)
			for i, p := range [][2]kernels.View{{in, in2}, {taps, taps2}, {out, out2}} {
				for at, want := range p[0].F32() {
					require.InDelta(t, want, p[1].F32()[at], 2e-5, "%v: transform %d, number %d", level, i, at)
				}
			}
		}
	}
}

// What Winograd's transforms cost in digits, against the direct product and float64: the largest error, in units of the largest result.
func TestWinogradErrors(t *testing.T) {
	for _, d := range [][]int{{1, 9, 14, 320, 33, 3, 3, 1, 1, 1, 1, 1, 3}, {1, 12, 8, 1280, 32, 3, 3, 1, 1, 1, 1, 1, 1}, {2, 30, 17, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1}, {1, 17, 9, 130, 40, 3, 3, 1, 0, 2, 1, 0, 19}} {
		a := kernels.Conv2D.Make(kernels.NewRand(5), d)
		a.Act = kernels.ReLU
		kernels.Conv2D.Ref(&a)
		want := append([]float32(nil), a.Out.F32()...)
		for _, m := range micros {
			if !m.available() {
				continue
			}
			worst := func(run func(*kernels.Conv2DArgs)) float64 {
				b := a
				b.Out = kernels.Poison(a.Out.Shape()...)
				run(&b)
				off, top := 0.0, 0.0
				for i, x := range b.Out.F32() {
					e := math.Abs(float64(x) - float64(want[i]))
					require.False(t, math.IsNaN(e), "%s %v: element %d", m.name, d, i)
					off, top = max(off, e), max(top, math.Abs(float64(want[i])))
				}
				return off / top
			}
			direct, fast := worst(m.conv2d), worst(m.winograd)
			t.Logf("%s %v: %.2g direct, %.2g by Winograd", m.name, d, direct, fast)
			require.LessOrEqual(t, fast, kernels.Conv2D.Tolerance(), "%s %v", m.name, d)
		}
	}
}

// Whole numbers instead of float32 cost no more digits than bfloat16 in the direct product, where what is summed has one size, and after SiLU; where a few numbers
// are far larger than the others, as those of Student's t with three degrees of freedom are, up to half as many again. Weights have 16 bits, which are not rounded again by either.
func TestFixedPointErrors(t *testing.T) {
	for _, m := range bf16Micros {
		if !m.available() {
			continue
		}
		for _, d := range [][]int{{1, 9, 14, 320, 33, 3, 3, 1, 1, 1, 1, 1, 17}, {1, 12, 8, 1280, 32, 3, 3, 1, 1, 1, 1, 1, 19}, {1, 17, 9, 131, 40, 3, 3, 1, 0, 2, 1, 0, 1}} {
			for _, form := range []string{"normal", "silu", "far"} {
				r := kernels.NewRand(6)
				a := kernels.Conv2D.Make(r, d)
				others := r.Normal(3, a.X.Len())
				x, y := a.X.F32(), others.F32()
				for i, v := range x {
					switch form {
					case "silu":
						x[i] = float32(kernels.SiLU.Eval(float64(v)))
					case "far":
						x[i] = v / float32(math.Sqrt(float64(y[3*i]*y[3*i]+y[3*i+1]*y[3*i+1]+y[3*i+2]*y[3*i+2])/3))
					}
				}
				kernels.Conv2D.Ref(&a)
				rms := func(run func(*kernels.Conv2DArgs)) float64 {
					b := a
					b.Out = kernels.Poison(a.Out.Shape()...)
					run(&b)
					off, size := 0.0, 0.0
					for i, want := range a.Out.F32() {
						e := float64(b.Out.F32()[i]) - float64(want)
						off, size = off+e*e, size+float64(want)*float64(want)
					}
					return math.Sqrt(off / size)
				}
				direct, fixed := rms(m.direct), rms(m.winogradFixed)
				t.Logf("%s %v %s: %.2g direct, %.2g by Winograd", m.name, d, form, direct, fixed)
				limit := 1.0
				if form == "far" {
					limit = 1.5
				}
				require.LessOrEqual(t, fixed, limit*direct, "%s %v %s", m.name, d, form)
			}
		}
	}
}

// A convolution of whole numbers has sizes of its own for each row of channels: rows of zeros, the smallest and largest floats, infinity and NaN pass.
func TestFixedPointRange(t *testing.T) {
	for _, m := range bf16Micros {
		if !m.available() {
			continue
		}
		for _, scale := range []float32{0, 1e-20, 1e20} {
			a := kernels.Conv2D.Make(kernels.NewRand(7), []int{1, 8, 8, 48, 40, 3, 3, 1, 1, 1, 1, 1, 0})
			for i := range a.X.F32() {
				a.X.F32()[i] *= scale
			}
			kernels.Conv2D.Ref(&a)
			want := append([]float32(nil), a.Out.F32()...)
			m.winogradFixed(&a)
			for i, x := range a.Out.F32() {
				require.InDelta(t, want[i], x, float64(scale)*0.3, "%s at %g", m.name, scale)
			}
		}
		for _, bad := range []float64{math.NaN(), math.Inf(1)} {
			a := kernels.Conv2D.Make(kernels.NewRand(7), []int{1, 12, 12, 48, 40, 3, 3, 1, 1, 1, 1, 1, 0})
			a.X.F32()[(5*12+5)*48+17] = float32(bad)
			m.winogradFixed(&a)
			for c := range 40 {
				x := float64(a.Out.F32()[(5*12+5)*40+c])
				require.True(t, math.IsNaN(x) || math.IsInf(x, 0), "%s: %g becomes %g", m.name, bad, x)
				require.False(t, math.IsNaN(float64(a.Out.F32()[(10*12+10)*40+c])), "%s", m.name)
			}
		}
	}
}

func TestWinogradDoesNotDependOnTheBatch(t *testing.T) {
	full := kernels.Conv2D.Make(kernels.NewRand(4), []int{batchRows, 9, 7, 40, 37, 3, 3, 1, 1, 1, 1, 1, 11})
	for _, m := range allMicros() {
		if !m.available() {
			continue
		}
		sameRows(t, fmt.Sprint(m.name), func(lo, hi int) []float32 {
			a := full
			a.X, a.Residual, a.Out = part(a.X, lo, hi), part(a.Residual, lo, hi), likePart(a.Out, lo, hi)
			if m.pairs != nil {
				m.winogradFixed(&a)
			} else {
				m.winograd(&a)
			}
			return a.Out.F32()
		})
	}
}

// BenchmarkWinograd has convolutions of Stable Diffusion's UNet and autoencoder, and of DETR's backbone, both ways.
func BenchmarkWinograd(b *testing.B) {
	s := &kernels.Stream{}
	for _, d := range [][]int{{1, 64, 64, 320, 320}, {1, 32, 32, 640, 640}, {1, 16, 16, 1280, 1280}, {1, 8, 8, 1280, 1280}, {1, 64, 64, 512, 512}, {1, 128, 128, 256, 256}, {1, 256, 256, 128, 128},
		{1, 200, 267, 64, 64}, {1, 25, 34, 512, 512}} {
		a := kernels.Conv2D.Make(kernels.NewRand(1), append(append([]int(nil), d...), 3, 3, 1, 1, 1, 1, 1, 3))
		for _, name := range []string{"avx512", "bf16_direct", "avx512_winograd", "bf16"} {
			b.Run(fmt.Sprint(name, d), func(b *testing.B) {
				b.ReportAllocs()
				require.NoError(b, kernels.Override("conv2d="+name))
				for b.Loop() {
					if err := kernels.Conv2D.Run(s, &a); err != nil {
						b.Fatal(err)
					}
				}
				flops(b, kernels.Conv2D.Cost(&a).FLOPs)
			})
		}
	}
}
