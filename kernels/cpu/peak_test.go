package cpu

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPeak runs the loops; how fast they are is nothing to assert, but a product cannot be faster than no product.
func TestPeak(t *testing.T) {
	f32, half := Peak(0)
	loop, pairs, ops, _ := peakLoops()
	assert.Equal(t, loop != nil, f32 > 0)
	assert.Equal(t, pairs != nil, half > 0)
	if loop == nil {
		return
	}
	assert.Contains(t, []float64{192, 768}, ops, "AVX2: 12 × 8 × 2, AVX-512: 24 × 16 × 2")
}
