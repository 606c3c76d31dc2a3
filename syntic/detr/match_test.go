package detr

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// bruteForce is the least cost over all ways to give each of the fewer its own partner.
func bruteForce(cost []float64, rows, cols int) float64 {
	used := make([]bool, cols)
	var try func(i, skips int) float64
	try = func(i, skips int) float64 {
		if i == rows {
			return 0
		}
		least := math.Inf(1)
		if skips > 0 {
			least = try(i+1, skips-1)
		}
		for j := range cols {
			if !used[j] {
				used[j] = true
				least = math.Min(least, cost[i*cols+j]+try(i+1, skips))
				used[j] = false
			}
		}
		return least
	}
	return try(0, max(0, rows-cols))
}

func total(t *testing.T, cost []float64, rows, cols int, got []int) (sum float64) {
	require.Len(t, got, rows)
	used, partners := map[int]bool{}, 0
	for i, j := range got {
		if j < 0 {
			continue
		}
		require.Less(t, j, cols)
		require.False(t, used[j], "column %d twice", j)
		used[j] = true
		partners++
		sum += cost[i*cols+j]
	}
	require.Equal(t, min(rows, cols), partners)
	return sum
}

func TestAssignAgainstBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 2000 {
		rows, cols := r.IntN(7), 1+r.IntN(7)
		cost := make([]float64, rows*cols)
		for i := range cost {
			if cost[i] = r.NormFloat64(); n%3 == 0 {
				cost[i] = float64(r.IntN(4)) // many ties
			}
		}
		got := Assign(cost, rows, cols)
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
	got := Assign(cost, rows, cols)
	require.Equal(t, perm, got)
	require.InDelta(t, want, total(t, cost, rows, cols, got), 1e-9)
}

func TestAssignEmpty(t *testing.T) {
	require.Empty(t, Assign(nil, 0, 5))
	require.Equal(t, []int{-1, -1}, Assign(nil, 2, 0))
}
