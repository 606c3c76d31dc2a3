package syntic

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
	"syntic/tensor/safetensors"
)

func TestFeaturesComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.safetensors")
	f := &Features{Rows: []float32{1, 2, 3, 4, 5, 6}, Size: 2, Names: []string{"a.jpg", "größer <b>", "a.jpg"}}
	require.NoError(t, f.Save(path))
	got, err := LoadFeatures(path)
	require.NoError(t, err)
	require.Equal(t, f, got)
	m, err := LoadMemory(tensor.CPU(), path)
	require.NoError(t, err)
	require.Equal(t, 3, m.Size())
	m.Release()
	f.Names = nil
	require.NoError(t, f.Save(path))
	got, err = LoadFeatures(path)
	require.NoError(t, err)
	require.Equal(t, f, got)
}

func TestFeaturesOfWrongFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.safetensors")
	for want, c := range map[string]struct {
		t    []safetensors.Tensor
		meta map[string]string
	}{
		"of shape [N, E]":       {[]safetensors.Tensor{{Name: "features", DType: safetensors.F32, Shape: []int{2}, Floats: []float32{1, 2}}}, nil},
		"want a tensor":         {[]safetensors.Tensor{{Name: "x", DType: safetensors.F32, Shape: []int{1, 1}, Floats: []float32{1}}, {Name: "y", DType: safetensors.F32, Shape: []int{1, 1}, Floats: []float32{1}}}, nil},
		"feature 1: its length": {[]safetensors.Tensor{{Name: "x", DType: safetensors.F32, Shape: []int{2, 1}, Floats: []float32{1, 0}}}, nil},
		"is NaN":                {[]safetensors.Tensor{{Name: "x", DType: safetensors.F32, Shape: []int{1, 1}, Floats: []float32{float32(math.NaN())}}}, nil},
		"1 names for 2":         {[]safetensors.Tensor{{Name: "x", DType: safetensors.F32, Shape: []int{2, 1}, Floats: []float32{1, 1}}}, map[string]string{"names": `["a"]`}},
		"0 names for 2":         {[]safetensors.Tensor{{Name: "x", DType: safetensors.F32, Shape: []int{2, 1}, Floats: []float32{1, 1}}}, map[string]string{"names": `{`}},
	} {
		require.NoError(t, safetensors.Write(path, c.t, c.meta))
		_, err := LoadFeatures(path)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
	}
}
