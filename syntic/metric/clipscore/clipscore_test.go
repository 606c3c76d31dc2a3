package clipscore

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// By hand from equations 1 and 2: cosines 0.6, -1 and 0; best references 0.8, 1 and 0.6.
func TestScores(t *testing.T) {
	images := []float32{1, 0, 1, 0, 1, 0}
	cands := []float32{0.6, 0.8, -1, 0, 0, 1}
	s, err := Score(images, cands, 2)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{1.5, 0, 0}, s, 1e-6)
	refs := []float32{-1, 0, 0, 1, -1, 0, 0.8, 0.6}
	r, err := RefScore(s, cands, refs, []int{2, 1, 1}, 2)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{2 * 1.5 * 0.8 / 2.3, 0, 0}, r, 1e-6)
}

func TestSizes(t *testing.T) {
	_, err := Score(make([]float32, 4), make([]float32, 6), 2)
	assert.ErrorContains(t, err, "want as many rows")
	_, err = RefScore([]float64{1}, make([]float32, 2), nil, []int{0}, 2)
	assert.ErrorContains(t, err, "no reference")
	_, err = RefScore([]float64{1}, make([]float32, 2), make([]float32, 2), []int{2}, 2)
	assert.ErrorContains(t, err, "disagree")
}
