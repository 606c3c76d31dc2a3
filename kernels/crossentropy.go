package kernels

import (
	"fmt"
	"math"
)

// CrossEntropyArgs are the weighted mean of the cross entropies of N rows, and its gradient. With z = Logits[n], t = Target[n], s = Smoothing:
//
//	l[n] = log Σ_v exp z[v] − (1 − s) · z[t] − s · mean_v z[v]
//	Loss = Σ_n w[n] l[n] / Σ_n w[n]         over rows with t ≠ Ignore; w is Weight or 1
//
// s is torch's label smoothing (Szegedy et al. 2016). Ignored rows have RowLoss 0 and no gradient; if the weights sum to 0, all is 0.
// A target that is neither Ignore nor in 0..V-1 is an error of the caller; variants may panic.
type CrossEntropyArgs struct {
	Logits    View // [N, V]
	Target    View // i32 [N]
	Weight    View // [N], optional
	Loss      View // [1]
	DLogits   View // [N, V], optional: the gradient of Loss; may be Logits itself
	RowLoss   View // [N], optional: l, without weights
	Smoothing float32
	Ignore    int32
}

// CrossEntropy is the softmax cross entropy with its gradient.
var CrossEntropy = register(&Op[CrossEntropyArgs]{
	Name: "crossentropy",
	// N, V, flags: 1 weights, 2 gradient, 4 in place, 8 row losses, 16 smoothing
	Dims: [][]int{{1, 1, 2}, {1, 2, 14}, {5, 12, 18}, {33, 100, 15}, {7, 1037, 27}, {130, 33, 6}, {3, 5003, 16}},
	Make: func(r *Rand, d []int) CrossEntropyArgs {
		a := CrossEntropyArgs{Logits: r.Normal(d[0], d[1]), Target: r.Ints(d[1], d[0]), Loss: Poison(1), Ignore: -100}
		for i := 3; i < d[0]; i += 4 {
			a.Target.I32()[i] = a.Ignore
		}
		if d[2]&1 != 0 {
			a.Weight = r.Uniform(0, 2, d[0])
		}
		switch {
		case d[2]&4 != 0:
			a.DLogits = a.Logits
		case d[2]&2 != 0:
			a.DLogits = Poison(d[0], d[1])
		}
		if d[2]&8 != 0 {
			a.RowLoss = Poison(d[0])
		}
		if d[2]&16 != 0 {
			a.Smoothing = 0.1
		}
		return a
	},
	Views: func(a *CrossEntropyArgs) (in, out []*View) {
		return views(&a.Logits, &a.Target, &a.Weight), views(&a.Loss, &a.DLogits, &a.RowLoss)
	},
	Cost: func(a *CrossEntropyArgs) Cost {
		in, out := views(&a.Logits, &a.Target, &a.Weight), views(&a.DLogits, &a.RowLoss)
		return Cost{5 * float64(a.Logits.Len()), sumBytes(in, out)}
	},
	Check: func(a *CrossEntropyArgs) error {
		var n, v int
		if !a.Logits.Bind(&n, &v) || !a.Target.Bind(&n) || a.Target.DType != I32 || !a.Weight.IsOpt(n) || !a.Loss.Is(1) || !a.DLogits.IsOpt(n, v) || !a.RowLoss.IsOpt(n) ||
			!(a.Smoothing >= 0 && a.Smoothing <= 1) {
			return fmt.Errorf("logits %v, target %v, weight %v, loss %v, dlogits %v, row loss %v, smoothing %g: want logits, dlogits [N, V], target i32 [N], weight, row loss [N], loss [1], smoothing in 0..1",
				a.Logits, a.Target, a.Weight, a.Loss, a.DLogits, a.RowLoss, a.Smoothing)
		}
		return nil
	},
	Ref: crossEntropyRef,
})

func crossEntropyRef(a *CrossEntropyArgs) {
	n, v := a.Logits.Dim(0), a.Logits.Dim(1)
	z, t, w, dz, rows, s := a.Logits.F32(), a.Target.I32(), a.Weight.F32(), a.DLogits.F32(), a.RowLoss.F32(), float64(a.Smoothing)
	weight := func(i int) float64 {
		switch {
		case t[i] == a.Ignore:
			return 0
		case w == nil:
			return 1
		}
		return float64(w[i])
	}
	total, loss := 0.0, 0.0
	for i := 0; i < n; i++ {
		total += weight(i)
	}
	if total == 0 {
		total = math.Inf(1)
	}
	for i := 0; i < n; i++ {
		row, l := z[i*v:i*v+v], 0.0
		top, sum, mean := math.Inf(-1), 0.0, 0.0
		for _, x := range row {
			top, mean = max(top, float64(x)), mean+float64(x)/float64(v)
		}
		for _, x := range row {
			sum += math.Exp(float64(x) - top)
		}
		lse := top + math.Log(sum)
		if t[i] != a.Ignore {
			l = lse - (1-s)*float64(row[t[i]]) - s*mean
			loss += weight(i) / total * l
		}
		if rows != nil {
			rows[i] = float32(l)
		}
		if dz == nil {
			continue
		}
		for j, x := range row {
			g := math.Exp(float64(x)-lse) - s/float64(v)
			if int32(j) == t[i] {
				g -= 1 - s
			}
			dz[i*v+j] = float32(g * weight(i) / total)
		}
	}
	a.Loss.F32()[0] = float32(loss)
}
