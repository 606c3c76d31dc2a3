//go:build cuda

package image

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/cuda/nvrtc"
)

// TestMain lays a folder over the embedded images, before any is read.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "images")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "softmax.sm_80.cubin"), []byte("compiled anew"), 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "mine.compute_80.ptx"), []byte(".visible .entry my_kernel(\n"), 0o644)
	}
	for name, body := range map[string]string{"fresh": "out[thread_x()] = 1.f;", "broken": "out[thread_x()] = nothing;"} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".cu"), []byte("#include \"dev.cuh\"\nKERNEL("+name+"_kernel, 32, 0, float *out) { "+body+" }\n"), 0o644)
		}
	}
	if err != nil {
		panic(err)
	}
	os.Setenv(FolderEnv, dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func TestFolderTakesThePlaceOfEmbeddedImages(t *testing.T) {
	name, data, err := Find("softmax_f32", 86)
	require.NoError(t, err)
	require.Equal(t, "softmax.sm_80.cubin", name)
	require.Equal(t, "compiled anew", string(data))
	_, data, err = Find("softmax_f32", 90) // not in the folder
	require.NoError(t, err)
	require.Equal(t, "\x7fELF", string(data[:4]))
	name, data, err = Find("my_kernel", 120)
	require.NoError(t, err)
	require.Equal(t, "mine.compute_80.ptx", name)
	require.Zero(t, data[len(data)-1], "PTX ends in a zero byte")
	_, _, err = Find("no_kernel", 90)
	require.ErrorContains(t, err, "no image has a kernel no_kernel")
}

// TestSourcesAreCompiled: a .cu in the folder becomes an image for the device, or, without the compiler, an error that says what is missing.
func TestSourcesAreCompiled(t *testing.T) {
	name, data, err := Find("fresh_kernel", 90)
	_, _, broken := Find("broken_kernel", 80)
	if missing := nvrtc.Open(); missing != nil {
		require.ErrorContains(t, err, missing.Error())
		require.ErrorContains(t, err, "fresh.cu: no NVRTC")
		require.ErrorContains(t, err, "comes with the CUDA toolkit")
		return
	}
	require.NoError(t, err)
	require.Equal(t, "fresh.cu for sm_90a", name)
	require.Equal(t, "\x7fELF", string(data[:4]))
	require.ErrorContains(t, broken, "broken.cu(2): error: identifier \"nothing\" is undefined")
}

func TestPick(t *testing.T) {
	for capability, want := range map[int]string{80: "sm_80", 86: "sm_80", 89: "sm_80", 90: "sm_90a", 100: "compute_80", 120: "compute_80"} {
		arch, why := Pick(capability)
		require.Equal(t, want, arch, capability)
		require.NotEmpty(t, why)
	}
}
