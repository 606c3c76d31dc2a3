package kernels

import (
	"fmt"
	"math"
)

// AttentionArgs are the operands of softmax attention; heads lie inside a token's row, as linear layers write them. Queries, keys and values of one
// projection may be read where it wrote them, side by side in a token's row: Q is then [B, N, 3, H, D], K and V are absent.
//
//	S[n, m] = Scale · ⟨Q[n], K[m]⟩ + Bias[n, m]        per batch and head
//	Out[n]  = Σ_m softmax_m(S[n, :]) · V[m]
//	LSE[n]  = log Σ_m exp S[n, m]
//
// Key m takes part for query n if KeyMask[b, m] is not 0 and, with Causal, m ≤ n + M − N (the last query sees the last key).
// A bias of −Inf takes a key out too. A row with no key left gives zeros and LSE −Inf.
type AttentionArgs struct {
	Q       View // [B, N, H, D], or [B, N, 3, H, D]
	K, V    View // [B, M, H, D], or absent
	KeyMask View // i32 [B, M], optional: 1 keep, 0 drop
	Bias    View // [B or 1, H or 1, N, M], optional
	Out     View // [B, N, H, D]
	LSE     View // [B, H, N], optional: the backward pass needs it
	Scale   float32
	Causal  bool
}

// Attention is scaled dot-product attention (Vaswani et al. 2017, eq. 1). No variant stores all N·M scores (Dao et al. 2022).
var Attention = register(&Op[AttentionArgs]{
	Name: "attention",
	Dims: attentionDims(),
	Make: makeAttention,
	Views: func(a *AttentionArgs) (in, out []*View) {
		return views(&a.Q, &a.K, &a.V, &a.KeyMask, &a.Bias), views(&a.Out, &a.LSE)
	},
	Cost: func(a *AttentionArgs) Cost {
		b, n, m, h, d := a.Sizes()
		in, out := views(&a.Q, &a.K, &a.V, &a.KeyMask, &a.Bias), views(&a.Out, &a.LSE)
		return Cost{4 * attentionPairs(b, n, m, h, a.Causal) * float64(d), sumBytes(in, out)}
	},
	Check: (*AttentionArgs).check,
	Ref:   attentionRef,
	Tol:   5e-6, // the scores' rounding goes through exp
})

// B, N, M, H, D and flags: 1 causal, 2 key mask, 4 bias [B, H, N, M], 8 bias [1, H, N, M], 16 bias [B, 1, N, M], 32 no LSE, 64 packed: Q alone
func attentionDims() [][]int {
	return [][]int{{1, 1, 1, 1, 1, 0}, {2, 17, 17, 3, 40, 0}, {1, 33, 33, 2, 64, 1}, {2, 21, 21, 2, 64, 2}, {1, 19, 77, 2, 40, 32}, {2, 5, 1, 2, 16, 2},
		{2, 65, 65, 1, 24, 7}, {2, 70, 50, 2, 80, 8}, {1, 40, 13, 2, 7, 1}, {1, 13, 40, 2, 33, 17}, {2, 64, 64, 4, 16, 0}, {1, 256, 200, 2, 32, 2}, {1, 37, 530, 1, 160, 1}, {1, 150, 300, 1, 64, 3}, {1, 150, 600, 1, 16, 1}, {4, 300, 20, 4, 8, 0},
		{2, 17, 17, 3, 40, 64}, {1, 70, 70, 2, 64, 67}, {2, 33, 33, 1, 24, 68}}
}

func makeAttention(r *Rand, d []int) AttentionArgs {
	b, n, m, h, e := d[0], d[1], d[2], d[3], d[5]
	a := AttentionArgs{Q: r.Normal(b, n, h, d[4]), K: r.Normal(b, m, h, d[4]), V: r.Normal(b, m, h, d[4]), Out: Poison(b, n, h, d[4]),
		Scale: float32(1 / math.Sqrt(float64(d[4]))), Causal: e&1 != 0}
	if e&64 != 0 {
		a.Q, a.K, a.V = r.Normal(b, n, 3, h, d[4]), View{}, View{}
	}
	if e&2 != 0 {
		a.KeyMask = r.Ints(2, b, m)
	}
	switch {
	case e&4 != 0:
		a.Bias = r.Normal(b, h, n, m)
	case e&8 != 0:
		a.Bias = r.Normal(1, h, n, m)
	case e&16 != 0:
		a.Bias = r.Normal(b, 1, n, m)
		a.Bias.F32()[m/2] = float32(math.Inf(-1))
	}
	if e&32 == 0 {
		a.LSE = Poison(b, h, n)
	}
	return a
}

