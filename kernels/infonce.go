package kernels

import (
	"fmt"
	"math"
)

// InfoNCEArgs are the contrastive loss of X against Y and its gradients. With S[n, m] = Scale · ⟨X[n], Y[m]⟩ and t = Target[n]:
//
//	Loss = WX/N · Σ_n (log Σ_m exp S[n, m] − S[n, t]) + WY/N · Σ_n (log Σ_i exp S[i, t] − S[n, t])
//
// CLIP's symmetric loss is WX = WY = 1/2 with no Target. Gradients are of Loss; each is optional, DX and DY come together.
// Rank[n] counts the rows of Y that are more like X[n] than its positive (equal ones of a lower index count as more): 0 is a hit.
// A target outside 0..M-1 is an error of the caller; variants may panic.
type InfoNCEArgs struct {
	X      View // [N, D]
	Y      View // [M, D]
	Scale  View // [1]
	Target View // i32 [N], optional: the row of Y that belongs to X[n]; absent: n
	Loss   View // [1]
	DX, DY View // optional
	DScale View // [1], optional
	Rank   View // i32 [N], optional
	WX, WY float32
}

// InfoNCE is the contrastive loss (van den Oord et al. 2018; symmetric: Radford et al. 2021) with its gradients. No variant stores the N×M similarities.
var InfoNCE = register(&Op[InfoNCEArgs]{
	Name: "infonce",
	// N, M, D, flags: 1 both directions, 2 targets, 4 gradients, 8 ranks, 16 not normalised
	Dims: [][]int{{1, 1, 1, 5}, {4, 4, 32, 13}, {33, 33, 40, 15}, {130, 130, 64, 5}, {7, 300, 33, 14}, {64, 70, 16, 12}, {200, 200, 24, 1}, {65, 129, 48, 30}, {5, 5, 3, 29}, {600, 600, 20, 13}, {40, 2100, 32, 4}, {2100, 70, 32, 6}},
	Make: makeInfoNCE,
	Views: func(a *InfoNCEArgs) (in, out []*View) {
		return views(&a.X, &a.Y, &a.Scale, &a.Target), views(&a.Loss, &a.DX, &a.DY, &a.DScale, &a.Rank)
	},
	Cost: func(a *InfoNCEArgs) Cost {
		f := 2 * float64(a.X.Len()) * float64(a.Y.Dim(0))
		if !a.DX.Absent() {
			f *= 4 // the products once more, and two for the gradients
		}
		in, out := views(&a.X, &a.Y), views(&a.DX, &a.DY)
		return Cost{f, sumBytes(in, out)}
	},
	Check: (*InfoNCEArgs).check,
	Ref:   infoNCERef,
	Tol:   1e-5, // the scores' rounding, times Scale, goes through exp
})

func makeInfoNCE(r *Rand, d []int) InfoNCEArgs {
	a := InfoNCEArgs{X: r.Unit(d[0], d[2]), Y: r.Unit(d[1], d[2]), Scale: r.Uniform(10, 20, 1), Loss: Poison(1), WX: 0.75}
	if d[3]&16 != 0 {
		a.X, a.Y, a.Scale = r.Normal(d[0], d[2]), r.Normal(d[1], d[2]), r.Uniform(0.2, 0.5, 1)
	}
	if d[3]&1 != 0 {
		a.WY = 0.5
	}
	if d[3]&2 != 0 {
		a.Target = r.Ints(d[1], d[0])
	}
	if d[3]&4 != 0 {
		a.DX, a.DY, a.DScale = Poison(d[0], d[2]), Poison(d[1], d[2]), Poison(1)
	}
	if d[3]&8 != 0 {
		a.Rank = PoisonInts(d[0])
	}
	return a
}

