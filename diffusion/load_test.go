package diffusion

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// folderOf makes a folder of the tiny VAE's configuration and the files of a function.
func folderOf(t *testing.T, write func(dir string)) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), readFile(t, "sd/vae/config.json"), 0o666))
	write(dir)
	return dir
}

// shards writes the tiny VAE's tensors to two files and the index.
func shards(t *testing.T, dir, index string) {
	t.Helper()
	f, err := safetensors.Open("testdata/sd/vae/diffusion_pytorch_model.safetensors")
	require.NoError(t, err)
	defer f.Close()
	where := map[string]string{}
	var parts [2][]safetensors.Tensor
	names := [2]string{"diffusion_pytorch_model-00001-of-00002.safetensors", "diffusion_pytorch_model-00002-of-00002.safetensors"}
	for i, name := range f.Names() {
		x, err := f.As(name, name)
		require.NoError(t, err)
		parts[i%2] = append(parts[i%2], x)
		where[name] = names[i%2]
	}
	for i, name := range names {
		require.NoError(t, safetensors.Write(filepath.Join(dir, name), parts[i], nil))
	}
	text, err := json.Marshal(map[string]any{"metadata": map[string]int{}, "weight_map": where})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, index), text, 0o666))
}

func TestLoadShards(t *testing.T) {
	want := nn.Parameters(loadVAE(t))
	dir := folderOf(t, func(dir string) { shards(t, dir, "diffusion_pytorch_model.safetensors.index.json") })
	v, err := LoadVAE(tensor.CPU(), dir)
	require.NoError(t, err)
	defer v.Close()
	for i, p := range nn.Parameters(v) {
		require.Equal(t, want[i].Data(), p.Data(), p.Name)
	}
}

// TestLoadHalf reads the variant fp16, where there is no other, and not where there is.
func TestLoadHalf(t *testing.T) {
	full := loadVAE(t)
	dir := folderOf(t, func(dir string) {
		require.NoError(t, nn.Save(filepath.Join(dir, "diffusion_pytorch_model.fp16.safetensors"), full, "F16", nil))
	})
	load := func() []nn.Named {
		v, err := LoadVAE(tensor.CPU(), dir)
		require.NoError(t, err)
		t.Cleanup(v.Close)
		return nn.Parameters(v)
	}
	want, half := nn.Parameters(full), load()
	differ := false
	for i, p := range half {
		require.InDeltaSlice(t, want[i].Data(), p.Float32s(), 2e-3, p.Name)
		differ = differ || relative(p.Float32s(), want[i].Data()) > 1e-5
	}
	require.True(t, differ)
	require.NoError(t, nn.Save(filepath.Join(dir, "diffusion_pytorch_model.safetensors"), full, "F32", nil))
	for i, p := range load() {
		require.Equal(t, want[i].Data(), p.Float32s(), p.Name)
	}
}

func TestLoadErrorsNameTheFile(t *testing.T) {
	const index = "diffusion_pytorch_model.safetensors.index.json"
	second := func(dir string) string {
		return filepath.Join(dir, "diffusion_pytorch_model-00002-of-00002.safetensors")
	}
	for want, write := range map[string]func(dir string){
		"none of diffusion_pytorch_model.safetensors, " + index: func(dir string) {},
		"diffusion_pytorch_model-00002-of-00002.safetensors, which is not there": func(dir string) {
			shards(t, dir, index)
			require.NoError(t, os.Remove(second(dir)))
		},
		"00002-of-00002.safetensors: ": func(dir string) { // truncated
			shards(t, dir, index)
			require.NoError(t, os.Truncate(second(dir), 5000))
		},
		"missing: decoder.conv_in.bias": func(dir string) {
			f, err := safetensors.Open("testdata/sd/vae/diffusion_pytorch_model.safetensors")
			require.NoError(t, err)
			defer f.Close()
			var all []safetensors.Tensor
			for _, name := range f.Names() {
				if x, err := f.As(name, name); name != "decoder.conv_in.bias" && err == nil {
					all = append(all, x)
				}
			}
			require.NoError(t, safetensors.Write(filepath.Join(dir, "diffusion_pytorch_model.safetensors"), all, nil))
		},
		"syntic convert": func(dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "diffusion_pytorch_model.bin"), nil, 0o666))
		},
	} {
		dir := folderOf(t, write)
		_, err := LoadVAE(tensor.CPU(), dir)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, dir)
	}
}
