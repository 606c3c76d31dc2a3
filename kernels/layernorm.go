package kernels

import (
	"fmt"
	"math"
)

// LayerNormArgs are the operands of layer normalisation over rows (Ba et al. 2016):
//
//	Out[n] = (X[n] − mean) / √(var + Eps) · Gain + Bias,   var the mean square deviation
//
// X and Out are [N, C], Gain and Bias [C]; Mean and Rstd [N] are what the gradient needs. Out may be X.
type LayerNormArgs struct {
	X, Gain, Bias View // Gain and Bias optional
	Out           View
	Mean, Rstd    View // optional
	Eps           float32
}

var rowDims = [][]int{{1, 1, 0}, {1, 33, 1}, {7, 257, 3}, {65, 48, 3}, {3, 1030, 2}, {130, 5, 3}, {300, 16, 1}}

// offsetRows adds a constant to rows so that careless variances show; the constant is exact in float32.
func offsetRows(v View, by float32) View {
	for i := range v.F32() {
		v.F32()[i] += by
	}
	return v
}

// LayerNorm normalises rows.
var LayerNorm = register(&Op[LayerNormArgs]{
	Name: "layer_norm",
	Dims: rowDims, // N, C, flags (1 gain, 2 bias)
	Make: func(r *Rand, d []int) LayerNormArgs {
		n, c := d[0], d[1]
		a := LayerNormArgs{X: offsetRows(r.Normal(n, c), 3), Out: Poison(n, c), Eps: 1e-5}
		if d[2]&1 != 0 {
			a.Gain, a.Mean, a.Rstd = r.Uniform(0.5, 2, c), Poison(n), Poison(n)
		}
		if d[2]&2 != 0 {
			a.Bias = r.Normal(c)
		}
		return a
	},
	Views: func(a *LayerNormArgs) (in, out []*View) {
		return views(&a.X, &a.Gain, &a.Bias), views(&a.Out, &a.Mean, &a.Rstd)
	},
	Cost: func(a *LayerNormArgs) Cost { return Cost{8 * float64(a.X.Len()), float64(2 * a.X.Bytes())} },
	Check: func(a *LayerNormArgs) error {
		var n, c int
		if !a.X.Bind(&n, &c) || !a.Out.Bind(&n, &c) || !a.Gain.IsOpt(c) || !a.Bias.IsOpt(c) || !a.Mean.IsOpt(n) || !a.Rstd.IsOpt(n) || !(a.Eps >= 0) {
			return fmt.Errorf("x %v, gain %v, bias %v, out %v, mean %v, rstd %v, eps %g: want x, out [N, C], gain, bias [C], mean, rstd [N], eps ≥ 0", a.X, a.Gain, a.Bias, a.Out, a.Mean, a.Rstd, a.Eps)
		}
		return nil
	},
	Ref: layerNormRef,
})

func layerNormRef(a *LayerNormArgs) {
	n, c, x, o, gain, bias := a.X.Dim(0), a.X.Dim(1), a.X.F32(), a.Out.F32(), a.Gain.F32(), a.Bias.F32()
	for i := 0; i < n; i++ {
		row, mean, sq := x[i*c:i*c+c], 0.0, 0.0
		for _, v := range row {
			mean += float64(v)
		}
		mean /= float64(c)
		for _, v := range row {
			sq += (float64(v) - mean) * (float64(v) - mean)
		}
		rstd := 1 / math.Sqrt(sq/float64(c)+float64(a.Eps))
		for j, v := range row {
			y := (float64(v) - mean) * rstd
			if gain != nil {
				y *= float64(gain[j])
			}
			if bias != nil {
				y += float64(bias[j])
			}
			o[i*c+j] = float32(y)
		}
		if m := a.Mean.F32(); m != nil {
			m[i] = float32(mean)
		}
		if s := a.Rstd.F32(); s != nil {
			s[i] = float32(rstd)
		}
	}
}

