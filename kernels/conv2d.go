package kernels

import "fmt"

// Conv2DArgs are a two-dimensional convolution (cross-correlation, as all deep-learning libraries have it), channels last:
//
//	Out[b, y, x, o] = act(Σ_{u, v, i} X[b, y·Stride − top + u, x·Stride − left + v, i] · W[o, u, v, i] + Bias[o] + Residual[b, y, x, o])
//
// X is [B, H, W, I], zero outside; W is [O, KH, KW, I], Bias [O]; Residual and Out are [B, OH, OW, O] with
// OH = (H + top + bottom − KH)/Stride + 1, OW likewise. Pad is top, left, bottom, right, none negative.
// W may be a weight of 16 bits, BF16 or F16, which is widened, exactly; all else is float32.
type Conv2DArgs struct {
	X, W           View
	Bias, Residual View // optional
	Out            View
	Stride         int
	Pad            [4]int
	Act            Act
}

// ConvSizes are the sizes of a convolution: X [B, H, W, I], W [O, KH, KW, I], Out [B, OH, OW, O].
type ConvSizes struct{ B, H, W, I, O, KH, KW, OH, OW int }

// convDims: batch, H, W, I, O, KH, KW, stride, top, left, bottom, right, epilogue (1 bias, 2 residual, 8 SiLU, 16 W in BF16, 32 in F16)
var convDims = [][]int{
	{1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, {2, 7, 5, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1}, {1, 9, 8, 5, 7, 3, 3, 2, 0, 0, 1, 1, 11}, {2, 6, 7, 33, 17, 1, 1, 1, 0, 0, 0, 0, 3},
	{1, 9, 7, 4, 6, 1, 1, 2, 0, 0, 0, 0, 1}, {1, 17, 15, 3, 16, 7, 7, 2, 3, 3, 3, 3, 1}, {1, 5, 6, 37, 40, 3, 3, 1, 1, 1, 1, 1, 3}, {3, 8, 8, 64, 96, 3, 3, 1, 1, 1, 1, 1, 1},
	{1, 11, 13, 2, 3, 5, 4, 3, 2, 0, 1, 3, 0}, {2, 16, 16, 3, 20, 4, 4, 4, 0, 0, 0, 0, 1}, {1, 4, 3, 6, 5, 3, 3, 1, 2, 2, 2, 2, 2}, {1, 3, 3, 8, 8, 3, 3, 2, 1, 1, 1, 1, 1},
	{1, 12, 12, 16, 33, 3, 3, 2, 1, 1, 1, 1, 9}, {1, 190, 180, 1, 2, 3, 3, 1, 1, 1, 1, 1, 1}, {2, 64, 52, 4, 9, 3, 3, 1, 1, 1, 1, 1, 1}, {2, 2, 2, 5, 6, 1, 1, 3, 0, 0, 0, 0, 1},
	{2, 7, 5, 3, 8, 3, 3, 1, 1, 1, 1, 1, 17}, {1, 9, 8, 6, 7, 3, 3, 2, 0, 0, 1, 1, 43}, {2, 6, 7, 34, 17, 1, 1, 1, 0, 0, 0, 0, 19}, {1, 8, 8, 70, 3, 3, 3, 1, 1, 1, 1, 1, 33},
	{2, 5, 6, 21, 260, 3, 3, 1, 1, 1, 1, 1, 3}, {1, 4, 4, 256, 257, 2, 2, 1, 0, 0, 0, 0, 16},
	{1, 6, 7, 40, 37, 3, 3, 1, 1, 1, 1, 1, 11}, {2, 9, 8, 33, 64, 3, 3, 1, 0, 2, 1, 0, 17},
}

func convOut(d []int) (oh, ow int) {
	return (d[1]+d[8]+d[10]-d[5])/d[7] + 1, (d[2]+d[9]+d[11]-d[6])/d[7] + 1
}

// Conv2D is the convolution with a fused epilogue.
var Conv2D = register(&Op[Conv2DArgs]{
	Name: "conv2d",
	Dims: convDims,
	Make: func(r *Rand, d []int) Conv2DArgs {
		oh, ow := convOut(d)
		a := Conv2DArgs{X: r.Normal(d[0], d[1], d[2], d[3]), W: r.Weight(d[12], 16, d[4], d[5], d[6], d[3]), Out: Poison(d[0], oh, ow, d[4]),
			Stride: d[7], Pad: [4]int(d[8:12])}
		if d[12]&1 != 0 {
			a.Bias = r.Normal(d[4])
		}
		if d[12]&2 != 0 {
			a.Residual = r.Normal(d[0], oh, ow, d[4])
		}
		if d[12]&8 != 0 {
			a.Act = SiLU
		}
		return a
	},
	Views: func(a *Conv2DArgs) (in, out []*View) {
		return views(&a.X, &a.W, &a.Bias, &a.Residual), views(&a.Out)
	},
	Cost: func(a *Conv2DArgs) Cost {
		s, _ := convSizes(&a.X, &a.W, &a.Out, a.Stride, a.Pad)
		return Cost{s.flops(), float64(a.X.Bytes() + a.W.Bytes() + a.Out.Bytes())}
	},
	Check: func(a *Conv2DArgs) error {
		s, err := convSizes(&a.X, &a.W, &a.Out, a.Stride, a.Pad)
		if err == nil && (!a.Bias.IsOpt(s.O) || !a.Residual.IsOpt(s.B, s.OH, s.OW, s.O) || a.Act >= numActs) {
			err = fmt.Errorf("bias %v, residual %v, out %v: want bias [O], residual and out [B, OH, OW, O]", a.Bias, a.Residual, a.Out)
		}
		return err
	},
	Ref: conv2dRef,
})

// Sizes are the sizes of checked arguments.
func (a *Conv2DArgs) Sizes() ConvSizes {
	s, _ := convSizes(&a.X, &a.W, &a.Out, a.Stride, a.Pad)
	return s
}

func (s ConvSizes) flops() float64 {
	return 2 * float64(s.B*s.OH*s.OW) * float64(s.O) * float64(s.KH*s.KW*s.I)
}

// convSizes reads the sizes from input, weight and output, and holds them against stride and padding.
func convSizes(x, w, out *View, stride int, pad [4]int) (s ConvSizes, err error) {
	ok := x.Bind(&s.B, &s.H, &s.W, &s.I) && w.Bind(&s.O, &s.KH, &s.KW, &s.I) && out.Bind(&s.B, &s.OH, &s.OW, &s.O) &&
		stride > 0 && min(pad[0], pad[1], pad[2], pad[3]) >= 0
	if ok {
		h, v := s.H+pad[0]+pad[2]-s.KH, s.W+pad[1]+pad[3]-s.KW
		ok = h >= 0 && v >= 0 && s.OH == h/stride+1 && s.OW == v/stride+1
	}
	if !ok {
		err = fmt.Errorf("x %v, w %v, out %v, stride %d, pad %v: want x [B, H, W, I], w [O, KH, KW, I], out [B, OH, OW, O], OH = (H + top + bottom - KH)/stride + 1, OW likewise",
			*x, *w, *out, stride, pad)
	}
	return s, err
}

// each calls fn with the flat positions of every product of the convolution: pixel of X, tap of W (both times I), pixel of Out (times O).
func (s *ConvSizes) each(stride int, pad [4]int, fn func(x, tap, out int)) {
	for b := 0; b < s.B; b++ {
		for y := 0; y < s.OH; y++ {
			for x := 0; x < s.OW; x++ {
				for u := 0; u < s.KH; u++ {
					for v := 0; v < s.KW; v++ {
						h, w := y*stride-pad[0]+u, x*stride-pad[1]+v
						if h >= 0 && h < s.H && w >= 0 && w < s.W {
							fn((b*s.H+h)*s.W+w, u*s.KW+v, (b*s.OH+y)*s.OW+x)
						}
					}
				}
			}
		}
	}
}

func conv2dRef(a *Conv2DArgs) {
	s := a.Sizes()
	x, w, o, bias, res := a.X.F32(), a.W.Floats(), a.Out.F32(), a.Bias.F32(), a.Residual.F32()
	sum := make([]float64, len(o))
	s.each(a.Stride, a.Pad, func(px, tap, py int) {
		for j := 0; j < s.O; j++ {
			t := 0.0
			for i := 0; i < s.I; i++ {
				t += float64(x[px*s.I+i]) * float64(w[(j*s.KH*s.KW+tap)*s.I+i])
			}
			sum[py*s.O+j] += t
		}
	})
	for at, t := range sum {
		if bias != nil {
			t += float64(bias[at%s.O])
		}
		if res != nil {
			t += float64(res[at])
		}
		o[at] = float32(a.Act.Eval(t))
	}
}

// Conv2DGradXArgs are the gradient of Conv2D with respect to its input: DX [B, H, W, I] from DOut [B, OH, OW, O] (of the sum before
// bias and activation) and W [O, KH, KW, I], which may have 16 bits. DX is written, not added to.
type Conv2DGradXArgs struct {
	DOut, W, DX View
	Stride      int
	Pad         [4]int
}

// Conv2DGradX is the gradient of Conv2D with respect to X.
var Conv2DGradX = register(&Op[Conv2DGradXArgs]{
	Name: "conv2d_grad_x",
	Dims: convDims,
	Make: func(r *Rand, d []int) Conv2DGradXArgs {
		oh, ow := convOut(d)
		return Conv2DGradXArgs{r.Normal(d[0], oh, ow, d[4]), r.Weight(d[12], 16, d[4], d[5], d[6], d[3]), Poison(d[:4]...), d[7], [4]int(d[8:12])}
	},
	Views: func(a *Conv2DGradXArgs) (in, out []*View) { return views(&a.DOut, &a.W), views(&a.DX) },
	Cost: func(a *Conv2DGradXArgs) Cost {
		s := a.Sizes()
		return Cost{s.flops(), float64(a.DX.Bytes() + a.W.Bytes() + a.DOut.Bytes())}
	},
	Check: func(a *Conv2DGradXArgs) error {
		_, err := convSizes(&a.DX, &a.W, &a.DOut, a.Stride, a.Pad)
		return err
	},
	Ref: func(a *Conv2DGradXArgs) {
		s, g, w, dx := a.Sizes(), a.DOut.F32(), a.W.Floats(), a.DX.F32()
		sum := make([]float64, len(dx))
		s.each(a.Stride, a.Pad, func(px, tap, py int) {
			for j := 0; j < s.O; j++ {
				for i := 0; i < s.I; i++ {
					sum[px*s.I+i] += float64(g[py*s.O+j]) * float64(w[(j*s.KH*s.KW+tap)*s.I+i])
				}
			}
		})
		for i, t := range sum {
			dx[i] = float32(t)
		}
	},
})

// Sizes are the sizes of checked arguments.
func (a *Conv2DGradXArgs) Sizes() ConvSizes {
	s, _ := convSizes(&a.DX, &a.W, &a.DOut, a.Stride, a.Pad)
	return s
}

// Conv2DGradWArgs are the gradient of Conv2D with respect to weight and bias: DW [O, KH, KW, I] and, if present, DBias [O], from
// X [B, H, W, I] and DOut [B, OH, OW, O]. Both are written, not added to.
type Conv2DGradWArgs struct {
	X, DOut, DW View
	DBias       View // optional
	Stride      int
	Pad         [4]int
}

// Conv2DGradW is the gradient of Conv2D with respect to W and Bias.
var Conv2DGradW = register(&Op[Conv2DGradWArgs]{
	Name: "conv2d_grad_w",
	Dims: convDims,
	Make: func(r *Rand, d []int) Conv2DGradWArgs {
		oh, ow := convOut(d)
		a := Conv2DGradWArgs{X: r.Normal(d[:4]...), DOut: r.Normal(d[0], oh, ow, d[4]), DW: Poison(d[4], d[5], d[6], d[3]), Stride: d[7], Pad: [4]int(d[8:12])}
		if d[12]&1 != 0 {
			a.DBias = Poison(d[4])
		}
		return a
	},
	Views: func(a *Conv2DGradWArgs) (in, out []*View) { return views(&a.X, &a.DOut), views(&a.DW, &a.DBias) },
	Cost: func(a *Conv2DGradWArgs) Cost {
		s := a.Sizes()
		return Cost{s.flops(), float64(a.X.Bytes() + a.DW.Bytes() + a.DOut.Bytes())}
	},
	Check: func(a *Conv2DGradWArgs) error {
		s, err := convSizes(&a.X, &a.DW, &a.DOut, a.Stride, a.Pad)
		if err == nil && !a.DBias.IsOpt(s.O) {
			err = fmt.Errorf("dbias %v, dout %v: want dbias [O], dout [B, OH, OW, O]", a.DBias, a.DOut)
		}
		return err
	},
	Ref: func(a *Conv2DGradWArgs) {
		s, x, g := a.Sizes(), a.X.F32(), a.DOut.F32()
		dw, db := make([]float64, a.DW.Len()), make([]float64, s.O)
		s.each(a.Stride, a.Pad, func(px, tap, py int) {
			for j := 0; j < s.O; j++ {
				for i := 0; i < s.I; i++ {
					dw[(j*s.KH*s.KW+tap)*s.I+i] += float64(g[py*s.O+j]) * float64(x[px*s.I+i])
				}
			}
		})
		for i, v := range g {
			db[i%s.O] += float64(v)
		}
		for i, v := range dw {
			a.DW.F32()[i] = float32(v)
		}
		if !a.DBias.Absent() {
			for i, v := range db {
				a.DBias.F32()[i] = float32(v)
			}
		}
	},
})

// Sizes are the sizes of checked arguments.
func (a *Conv2DGradWArgs) Sizes() ConvSizes {
	s, _ := convSizes(&a.X, &a.DW, &a.DOut, a.Stride, a.Pad)
	return s
}
