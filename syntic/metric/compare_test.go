package metric

import (
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/metric/meteor"
)

func evaluated(t *testing.T, name string, n int) *Report {
	set, _ := goldenSet(t, name)
	set = &Set{IDs: set.IDs[:n], Cands: set.Cands[:n], Refs: set.Refs[:n]}
	r, err := EvaluateSet(set)
	require.NoError(t, err)
	require.NoError(t, r.addMETEOR(set, meteor.Options{}))
	return r
}

// The same captions with their words in random order lose nothing in BLEU-1 and much where order counts.
func TestCompare(t *testing.T) {
	a, b := evaluated(t, "coco_val2017_heldout", 300), evaluated(t, "coco_val2017_shuffled", 300)
	var first []Difference
	for _, workers := range []int{1, 3} {
		was := runtime.GOMAXPROCS(workers)
		got, err := Compare(a, b, 500, 7)
		runtime.GOMAXPROCS(was)
		require.NoError(t, err)
		if first == nil {
			first = got
		}
		require.Equal(t, first, got)
	}
	for _, d := range first {
		assert.Equal(t, a.Scores[d.Name]-b.Scores[d.Name], d.AB.Mean)
		if d.Name == "Bleu_1" {
			assert.InDelta(t, 0, d.AB.Mean, 1e-12)
			assert.Equal(t, 1.0, d.P)
			continue
		}
		assert.Positive(t, d.AB.Low, d.Name)
		assert.InDelta(t, 2.0/501, d.P, 1e-12)
	}
	swapped, err := Compare(b, a, 500, 7)
	require.NoError(t, err)
	for k, d := range swapped {
		assert.InDelta(t, -first[k].AB.Low, d.AB.High, 1e-12)
		assert.Equal(t, first[k].P, d.P)
	}
}

// Of scores drawn alike the p-value is as often below 0.3 as it should be, roughly.
func TestCompareOfEquals(t *testing.T) {
	below := 0
	for seed := range 100 {
		a, b := &Report{Images: 60, Names: []string{"1", "2", "3", "4", "x"}, Scores: map[string]float64{}, PerImage: map[string][]float64{}}, &Report{}
		a.IDs, a.BLEU = make([]ImageID, 60), make([]BLEUStats, 60)
		*b = *a
		b.Scores, b.PerImage = map[string]float64{}, map[string][]float64{}
		for i := range 60 {
			a.PerImage["x"] = append(a.PerImage["x"], float64(draw(uint64(seed), 1, i, 1000)))
			b.PerImage["x"] = append(b.PerImage["x"], float64(draw(uint64(seed), 2, i, 1000)))
		}
		a.Scores["x"], b.Scores["x"] = mean(a.PerImage["x"]), mean(b.PerImage["x"])
		d, err := Compare(a, b, 200, 1)
		require.NoError(t, err)
		if d[4].P < 0.3 {
			below++
		}
	}
	assert.InDelta(t, 30, below, 15)
}

func TestIntervals(t *testing.T) {
	r := evaluated(t, "coco_val2017_heldout", 200)
	got := r.Intervals(300, 5)
	require.Len(t, got, len(r.Names))
	bleu := BootstrapBLEU(r.BLEU, 300, 5)
	assert.Equal(t, bleu[3], got["Bleu_4"])
	assert.Equal(t, Bootstrap(r.PerImage["CIDEr"], 300, 5), got["CIDEr"])
	in := got["METEOR_exact_stem_synonym"]
	assert.True(t, in.Low < in.Mean && in.Mean < in.High)
	assert.True(t, math.IsNaN(r.Intervals(0, 5)["CIDEr"].Low))
}

func TestCompareOtherImages(t *testing.T) {
	a, b := evaluated(t, "coco_val2017_heldout", 30), evaluated(t, "coco_val2017_heldout", 20)
	_, err := Compare(a, b, 10, 1)
	assert.ErrorContains(t, err, "not the same")
	_, err = Compare(a, a, 0, 1)
	assert.ErrorContains(t, err, "no resamples")
}

// TestCompareMeans holds means over reports against single ones: of one report twice, and of two that lie on both sides of their mean.
func TestCompareMeans(t *testing.T) {
	a, b := evaluated(t, "coco_val2017_heldout", 200), evaluated(t, "coco_val2017_shuffled", 200)
	single, err := Compare(a, b, 200, 7)
	require.NoError(t, err)
	twice, err := CompareMeans([]*Report{a, a}, []*Report{b}, 200, 7)
	require.NoError(t, err)
	half, err := CompareMeans([]*Report{a, b}, []*Report{b, b, b}, 200, 7)
	require.NoError(t, err)
	for k, d := range single {
		assert.InDelta(t, d.AB.Low, twice[k].AB.Low, 1e-12, d.Name)
		assert.InDelta(t, d.P, twice[k].P, 1e-12, d.Name)
		assert.InDelta(t, d.AB.Mean/2, half[k].AB.Mean, 1e-12, d.Name)
		assert.InDelta(t, d.AB.High/2, half[k].AB.High, 1e-12, d.Name)
	}
	one, mean := a.Intervals(200, 7), MeanIntervals([]*Report{a, b}, 200, 7)
	both := MeanIntervals([]*Report{a}, 200, 7)
	for name, in := range one {
		assert.Equal(t, in, both[name])
		assert.InDelta(t, (a.Scores[name]+b.Scores[name])/2, mean[name].Mean, 1e-12)
	}
	_, err = CompareMeans(nil, []*Report{b}, 10, 7)
	assert.ErrorContains(t, err, "no report")
}
