package diffusion

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// golden reads a file of tensors; images in it are [B, C, H, W].
type golden struct {
	t *testing.T
	f *safetensors.File
}

func openGolden(t *testing.T, path string) golden {
	t.Helper()
	f, err := safetensors.Open(filepath.Join("testdata", path))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return golden{t, f}
}

func (g golden) values(name string) ([]float32, []int) {
	g.t.Helper()
	info, ok := g.f.Info(name)
	require.True(g.t, ok, name)
	v, err := g.f.Float32s(name)
	require.NoError(g.t, err)
	return v, info.Shape
}

// tensor is a golden as it is.
func (g golden) tensor(s *tensor.Scope, name string) *tensor.Tensor {
	g.t.Helper()
	v, shape := g.values(name)
	return s.FromFloat32s(v, shape...)
}

// image is a golden [..., C, H, W] as [..., H, W, C].
func (g golden) image(s *tensor.Scope, name string) *tensor.Tensor {
	g.t.Helper()
	v, shape := g.values(name)
	n := len(shape)
	c, h, w := shape[n-3], shape[n-2], shape[n-1]
	x := s.Permute(s.FromFloat32s(v, len(v)/(c*h*w), c, h, w), 0, 2, 3, 1)
	return s.Reshape(x, append(append([]int{}, shape[:n-3]...), h, w, c)...)
}

// weight is a golden gradient in the layout of memory: convolutions [O, KH, KW, I].
func (g golden) weight(s *tensor.Scope, name string) *tensor.Tensor {
	g.t.Helper()
	if _, shape := g.values(name); len(shape) == 4 {
		return s.Permute(g.tensor(s, name), 0, 2, 3, 1)
	}
	return g.tensor(s, name)
}

func (g golden) ints(name string) []int {
	g.t.Helper()
	v, err := g.f.Int64s(name)
	require.NoError(g.t, err)
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// times reads times that may be whole numbers or not.
func (g golden) times(name string) []float64 {
	v, _ := g.values(name)
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// relative is the largest difference over the largest value of want.
func relative(got, want []float32) float64 {
	var d, top float64
	for i, w := range want {
		e := math.Abs(float64(got[i]) - float64(w))
		if math.IsNaN(e) {
			return math.Inf(1)
		}
		d, top = max(d, e), max(top, math.Abs(float64(w)))
	}
	if d == 0 {
		return 0
	}
	return d / top
}

// near requires got to be want within a share of want's largest value.
func near(t *testing.T, what string, got, want *tensor.Tensor, tolerance float64) {
	t.Helper()
	require.Equal(t, want.Shape(), got.Shape(), what)
	e := relative(got.Float32s(), want.Float32s())
	report(t, what, e)
	require.LessOrEqual(t, e, tolerance, what)
}

func report(t *testing.T, what string, e float64) {
	if testing.Verbose() {
		t.Logf("%-70s %.2g", what, e)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", path))
	require.NoError(t, err)
	return b
}

func newScope(t *testing.T, o ...tensor.Option) *tensor.Scope {
	s := tensor.NewScope(tensor.CPU(), o...)
	t.Cleanup(s.Close)
	return s
}

func loadUNet(t *testing.T) *UNet {
	t.Helper()
	u, err := LoadUNet(tensor.CPU(), "testdata/sd/unet")
	require.NoError(t, err)
	t.Cleanup(u.Close)
	return u
}

func loadVAE(t *testing.T) *VAE {
	t.Helper()
	v, err := LoadVAE(tensor.CPU(), "testdata/sd/vae")
	require.NoError(t, err)
	t.Cleanup(v.Close)
	return v
}
