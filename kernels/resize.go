package kernels

import (
	"fmt"
	"math"
)

// ResizeKind is an interpolation.
type ResizeKind uint8

// The interpolations, as PyTorch's interpolate with align_corners=false and antialias=false; Bicubic has a = −0.75 (Keys 1981).
const (
	Nearest ResizeKind = iota
	Bilinear
	Bicubic
)

func (k ResizeKind) String() string { return [...]string{"nearest", "bilinear", "bicubic"}[k] }

// Taps are the places of an axis of in places, and their weights, of which place i of the resized axis of out places is made; n of them
// count. Places beyond the edge repeat the edge, so a place may come twice.
func (k ResizeKind) Taps(in, out, i int) (n int, at [4]int, w [4]float64) {
	if k == Nearest { // float32, as the original rounds it
		return 1, [4]int{min(int(float32(i)*(float32(in)/float32(out))), in-1)}, [4]float64{1}
	}
	x := (float64(i)+0.5)*float64(in)/float64(out) - 0.5
	if k == Bilinear {
		x = math.Max(x, 0)
		l := int(x)
		t := x - float64(l)
		return 2, [4]int{min(l, in-1), min(l+1, in-1)}, [4]float64{1 - t, t}
	}
	l := int(math.Floor(x))
	for j := range at {
		at[j] = min(max(l-1+j, 0), in-1)
		w[j] = keys(math.Abs(x - float64(l-1+j)))
	}
	return 4, at, w
}

// keys is the cubic convolution kernel at distance d (Keys 1981, eq. 15, a = −0.75).
func keys(d float64) float64 {
	const a = -0.75
	switch {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1
	case d < 2:
		return ((a*d-5*a)*d+8*a)*d - 4*a
	}
	return 0
}

// ResizeArgs interpolate images: X [B, H, W, C], Out [B, OH, OW, C].
type ResizeArgs struct {
	X, Out View
	Kind   ResizeKind
}

// kind, B, H, W, C, OH, OW
var resizeDims = [][]int{{0, 1, 1, 1, 1, 2, 2}, {0, 2, 3, 5, 7, 6, 10}, {0, 1, 7, 5, 33, 4, 9}, {1, 2, 5, 7, 3, 8, 13}, {1, 1, 9, 8, 17, 4, 3}, {1, 1, 1, 1, 2, 3, 3}, {2, 2, 5, 7, 3, 8, 13}, {2, 1, 11, 6, 17, 5, 5}, {2, 1, 7, 7, 64, 7, 7}, {2, 1, 2, 1, 5, 5, 3}}

// Resize interpolates images.
var Resize = register(&Op[ResizeArgs]{
	Name: "resize",
	Dims: resizeDims,
	Make: func(r *Rand, d []int) ResizeArgs {
		return ResizeArgs{r.Normal(d[1:5]...), Poison(d[1], d[5], d[6], d[4]), ResizeKind(d[0])}
	},
	Views: func(a *ResizeArgs) (in, out []*View) { return views(&a.X), views(&a.Out) },
	Cost:  func(a *ResizeArgs) Cost { return resizeCost(a.Kind, &a.X, &a.Out) },
	Check: func(a *ResizeArgs) error {
		if !resizeFits(&a.X, &a.Out) || a.Kind > Bicubic {
			return fmt.Errorf("x %v, out %v: want x [B, H, W, C], out [B, OH, OW, C]", a.X, a.Out)
		}
		return nil
	},
	Ref: func(a *ResizeArgs) {
		b, h, w, c, oh, ow := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2), a.X.Dim(3), a.Out.Dim(1), a.Out.Dim(2)
		x, o := a.X.F32(), a.Out.F32()
		a.Kind.eachTap(b, h, w, oh, ow, func(out, in int, weight float64, sum []float64) {
			for k := range sum {
				sum[k] += weight * float64(x[in*c+k])
			}
		}, make([]float64, c), func(out int, sum []float64) { roundTo(o[out*c:out*c+c], sum) })
	},
})

// eachTap calls add for every pair of a pixel of the output and one of the input that it is made of, and done after the last of each output pixel.
func (k ResizeKind) eachTap(b, h, w, oh, ow int, add func(out, in int, weight float64, sum []float64), sum []float64, done func(out int, sum []float64)) {
	for i := 0; i < b; i++ {
		for y := 0; y < oh; y++ {
			ny, ay, wy := k.Taps(h, oh, y)
			for x := 0; x < ow; x++ {
				nx, ax, wx := k.Taps(w, ow, x)
				out := (i*oh+y)*ow + x
				clear(sum)
				for p := 0; p < ny; p++ {
					for q := 0; q < nx; q++ {
						add(out, (i*h+ay[p])*w+ax[q], wy[p]*wx[q], sum)
					}
				}
				if done != nil {
					done(out, sum)
				}
			}
		}
	}
}

func resizeFits(x, out *View) bool {
	var b, h, w, c, oh, ow int
	return x.Bind(&b, &h, &w, &c) && out.Bind(&b, &oh, &ow, &c)
}

func resizeCost(k ResizeKind, x, out *View) Cost {
	taps := [...]float64{0, 4, 16}[k]
	return Cost{2 * taps * float64(out.Len()), float64(x.Bytes() + out.Bytes())}
}

// ResizeGradArgs are the gradient of Resize: DX [B, H, W, C] from DOut [B, OH, OW, C].
type ResizeGradArgs struct {
	DOut, DX View
	Kind     ResizeKind
}

// ResizeGrad is the gradient of Resize.
var ResizeGrad = register(&Op[ResizeGradArgs]{
	Name: "resize_grad",
	Dims: resizeDims,
	Make: func(r *Rand, d []int) ResizeGradArgs {
		return ResizeGradArgs{r.Normal(d[1], d[5], d[6], d[4]), Poison(d[1:5]...), ResizeKind(d[0])}
	},
	Views: func(a *ResizeGradArgs) (in, out []*View) { return views(&a.DOut), views(&a.DX) },
	Cost:  func(a *ResizeGradArgs) Cost { return resizeCost(a.Kind, &a.DX, &a.DOut) },
	Check: func(a *ResizeGradArgs) error {
		if !resizeFits(&a.DX, &a.DOut) || a.Kind > Bicubic {
			return fmt.Errorf("dout %v, dx %v: want dout [B, OH, OW, C], dx [B, H, W, C]", a.DOut, a.DX)
		}
		return nil
	},
	Ref: func(a *ResizeGradArgs) {
		b, h, w, c, oh, ow := a.DX.Dim(0), a.DX.Dim(1), a.DX.Dim(2), a.DX.Dim(3), a.DOut.Dim(1), a.DOut.Dim(2)
		g, sum := a.DOut.F32(), make([]float64, a.DX.Len())
		a.Kind.eachTap(b, h, w, oh, ow, func(out, in int, weight float64, _ []float64) {
			for k := 0; k < c; k++ {
				sum[in*c+k] += weight * float64(g[out*c+k])
			}
		}, nil, nil)
		roundTo(a.DX.F32(), sum)
	},
})
