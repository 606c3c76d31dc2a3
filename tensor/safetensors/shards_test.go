package safetensors

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shards writes a checkpoint of two shards: a, c in the first, b in the second.
func shards(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, Write(filepath.Join(dir, "model-00001-of-00002.safetensors"), []Tensor{
		{Name: "c", DType: F32, Shape: []int{2}, Floats: []float32{1, 2}}, {Name: "a", DType: F16, Shape: []int{1}, Floats: []float32{3}},
	}, map[string]string{"format": "pt"}))
	require.NoError(t, Write(filepath.Join(dir, "model-00002-of-00002.safetensors"), []Tensor{{Name: "b", DType: I64, Shape: []int{}, Ints: []int64{7}}}, nil))
	index(t, dir, `"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors", "c": "model-00001-of-00002.safetensors"`)
	return dir
}

func index(t *testing.T, dir, weights string) {
	text := fmt.Sprintf(`{"metadata": {"total_size": 18}, "weight_map": {%s}}`, weights)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(text), 0o644))
}

func TestShardsAreOneFile(t *testing.T) {
	dir := shards(t)
	f, err := OpenFolder(dir, "", "model")
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "model.safetensors.index.json"), f.Path())
	assert.Equal(t, []string{"c", "a", "b"}, f.Names())
	assert.Equal(t, map[string]string{"format": "pt"}, f.Metadata())
	assert.Equal(t, filepath.Join(dir, "model-00002-of-00002.safetensors"), f.Where("b"))
	assert.Equal(t, f.Path(), f.Where("z"))
	x, err := f.Float32s("c")
	require.NoError(t, err)
	assert.Equal(t, []float32{1, 2}, x)
	n, err := f.Int64s("b")
	require.NoError(t, err)
	assert.Equal(t, []int64{7}, n)
	require.NoError(t, f.Close())
	_, err = f.Bytes("a")
	assert.ErrorIs(t, err, ErrClosed)

	// A whole file beside the index comes first, as in Hugging Face's libraries.
	require.NoError(t, Write(filepath.Join(dir, "model.safetensors"), nil, nil))
	f, err = OpenFolder(dir, "", "model")
	require.NoError(t, err)
	assert.Empty(t, f.Names())
	require.NoError(t, f.Close())
}