func attentionPairs(b, n, m, h int, causal bool) float64 {
	p := float64(n) * float64(m)
	if causal {
		p = 0
		for i := 0; i < n; i++ {
			p += float64(min(m, max(0, i+m-n+1)))
		}
	}
	return p * float64(b*h)
}

// Packed tells whether one projection made queries, keys and values.
func (a *AttentionArgs) Packed() bool { return a.Q.Rank() == 5 }

// Sizes are B, N, M, H and D.
func (a *AttentionArgs) Sizes() (b, n, m, h, d int) {
	if a.Packed() {
		return a.Q.Dim(0), a.Q.Dim(1), a.Q.Dim(1), a.Q.Dim(3), a.Q.Dim(4)
	}
	return a.Q.Dim(0), a.Q.Dim(1), a.K.Dim(1), a.Q.Dim(2), a.Q.Dim(3)
}

// Rows are float32 queries, keys and values in host memory, and how far apart those of neighbouring tokens lie.
func (a *AttentionArgs) Rows() (q, k, v []float32, step int) {
	return attentionRows(a, &a.Q, &a.K, &a.V)
}

func attentionRows(a *AttentionArgs, x, y, z *View) (q, k, v []float32, step int) {
	_, _, _, h, d := a.Sizes()
	if a.Packed() {
		return x.F32(), x.F32()[h*d:], x.F32()[2*h*d:], 3 * h * d
	}
	return x.F32(), y.F32(), z.F32(), h * d
}

func (a *AttentionArgs) fits(b, n, m, h, d *int) bool {
	if a.Packed() {
		three := 3
		*m = a.Q.Dim(1)
		return a.Q.Bind(b, n, &three, h, d) && a.K.Absent() && a.V.Absent()
	}
	return a.Q.Bind(b, n, h, d) && a.K.Bind(b, m, h, d) && a.V.Bind(b, m, h, d)
}

func (a *AttentionArgs) check() error {
	var b, n, m, h, d int
	if !a.fits(&b, &n, &m, &h, &d) || !a.Out.Bind(&b, &n, &h, &d) ||
		!a.LSE.IsOpt(b, h, n) || !a.KeyMask.IsOpt(b, m) || (!a.KeyMask.Absent() && a.KeyMask.DType != I32) || !biasFits(&a.Bias, b, h, n, m) {
		return fmt.Errorf("q %v, k %v, v %v, key mask %v, bias %v, out %v, lse %v: want q, out [B, N, H, D], k, v [B, M, H, D], or q [B, N, 3, H, D] alone, key mask i32 [B, M], bias [B or 1, H or 1, N, M], lse [B, H, N]",
			a.Q, a.K, a.V, a.KeyMask, a.Bias, a.Out, a.LSE)
	}
	return nil
}

func biasFits(v *View, b, h, n, m int) bool {
	return v.Absent() || v.Is(b, h, n, m) || v.Is(1, h, n, m) || v.Is(b, 1, n, m) || v.Is(1, 1, n, m)
}

// BiasStrides are the steps of an attention bias [B or 1, H or 1, N, M] along B and H; 0 where it is broadcast.
func BiasStrides(bias *View) (b, h int) {
	if bias.Absent() {
		return 0, 0
	}
	if nm := bias.Dim(2) * bias.Dim(3); bias.Dim(1) > 1 {
		h = nm
	}
	if bias.Dim(0) > 1 {
		b = bias.Dim(1) * bias.Dim(2) * bias.Dim(3)
	}
	return b, h
}

