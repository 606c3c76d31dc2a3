package kernels

import (
	"fmt"
	"math"
)

// GroupNormArgs are the operands of group normalisation (Wu & He 2018) of channels-last images, with an activation after it:
//
//	Out = Act((X − mean) / √(var + Eps) · Gain + Bias),   mean and var over all P places and the C/Groups channels of a group
//
// X and Out are [B, P, C] with P = H·W, Gain and Bias [C]; Mean and Rstd [B, Groups] are what the gradient needs. Act is ActNone or SiLU. Out may be X.
type GroupNormArgs struct {
	X, Gain, Bias View
	Out           View
	Mean, Rstd    View // optional
	Groups        int
	Eps           float32
	Act           Act
}

// B, P, C, groups, SiLU; a group of two would have a gradient of nothing but rounding
var groupNormDims = [][]int{{1, 1, 3, 1, 0}, {2, 9, 6, 3, 1}, {1, 63, 32, 32, 1}, {3, 5, 40, 8, 0}, {2, 257, 64, 32, 1}, {1, 1100, 20, 4, 1}, {2, 64, 33, 1, 0}, {1, 17, 7, 7, 1}, {1, 40, 288, 32, 1},
	{1, 401, 128, 32, 1}}

// GroupNorm normalises groups of channels.
var GroupNorm = register(&Op[GroupNormArgs]{
	Name: "group_norm",
	Dims: groupNormDims,
	Make: func(r *Rand, d []int) GroupNormArgs {
		b, p, c, g := d[0], d[1], d[2], d[3]
		a := GroupNormArgs{X: offsetRows(r.Normal(b, p, c), 2), Gain: r.Uniform(0.5, 2, c), Bias: r.Normal(c), Out: Poison(b, p, c), Groups: g, Eps: 1e-5}
		if d[4] == 1 {
			a.Act, a.Mean, a.Rstd = SiLU, Poison(b, g), Poison(b, g)
		}
		return a
	},
	Views: func(a *GroupNormArgs) (in, out []*View) {
		return views(&a.X, &a.Gain, &a.Bias), views(&a.Out, &a.Mean, &a.Rstd)
	},
	Cost: func(a *GroupNormArgs) Cost { return Cost{8 * float64(a.X.Len()), float64(2 * a.X.Bytes())} },
	Check: func(a *GroupNormArgs) error {
		var b, p, c int
		if !a.X.Bind(&b, &p, &c) || !a.Out.Bind(&b, &p, &c) || !a.Gain.Is(c) || !a.Bias.Is(c) || !groupsFit(c, a.Groups, a.Act) ||
			!a.Mean.IsOpt(b, a.Groups) || !a.Rstd.IsOpt(b, a.Groups) || !(a.Eps >= 0) {
			return fmt.Errorf("x %v, gain %v, bias %v, out %v, mean %v, rstd %v, groups %d, eps %g, act %v: want x, out [B, P, C], gain, bias [C], mean, rstd [B, groups], C a multiple of groups, eps ≥ 0, act none or silu",
				a.X, a.Gain, a.Bias, a.Out, a.Mean, a.Rstd, a.Groups, a.Eps, a.Act)
		}
		return nil
	},
	Ref: groupNormRef,
})

func groupsFit(c, groups int, f Act) bool {
	return groups > 0 && c%groups == 0 && (f == ActNone || f == SiLU)
}

func groupNormRef(a *GroupNormArgs) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	w, x, o := c/a.Groups, a.X.F32(), a.Out.F32()
	for i := 0; i < b; i++ {
		for g := 0; g < a.Groups; g++ {
			mean, sq := 0.0, 0.0
			for j := 0; j < p; j++ {
				for _, v := range x[(i*p+j)*c+g*w : (i*p+j)*c+g*w+w] {
					mean += float64(v)
				}
			}
			mean /= float64(p * w)
			for j := 0; j < p; j++ {
				for _, v := range x[(i*p+j)*c+g*w : (i*p+j)*c+g*w+w] {
					sq += (float64(v) - mean) * (float64(v) - mean)
				}
			}
			rstd := 1 / math.Sqrt(sq/float64(p*w)+float64(a.Eps))
			for j := 0; j < p; j++ {
				for k := g * w; k < g*w+w; k++ {
					at := (i*p+j)*c + k
					o[at] = float32(a.Act.Eval((float64(x[at])-mean)*rstd*float64(a.Gain.F32()[k]) + float64(a.Bias.F32()[k])))
				}
			}
			if m := a.Mean.F32(); m != nil {
				m[i*a.Groups+g] = float32(mean)
			}
			if s := a.Rstd.F32(); s != nil {
				s[i*a.Groups+g] = float32(rstd)
			}
		}
	}
}