// LayerNormGradArgs are the gradient of LayerNorm: with x̂ = (X − Mean)·Rstd and g = DOut·Gain,
//
//	DX = Rstd · (g − mean(g) − x̂·mean(g·x̂)),   DGain = Σ_n DOut·x̂,   DBias = Σ_n DOut
//
// DX may be DOut.
type LayerNormGradArgs struct {
	X, Gain, Mean, Rstd, DOut View // Gain optional
	DX                        View
	DGain, DBias              View // optional
}

// LayerNormGrad is the gradient of LayerNorm.
var LayerNormGrad = register(&Op[LayerNormGradArgs]{
	Name: "layer_norm_grad",
	Dims: rowDims, // N, C, flags (1 gain, 2 bias)
	Make: func(r *Rand, d []int) LayerNormGradArgs {
		n, c := d[0], d[1]
		f := LayerNormArgs{X: offsetRows(r.Normal(n, c), 0.5), Out: Poison(n, c), Mean: Poison(n), Rstd: Poison(n), Eps: 1e-5}
		layerNormRef(&f)
		a := LayerNormGradArgs{X: f.X, Mean: f.Mean, Rstd: f.Rstd, DOut: r.Normal(n, c), DX: Poison(n, c)}
		if d[2]&1 != 0 {
			a.Gain, a.DGain = r.Uniform(0.5, 2, c), Poison(c)
		}
		if d[2]&2 != 0 {
			a.DBias = Poison(c)
		}
		return a
	},
	Views: func(a *LayerNormGradArgs) (in, out []*View) {
		return views(&a.X, &a.Gain, &a.Mean, &a.Rstd, &a.DOut), views(&a.DX, &a.DGain, &a.DBias)
	},
	Cost: func(a *LayerNormGradArgs) Cost { return Cost{14 * float64(a.X.Len()), float64(3 * a.X.Bytes())} },
	Check: func(a *LayerNormGradArgs) error {
		var n, c int
		if !a.X.Bind(&n, &c) || !a.DOut.Bind(&n, &c) || !a.DX.Bind(&n, &c) || !a.Gain.IsOpt(c) || !a.Mean.Is(n) || !a.Rstd.Is(n) || !a.DGain.IsOpt(c) || !a.DBias.IsOpt(c) {
			return fmt.Errorf("x %v, gain %v, mean %v, rstd %v, dout %v, dx %v, dgain %v, dbias %v: want x, dout, dx [N, C], gain, dgain, dbias [C], mean, rstd [N]", a.X, a.Gain, a.Mean, a.Rstd, a.DOut, a.DX, a.DGain, a.DBias)
		}
		return nil
	},
	Ref: func(a *LayerNormGradArgs) {
		n, c, x, gain, dout, dx := a.X.Dim(0), a.X.Dim(1), a.X.F32(), a.Gain.F32(), a.DOut.F32(), a.DX.F32()
		dgain, dbias := make([]float64, c), make([]float64, c)
		g, h := make([]float64, c), make([]float64, c)
		for i := 0; i < n; i++ {
			mean, rstd, sg, sgh := float64(a.Mean.F32()[i]), float64(a.Rstd.F32()[i]), 0.0, 0.0
			for j := range g {
				d := float64(dout[i*c+j])
				h[j] = (float64(x[i*c+j]) - mean) * rstd
				dgain[j] += d * h[j]
				dbias[j] += d
				if g[j] = d; gain != nil {
					g[j] *= float64(gain[j])
				}
				sg += g[j]
				sgh += g[j] * h[j]
			}
			for j := range g {
				dx[i*c+j] = float32(rstd * (g[j] - sg/float64(c) - h[j]*sgh/float64(c)))
			}
		}
		roundTo(a.DGain.F32(), dgain)
		roundTo(a.DBias.F32(), dbias)
	},
})

// roundTo rounds src into dst, which may be nil.
func roundTo(dst []float32, src []float64) {
	for i := range dst {
		dst[i] = float32(src[i])
	}
}
