package bench

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSummarise(t *testing.T) {
	s := Summarise([]float64{5, 1, 2, 4, 3})
	assert.Equal(t, Summary{N: 5, Median: 3, Min: 1, Max: 5, Low: 2, High: 4}, s)
	assert.Equal(t, 2.5, Summarise([]float64{3, 2}).Median)
	assert.Equal(t, Summary{}, Summarise(nil))
}

// TestMannWhitney holds p-values against those of scipy.stats.mannwhitneyu (two-sided; exact, and asymptotic with ties).
func TestMannWhitney(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		p    float64
	}{
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 0.1},
		{[]float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, 0.007936507936507936},
		{[]float64{1.5, 2.5, 7, 9}, []float64{1, 2, 3, 4, 5}, 0.5555555555555556},
		{[]float64{1, 1, 2, 3, 3, 4}, []float64{3, 4, 4, 5, 6, 6, 7}, 0.011242651868798565},
		{ramp(25, 10), ramp(30, 10.5), 0.06920461241365769},
	} {
		assert.InDelta(t, c.p, MannWhitney(c.a, c.b), 1e-9, "%v %v", c.a, c.b)
		assert.InDelta(t, c.p, MannWhitney(c.b, c.a), 1e-9, "%v %v", c.b, c.a)
	}
	assert.Equal(t, 1.0, MannWhitney(nil, []float64{1}))
	assert.Equal(t, 1.0, MannWhitney([]float64{2, 2}, []float64{2, 2, 2}))
}

// ramp is n numbers from first on, spread unevenly.
func ramp(n int, first float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = first + float64(i*i%37)/10 + float64(i)/1000
	}
	return x
}

func TestRatioInterval(t *testing.T) {
	low, high := RatioInterval([]float64{2, 2, 2}, []float64{1, 1, 1})
	assert.Equal(t, []float64{2, 2}, []float64{low, high})
	low, high = RatioInterval(ramp(30, 10), ramp(30, 10))
	assert.Less(t, low, 1.0)
	assert.Greater(t, high, 1.0)
	again, _ := RatioInterval(ramp(30, 10), ramp(30, 10))
	assert.Equal(t, low, again, "the same samples, the same interval")
	_, high = RatioInterval(nil, []float64{1})
	assert.True(t, math.IsInf(high, 1))
}