func (a *InfoNCEArgs) check() error {
	var n, m, d int
	one := 1
	if !a.X.Bind(&n, &d) || !a.Y.Bind(&m, &d) || !a.Scale.Bind(&one) || !a.Loss.Bind(&one) || !a.Target.IsOpt(n) || !a.DX.IsOpt(n, d) || !a.DY.IsOpt(m, d) ||
		!a.DScale.IsOpt(1) || !a.Rank.IsOpt(n) || a.DX.Absent() != a.DY.Absent() || (!a.DScale.Absent() && a.DX.Absent()) {
		return fmt.Errorf("x %v, y %v, scale %v, target %v, loss %v, dx %v, dy %v, dscale %v, rank %v: want x, dx [N, D], y, dy [M, D], scale, loss, dscale [1], target, rank [N]; dx with dy, dscale with both",
			a.X, a.Y, a.Scale, a.Target, a.Loss, a.DX, a.DY, a.DScale, a.Rank)
	}
	for _, v := range []*View{&a.Target, &a.Rank} {
		if !v.Absent() && v.DType != I32 {
			return fmt.Errorf("target %v, rank %v: want i32", a.Target, a.Rank)
		}
	}
	if (a.WY != 0 || a.Target.Absent()) && n > m || a.WY != 0 && n != m {
		return fmt.Errorf("x %v, y %v, WY %g, target %v: want as many rows of y as of x for the y→x direction, and no fewer without target", a.X, a.Y, a.WY, a.Target)
	}
	return nil
}

func infoNCERef(a *InfoNCEArgs) {
	n, m, d := a.X.Dim(0), a.Y.Dim(0), a.X.Dim(1)
	x, y, scale := a.X.F32(), a.Y.F32(), float64(a.Scale.F32()[0])
	target := func(i int) int {
		if a.Target.Absent() {
			return i
		}
		return int(a.Target.I32()[i])
	}
	dot := make([]float64, n*m)
	for i := 0; i < n; i++ {
		for j := 0; j < m; j++ {
			for k := 0; k < d; k++ {
				dot[i*m+j] += float64(x[i*d+k]) * float64(y[j*d+k])
			}
		}
	}
	lse := func(count int, at func(i int) float64) float64 {
		top, sum := math.Inf(-1), 0.0
		for i := range count {
			top = max(top, at(i)*scale)
		}
		for i := range count {
			sum += math.Exp(at(i)*scale - top)
		}
		return top + math.Log(sum)
	}
	ds, loss := make([]float64, n*m), 0.0
	wx, wy := float64(a.WX)/float64(n), float64(a.WY)/float64(n)
	for i := 0; i < n; i++ {
		t := target(i)
		l := lse(m, func(j int) float64 { return dot[i*m+j] })
		c := lse(n, func(k int) float64 { return dot[k*m+t] })
		loss += wx*(l-scale*dot[i*m+t]) + wy*(c-scale*dot[i*m+t])
		ds[i*m+t] -= wx + wy
		for j := 0; j < m; j++ {
			ds[i*m+j] += wx * math.Exp(scale*dot[i*m+j]-l)
		}
		for k := 0; k < n; k++ {
			ds[k*m+t] += wy * math.Exp(scale*dot[k*m+t]-c)
		}
		if !a.Rank.Absent() {
			rank := int32(0)
			for j := 0; j < m; j++ {
				if s, p := scale*dot[i*m+j], scale*dot[i*m+t]; s > p || (s == p && j < t) {
					rank++
				}
			}
			a.Rank.I32()[i] = rank
		}
	}
	a.Loss.F32()[0] = float32(loss)
	if a.DX.Absent() {
		return
	}
	dx, dy, dscale := make([]float64, n*d), make([]float64, m*d), 0.0
	for i := 0; i < n; i++ {
		for j := 0; j < m; j++ {
			g := ds[i*m+j]
			dscale += g * dot[i*m+j]
			for k := 0; k < d; k++ {
				dx[i*d+k] += scale * g * float64(y[j*d+k])
				dy[j*d+k] += scale * g * float64(x[i*d+k])
			}
		}
	}
	narrow(a.DX.F32(), dx)
	narrow(a.DY.F32(), dy)
	if !a.DScale.Absent() {
		a.DScale.F32()[0] = float32(dscale)
	}
}
