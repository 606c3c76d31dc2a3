package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/bench"
	"syntic/tensor/safetensors"
)

func TestOp(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.safetensors"), filepath.Join(dir, "out.safetensors")
	require.NoError(t, safetensors.Write(in, []safetensors.Tensor{
		{Name: "A", DType: safetensors.F32, Shape: []int{1, 2, 2}, Floats: []float32{1, 2, 3, 4}},
		{Name: "B", DType: safetensors.F32, Shape: []int{1, 3, 2}, Floats: []float32{1, 0, 0, 1, 1, 1}},
		{Name: "Bias", DType: safetensors.F32, Shape: []int{3}, Floats: []float32{0, 0, 10}},
	}, nil))
	for _, variant := range [][]string{nil, {"--variant", "reference"}} {
		code, stdout, errs := execute(append([]string{"op", "gemm", "--in", in, "--out", out, "--set", "TransB=true", "--set", "Alpha=0.5"}, variant...)...)
		require.Equal(t, 0, code, errs)
		assert.Contains(t, stdout, "Out     [1 2 3]")
		f, err := safetensors.Open(out)
		require.NoError(t, err)
		x, err := f.Float32s("Out")
		require.NoError(t, err)
		assert.Equal(t, []float32{0.5, 1, 11.5, 1.5, 2, 13.5}, x)
		require.NoError(t, f.Close())
	}
	code, stdout, errs := execute("op", "--list", "--json", "attention", "lerp")
	require.Equal(t, 0, code, errs)
	var list []bench.Signature
	require.NoError(t, json.Unmarshal([]byte(stdout), &list))
	require.Len(t, list, 2)
	assert.Equal(t, bench.Field{Name: "X", InPlace: true}, list[1].Outputs[0])

	for want, args := range map[string][]string{
		"0 ops: want the name of one": {},
		"want --in and --out":         {"gemm"},
		`no op "gem", there are`:      {"gem", "--in", in, "--out", out},
		`--set "x": want NAME=VALUE`:  {"gemm", "--in", in, "--out", out, "--set", "x"},
		`--shape "Out=3x0": want`:     {"gemm", "--in", in, "--out", out, "--shape", "Out=3x0"},
		"--json goes with --list":     {"gemm", "--in", in, "--out", out, "--json"},
	} {
		code, stdout, errs := execute(append([]string{"op"}, args...)...)
		assert.Equal(t, 2, code, errs)
		assert.Empty(t, stdout)
		assert.Contains(t, errs, want)
	}
	code, _, errs = execute("op", "gemm", "--in", in, "--out", filepath.Join(dir, "none", "x"))
	assert.Equal(t, 3, code)
	assert.Contains(t, errs, "there is no folder")
	code, _, errs = execute("op", "gemm", "--in", in, "--out", filepath.Join(dir, "bad"))
	assert.Equal(t, 3, code, "without TransB the sizes do not agree")
	assert.Contains(t, errs, "gemm: a f32[1 2 2], b f32[1 3 2]")
}
