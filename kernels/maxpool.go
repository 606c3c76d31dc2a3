package kernels

import (
	"fmt"
	"math"
)

// MaxPoolArgs take the largest value of square windows, channel by channel: X [B, H, W, C], Out and Index [B, OH, OW, C] with
// OH = (H + 2·Pad − Kernel)/Stride + 1. Index is the place y·W + x of the (first) largest value, for the gradient. Padding never wins; NaN does.
type MaxPoolArgs struct {
	X, Out              View
	Index               View // i32, optional
	Kernel, Stride, Pad int
}

// B, H, W, C, kernel, stride, pad
var maxPoolDims = [][]int{{1, 1, 1, 1, 1, 1, 0}, {2, 7, 9, 5, 3, 2, 1}, {1, 8, 6, 33, 2, 2, 0}, {1, 5, 5, 16, 3, 1, 1}, {1, 11, 4, 3, 3, 3, 0}}

// MaxPool is max pooling.
var MaxPool = register(&Op[MaxPoolArgs]{
	Name: "max_pool",
	Dims: maxPoolDims,
	Make: func(r *Rand, d []int) MaxPoolArgs {
		a := MaxPoolArgs{X: r.Normal(d[:4]...), Kernel: d[4], Stride: d[5], Pad: d[6]}
		shape := []int{d[0], a.outSize(d[1]), a.outSize(d[2]), d[3]}
		if a.Out = Poison(shape...); d[3] != 33 {
			a.Index = PoisonInts(shape...)
		}
		return a
	},
	Views: func(a *MaxPoolArgs) (in, out []*View) { return views(&a.X), views(&a.Out, &a.Index) },
	Cost: func(a *MaxPoolArgs) Cost {
		return Cost{float64(a.Out.Len() * a.Kernel * a.Kernel), float64(a.X.Bytes() + a.Out.Bytes())}
	},
	Check: func(a *MaxPoolArgs) error {
		var b, h, w, c int
		ok := a.X.Bind(&b, &h, &w, &c) && a.Kernel > 0 && a.Stride > 0 && a.Pad >= 0 && 2*a.Pad <= a.Kernel && h+2*a.Pad >= a.Kernel && w+2*a.Pad >= a.Kernel
		if !ok || !a.Out.Is(b, a.outSize(h), a.outSize(w), c) || !a.Index.IsOpt(a.Out.Shape()...) || (!a.Index.Absent() && a.Index.DType != I32) {
			return fmt.Errorf("x %v, out %v, index %v, kernel %d, stride %d, pad %d: want x [B, H, W, C], out and i32 index [B, (H+2·pad−kernel)/stride+1, …, C], pad at most half the kernel", a.X, a.Out, a.Index, a.Kernel, a.Stride, a.Pad)
		}
		return nil
	},
	Ref: maxPoolRef,
})

func (a *MaxPoolArgs) outSize(n int) int { return (n+2*a.Pad-a.Kernel)/a.Stride + 1 }

func maxPoolRef(a *MaxPoolArgs) {
	b, h, w, c, oh, ow := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2), a.X.Dim(3), a.Out.Dim(1), a.Out.Dim(2)
	for at := 0; at < b*oh*ow*c; at++ {
		i, y, x, k := at/(oh*ow*c), at/(ow*c)%oh, at/c%ow, at%c
		best, where := math.Inf(-1), -1
		for v := max(y*a.Stride-a.Pad, 0); v < min(y*a.Stride-a.Pad+a.Kernel, h); v++ {
			for u := max(x*a.Stride-a.Pad, 0); u < min(x*a.Stride-a.Pad+a.Kernel, w); u++ {
				if f := float64(a.X.F32()[((i*h+v)*w+u)*c+k]); where < 0 || f > best || math.IsNaN(f) {
					best, where = f, v*w+u
				}
			}
		}
		a.Out.F32()[at] = float32(best)
		if a.Index.I32() != nil {
			a.Index.I32()[at] = int32(where)
		}
	}
}

// MaxPoolGradArgs are the gradient of MaxPool: DX [B, H, W, C] is zero but where Index points, where the DOut add up.
type MaxPoolGradArgs struct {
	Index, DOut, DX     View
	Kernel, Stride, Pad int
}

// MaxPoolGrad is the gradient of MaxPool.
var MaxPoolGrad = register(&Op[MaxPoolGradArgs]{
	Name: "max_pool_grad",
	Dims: maxPoolDims,
	Make: func(r *Rand, d []int) MaxPoolGradArgs {
		f := MaxPoolArgs{X: r.Normal(d[:4]...), Kernel: d[4], Stride: d[5], Pad: d[6]}
		shape := []int{d[0], f.outSize(d[1]), f.outSize(d[2]), d[3]}
		f.Out, f.Index = Poison(shape...), PoisonInts(shape...)
		maxPoolRef(&f)
		return MaxPoolGradArgs{Index: f.Index, DOut: r.Normal(shape...), DX: Poison(d[:4]...), Kernel: d[4], Stride: d[5], Pad: d[6]}
	},
	Views: func(a *MaxPoolGradArgs) (in, out []*View) { return views(&a.Index, &a.DOut), views(&a.DX) },
	Cost: func(a *MaxPoolGradArgs) Cost {
		return Cost{float64(a.DOut.Len()), float64(2*a.DOut.Bytes() + a.DX.Bytes())}
	},
	Check: func(a *MaxPoolGradArgs) error {
		f := MaxPoolArgs{Kernel: a.Kernel, Stride: max(a.Stride, 1), Pad: a.Pad}
		var b, h, w, c int
		if !a.DX.Bind(&b, &h, &w, &c) || a.Stride < 1 || !a.DOut.Is(b, f.outSize(h), f.outSize(w), c) || !a.Index.Is(a.DOut.Shape()...) || a.Index.DType != I32 {
			return fmt.Errorf("index %v, dout %v, dx %v, kernel %d, stride %d, pad %d: want dx [B, H, W, C], dout and i32 index as max_pool makes them", a.Index, a.DOut, a.DX, a.Kernel, a.Stride, a.Pad)
		}
		return nil
	},
	Ref: func(a *MaxPoolGradArgs) {
		b, hw, c, n := a.DX.Dim(0), a.DX.Dim(1)*a.DX.Dim(2), a.DX.Dim(3), a.DOut.Len()
		sum := make([]float64, a.DX.Len())
		for at, g := range a.DOut.F32() {
			sum[(at/(n/b)*hw+int(a.Index.I32()[at]))*c+at%c] += float64(g)
		}
		roundTo(a.DX.F32(), sum)
	},
})
