package tensor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

func TestMatchBoxes(t *testing.T) {
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	// two images of two queries: the object of the second image lies where its first query says
	logits, boxes := s.Zeros(4, 3), s.FromFloat32s([]float32{0.5, 0.5, 1, 1, 0.5, 0.5, 1, 1, 0.2, 0.3, 0.1, 0.1, 0.8, 0.8, 0.1, 0.1}, 4, 4)
	x := tensor.BoxObjects{Labels: []int32{1}, Boxes: []float32{0.2, 0.3, 0.1, 0.2}, First: []int32{0, 0, 1}}
	o := tensor.BoxMatchOptions{Layers: 1, Class: 1, Box: 5, GIoU: 2, Nothing: 0.25}
	m := s.MatchBoxes(logits, boxes, x, o)
	require.Equal(t, []int32{2, 2, 1, 2}, m.Class.Int32s())
	require.Equal(t, []float32{0.25, 0.25, 1, 0.25}, m.Weight.Float32s())
	require.Equal(t, []int32{2}, m.Index.Int32s())
	require.Equal(t, x.Boxes, m.Target.Float32s())

	for want, x := range map[string]tensor.BoxObjects{
		"image 1 has 3 objects: want 0 to 2": {Labels: make([]int32, 3), Boxes: make([]float32, 12), First: []int32{0, 0, 3}},
		"object 0 has label 2: want 0 to 1":  {Labels: []int32{2}, Boxes: x.Boxes, First: x.First},
		"0 objects":                          {First: []int32{0, 0, 0}},
		"first [0 0 2]":                      {Labels: x.Labels, Boxes: x.Boxes, First: []int32{0, 0, 2}},
	} {
		func() {
			var err error
			defer func() { require.ErrorContains(t, err, want) }()
			defer tensor.Catch(&err)
			s.MatchBoxes(logits, boxes, x, o)
		}()
	}
}
