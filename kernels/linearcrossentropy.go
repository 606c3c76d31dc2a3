package kernels

import (
	"fmt"
	"math"
)

// LinearCrossEntropyArgs are the cross entropy of N rows behind a linear layer onto a vocabulary of V, and its gradients: CrossEntropy, whose terms are
// told there, of
//
//	Logits = X · Wᵀ + Bias
//
// which no variant stores whole. With z and l as there, p = softmax z, and e the row of 1 at the target:
//
//	DX[n] = w[n]/Σw · (p − (1 − s)·e − s/V) · W,   DW[v] = Σ_n w[n]/Σw · (p[v] − (1 − s)·e[v] − s/V) · X[n],   DBias the same without X
type LinearCrossEntropyArgs struct {
	X       View // [N, C]
	W       View // [V, C]
	Bias    View // [V], optional
	Target  View // i32 [N]
	Weight  View // [N], optional
	Loss    View // [1]
	RowLoss View // [N], optional: l, without weights
	DX      View // [N, C], optional
	DW      View // [V, C], optional
	DBias   View // [V], optional

	Smoothing float32
	Ignore    int32
}

// LinearCrossEntropy is the vocabulary head of a language model with its loss. A device without a variant of it takes GEMM and CrossEntropy.
var LinearCrossEntropy = register(&Op[LinearCrossEntropyArgs]{
	Name: "linear_crossentropy",
	// N, V, C, flags: 1 weights, 2 DX, 4 DW, 8 row losses, 16 smoothing, 32 bias and its gradient, 64 logits that rise by 50 a 168 words, 128 by 100
	Dims: [][]int{{1, 1, 1, 6}, {3, 2, 5, 15}, {5, 12, 16, 30}, {33, 100, 24, 46}, {7, 1037, 33, 63}, {500, 130, 40, 14}, {18, 1100, 16, 78}, {17, 1100, 12, 142}, {4, 300, 64, 24},
		{6, 70, 20, 2}, {21, 70, 32, 5}},
	Make: func(r *Rand, d []int) LinearCrossEntropyArgs {
		n, v, c, e := d[0], d[1], d[2], d[3]
		a := LinearCrossEntropyArgs{X: r.Normal(n, c), W: r.Normal(v, c), Target: r.Ints(v, n), Loss: Poison(1), Ignore: -100}
		for i, w := range a.W.F32() {
			a.W.F32()[i] = w / float32(math.Sqrt(float64(c)))
		}
		for i := 3; i < n; i += 4 {
			a.Target.I32()[i] = a.Ignore
		}
		if e&1 != 0 {
			a.Weight = r.Uniform(0, 2, n)
		}
		if e&2 != 0 {
			a.DX = Poison(n, c)
		}
		if e&4 != 0 {
			a.DW = Poison(v, c)
		}
		if e&8 != 0 {
			a.RowLoss = Poison(n)
		}
		if e&16 != 0 {
			a.Smoothing = 0.1
		}
		if e&(32|64|128) != 0 {
			a.Bias = r.Normal(v)
			b := a.Bias.F32()
			for i := range b {
				b[i] += float32(e/64*50) * float32(i/168%4) // 50 for 64, 100 for 128
			}
		}
		if e&32 != 0 {
			a.DBias = Poison(v)
		}
		return a
	},
	Views: func(a *LinearCrossEntropyArgs) (in, out []*View) {
		return views(&a.X, &a.W, &a.Bias, &a.Target, &a.Weight), views(&a.Loss, &a.RowLoss, &a.DX, &a.DW, &a.DBias)
	},
	Cost: func(a *LinearCrossEntropyArgs) Cost {
		in, out := views(&a.X, &a.W, &a.Bias, &a.Target, &a.Weight), views(&a.RowLoss, &a.DX, &a.DW, &a.DBias)
		products := 1.0
		for _, d := range views(&a.DX, &a.DW) {
			if !d.Absent() {
				products++
			}
		}
		return Cost{products * 2 * float64(a.X.Len()) * float64(a.W.Dim(0)), sumBytes(in, out)}
	},
	Check: func(a *LinearCrossEntropyArgs) error {
		var n, v, c int
		if !a.X.Bind(&n, &c) || !a.W.Bind(&v, &c) || !a.Bias.IsOpt(v) || !a.Target.Bind(&n) || a.Target.DType != I32 || !a.Weight.IsOpt(n) || !a.Loss.Is(1) || !a.RowLoss.IsOpt(n) ||
			!a.DX.IsOpt(n, c) || !a.DW.IsOpt(v, c) || !a.DBias.IsOpt(v) || a.W.DType != F32 || !(a.Smoothing >= 0 && a.Smoothing <= 1) {
			return fmt.Errorf("x %v, w %v, bias %v, target %v, weight %v, loss %v, row loss %v, dx %v, dw %v, dbias %v, smoothing %g: want x, dx [N, C], w, dw [V, C], bias, dbias [V], target i32 [N], weight, row loss [N], loss [1], smoothing in 0..1",
				a.X, a.W, a.Bias, a.Target, a.Weight, a.Loss, a.RowLoss, a.DX, a.DW, a.DBias, a.Smoothing)
		}
		return nil
	},
	Ref: linearCrossEntropyRef,
})

