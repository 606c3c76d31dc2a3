package tensor_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/tensor"
)

// gradCase is an op as a function of float32 inputs; each input gets a gradient that is compared with central differences.
type gradCase struct {
	name   string
	shapes [][]int
	lo, hi float32 // range of the inputs; 0, 0 is standard normal
	fn     func(s *tensor.Scope, in []*tensor.Tensor) *tensor.Tensor
}

// gradCases is the list that TestGradients walks; each op adds its rows.
var gradCases = []gradCase{
	{"add", [][]int{{2, 3, 5}, {2, 3, 5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Add(x[0], x[1]) }},
	{"add_row", [][]int{{2, 3, 5}, {5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Add(x[0], x[1]) }},
	{"add_middle", [][]int{{2, 3, 4, 5}, {2, 1, 1, 5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor {
		return s.AddScaled(x[0], 2, x[1], -0.5)
	}},
	{"sub", [][]int{{2, 3, 5}, {1, 3, 5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Sub(x[0], x[1]) }},
	{"mul", [][]int{{2, 3, 5}, {2, 1, 1}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Mul(x[0], x[1]) }},
	{"mul_self", [][]int{{2, 7}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Mul(x[0], x[0]) }},
	{"div", [][]int{{2, 3, 5}, {2, 3, 1}}, 0.5, 2, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Div(x[0], x[1]) }},
	{"affine", [][]int{{7}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Affine(x[0], 3, 1) }},
	{"clamp", [][]int{{9}}, 0.5, 0.9, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Clamp(x[0], 0, 1) }},
	{"sum", [][]int{{2, 3, 5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Sum(x[0], 1) }},
	{"mean", [][]int{{2, 3, 5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Mean(x[0], 0, -1) }},
	{"glu", [][]int{{3, 10}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.GLU(x[0], tensor.GELU) }},
	{"matmul", [][]int{{3, 4}, {4, 5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.MatMul(x[0], x[1], false, false) }},
	{"matmul_ta", [][]int{{2, 4, 3}, {2, 4, 5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.MatMul(x[0], x[1], true, false) }},
	{"matmul_tb", [][]int{{2, 3, 4}, {5, 4}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor {
		return s.MatMulScaled(x[0], x[1], false, true, 0.5)
	}},
	{"matmul_tab", [][]int{{4, 3}, {2, 5, 4}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.MatMul(x[0], x[1], true, true) }},
	{"linear", [][]int{{2, 3, 4}, {5, 4}, {5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Linear(x[0], x[1], x[2]) }},
	{"linear_add", [][]int{{2, 3, 4}, {5, 4}, {5}, {2, 3, 5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor {
		return s.LinearAdd(x[0], x[1], x[2], x[3])
	}},
	{"linear_act", [][]int{{6, 4}, {5, 4}, {5}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor {
		return s.LinearAct(x[0], x[1], x[2], tensor.QuickGELU)
	}},
	{"permute", [][]int{{2, 3, 4}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Permute(x[0], 2, 0, 1) }},
	{"concat", [][]int{{2, 3, 4}, {2, 1, 4}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Concat(1, x[0], x[1], x[0]) }},
	{"slice", [][]int{{2, 5, 3}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Slice(x[0], 1, 1, 4) }},
	{"reshape", [][]int{{2, 6}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor {
		return s.Mul(s.Reshape(x[0], 3, -1), s.Reshape(x[0], 3, 4))
	}},
	{"embedding", [][]int{{5, 3}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor {
		return s.Embedding(x[0], s.FromInt32s([]int32{4, 0, 4, 2}, 2, 2))
	}},
}

func init() {
	for f := tensor.GELU; f <= tensor.Abs; f++ {
		c := gradCase{"act_" + f.String(), [][]int{{3, 11}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor { return s.Act(x[0], f) }}
		if f == tensor.Log || f == tensor.ReLU || f == tensor.Abs {
			c.lo, c.hi = 0.5, 2
		}
		gradCases = append(gradCases, c)
	}
}

func TestGradients(t *testing.T) {
	for i, c := range gradCases {
		t.Run(c.name, func(t *testing.T) { checkGradient(t, uint64(i+1), c) })
	}
}

// checkGradient compares Backward of Σ out·r, r random, with central differences of every input element.
func checkGradient(t *testing.T, seed uint64, c gradCase) {
	dev := tensor.CPU()
	s := tensor.NewScope(dev, tensor.WithTape())
	defer s.Close()
	var in []*tensor.Tensor
	for i, shape := range c.shapes {
		p := tensor.NewParameter(dev, shape...)
		x := make([]float32, p.Len())
		key := kernels.Key{Seed: seed, Item: uint64(i)}
		if c.lo == c.hi {
			key.Normal(x)
		} else {
			key.Uniform(x)
			for j := range x {
				x[j] = c.lo + (c.hi-c.lo)*x[j]
			}
		}
		p.SetData(x)
		in = append(in, p)
	}
	out := c.fn(s, in)
	r := make([]float32, out.Len())
	kernels.Key{Seed: seed, Item: 99}.Normal(r)
	loss := s.SumAll(s.Mul(out, s.FromFloat32s(r, out.Shape()...)))
	g := s.Backward(loss)
	value := func() float64 {
		s := tensor.NewScope(dev)
		defer s.Close()
		sum := 0.0
		for i, x := range c.fn(s, in).Float32s() {
			sum += float64(x) * float64(r[i])
		}
		return sum
	}
	for k, p := range in {
		require.NotNil(t, g.Of(p), "input %d has no gradient", k)
		got, data := g.Of(p).Float32s(), p.Data()
		want, top := make([]float64, len(data)), 1e-3
		for i, x := range data {
			const eps = 1.0 / 128
			data[i] = x + eps
			up := value()
			data[i] = x - eps
			want[i] = (up - value()) / (2 * eps)
			data[i] = x
			top = max(top, math.Abs(want[i]))
		}
		for i := range want {
			require.InDelta(t, want[i], float64(got[i]), 2e-3*top, fmt.Sprintf("input %d, element %d", k, i))
		}
	}
}

// One gradient's memory may serve several tensors.
func TestGradientsOfSharedMemory(t *testing.T) {
	checkGradient(t, 1, gradCase{"shared", [][]int{{2, 6}, {2, 6}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor {
		y := s.Add(x[0], x[1])
		z := s.Add(s.Add(y, y), s.Reshape(s.Reshape(y, 3, 4), 2, 6))
		return s.Add(s.Mul(z, s.Sub(z, x[1])), s.Add(s.Sub(y, y), s.Add(x[0], x[1])))
	}})
}

// Slices that overlap, of a tensor that is used beside them.
func TestGradientsOfSlices(t *testing.T) {
	checkGradient(t, 1, gradCase{"slices", [][]int{{2, 5, 3}}, 0, 0, func(s *tensor.Scope, x []*tensor.Tensor) *tensor.Tensor {
		p, y := s.Split(x[0], 2, 3), s.Add(x[0], x[0])
		z := s.Mul(s.Slice(x[0], 1, 0, 3), s.Slice(x[0], 1, 2, 5))
		return s.Concat(1, z, s.Add(s.Concat(2, p[2], p[0], p[2]), y), s.Slice(y, 1, 1, 2), y)
	}})
}

func TestGradientsOnlyWhereWanted(t *testing.T) {
	dev := tensor.CPU()
	s := tensor.NewScope(dev, tensor.WithTape())
	defer s.Close()
	w, frozen := tensor.NewParameter(dev, 2, 2), tensor.NewParameter(dev, 2)
	w.SetData([]float32{1, 2, 3, 4})
	frozen.SetTrainable(false)
	x := s.FromFloat32s([]float32{1, -1}, 1, 2)
	watched := s.Watch(x)
	g := s.Backward(s.SumAll(s.Linear(watched, w, frozen)))
	require.Equal(t, []float32{1, -1, 1, -1}, g.Of(w).Float32s())
	require.Equal(t, []float32{4, 6}, g.Of(watched).Float32s())
	require.Nil(t, g.Of(frozen))
}

func TestErrorsNameShapes(t *testing.T) {
	try := func(fn func(s *tensor.Scope)) (err error) {
		s := tensor.NewScope(tensor.CPU())
		defer s.Close()
		defer tensor.Catch(&err)
		fn(s)
		return nil
	}
	require.ErrorContains(t, try(func(s *tensor.Scope) { s.MatMul(s.Zeros(2, 3), s.Zeros(4, 5), false, false) }), "f32[1 2 3]")
	require.ErrorContains(t, try(func(s *tensor.Scope) { s.Add(s.Zeros(2, 3), s.Zeros(2)) }), "does not broadcast")
	require.ErrorContains(t, try(func(s *tensor.Scope) { s.Reshape(s.Zeros(2, 3), 4, -1) }), "reshape")
	_, err := tensor.Open("tpu")
	require.ErrorContains(t, err, "want auto")
}

func TestScopeMemory(t *testing.T) {
	dev := tensor.CPU()
	s := tensor.NewScope(dev)
	defer s.Close()
	kept := s.Do(func(c *tensor.Scope) *tensor.Tensor {
		return c.Add(c.Full(1, 3), c.Full(2, 3))
	})
	other := s.Full(9, 3) // must not reuse the kept memory
	require.Equal(t, []float32{3, 3, 3}, kept.Float32s())
	require.Equal(t, []float32{9, 9, 9}, other.Float32s())
}
