package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/tensor/pickle/pickletest"
	"syntic/tensor/safetensors"
)

const pickles = "../../tensor/pickle/testdata/"

// TestConvert compares every file of torch's with the tensors that torch says it holds.
func TestConvert(t *testing.T) {
	files, err := filepath.Glob(pickles + "*.safetensors")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	out := filepath.Join(t.TempDir(), "out.safetensors")
	for _, want := range files {
		in := strings.TrimSuffix(want, ".safetensors")
		code, stdout, errs := execute("convert", in, out)
		require.Zero(t, code, errs)
		assert.Empty(t, stdout)
		assert.Contains(t, errs, "out.safetensors: ")
		sameTensors(t, want, out)
	}
	code, _, errs := execute("convert", pickles+"training.ckpt", out, "--key", "optimizer_states.0")
	require.Zero(t, code, errs)
	assert.Contains(t, errs, `those below "optimizer_states.0"`)

	// Half the memory, integers as they are; and back.
	require.Zero(t, first(execute("convert", pickles+"types.pt", out, "--dtype", "bf16")))
	f, err := safetensors.Open(out)
	require.NoError(t, err)
	for name, want := range map[string]safetensors.DType{"f32": "BF16", "f64": "BF16", "f16": "BF16", "i64": "I64", "bool": "BOOL"} {
		info, ok := f.Info(name)
		require.True(t, ok)
		assert.Equal(t, want, info.DType, name)
	}
	require.NoError(t, f.Close())
	again := filepath.Join(t.TempDir(), "again.safetensors")
	require.Zero(t, first(execute("convert", out, again)))
	sameTensors(t, out, again)
}

func first(code int, _, _ string) int { return code }

func sameTensors(t *testing.T, want, got string) {
	t.Helper()
	a, err := safetensors.Open(want)
	require.NoError(t, err)
	defer a.Close()
	b, err := safetensors.Open(got)
	require.NoError(t, err)
	defer b.Close()
	require.ElementsMatch(t, a.Names(), b.Names())
	for _, name := range a.Names() {
		x, err := a.As(name, "")
		require.NoError(t, err)
		y, err := b.As(name, "")
		require.NoError(t, err)
		assert.Equal(t, x.DType, y.DType, name)
		assert.Equal(t, x.Shape, y.Shape, name)
		assert.Equal(t, x.Bytes, y.Bytes, name)
	}
}

// TestConvertRefuses: every hostile file ends with code 3 and one line, and nothing is written.
func TestConvertRefuses(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pt"), filepath.Join(dir, "out.safetensors")
	refused := func(name string, code int, want string, args ...string) {
		got, stdout, errs := execute(append([]string{"convert"}, args...)...)
		assert.Equal(t, code, got, name)
		assert.Empty(t, stdout, name)
		assert.Equal(t, 1, strings.Count(errs, "\n"), "%s: %s", name, errs)
		assert.Contains(t, errs, want, name)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, entries, 1, "%s: nothing is written", name)
	}
	for _, c := range pickletest.Hostile() {
		require.NoError(t, os.WriteFile(in, c.File, 0o644))
		refused(c.Name, 3, c.Want, in, out)
	}
	_, err := os.Stat("/tmp/owned")
	assert.ErrorIs(t, err, os.ErrNotExist)

	good := pickles + "training.ckpt"
	refused("no file", 3, "no such file", filepath.Join(dir, "none.pt"), out)
	refused("no key", 3, `no key "weights": at "" there are epoch, global_step`, good, out, "--key", "weights")
	refused("wrong dtype", 2, "want F32, F16, BF16 or F64", good, out, "--dtype", "I8")
	refused("wrong name", 2, "ends in .safetensors", good, filepath.Join(dir, "out.bin"))
	refused("no folder", 3, "there is no folder", good, filepath.Join(dir, "none", "out.safetensors"))
	refused("key of a safetensors file", 3, "holds no tree", good+".safetensors", out, "--key", "x")
	refused("a folder", 3, "not a regular file", dir, out)
	refused("one argument", 2, "see syntic convert --help", good)
}

// TestConvertShards joins the shards of pickles that an index names.
func TestConvertShards(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out.safetensors")
	copyTo := func(name, from string) {
		b, err := os.ReadFile(pickles + from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
	}
	copyTo("a.bin", "list.pt")
	copyTo("b.bin", "one.pt")
	index := filepath.Join(dir, "pytorch_model.bin.index.json")
	write := func(weights string) {
		require.NoError(t, os.WriteFile(index, []byte(`{"metadata": {}, "weight_map": {`+weights+`}}`), 0o644))
	}
	write(`"0": "a.bin", "1.a": "a.bin", "tensor": "b.bin"`)
	code, _, errs := execute("convert", index, out)
	require.Zero(t, code, errs)
	assert.Contains(t, errs, "3 tensors, 28 B, of 2 shards")
	f, err := safetensors.Open(out)
	require.NoError(t, err)
	defer f.Close()
	assert.ElementsMatch(t, []string{"0", "1.a", "tensor"}, f.Names())
	for want, weights := range map[string]string{
		`tensor "1.a" of shard a.bin is not listed there`:           `"0": "a.bin", "tensor": "b.bin"`,
		`tensor "x" is not in shard b.bin, where the index puts it`: `"0": "a.bin", "1.a": "a.bin", "tensor": "b.bin", "x": "b.bin"`,
		"c.bin: no such file": `"0": "c.bin"`,
		"weight_map is empty": ``,
	} {
		write(weights)
		code, stdout, errs := execute("convert", index, filepath.Join(dir, "no.safetensors"))
		assert.Equal(t, 3, code, errs)
		assert.Empty(t, stdout)
		assert.Contains(t, errs, want)
		assert.NoFileExists(t, filepath.Join(dir, "no.safetensors"))
	}
}
