package detr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMeanAPByHand(t *testing.T) {
	sizes := [][2]int{{100, 200}, {100, 200}}
	// one object of class 0 in each image, one of class 1 in the first
	targets := []Target{
		{{Label: 0, Box: [4]float32{0.5, 0.5, 0.2, 0.2}}, {Label: 1, Box: [4]float32{0.2, 0.2, 0.2, 0.2}}},
		{{Label: 0, Box: [4]float32{0.5, 0.5, 0.4, 0.4}}},
	}
	right := func(label int, score float32) Detection {
		return Detection{Label: label, Score: score, Box: [4]float32{40, 80, 60, 120}}
	}
	wrong := func(label int, score float32) Detection {
		return Detection{Label: label, Score: score, Box: [4]float32{0, 0, 10, 10}}
	}
	for _, c := range []struct {
		name  string
		found [][]Detection
		want  map[int]float64
	}{
		{"nothing", [][]Detection{{}, {}}, map[int]float64{0: 0, 1: 0}},
		{"one of two", [][]Detection{{right(0, 0.9)}, {}}, map[int]float64{0: 51.0 / 101, 1: 0}}, // recalls 0 to 0.5
		{"all, one wrong between", [][]Detection{{right(0, 0.9), wrong(0, 0.8), {Label: 1, Score: 0.1, Box: [4]float32{10, 20, 30, 60}}},
			{{Label: 0, Score: 0.7, Box: [4]float32{30, 60, 70, 140}}}}, map[int]float64{0: (51 + 50*2.0/3) / 101, 1: 1}},
		{"found twice counts once", [][]Detection{{right(0, 0.9), right(0, 0.95)}, {}}, map[int]float64{0: 51.0 / 101, 1: 0}},
		{"a wrong one first", [][]Detection{{wrong(0, 0.9), right(0, 0.5)}, {}}, map[int]float64{0: 51.0 / 101 / 2, 1: 0}},
		{"overlap of a quarter is too little", [][]Detection{{}, {right(0, 0.9)}}, map[int]float64{0: 0, 1: 0}},
		{"of another class", [][]Detection{{right(1, 0.9)}, {}}, map[int]float64{0: 0, 1: 0}},
	} {
		mean, by, err := MeanAP(c.found, targets, sizes, 0.5)
		require.NoError(t, err, c.name)
		require.InDeltaMapValues(t, c.want, by, 1e-12, c.name)
		require.InDelta(t, (c.want[0]+c.want[1])/2, mean, 1e-12, c.name)
	}
	_, _, err := MeanAP(nil, nil, nil, 0.5)
	require.ErrorContains(t, err, "no objects")
}