func TestVariants(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenFolder(dir, "fp16", "model", "weights")
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "model.fp16.safetensors, model.safetensors.index.fp16.json, model.fp16.safetensors.index.json, weights.fp16.safetensors")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pytorch_model.bin"), nil, 0o644))
	_, err = OpenFolder(dir, "", "model")
	assert.ErrorContains(t, err, fmt.Sprintf("syntic convert %[1]s/pytorch_model.bin %[1]s/model.safetensors", dir))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pytorch_model.bin.index.json"), nil, 0o644))
	_, err = OpenFolder(dir, "", "model")
	assert.ErrorContains(t, err, fmt.Sprintf("syntic convert %[1]s/pytorch_model.bin.index.json %[1]s/model.safetensors", dir))
	for _, name := range []string{"weights.fp16.safetensors.index.json", "weights.safetensors.index.fp16.json", "model.fp16.safetensors"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
		path, err := FindFolder(dir, "fp16", "model", "weights")
		require.NoError(t, err)
		assert.Equal(t, name, filepath.Base(path))
	}
	_, err = OpenFolder(filepath.Join(dir, "none"), "", "model")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestShardsThatDoNotFit(t *testing.T) {
	const one, two = `"model-00001-of-00002.safetensors"`, `"model-00002-of-00002.safetensors"`
	for _, c := range []struct {
		name, want string
		change     func(dir string)
	}{
		{"missing shard", `names the shard model-00002-of-00002.safetensors, which is not there`, func(dir string) { os.Remove(filepath.Join(dir, "model-00002-of-00002.safetensors")) }},
		{"truncated shard", `model-00002-of-00002.safetensors: tensor "b"`, func(dir string) { os.Truncate(filepath.Join(dir, "model-00002-of-00002.safetensors"), 70) }},
		{"empty shard", `model-00002-of-00002.safetensors: 0 bytes`, func(dir string) { os.Truncate(filepath.Join(dir, "model-00002-of-00002.safetensors"), 0) }},
		{"shard is a folder", `not a regular file`, func(dir string) {
			os.Remove(filepath.Join(dir, "model-00002-of-00002.safetensors"))
			os.Mkdir(filepath.Join(dir, "model-00002-of-00002.safetensors"), 0o777)
		}},
		{"key not in its shard", `tensor "d" is not in shard model-00002-of-00002.safetensors, where the index puts it`, func(dir string) { index(t, dir, `"a":`+one+`,"b":`+two+`,"c":`+one+`,"d":`+two) }},
		{"key in the other shard", `tensor "a" is in shard model-00001-of-00002.safetensors, the index says model-00002`, func(dir string) { index(t, dir, `"a":`+two+`,"b":`+two+`,"c":`+one) }},
		{"key not listed", `tensor "c" of shard model-00001-of-00002.safetensors is not listed`, func(dir string) { index(t, dir, `"a":`+one+`,"b":`+two) }},
		{"key in both shards", `tensor "b" is in`, func(dir string) {
			require.NoError(t, Write(filepath.Join(dir, "model-00001-of-00002.safetensors"), []Tensor{{Name: "b", DType: U8, Shape: []int{1}, Ints: []int64{1}}}, nil))
			index(t, dir, `"a":`+one+`,"b":`+two)
		}},
		{"key twice", `tensor "a" is listed twice`, func(dir string) { index(t, dir, `"a":`+one+`,"b":`+two+`,"a":`+two) }},
		{"no map", `weight_map is missing`, func(dir string) {
			os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(`{}`), 0o644)
		}},
		{"map of another kind", `weight_map is missing or no object`, func(dir string) {
			os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(`{"weight_map":[]}`), 0o644)
		}},
		{"empty map", `weight_map is empty`, func(dir string) { index(t, dir, ``) }},
		{"number as shard", `tensor "a" is in 1: want the name of a file`, func(dir string) { index(t, dir, `"a":1`) }},
		{"path as shard", `want the name of a file beside the index`, func(dir string) { index(t, dir, `"a":"../a.safetensors"`) }},
		{"parent as shard", `want the name of a file beside the index`, func(dir string) { index(t, dir, `"a":".."`) }},
		{"cut index", `not the index of a checkpoint`, func(dir string) { os.Truncate(filepath.Join(dir, "model.safetensors.index.json"), 30) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := shards(t)
			c.change(dir)
			_, err := OpenFolder(dir, "", "model")
			require.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, dir)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
	_, err := Open(filepath.Join(t.TempDir(), "model.safetensors.index.json"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestDerive(t *testing.T) {
	f, err := Open(filepath.Join(shards(t), "model.safetensors.index.json"))
	require.NoError(t, err)
	b, err := f.Bytes("c")
	require.NoError(t, err)
	_, err = f.Derive([]Tensor{{Name: "x", DType: F32, Shape: []int{2}, Bytes: b[:4]}})
	assert.ErrorContains(t, err, `tensor "x": F32[2] needs 8 bytes, given are 4`)
	_, err = f.Derive([]Tensor{{Name: "x", DType: F32, Shape: []int{1}, Bytes: b[:4]}, {Name: "x", DType: F32, Shape: []int{1}, Bytes: b[4:]}})
	assert.ErrorContains(t, err, "two tensors")
	g, err := f.Derive([]Tensor{{Name: "x", DType: F32, Shape: []int{1}, Bytes: b[:4]}, {Name: "y", DType: F32, Shape: []int{1}, Bytes: b[4:]}})
	require.NoError(t, err)
	parts, err := f.Rows("c", "p", "q")
	require.NoError(t, err)
	assert.Equal(t, b[4:], parts[1].Bytes)
	assert.Equal(t, []int{1}, parts[1].Shape)
	_, err = f.Rows("b", "p", "q")
	assert.ErrorContains(t, err, "no 2 equal parts")
	_, err = f.Transposed("c", "p")
	assert.ErrorContains(t, err, "want a matrix")
	y, err := g.Float32s("y")
	require.NoError(t, err)
	assert.Equal(t, []float32{2}, y)
	require.NoError(t, g.Close())
	_, err = f.Bytes("c")
	assert.ErrorIs(t, err, ErrClosed)
}

// TestForget gives back what was read of a mapped file, and leaves memory of others alone.
func TestForget(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.safetensors")
	v := make([]float32, 5000)
	for i := range v {
		v[i] = float32(i)
	}
	require.NoError(t, Write(path, []Tensor{{Name: "a", DType: F32, Shape: []int{100, 50}, Floats: v}}, nil))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	mapped, err := Open(path)
	require.NoError(t, err)
	memory, err := OpenBytes(data)
	require.NoError(t, err)
	for _, f := range []*File{mapped, memory} {
		part, err := f.Rows("a", "b", "c")
		require.NoError(t, err)
		turned, err := f.Transposed("a", "d")
		require.NoError(t, err)
		g, err := f.Derive(append(part, turned))
		require.NoError(t, err)
		before, err := g.Float32s("d")
		require.NoError(t, err)
		for _, name := range append(g.Names(), "absent") {
			g.Forget(name)
		}
		again, err := g.Float32s("d")
		require.NoError(t, err)
		require.Equal(t, before, again)
		whole, err := f.Float32s("a")
		require.NoError(t, err)
		require.Equal(t, v, whole)
		require.NoError(t, g.Close())
		g.Forget("b")
	}
}

func TestOpenFolderOrHalf(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenFolderOrHalf(dir, "model")
	require.ErrorContains(t, err, "none of model.safetensors, model.safetensors.index.json")
	for _, name := range []string{"model.fp16.safetensors", "model.safetensors"} {
		require.NoError(t, Write(filepath.Join(dir, name), []Tensor{{Name: name, DType: F16, Shape: []int{1}, Floats: []float32{1}}}, nil))
		f, err := OpenFolderOrHalf(dir, "model")
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, name), f.Path())
		require.NoError(t, f.Close())
	}
}
