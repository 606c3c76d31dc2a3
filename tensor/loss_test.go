package tensor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/tensor"
)

// the fused losses, attention and the projection join the walk of TestGradients
func init() {
	type in = []*tensor.Tensor
	ints := func(s *tensor.Scope, x ...int32) *tensor.Tensor { return s.FromInt32s(x, len(x)) }
	qkv := [][]int{{2, 3, 2, 4}, {2, 5, 2, 4}, {2, 5, 2, 4}}
	gradCases = append(gradCases,
		gradCase{"attention", qkv, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.Attention(x[0], x[1], x[2], tensor.AttentionOptions{})
		}},
		gradCase{"attention_causal", qkv, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.Attention(x[0], x[1], x[2], tensor.AttentionOptions{Causal: true, Scale: 0.7})
		}},
		gradCase{"attention_mask_bias", qkv, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			mask := s.FromInt32s([]int32{1, 0, 1, 1, 0, 0, 0, 0, 0, 0}, 2, 5) // the second sequence attends to nothing
			return s.Attention(x[0], x[1], x[2], tensor.AttentionOptions{KeyMask: mask, Bias: s.Randn(tensor.Key{Seed: 5}, 1, 2, 3, 5)})
		}},
		gradCase{"attention_self", [][]int{{1, 4, 1, 3}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.Attention(x[0], x[0], x[0], tensor.AttentionOptions{Causal: true})
		}},
		gradCase{"crossentropy", [][]int{{4, 7}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.Scale(s.CrossEntropy(x[0], ints(s, 3, -100, 0, 6), tensor.CrossEntropyOptions{}), 3)
		}},
		gradCase{"crossentropy_smoothing", [][]int{{4, 7}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			w := s.FromFloat32s([]float32{1, 0.5, 0, 2}, 4)
			return s.CrossEntropy(x[0], ints(s, 3, 2, 5, 6), tensor.CrossEntropyOptions{Smoothing: 0.2, Ignore: 2, Weight: w})
		}},
		gradCase{"linear_crossentropy", [][]int{{4, 3}, {7, 3}, {7}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.Scale(s.LinearCrossEntropy(x[0], x[1], x[2], ints(s, 3, -100, 0, 6), tensor.CrossEntropyOptions{}), 3)
		}},
		gradCase{"linear_crossentropy_smoothing", [][]int{{2, 2, 3}, {7, 3}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			w := s.FromFloat32s([]float32{1, 0.5, 0, 2}, 4)
			return s.LinearCrossEntropy(x[0], x[1], nil, ints(s, 3, 2, 5, 6), tensor.CrossEntropyOptions{Smoothing: 0.2, Ignore: 2, Weight: w})
		}},
		gradCase{"tied_embedding", [][]int{{7, 3}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.LinearCrossEntropy(s.Embedding(x[0], ints(s, 5, 0, 5, 2)), x[0], nil, ints(s, 3, 1, 0, 6), tensor.CrossEntropyOptions{})
		}},
		gradCase{"infonce", [][]int{{4, 3}, {4, 3}, {1}}, 0.5, 1.5, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.Scale(s.InfoNCE(x[0], x[1], x[2], tensor.InfoNCEOptions{}), 2)
		}},
		gradCase{"infonce_target", [][]int{{3, 3}, {5, 3}, {1}}, 0.5, 1.5, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.InfoNCE(x[0], x[1], x[2], tensor.InfoNCEOptions{Target: ints(s, 4, 0, 4), WX: 0.8})
		}},
		gradCase{"infonce_weights", [][]int{{4, 3}, {4, 3}, {1}}, 0.5, 1.5, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.InfoNCE(x[0], x[1], x[2], tensor.InfoNCEOptions{Target: ints(s, 1, 3, 0, 2), WX: 0.3, WY: 0.9})
		}},
		gradCase{"mse", [][]int{{3, 4}, {3, 4}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor { return s.MSE(x[0], x[1]) }},
		gradCase{"mse_weighted", [][]int{{3, 2, 2}, {3, 2, 2}, {3}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.MSEWeighted(x[0], x[1], x[2])
		}},
		gradCase{"project_all", [][]int{{3, 5}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.ProjectTopK(x[0], s.Randn(tensor.Key{Seed: 9}, 11, 5), 0, 0.9)
		}},
		gradCase{"project_top", [][]int{{3, 5}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
			return s.ProjectTopKExcept(x[0], s.Randn(tensor.Key{Seed: 9}, 11, 5), ints(s, 3, -1, 7), 4, 0.9)
		}},
	)
}

