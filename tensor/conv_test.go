package tensor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

func init() {
	type ts = []*tensor.Tensor
	gradCases = append(gradCases,
		gradCase{"conv", [][]int{{2, 5, 4, 3}, {4, 3, 3, 3}, {4}}, 0, 0, func(s *tensor.Scope, x ts) *tensor.Tensor { return s.Conv2D(x[0], x[1], x[2], 1, 1) }},
		gradCase{"conv_1x1", [][]int{{2, 3, 2, 5}, {4, 1, 1, 5}}, 0, 0, func(s *tensor.Scope, x ts) *tensor.Tensor { return s.Conv2D(x[0], x[1], nil, 1, 0) }},
		gradCase{"conv_stride", [][]int{{1, 6, 7, 2}, {3, 3, 3, 2}, {3}}, 0, 0, func(s *tensor.Scope, x ts) *tensor.Tensor {
			return s.Conv2DFull(x[0], x[1], x[2], nil, tensor.ConvOptions{Stride: 2, Pad: [4]int{0, 0, 1, 1}})
		}},
		gradCase{"conv_act", [][]int{{1, 3, 4, 2}, {3, 3, 3, 2}, {3}, {1, 3, 4, 3}}, 0, 0, func(s *tensor.Scope, x ts) *tensor.Tensor {
			return s.Conv2DFull(x[0], x[1], x[2], x[3], tensor.ConvOptions{Pad: [4]int{1, 1, 1, 1}, Act: tensor.SiLU})
		}},
	)
}

func TestConv2DRefuses(t *testing.T) {
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	try := func(fn func()) (err error) {
		defer tensor.Catch(&err)
		fn()
		return nil
	}
	x, w := s.Zeros(1, 4, 4, 3), s.Zeros(2, 3, 3, 3)
	require.NoError(t, try(func() { s.Conv2D(x, w, nil, 1, 0) }))
	require.ErrorContains(t, try(func() { s.Conv2D(x, s.Zeros(2, 3, 3, 4), nil, 1, 0) }), "want x [B, H, W, I]")
	require.ErrorContains(t, try(func() { s.Conv2D(x, s.Zeros(2, 5, 5, 3), nil, 1, 0) }), "larger than the padded image")
	require.ErrorContains(t, try(func() { s.Conv2D(x, w, s.Zeros(3), 1, 0) }), "want bias [O]")
}
