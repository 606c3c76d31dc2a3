package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// bruteForce is the least cost over all ways to give each row its own column.
func bruteForce(cost []float64, rows, cols int) float64 {
	used := make([]bool, cols)
	var try func(i int) float64
	try = func(i int) float64 {
		if i == rows {
			return 0
		}
		least := math.Inf(1)
		for j := range cols {
			if !used[j] {
				used[j] = true
				least = math.Min(least, cost[i*cols+j]+try(i+1))
				used[j] = false
			}
		}
		return least
	}
	return try(0)
}

func total(t *testing.T, cost []float64, rows, cols int, got []int) (sum float64) {
	require.Len(t, got, rows)
	used := map[int]bool{}
	for i, j := range got {
		require.True(t, j >= 0 && j < cols)
		require.False(t, used[j], "column %d twice", j)
		used[j] = true
		sum += cost[i*cols+j]
	}
	return sum
}

func TestAssignAgainstBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 2000 {
		cols := 1 + r.IntN(7)
		rows := r.IntN(cols + 1)
		cost := make([]float64, rows*cols)
		for i := range cost {
			if cost[i] = r.NormFloat64(); n%3 == 0 {
				cost[i] = float64(r.IntN(4)) // many ties
			}
		}
		got := assign(cost, rows, cols)
		require.InDelta(t, bruteForce(cost, rows, cols), total(t, cost, rows, cols, got), 1e-12)
	}
}

// A large problem whose answer is known: potentials of both sides make every cost at least u + v, and equal along a permutation.
func TestAssignLarge(t *testing.T) {
	const rows, cols = 150, 200
	r := rand.New(rand.NewPCG(3, 4))
	perm := r.Perm(cols)[:rows]
	cost := make([]float64, rows*cols)
	u, v, want := make([]float64, rows), make([]float64, cols), 0.0
	for i := range u {
		u[i] = r.NormFloat64()
	}
	taken := map[int]bool{}
	for _, j := range perm {
		taken[j] = true
	}
	for j := range v {
		if taken[j] {
			v[j] = -r.Float64() // columns that stay free have potential 0, the largest
		}
	}
	for i := range rows {
		for j := range cols {
			if cost[i*cols+j] = u[i] + v[j]; perm[i] != j {
				cost[i*cols+j] += 0.01 + r.Float64()
			}
		}
		want += cost[i*cols+perm[i]]
	}
	got := assign(cost, rows, cols)
	require.Equal(t, perm, got)
	require.InDelta(t, want, total(t, cost, rows, cols, got), 1e-9)
}

// assign are the columns of the rows.
func assign(cost []float64, rows, cols int) []int {
	var a assigner
	a.reset(rows, cols)
	copy(a.cost, cost)
	out := make([]int, rows)
	for i := range rows {
		a.add(i)
	}
	for j, i := range a.row {
		if i >= 0 {
			out[i] = j
		}
	}
	return out
}

func TestExpBelow(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100000 {
		x := -700 * math.Pow(r.Float64(), 4)
		require.InEpsilon(t, math.Exp(x), expBelow(x), 5e-16, "%g", x)
	}
	require.Equal(t, 1.0, expBelow(0))
	require.Zero(t, expBelow(math.Inf(-1)))
	require.True(t, math.IsNaN(expBelow(math.NaN())))
}

// Numbers that are none and a first that points nowhere reach nothing outside the operands, and objects that can be matched are.
func TestBoxMatchAstray(t *testing.T) {
	a := BoxMatch.Make(NewRand(3), []int{1, 3, 4, 2, 3, 0})
	nan := float32(math.NaN())
	for i := range a.Logits.F32()[:12] { // of the first image
		a.Logits.F32()[i] = nan
	}
	a.Boxes.F32()[0] = nan
	BoxMatch.Ref(&a)
	require.Equal(t, []int32{0, 1, 2}, a.Index.I32()[:3], "costs that are all the same: the first queries")
	copy(a.First.I32(), []int32{-7, 1 << 30, math.MinInt32, 5})
	require.NotPanics(t, func() { BoxMatch.Ref(&a) })
}