func TestLossValues(t *testing.T) {
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	x, y := s.FromFloat32s([]float32{1, 2, 3, 5}, 2, 2), s.FromFloat32s([]float32{0, 0, 1, 1}, 2, 2)
	require.Equal(t, float32(25)/4, s.MSE(x, y).Item())
	require.Equal(t, float32(5+3*20)/4, s.MSEWeighted(x, y, s.FromFloat32s([]float32{1, 3}, 2)).Item())
	none := s.CrossEntropy(x, s.FromInt32s([]int32{-100, -100}, 2), tensor.CrossEntropyOptions{})
	require.Zero(t, none.Item())
	score, index := s.TopKExcept(x, s.FromFloat32s([]float32{1, 0, 1, 0, 0, 1}, 3, 2), s.FromInt32s([]int32{2, -1}, 2), 2)
	require.Equal(t, []float32{1, 1, 5, 3}, score.Float32s())
	require.Equal(t, []int32{0, 1, 2, 0}, index.Int32s())
}

func TestAttentionErrors(t *testing.T) {
	try := func(fn func(s *tensor.Scope)) (err error) {
		s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
		defer s.Close()
		defer tensor.Catch(&err)
		fn(s)
		return nil
	}
	require.ErrorContains(t, try(func(s *tensor.Scope) {
		s.Attention(s.Zeros(1, 2, 1, 4), s.Zeros(1, 3, 1, 4), s.Zeros(1, 2, 1, 4), tensor.AttentionOptions{})
	}), "want q, out [B, N, H, D]")
	require.ErrorContains(t, try(func(s *tensor.Scope) {
		q := s.Zeros(1, 2, 1, 4)
		s.Attention(q, q, q, tensor.AttentionOptions{Bias: tensor.NewParameter(tensor.CPU(), 1, 1, 2, 2)})
	}), "no gradient flows to the bias")
	require.ErrorContains(t, try(func(s *tensor.Scope) { s.ProjectTopK(s.Zeros(2, 3), s.Zeros(5, 3), 6, 0.1) }), "K 6")
	require.ErrorContains(t, try(func(s *tensor.Scope) { s.CrossEntropy(s.Zeros(2, 3), s.EmptyInts(3), tensor.CrossEntropyOptions{}) }), "cross entropy")
}

// TestLinearCrossEntropyIsCrossEntropy holds the fused head, of more rows than a band and more words than a group, against the two ops that it stands for.
func TestLinearCrossEntropyIsCrossEntropy(t *testing.T) {
	const n, v, c = 501, 700, 24
	target := make([]int32, n)
	for i := range target {
		target[i] = int32(i * 7919 % v)
	}
	type out struct{ loss, dx, dw, db []float32 }
	both := make([]out, 2)
	for i := range both {
		s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
		x, w, b := s.Watch(s.Randn(tensor.Key{Seed: 1}, n, c)), s.Watch(s.Randn(tensor.Key{Seed: 2}, v, c)), s.Watch(s.Randn(tensor.Key{Seed: 3}, v))
		to, o := s.FromInt32s(target, n), tensor.CrossEntropyOptions{Smoothing: 0.1, Ignore: 3}
		var loss *tensor.Tensor
		if i == 0 {
			loss = s.CrossEntropy(s.Linear(x, w, b), to, o)
		} else {
			loss = s.LinearCrossEntropy(x, w, b, to, o)
			s.NoGrad(func() { require.Equal(t, loss.Item(), s.LinearCrossEntropy(x, w, b, to, o).Item(), "the loss alone") })
		}
		g := s.Backward(loss)
		both[i] = out{loss.Float32s(), g.Of(x).Float32s(), g.Of(w).Float32s(), g.Of(b).Float32s()}
		s.Close()
	}
	near(t, "loss", both[0].loss, both[1].loss, 1e-5)
	near(t, "dx", both[0].dx, both[1].dx, 4e-6)
	near(t, "dw", both[0].dw, both[1].dw, 4e-6)
	near(t, "db", both[0].db, both[1].db, 4e-6)
}

// Queries, keys and values of one projection are read where they lie: the only op that runs is the attention, and its bits are those of separate operands.
func TestSelfAttention(t *testing.T) {
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	qkv := s.Randn(tensor.Key{Seed: 3}, 2, 37, 3, 4, 24)
	part := s.Split(s.Reshape(qkv, 2, 37, 3*96), 2, 3)
	for i, p := range part {
		part[i] = s.Reshape(p, 2, 37, 4, 24)
	}
	o := tensor.AttentionOptions{Causal: true}
	want := s.Attention(part[0], part[1], part[2], o)
	var ran []string
	kernels.SetProfiler(func(op, _ string, _ kernels.Cost, run func() error) error {
		ran = append(ran, op)
		return run()
	})
	got := s.SelfAttention(qkv, o)
	kernels.SetProfiler(nil)
	require.Equal(t, []string{"attention"}, ran)
	require.Equal(t, want.Float32s(), got.Float32s())
	require.Panics(t, func() { s.SelfAttention(s.Zeros(1, 2, 2, 1, 4), o) })
}