// attentionRow is row n of the scores in float64, −Inf where a key does not take part, and their log-sum-exp.
func attentionRow(a *AttentionArgs, b, h, n int, s []float64) (lse float64) {
	_, nn, mm, _, d := a.Sizes()
	q, k, _, step := a.Rows()
	bias, mask := a.Bias.F32(), a.KeyMask.I32()
	q = q[(b*nn+n)*step+h*d:]
	sb, sh := BiasStrides(&a.Bias)
	top := math.Inf(-1)
	for m := range s {
		s[m] = math.Inf(-1)
		if (mask != nil && mask[b*mm+m] == 0) || (a.Causal && m > n+mm-nn) {
			continue
		}
		dot := 0.0
		for i := 0; i < d; i++ {
			dot += float64(q[i]) * float64(k[(b*mm+m)*step+h*d+i])
		}
		s[m] = dot * float64(a.Scale)
		if bias != nil {
			s[m] += float64(bias[b*sb+h*sh+n*mm+m])
		}
		top = max(top, s[m])
	}
	if math.IsInf(top, -1) {
		return top
	}
	sum := 0.0
	for _, x := range s {
		sum += math.Exp(x - top)
	}
	return top + math.Log(sum)
}

func attentionRef(a *AttentionArgs) {
	bs, nn, mm, hh, d := a.Sizes()
	_, _, v, step := a.Rows()
	out, lse := a.Out.F32(), a.LSE.F32()
	s, o := make([]float64, mm), make([]float64, d)
	for b := 0; b < bs; b++ {
		for h := 0; h < hh; h++ {
			for n := 0; n < nn; n++ {
				l := attentionRow(a, b, h, n, s)
				clear(o)
				for m := range s {
					if math.IsInf(s[m], -1) {
						continue
					}
					p := math.Exp(s[m] - l)
					for i := range o {
						o[i] += p * float64(v[(b*mm+m)*step+h*d+i])
					}
				}
				for i, x := range o {
					out[((b*nn+n)*hh+h)*d+i] = float32(x)
				}
				if lse != nil {
					lse[(b*hh+h)*nn+n] = float32(l)
				}
			}
		}
	}
}

// AttentionGradArgs are the gradients of Attention with respect to Q, K and V, from its operands, its Out and its LSE:
//
//	P = exp(S − LSE), δ[n] = ⟨DOut[n], Out[n]⟩, DS[n, m] = P[n, m] · (⟨DOut[n], V[m]⟩ − δ[n])
//	DQ = Scale · DS · K,  DK = Scale · DSᵀ · Q,  DV = Pᵀ · DOut
type AttentionGradArgs struct {
	Q, K, V, KeyMask, Bias View // as in the forward pass
	Out, LSE, DOut         View // [B, N, H, D], LSE [B, H, N]
	DQ, DK, DV             View // as Q, K and V: DQ alone where Q is
	Scale                  float32
	Causal                 bool
}

