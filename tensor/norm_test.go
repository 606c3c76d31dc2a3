package tensor_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// norms, softmax, resampling, dropout, the box losses and packed attention join the walk of TestGradients
func init() {
	type in = []*tensor.Tensor
	add := func(name string, shapes [][]int, lo, hi float32, fn func(s *tensor.Scope, x in) *tensor.Tensor) {
		gradCases = append(gradCases, gradCase{name, shapes, lo, hi, fn})
	}
	add("layer_norm", [][]int{{2, 3, 5}, {5}, {5}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor { return s.LayerNorm(x[0], x[1], x[2], 0.1) })
	add("layer_norm_plain", [][]int{{3, 5}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor { return s.LayerNorm(x[0], nil, nil, 0.1) })
	add("group_norm", [][]int{{2, 2, 3, 4}, {4}, {4}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
		return s.GroupNorm(x[0], x[1], x[2], 2, 0.1, tensor.ActNone)
	})
	add("group_norm_silu", [][]int{{2, 3, 6}, {6}, {6}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
		return s.GroupNorm(x[0], x[1], x[2], 3, 0.1, tensor.SiLU)
	})
	add("softmax", [][]int{{2, 3, 5}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor { return s.Softmax(x[0]) })
	add("log_softmax", [][]int{{4, 5}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor { return s.LogSoftmax(x[0]) })
	add("normalize", [][]int{{4, 5}}, 0.5, 1.5, func(s *tensor.Scope, x in) *tensor.Tensor { return s.Normalize(x[0]) })
	for _, k := range []tensor.ResizeKind{tensor.Nearest, tensor.Bilinear, tensor.Bicubic} {
		add("resize_"+k.String(), [][]int{{2, 3, 4, 2}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor { return s.Resize(x[0], 5, 3, k) })
	}
	add("max_pool", [][]int{{1, 5, 5, 2}}, -9, 9, func(s *tensor.Scope, x in) *tensor.Tensor { return s.MaxPool(x[0], 3, 2, 1) })
	add("dropout", [][]int{{3, 7}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor { return s.Dropout(x[0], 0.4, tensor.Key{Seed: 3}) })
	boxes := []float32{0.2, 0.3, 0.4, 0.9, 0.7, 0.7, 0.2, 0.15, 0.9, 0.1, 0.8, 0.7}
	box := func(s *tensor.Scope, x in) (*tensor.Tensor, *tensor.Tensor) {
		return s.BoxLoss(x[0], s.FromFloat32s(boxes, 3, 4), 2)
	}
	add("box_l1", [][]int{{3, 4}}, 0.4, 0.5, func(s *tensor.Scope, x in) *tensor.Tensor { l, _ := box(s, x); return l })
	add("box_giou", [][]int{{3, 4}}, 0.4, 0.5, func(s *tensor.Scope, x in) *tensor.Tensor { _, g := box(s, x); return g })
	add("box_both", [][]int{{3, 4}}, 0.25, 0.35, func(s *tensor.Scope, x in) *tensor.Tensor {
		l, g := box(s, x)
		return s.AddScaled(l, 5, g, 2)
	})
	add("attention_packed", [][]int{{2, 4, 3, 2, 3}}, 0, 0, func(s *tensor.Scope, x in) *tensor.Tensor {
		mask := s.FromInt32s([]int32{1, 0, 1, 1, 1, 1, 1, 0}, 2, 4)
		return s.SelfAttention(x[0], tensor.AttentionOptions{Causal: true, KeyMask: mask})
	})
}

func TestDropoutDependsOnKeyAndPositionAlone(t *testing.T) {
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	key := tensor.Key{Seed: 1, Item: 2, Step: 3}
	long, short := s.Dropout(s.Full(1, 1000, 10), 0.25, key).Float32s(), s.Dropout(s.Full(1, 50), 0.25, key).Float32s()
	require.Equal(t, long[:50], short)
	zeros := 0
	for _, v := range long {
		if v == 0 {
			zeros++
		} else {
			require.InDelta(t, 4.0/3, v, 1e-6)
		}
	}
	require.InDelta(t, 2500, zeros, 4*math.Sqrt(10000*0.25*0.75)) // four standard deviations
	require.NotEqual(t, long[:50], s.Dropout(s.Full(1, 50), 0.25, tensor.Key{Seed: 1, Item: 2, Step: 4}).Float32s())
}

func TestBoxLossValues(t *testing.T) {
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	// the same box; unit squares that share a quarter; unit squares side by side with a unit gap
	pred := s.FromFloat32s([]float32{1, 2, 1, 2, 0.5, 0.5, 1, 1, 0.5, 0.5, 1, 1}, 3, 4)
	target := s.FromFloat32s([]float32{1, 2, 1, 2, 1, 1, 1, 1, 2.5, 0.5, 1, 1}, 3, 4)
	l1, giou := s.BoxLoss(pred, target, 1)
	require.InDelta(t, 3, l1.Item(), 1e-6)
	require.InDelta(t, 0+(1-(1/7.0-0.5/2.25))+(1-(0-1/3.0)), giou.Item(), 1e-6)
}

// goldens of the original framework: case → field → tensor; images are turned to channels-last
func goldens(t *testing.T, s *tensor.Scope, name string) map[string]map[string]*tensor.Tensor {
	f, err := safetensors.Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	defer f.Close()
	m := map[string]map[string]*tensor.Tensor{}
	for _, n := range f.Names() {
		c, field, _ := strings.Cut(n, ".")
		info, _ := f.Info(n)
		if info.DType != safetensors.F32 {
			continue
		}
		data, err := f.Float32s(n)
		require.NoError(t, err)
		x := s.FromFloat32s(data, info.Shape...)
		if x.Rank() == 4 && field != "w" && field != "dw" {
			x = s.Permute(x, 0, 2, 3, 1)
		}
		if m[c] == nil {
			m[c] = map[string]*tensor.Tensor{}
		}
		m[c][field] = s.Watch(x)
	}
	return m
}

// checkGolden compares the output and the gradients of Σ out·dout with the stored ones.
func checkGolden(t *testing.T, s *tensor.Scope, g map[string]*tensor.Tensor, out *tensor.Tensor, tol float64) {
	near := func(what string, want, got *tensor.Tensor) {
		require.Equal(t, want.Shape(), got.Shape(), what)
		w, top := want.Float32s(), 0.0
		for _, v := range w {
			top = max(top, math.Abs(float64(v)))
		}
		for i, v := range got.Float32s() {
			require.InDelta(t, w[i], v, tol*top+1e-12, "%s, element %d, largest %g", what, i, top)
		}
	}
	near("out", g["out"], out)
	b := s.Backward(s.SumAll(s.Mul(out, s.Detach(g["dout"]))))
	for field, x := range g {
		if d := g["d"+field]; d != nil && field != "out" {
			require.NotNil(t, b.Of(x), field)
			near("d"+field, d, b.Of(x))
		}
	}
}

func TestGoldenNorms(t *testing.T) {
	s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
	defer s.Close()
	type conf struct {
		groups int
		eps    float32
	}
	groups := map[string]conf{"groupnorm_1_2x6x4x4": {1, 1e-5}, "groupnorm_32_1x64x3x3": {32, 1e-6}, "groupnorm_6_1x6x5x1": {6, 1e-6}, "groupnorm_8_2x32x5x7": {8, 1e-5}}
	tried := 0
	for name, g := range goldens(t, s, "norms.safetensors") {
		t.Run(name, func(t *testing.T) {
			switch {
			case strings.HasPrefix(name, "layernorm"):
				checkGolden(t, s, g, s.LayerNorm(g["x"], g["w"], g["b"], 1e-5), 2e-6)
			case strings.HasPrefix(name, "groupnorm"):
				checkGolden(t, s, g, s.GroupNorm(g["x"], g["w"], g["b"], groups[name].groups, groups[name].eps, tensor.ActNone), 2e-6)
			default:
				t.Skip("not a norm of this file")
			}
			tried++
		})
	}
	require.Equal(t, 7, tried)
}

func TestGoldenActivations(t *testing.T) {
	s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
	defer s.Close()
	all := goldens(t, s, "activations.safetensors")
	fns := map[string]func(g map[string]*tensor.Tensor) *tensor.Tensor{
		"softmax_5x33":           func(g map[string]*tensor.Tensor) *tensor.Tensor { return s.Softmax(g["x"]) },
		"log_softmax_5x33_large": func(g map[string]*tensor.Tensor) *tensor.Tensor { return s.LogSoftmax(g["x"]) },
		"normalize_l2_6x9":       func(g map[string]*tensor.Tensor) *tensor.Tensor { return s.Normalize(g["x"]) },
		"geglu_3x5x12_to_10": func(g map[string]*tensor.Tensor) *tensor.Tensor {
			return s.GLU(s.Linear(g["x"], g["w"], g["b"]), tensor.GELU)
		},
	}
	for name, f := range map[string]tensor.Act{"gelu": tensor.GELU, "gelu_tanh": tensor.GELUTanh, "quick_gelu": tensor.QuickGELU, "relu": tensor.ReLU, "sigmoid": tensor.Sigmoid, "silu": tensor.SiLU, "tanh": tensor.Tanh} {
		fns[name] = func(g map[string]*tensor.Tensor) *tensor.Tensor { return s.Act(g["x"], f) }
	}
	for name, fn := range fns {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, all, name)
			checkGolden(t, s, all[name], fn(all[name]), 2e-6)
		})
	}
}

func TestGoldenResampling(t *testing.T) {
	s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
	defer s.Close()
	all := goldens(t, s, "convs.safetensors")
	for name, kind := range map[string]tensor.ResizeKind{"downsample_nearest_to_3x5": tensor.Nearest, "upsample_nearest_2x": tensor.Nearest, "upsample_nearest_to_7x13": tensor.Nearest,
		"interpolate_bilinear_5x6_to_11x9": tensor.Bilinear, "interpolate_bicubic_7x7_to_12x5": tensor.Bicubic} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, all, name)
			g := all[name]
			checkGolden(t, s, g, s.Resize(g["x"], g["out"].Dim(1), g["out"].Dim(2), kind), 2e-6)
		})
	}
	t.Run("maxpool", func(t *testing.T) {
		require.Contains(t, all, "maxpool3_s2_p1")
		g := all["maxpool3_s2_p1"]
		checkGolden(t, s, g, s.MaxPool(g["x"], 3, 2, 1), 0)
	})
}