func linearCrossEntropyRef(a *LinearCrossEntropyArgs) {
	n, v, c := a.X.Dim(0), a.W.Dim(0), a.X.Dim(1)
	x, w, bias, s := a.X.F32(), a.W.F32(), a.Bias.F32(), float64(a.Smoothing)
	loss, share := 0.0, make([]float64, n)
	a.Share(share)
	dx, dw, db, z := make([]float64, n*c), make([]float64, v*c), make([]float64, v), make([]float64, v)
	for i := range n {
		t, top, sum, mean := a.Target.I32()[i], math.Inf(-1), 0.0, 0.0
		for j := range z {
			z[j] = 0
			if bias != nil {
				z[j] = float64(bias[j])
			}
			for l := range c {
				z[j] += float64(x[i*c+l]) * float64(w[j*c+l])
			}
			top, mean = max(top, z[j]), mean+z[j]/float64(v)
		}
		for _, y := range z {
			sum += math.Exp(y - top)
		}
		lse, l := top+math.Log(sum), 0.0
		if t != a.Ignore {
			l = lse - (1-s)*z[t] - s*mean
			loss += share[i] * l
		}
		if rows := a.RowLoss.F32(); rows != nil {
			rows[i] = float32(l)
		}
		for j, y := range z {
			g := math.Exp(y-lse) - s/float64(v)
			if int32(j) == t {
				g -= 1 - s
			}
			g *= share[i]
			db[j] += g
			for l := range c {
				dx[i*c+l] += g * float64(w[j*c+l])
				dw[j*c+l] += g * float64(x[i*c+l])
			}
		}
	}
	a.Loss.F32()[0] = float32(loss)
	for _, o := range []struct {
		to   []float32
		from []float64
	}{{a.DX.F32(), dx}, {a.DW.F32(), dw}, {a.DBias.F32(), db}} {
		for i := range o.to {
			o.to[i] = float32(o.from[i])
		}
	}
}

// weight is w of a row, 0 if it is ignored.
func (a *LinearCrossEntropyArgs) weight(i int) float64 {
	switch w := a.Weight.F32(); {
	case a.Target.I32()[i] == a.Ignore:
		return 0
	case w == nil:
		return 1
	default:
		return float64(w[i])
	}
}

// Share is what the loss of a row counts in Loss: w[n]/Σw, 0 for ignored rows, and for all if the weights sum to 0. It writes all N.
func (a *LinearCrossEntropyArgs) Share(share []float64) {
	total := 0.0
	for i := range share {
		share[i] = a.weight(i)
		total += share[i]
	}
	if total == 0 {
		total = math.Inf(1)
	}
	for i := range share {
		share[i] /= total
	}
}