// AttentionGrad is the gradient of Attention. P is computed again from LSE, not stored.
var AttentionGrad = register(&Op[AttentionGradArgs]{
	Name: "attention_grad",
	Dims: attentionDims(),
	Make: func(r *Rand, d []int) AttentionGradArgs {
		f := makeAttention(r, d)
		f.LSE = Poison(d[0], d[3], d[1])
		attentionRef(&f)
		a := AttentionGradArgs{f.Q, f.K, f.V, f.KeyMask, f.Bias, f.Out, f.LSE, r.Normal(f.Out.Shape()...), Poison(f.Q.Shape()...), View{}, View{}, f.Scale, f.Causal}
		if !f.Packed() {
			a.DK, a.DV = Poison(f.K.Shape()...), Poison(f.V.Shape()...)
		}
		return a
	},
	Views: func(a *AttentionGradArgs) (in, out []*View) {
		return views(&a.Q, &a.K, &a.V, &a.KeyMask, &a.Bias, &a.Out, &a.LSE, &a.DOut), views(&a.DQ, &a.DK, &a.DV)
	},
	Cost: func(a *AttentionGradArgs) Cost {
		f := a.Forward()
		b, n, m, h, d := f.Sizes()
		in, out := views(&a.Q, &a.K, &a.V, &a.KeyMask, &a.Bias, &a.Out, &a.LSE, &a.DOut), views(&a.DQ, &a.DK, &a.DV)
		return Cost{10 * attentionPairs(b, n, m, h, a.Causal) * float64(d), sumBytes(in, out)}
	},
	Check: func(a *AttentionGradArgs) error {
		f := a.Forward()
		if err := f.check(); err != nil {
			return err
		}
		if a.LSE.Absent() || !a.DOut.Is(a.Out.Shape()...) || !a.DQ.Is(a.Q.Shape()...) || (f.Packed() && (!a.DK.Absent() || !a.DV.Absent())) ||
			(!f.Packed() && (!a.DK.Is(a.K.Shape()...) || !a.DV.Is(a.V.Shape()...))) {
			return fmt.Errorf("q %v, k %v, v %v, lse %v, dout %v, dq %v, dk %v, dv %v: want lse given, dout and gradients shaped as their operands",
				a.Q, a.K, a.V, a.LSE, a.DOut, a.DQ, a.DK, a.DV)
		}
		return nil
	},
	Ref:  attentionGradRef,
	Tol:  1e-5, // LSE arrives rounded to float32
	Meet: 6,    // DQ is of DS and K, DS of P, which is of Q and K, and of DOut and V
	Renew: func(a *AttentionGradArgs) {
		f := a.Forward()
		attentionRef(&f)
	},
})

// Forward are the arguments of the forward pass.
func (a *AttentionGradArgs) Forward() AttentionArgs {
	return AttentionArgs{a.Q, a.K, a.V, a.KeyMask, a.Bias, a.Out, a.LSE, a.Scale, a.Causal}
}

// GradRows are the gradients of queries, keys and values in host memory, and how far apart those of neighbouring tokens lie.
func (a *AttentionGradArgs) GradRows() (dq, dk, dv []float32, step int) {
	f := a.Forward()
	return attentionRows(&f, &a.DQ, &a.DK, &a.DV)
}

func attentionGradRef(a *AttentionGradArgs) {
	f := a.Forward()
	bs, nn, mm, hh, d := f.Sizes()
	q, k, v, step := f.Rows()
	toQ, toK, toV, _ := a.GradRows()
	dout := a.DOut.F32()
	dq, dk, dv, s := make([]float64, bs*nn*hh*d), make([]float64, bs*mm*hh*d), make([]float64, bs*mm*hh*d), make([]float64, mm)
	for b := 0; b < bs; b++ {
		for h := 0; h < hh; h++ {
			for n := 0; n < nn; n++ {
				l := attentionRow(&f, b, h, n, s)
				qn, qs := ((b*nn+n)*hh+h)*d, (b*nn+n)*step+h*d // in rows without and with gaps
				dp, delta := make([]float64, mm), 0.0
				for m := range s {
					if s[m] = math.Exp(s[m] - l); math.IsInf(l, -1) {
						s[m] = 0
					}
					for i := 0; i < d; i++ {
						dp[m] += float64(dout[qn+i]) * float64(v[(b*mm+m)*step+h*d+i])
					}
					delta += s[m] * dp[m]
				}
				for m := range s {
					km, ks, ds := ((b*mm+m)*hh+h)*d, (b*mm+m)*step+h*d, s[m]*(dp[m]-delta)*float64(a.Scale)
					for i := 0; i < d; i++ {
						dq[qn+i] += ds * float64(k[ks+i])
						dk[km+i] += ds * float64(q[qs+i])
						dv[km+i] += s[m] * float64(dout[qn+i])
					}
				}
			}
		}
	}
	for i := range bs * nn {
		narrow(toQ[i*step:], dq[i*hh*d:(i+1)*hh*d])
	}
	for i := range bs * mm {
		narrow(toK[i*step:], dk[i*hh*d:(i+1)*hh*d])
		narrow(toV[i*step:], dv[i*hh*d:(i+1)*hh*d])
	}
}

func narrow(dst []float32, src []float64) {
	for i, x := range src {
		dst[i] = float32(x)
	}
}
