package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/parity"
	"syntic/tensor/safetensors"
)

const unetGolden = "../../diffusion/testdata/sd/golden/unet"

// TestForwardAndCompare runs a golden model and holds it against the golden outputs, then against outputs with an error in one layer.
func TestForwardAndCompare(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.safetensors")
	code, stdout, errs := execute("forward", "sd.unet", "--model", "../../diffusion/testdata/sd", "--in", unetGolden+".inputs.safetensors", "--out", out, "--layers")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, stdout, "act.down_blocks.0.attentions.0.transformer_blocks.0.attn1  [2 64 32]")
	code, stdout, errs = execute("compare", out, unetGolden+".outputs.safetensors")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, stdout, "no tensor differs")
	assert.Less(t, strings.Index(stdout, "act.conv_in "), strings.Index(stdout, "act.down_blocks.0 "), "in order of computation")
	assert.Less(t, strings.Index(stdout, "act.up_blocks.3 "), strings.Index(stdout, "act.conv_norm_out "))

	wrong := filepath.Join(t.TempDir(), "wrong.safetensors")
	f, err := safetensors.Open(unetGolden + ".outputs.safetensors")
	require.NoError(t, err)
	defer f.Close()
	var all []safetensors.Tensor
	for _, name := range f.Names() {
		x, err := f.Float32s(name)
		require.NoError(t, err)
		info, _ := f.Info(name)
		switch {
		case name == "act.up_blocks.2":
			x[7]++
		case strings.HasPrefix(name, "act.up_blocks.3"), name == "act.conv_norm_out":
			x[0] += 0.5
		case name == "out":
			info.Shape[3], info.Shape[2] = 4, 16
		case name == "act.conv_in":
			name = "act.conv_before"
		}
		all = append(all, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: info.Shape, Floats: x})
	}
	require.NoError(t, parity.Write(wrong, all))
	code, stdout, errs = execute("compare", "--json", out, wrong)
	require.Equal(t, 1, code)
	assert.Contains(t, errs, "first in act.up_blocks.2")
	var c parity.Comparison
	require.NoError(t, json.Unmarshal([]byte(stdout), &c))
	assert.Equal(t, "act.up_blocks.2", c.First)
	assert.Equal(t, []string{"act.conv_before"}, c.OnlyIn)
	assert.Contains(t, c.OnlyGot, "act.conv_in")
	beyond := 0
	for _, d := range c.Tensors {
		if d.Beyond {
			beyond++
		}
		if d.Name == "out" {
			assert.Equal(t, "shape [2 4 8 8], want [2 4 16 4]", d.Problem)
		}
	}
	assert.Equal(t, 4, beyond)
	code, stdout, _ = execute("compare", "--tolerance", "10", out, wrong)
	assert.Equal(t, 1, code, "a shape is wrong with any tolerance")
	assert.Contains(t, stdout, "only in "+wrong+": act.conv_before")
	code, _, errs = execute("compare", "--strict", unetGolden+".outputs.safetensors", out)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "do not hold the same tensors")
}

// TestForwardOfTheWorld runs the embedded model, which it tells.
func TestForwardOfTheWorld(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.safetensors"), filepath.Join(dir, "out.safetensors")
	require.NoError(t, safetensors.Write(in, []safetensors.Tensor{{Name: "latent", DType: safetensors.F32, Shape: []int{1, 4, 2, 2}, Floats: make([]float32, 16)}}, nil))
	code, _, errs := execute("forward", "sd.vae.decode", "--in", in, "--out", out)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, errs, "the drawn world's own sd")
	f, err := safetensors.Open(out)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, []string{"decoded"}, f.Names())
}

// TestForwardBadInput shows that wrong inputs end with one line and write nothing.
func TestForwardBadInput(t *testing.T) {
	const model = "../../diffusion/testdata/sd"
	dir := t.TempDir()
	out := filepath.Join(dir, "out.safetensors")
	write := func(name string, ts ...safetensors.Tensor) string {
		path := filepath.Join(dir, name)
		require.NoError(t, safetensors.Write(path, ts, nil))
		return path
	}
	floats := func(name string, shape ...int) safetensors.Tensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape, Floats: make([]float32, n)}
	}
	ids := func(v int64) safetensors.Tensor {
		return safetensors.Tensor{Name: "input_ids", DType: safetensors.I64, Shape: []int{1, 2}, Ints: []int64{v, 999}}
	}
	for name, c := range map[string]struct {
		code int
		want string
		args []string
	}{
		"no module":       {2, "want one of clip.vision", []string{"unet", "--in", out}},
		"no inputs":       {3, "no such file", []string{"sd.unet", "--model", model, "--in", filepath.Join(dir, "none")}},
		"no model":        {3, "no such file", []string{"sd.unet", "--model", dir, "--in", write("a", floats("sample", 1, 4, 8, 8))}},
		"no decoder":      {2, "no decoder of its own", []string{"decoder", "--in", write("a", floats("prefix", 1, 1, 8))}},
		"a tensor less":   {3, `sd.unet: the inputs have no tensor "timestep"`, []string{"sd.unet", "--model", model, "--in", write("b", floats("sample", 1, 4, 8, 8))}},
		"channels last":   {3, `sd.unet: input "sample" has shape [1 8 8 4]: want [* 4 * *]`, []string{"sd.unet", "--model", model, "--in", write("c", floats("sample", 1, 8, 8, 4))}},
		"text too narrow": {3, "want [* * 48]", []string{"sd.unet", "--model", model, "--in", write("d", floats("sample", 1, 4, 8, 8), floats("timestep", 1), floats("encoder_hidden_states", 1, 77, 40))}},
		"three texts": {3, "3 texts for 2 images", []string{"sd.unet", "--model", model, "--in",
			write("e", floats("sample", 2, 4, 8, 8), floats("timestep", 1), floats("encoder_hidden_states", 3, 77, 48))}},
		"id of no word": {3, `"input_ids": element 0 is 1000: want 0 to 999`, []string{"clip.text", "--model", "../../clip/testdata/tiny", "--in", write("f", ids(1000))}},
		"negative id":   {3, "element 0 is -1", []string{"clip.text", "--model", "../../clip/testdata/tiny", "--in", write("g", ids(-1))}},
		"small image":   {3, "at least the patch size", []string{"clip.vision", "--model", "../../clip/testdata/tiny", "--in", write("h", floats("pixel_values", 1, 3, 4, 4))}},
		"odd image":     {3, "want multiples of 8", []string{"sd.vae.encode", "--model", model, "--in", write("i", floats("image", 1, 3, 12, 16))}},
		"a mask of another size": {3, `"pixel_mask" has shape [1 8 9]: want [1 8 8]`, []string{"detr", "--model", "../../syntic/detr/testdata", "--in",
			write("j", floats("pixel_values", 1, 3, 8, 8), safetensors.Tensor{Name: "pixel_mask", DType: safetensors.I64, Shape: []int{1, 8, 9}, Ints: make([]int64, 72)})}},
		"long text": {3, "want at most the model's 64", []string{"decoder", "--model", "../../syntic/testdata/decoder_tiny", "--in", write("k", floats("prefix", 1, 65, 64))}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, errs := execute(append([]string{"forward", "--out", out}, c.args...)...)
			assert.Equal(t, c.code, code, errs)
			assert.Empty(t, stdout)
			assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
			assert.Contains(t, errs, c.want)
			_, err := os.Stat(out)
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}