// GroupNormGradArgs are the gradient of GroupNorm. With x̂ = (X − Mean)·Rstd, d = DOut·Act'(x̂·Gain + Bias) and means over a group,
//
//	DX = Rstd · (d·Gain − mean(d·Gain) − x̂·mean(d·Gain·x̂)),   DGain = Σ d·x̂,   DBias = Σ d
//
// DX may be DOut.
type GroupNormGradArgs struct {
	X, Gain, Bias, Mean, Rstd, DOut View
	DX                              View
	DGain, DBias                    View // optional
	Groups                          int
	Act                             Act
}

// GroupNormGrad is the gradient of GroupNorm.
var GroupNormGrad = register(&Op[GroupNormGradArgs]{
	Name: "group_norm_grad",
	Dims: groupNormDims,
	Make: func(r *Rand, d []int) GroupNormGradArgs {
		b, p, c, g := d[0], d[1], d[2], d[3]
		f := GroupNormArgs{X: offsetRows(r.Normal(b, p, c), 0.5), Gain: r.Uniform(0.5, 2, c), Bias: r.Normal(c), Out: Poison(b, p, c), Mean: Poison(b, g), Rstd: Poison(b, g), Groups: g, Eps: 1e-5}
		groupNormRef(&f)
		a := GroupNormGradArgs{X: f.X, Gain: f.Gain, Bias: f.Bias, Mean: f.Mean, Rstd: f.Rstd, DOut: r.Normal(b, p, c), DX: Poison(b, p, c), Groups: g}
		if d[4] == 1 {
			a.Act = SiLU
		}
		if c != 40 {
			a.DGain, a.DBias = Poison(c), Poison(c)
		}
		return a
	},
	Views: func(a *GroupNormGradArgs) (in, out []*View) {
		return views(&a.X, &a.Gain, &a.Bias, &a.Mean, &a.Rstd, &a.DOut), views(&a.DX, &a.DGain, &a.DBias)
	},
	Cost: func(a *GroupNormGradArgs) Cost { return Cost{16 * float64(a.X.Len()), float64(3 * a.X.Bytes())} },
	Check: func(a *GroupNormGradArgs) error {
		var b, p, c int
		if !a.X.Bind(&b, &p, &c) || !a.DOut.Bind(&b, &p, &c) || !a.DX.Bind(&b, &p, &c) || !a.Gain.Is(c) || !a.Bias.Is(c) || !groupsFit(c, a.Groups, a.Act) ||
			!a.Mean.Is(b, a.Groups) || !a.Rstd.Is(b, a.Groups) || !a.DGain.IsOpt(c) || !a.DBias.IsOpt(c) {
			return fmt.Errorf("x %v, gain %v, bias %v, mean %v, rstd %v, dout %v, dx %v, dgain %v, dbias %v, groups %d, act %v: want x, dout, dx [B, P, C], gain, bias, dgain, dbias [C], mean, rstd [B, groups], C a multiple of groups, act none or silu",
				a.X, a.Gain, a.Bias, a.Mean, a.Rstd, a.DOut, a.DX, a.DGain, a.DBias, a.Groups, a.Act)
		}
		return nil
	},
	Ref: groupNormGradRef,
})

func groupNormGradRef(a *GroupNormGradArgs) {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	w, x, dx := c/a.Groups, a.X.F32(), a.DX.F32()
	dgain, dbias, d := make([]float64, c), make([]float64, c), make([]float64, p*w)
	for i := 0; i < b; i++ {
		for g := 0; g < a.Groups; g++ {
			mean, rstd := float64(a.Mean.F32()[i*a.Groups+g]), float64(a.Rstd.F32()[i*a.Groups+g])
			sg, sgh := 0.0, 0.0
			for j := 0; j < p; j++ {
				for k := g * w; k < g*w+w; k++ {
					at, gain := (i*p+j)*c+k, float64(a.Gain.F32()[k])
					h := (float64(x[at]) - mean) * rstd
					v := float64(a.DOut.F32()[at]) * a.Act.Deriv(h*gain+float64(a.Bias.F32()[k]))
					dgain[k] += v * h
					dbias[k] += v
					sg += v * gain
					sgh += v * gain * h
					d[j*w+k-g*w] = v * gain
				}
			}
			for j := 0; j < p; j++ {
				for k := g * w; k < g*w+w; k++ {
					at := (i*p+j)*c + k
					h := (float64(x[at]) - mean) * rstd
					dx[at] = float32(rstd * (d[j*w+k-g*w] - (sg+h*sgh)/float64(p*w)))
				}
			}
		}
	}
	roundTo(a.DGain.F32(), dgain)
	roundTo(a.DBias.F32(), dbias)
}
