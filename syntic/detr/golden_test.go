package detr

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// The golden files hold a tiny random DetrForObjectDetection of the Hugging Face library with its inputs, inner states and outputs.

type golden struct {
	t *testing.T
	*safetensors.File
}

func openGolden(t *testing.T, name string) golden {
	t.Helper()
	f, err := safetensors.Open(filepath.Join("testdata", name+".safetensors"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return golden{t, f}
}

func (g golden) floats(name string) []float32 {
	g.t.Helper()
	x, err := g.Float32s(name)
	require.NoError(g.t, err)
	return x
}

func (g golden) ints(name string) []int32 {
	g.t.Helper()
	x, err := g.Int64s(name)
	require.NoError(g.t, err)
	out := make([]int32, len(x))
	for i, v := range x {
		out[i] = int32(v)
	}
	return out
}

func (g golden) shape(name string) []int {
	info, ok := g.Info(name)
	require.True(g.t, ok, name)
	return info.Shape
}

// image is a tensor of the file, [B, C, H, W], with channels last.
func (g golden) image(name string) ([]float32, []int) {
	x, s := g.floats(name), g.shape(name)
	out := make([]float32, len(x))
	for i := range s[0] {
		for c := range s[1] {
			for p := range s[2] * s[3] {
				out[(i*s[2]*s[3]+p)*s[1]+c] = x[(i*s[1]+c)*s[2]*s[3]+p]
			}
		}
	}
	return out, []int{s[0], s[2], s[3], s[1]}
}

// near asks that the largest error be at most tol of the largest wanted value.
func near(t *testing.T, what string, want, got []float32, tol float64) {
	t.Helper()
	require.Len(t, got, len(want), what)
	top, worst := 0.0, 0.0
	for i := range want {
		top = math.Max(top, math.Abs(float64(want[i])))
		if e := math.Abs(float64(want[i] - got[i])); e > worst || math.IsNaN(e) {
			worst = e
		}
	}
	require.LessOrEqual(t, worst, tol*top, "%s: largest error of %g", what, top)
}

// loadTiny reads the golden model in one of its three namings.
func loadTiny(t *testing.T, weights string) *Model {
	t.Helper()
	config, err := os.ReadFile("testdata/config.json")
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join("testdata", weights+".safetensors"))
	require.NoError(t, err)
	m, err := LoadBytes(config, nil, data, tensor.CPU())
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m
}

const tolerance = 3e-5 // of the largest value; the reference's own error is 4e-6

func TestForwardGolden(t *testing.T) {
	in, want := openGolden(t, "inputs"), openGolden(t, "outputs")
	for _, weights := range []string{"model", "model_timm", "model_facebook"} {
		t.Run(weights, func(t *testing.T) {
			m := loadTiny(t, weights)
			s := tensor.NewScope(tensor.CPU())
			defer s.Close()
			px, shape := in.image("pixel_values")
			mask := s.FromInt32s(in.ints("pixel_mask"), shape[:3]...)
			logits, boxes := m.Forward(s, s.FromFloat32s(px, shape...), mask)
			near(t, "logits", want.floats("logits"), logits.Float32s(), tolerance)
			near(t, "pred_boxes", want.floats("pred_boxes"), boxes.Float32s(), tolerance)
		})
	}
}

func TestInnerStatesGolden(t *testing.T) {
	in, want := openGolden(t, "inputs"), openGolden(t, "outputs")
	m := loadTiny(t, "model")
	px, shape := in.image("pixel_values")
	seen := 0
	s := tensor.NewScope(tensor.CPU(), tensor.WithTrace(func(module any, name string, x *tensor.Tensor) {
		if module == m.Backbone {
			name = "backbone." + name
		}
		if _, ok := want.Info(name); !ok {
			return
		}
		seen++
		switch {
		case name == "backbone.mask":
			require.Equal(t, want.ints(name), x.Int32s())
		case len(want.shape(name)) == 4:
			w, _ := want.image(name)
			near(t, name, w, x.Float32s(), tolerance)
		default:
			near(t, name, want.floats(name), x.Float32s(), tolerance)
		}
	}))
	defer s.Close()
	m.states(s, s.FromFloat32s(px, shape...), s.FromInt32s(in.ints("pixel_mask"), shape[:3]...), nil, nil)
	require.Equal(t, 13, seen)
}

func TestOddSizeGolden(t *testing.T) {
	g := openGolden(t, "odd_size")
	m := loadTiny(t, "model")
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	px, shape := g.image("pixel_values")
	x := s.FromFloat32s(px, shape...)
	features, fshape := g.image("features")
	got := m.Backbone.Forward(s, x)
	require.Equal(t, fshape, got.Shape())
	near(t, "features", features, got.Float32s(), tolerance)
	for name, mask := range map[string]*tensor.Tensor{"without mask": nil, "with a mask of ones": s.FromInt32s(ones(shape[1]*shape[2]), shape[:3]...)} {
		logits, boxes := m.Forward(s, x, mask)
		near(t, "logits "+name, g.floats("logits"), logits.Float32s(), tolerance)
		near(t, "pred_boxes "+name, g.floats("pred_boxes"), boxes.Float32s(), tolerance)
	}
}

func ones(n int) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = 1
	}
	return x
}

func TestSelectGolden(t *testing.T) {
	out, want := openGolden(t, "outputs"), openGolden(t, "detections")
	m := loadTiny(t, "model")
	hw := want.ints("target_sizes")
	sizes := [][2]int{{int(hw[1]), int(hw[0])}, {int(hw[3]), int(hw[2])}}
	for _, thr := range []string{"0.0", "0.3", "0.5", "0.6"} {
		var threshold float32
		_, err := fmt.Sscan(thr, &threshold)
		require.NoError(t, err)
		got := m.Select(out.floats("logits"), out.floats("pred_boxes"), sizes, threshold)
		for i, ds := range got {
			key := fmt.Sprintf("thr%s.image%d.", thr, i)
			var labels []int32
			var scores, boxes []float32
			for _, d := range ds {
				labels, scores, boxes = append(labels, int32(d.Label)), append(scores, d.Score), append(boxes, d.Box[:]...)
				require.Equal(t, m.Config.Labels[d.Label], d.Name)
			}
			require.Equal(t, want.ints(key+"labels"), labels, key)
			near(t, key+"scores", want.floats(key+"scores"), scores, 1e-6)
			near(t, key+"boxes", want.floats(key+"boxes"), boxes, 1e-6)
		}
	}
}
