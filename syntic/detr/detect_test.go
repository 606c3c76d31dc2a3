package detr

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/clip/pixels"
	"syntic/nn"
	"syntic/tensor"
)

func noiseImages(n, w, h int) []*pixels.Image {
	out := make([]*pixels.Image, n)
	for i := range out {
		out[i] = pixels.NewImage(w, h, 3)
		x := make([]float32, len(out[i].Pix))
		tensor.Key{Seed: 11, Item: uint64(i)}.Uniform(x)
		for j, v := range x {
			out[i].Pix[j] = uint8(255 * v)
		}
	}
	return out
}

// What is found in an image has the same bits alone, in a batch and among images of other sizes.
func TestDetectDependsOnTheImageAlone(t *testing.T) {
	c := ToyConfig([]string{"cup", "car"})
	m, err := New(c, tensor.CPU())
	require.NoError(t, err)
	defer m.Close()
	m.Init(1)
	m.Processor = ToyProcessor()
	images := append(noiseImages(11, 64, 64), noiseImages(3, 64, 48)...)
	images[4], images[12] = images[12], images[4]
	all, err := Detect(context.Background(), m, images, 0)
	require.NoError(t, err)
	for i, im := range images {
		one, err := Detect(context.Background(), m, []*pixels.Image{im}, 0)
		require.NoError(t, err)
		require.Len(t, one[0], c.Queries)
		require.Equal(t, one[0], all[i], "image %d", i)
	}
}

func TestDetectErrors(t *testing.T) {
	m := loadTiny(t, "model")
	_, err := Detect(context.Background(), m, []*pixels.Image{{}}, 0.5)
	require.ErrorContains(t, err, "image 0 is empty")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Detect(ctx, m, noiseImages(1, 30, 20), 0.5)
	require.ErrorIs(t, err, context.Canceled)
	none, err := Detect(context.Background(), m, nil, 0.5)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestSaveAndLoad(t *testing.T) {
	m := loadTiny(t, "model_facebook")
	m.Processor = ToyProcessor()
	dir := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, m.Save(dir, "F32"))
	again, err := Load(dir, tensor.CPU())
	require.NoError(t, err)
	defer again.Close()
	require.Equal(t, m.Processor, again.Processor)
	a, b := nn.Parameters(m), nn.Parameters(again)
	require.Len(t, b, len(a))
	for i := range a {
		require.Equal(t, a[i].Name, b[i].Name)
		require.Equal(t, a[i].Float32s(), b[i].Float32s(), a[i].Name)
	}
	// written names, shapes and values are those of the library
	f := openGolden(t, "model")
	written := golden{t, f.File}
	require.ElementsMatch(t, f.Names(), written.Names())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 3, "no temporary file stays")
}

func TestCalibrate(t *testing.T) {
	m := smallModel(t)
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	px := s.FromFloat32s(pictures(4), 4, 32, 32, 3)
	require.NoError(t, m.Calibrate(px))
	c := m.Backbone.Stem.Conv
	scale, shift := c.Norm.fold(s)
	y := s.Add(s.Mul(c.Conv.Forward(s, px), scale), shift).Float32s()
	var mean, square float64
	for i := 0; i < len(y); i += 6 {
		mean += float64(y[i])
		square += float64(y[i]) * float64(y[i])
	}
	n := float64(len(y) / 6)
	require.InDelta(t, 0, mean/n, 1e-5)
	require.InDelta(t, 1, square/n, 1e-3)
}

// A live norm on a batch does what a frozen one does whose statistics were measured on that batch, and moves the running ones a tenth.
func TestLiveNorms(t *testing.T) {
	m := smallModel(t)
	px := pictures(4)
	pass := func(record bool) []float32 {
		var o []tensor.Option
		if record {
			o = append(o, tensor.WithTape())
		}
		s := tensor.NewScope(tensor.CPU(), o...)
		defer s.Close()
		return m.Backbone.Forward(s, s.FromFloat32s(px, 4, 32, 32, 3)).Float32s()
	}
	live := pass(true)
	n := m.Backbone.Stem.Conv.Norm
	mean, variance := n.Mean.Float32s(), n.Var.Float32s()
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	require.NoError(t, m.Calibrate(s.FromFloat32s(px, 4, 32, 32, 3)))
	near(t, "features", pass(false), live, 1e-5)
	for i, v := range n.Mean.Float32s() {
		require.InDelta(t, 0.1*v, mean[i], 1e-6)
		require.InDelta(t, 0.9+0.1*n.Var.Float32s()[i], variance[i], 1e-5)
	}
	m.LiveNorms(false)
	near(t, "features", live, pass(true), 1e-5)
}