// TestInPlace: AddLinear gives the bits of LinearAdd, Part the rows of Slice.
func TestInPlace(t *testing.T) {
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	x, w, b, r := s.Randn(tensor.Key{Seed: 1}, 3, 37, 70), s.Randn(tensor.Key{Seed: 2}, 130, 70), s.Randn(tensor.Key{Seed: 3}, 130), s.Randn(tensor.Key{Seed: 4}, 3, 37, 130)
	want := s.LinearAdd(x, w, b, r)
	require.Equal(t, s.Slice(want, 0, 1, 3).Float32s(), s.Part(want, 1, 3).Float32s())
	s.AddLinear(r, x, w, b)
	require.Equal(t, want.Float32s(), r.Float32s())
	ids := s.FromInt32s([]int32{1, 2, 3, 4, 5, 6}, 3, 2)
	require.Equal(t, []int32{3, 4}, s.Part(ids, 1, 2).Int32s())
	require.Panics(t, func() { s.Part(ids, 1, 4) })
	taped := tensor.NewScope(tensor.CPU(), tensor.WithTape())
	defer taped.Close()
	p := tensor.NewParameter(tensor.CPU(), 4, 2)
	require.Panics(t, func() { taped.AddLinear(taped.Zeros(1, 4), taped.Zeros(1, 2), p, nil) })
	g := taped.Backward(taped.SumAll(taped.Part(p, 1, 3)))
	require.Equal(t, []float32{0, 0, 1, 1, 1, 1, 0, 0}, g.Of(p).Float32s())
}
