package safetensors

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadEveryType(t *testing.T) {
	f, err := Open("testdata/dtypes.safetensors")
	require.NoError(t, err)
	defer f.Close()
	raw, err := os.ReadFile("testdata/dtypes.json")
	require.NoError(t, err)
	var want map[string][]json.Number
	require.NoError(t, json.Unmarshal(raw, &want))
	require.Len(t, want, 12)
	for d, values := range want {
		info, ok := f.Info("all." + d)
		require.True(t, ok, d)
		assert.Equal(t, DType(d), info.DType)
		got, err := f.Float32s("all." + d)
		require.NoError(t, err)
		require.Len(t, got, len(values))
		ints, intErr := f.Int64s("all." + d)
		for i, v := range values {
			x, err := v.Float64()
			require.NoError(t, err)
			require.Equal(t, math.Float32bits(float32(x)), math.Float32bits(got[i]), "%s[%d]", d, i)
			if _, isFloat := floatPutters[DType(d)]; isFloat {
				require.ErrorContains(t, intErr, "want integers")
			} else {
				require.NoError(t, intErr)
				n, err := v.Int64()
				require.NoError(t, err)
				require.Equal(t, n, ints[i], "%s[%d]", d, i)
			}
		}
	}
	assert.Equal(t, map[string]string{"format": "np"}, f.Metadata())
	scalar, err := f.Float32s("scalar <&>")
	require.NoError(t, err)
	assert.Equal(t, []float32{1.5}, scalar)
	empty, err := f.Bytes("empty é")
	require.NoError(t, err)
	assert.Empty(t, empty)
	_, err = f.Bytes("nope")
	assert.ErrorContains(t, err, `dtypes.safetensors: no tensor "nope" among 14`)
	require.NoError(t, f.Close())
	_, err = f.Bytes("all.F32")
	assert.ErrorIs(t, err, ErrClosed)
}

// The original library's files, read and written again, are the same bytes.
func TestRewriteIsIdentical(t *testing.T) {
	for _, name := range []string{"dtypes", "mixed"} {
		want, err := os.ReadFile("testdata/" + name + ".safetensors")
		require.NoError(t, err)
		f, err := OpenBytes(want)
		require.NoError(t, err)
		var ts []Tensor
		for _, n := range f.Names() {
			info, _ := f.Info(n)
			b, err := f.Bytes(n)
			require.NoError(t, err)
			ts = append([]Tensor{{Name: n, DType: info.DType, Shape: info.Shape, Bytes: b}}, ts...) // any order in
		}
		path := filepath.Join(t.TempDir(), "again.safetensors")
		require.NoError(t, Write(path, ts, f.Metadata()))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, want, got, name)
	}
}

func TestWriteElements(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	long := make([]float32, 20001)
	for i := range long {
		long[i] = float32(i) / 4
	}
	require.NoError(t, Write(path, []Tensor{
		{Name: "h", DType: F16, Shape: []int{2}, Floats: []float32{1, -2.5}},
		{Name: "b", DType: BF16, Shape: []int{1, 2}, Floats: []float32{1, -2.5}},
		{Name: "d", DType: F64, Floats: []float32{0.25}},
		{Name: "long", DType: F32, Shape: []int{3, 6667}, Floats: long},
		{Name: "i", DType: I8, Shape: []int{3}, Ints: []int64{-128, 0, 127}},
		{Name: "flag", DType: BOOL, Shape: []int{2}, Ints: []int64{1, 0}},
		{Name: "none", DType: I32, Shape: []int{0}},
	}, map[string]string{"b": "2", "a": "1"}))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, []string{"d", "long", "none", "b", "h", "i", "flag"}, f.Names())
	for _, n := range f.Names() {
		info, _ := f.Info(n)
		assert.Zero(t, info.Offset%int64(info.DType.Size()), n)
	}
	for n, want := range map[string][]float32{"h": {1, -2.5}, "b": {1, -2.5}, "d": {0.25}, "i": {-128, 0, 127}, "flag": {1, 0}, "none": {}, "long": long} {
		got, err := f.Float32s(n)
		require.NoError(t, err)
		assert.Equal(t, want, got, n)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, left, 1, "no temporary file stays")
}

func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "old.safetensors")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
	x := Tensor{Name: "x", DType: F32, Shape: []int{1}, Floats: []float32{1}}
	for want, ts := range map[string][]Tensor{
		"used twice":               {x, x},
		"needs 8 bytes":            {{Name: "x", DType: F32, Shape: []int{2}, Floats: []float32{1}}},
		"reserved":                 {{Name: "__metadata__", DType: F32, Shape: []int{1}, Floats: []float32{1}}},
		"unknown dtype":            {{Name: "x", DType: "F8", Shape: []int{1}, Bytes: []byte{1}}},
		"do not go with":           {{Name: "x", DType: I32, Shape: []int{1}, Floats: []float32{1}}},
		"element 1 is 256":         {{Name: "x", DType: U8, Shape: []int{2}, Ints: []int64{0, 256}}},
		"negative size":            {{Name: "x", DType: U8, Shape: []int{-1}}},
		"number of bytes overflow": {{Name: "x", DType: U8, Shape: []int{math.MaxInt, 2}}},
	} {
		assert.ErrorContains(t, Write(path, ts, nil), want)
	}
	assert.Error(t, Write(filepath.Join(dir, "missing", "x"), []Tensor{x}, nil))
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "old", string(old))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 1)
}
