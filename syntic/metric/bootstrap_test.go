package metric

import (
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBootstrapOfMean(t *testing.T) {
	x := make([]float64, 400)
	for i := range x {
		x[i] = float64(i % 20)
	}
	// uniform on 0..19: standard deviation sqrt(399/12), so the 95 % interval is near mean ± 1.96·5.766/20
	got := Bootstrap(x, 4000, 1)
	half := 1.96 * math.Sqrt(399.0/12) / 20
	assert.Equal(t, 9.5, got.Mean)
	assert.InDelta(t, 9.5-half, got.Low, 0.05)
	assert.InDelta(t, 9.5+half, got.High, 0.05)
	assert.Equal(t, got, Bootstrap(x, 4000, 1))
	assert.NotEqual(t, got, Bootstrap(x, 4000, 2))
	assert.True(t, math.IsNaN(Bootstrap(nil, 10, 1).Low))
	assert.True(t, math.IsNaN(Bootstrap(x, 0, 1).High))
}

func TestBootstrapPaired(t *testing.T) {
	a, b := make([]float64, 300), make([]float64, 300)
	for i := range a {
		b[i] = float64(i * 7919 % 300) // far more spread than the difference
		a[i] = b[i] + 0.5 + float64(i%3)
	}
	got, ok := BootstrapPaired(a, b, 1000, 3)
	require.True(t, ok)
	assert.InDelta(t, 1.5, got.Mean, 1e-12)
	assert.Greater(t, got.Low, 1.3)
	assert.Less(t, got.High, 1.7)
	assert.Zero(t, got.NotAhead)
	got, _ = BootstrapPaired(b, a, 1000, 3)
	assert.Equal(t, 1.0, got.NotAhead)
	_, ok = BootstrapPaired(a, b[1:], 10, 3)
	assert.False(t, ok)
}

func TestBootstrapBLEU(t *testing.T) {
	set, _ := goldenSet(t, "coco_val2017_heldout")
	r, err := EvaluateSet(set)
	require.NoError(t, err)
	got := BootstrapBLEU(r.BLEU, 200, 5)
	was := runtime.GOMAXPROCS(1)
	assert.Equal(t, got, BootstrapBLEU(r.BLEU, 200, 5))
	runtime.GOMAXPROCS(was)
	for k, i := range got {
		assert.Equal(t, r.Scores[Names()[k]], i.Mean)
		assert.Less(t, i.Low, i.Mean)
		assert.Greater(t, i.High, i.Mean)
		assert.Less(t, i.High-i.Low, 0.06)
	}
	// every resample of one image is that image
	one := BootstrapBLEU(r.BLEU[:1], 10, 5)
	for k, v := range r.BLEU[0].Score() {
		assert.Equal(t, Interval{v, v, v}, one[k])
	}
}

// Draws reach every image about equally often.
func TestDrawIsUniform(t *testing.T) {
	var count [7]int
	for r := range 70 {
		for d := range 1000 {
			count[draw(9, r, d, 7)]++
		}
	}
	for _, n := range count {
		assert.InDelta(t, 10000, n, 500)
	}
}
