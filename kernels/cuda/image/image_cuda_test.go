//go:build cuda

package image

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	for capability, want := range map[int]string{75: "none", 80: "sm_80", 86: "sm_86", 87: "compute_80", 89: "sm_86", 90: "sm_90a", 100: "sm_100", 103: "sm_100",
		110: "compute_80", 120: "sm_120", 121: "sm_120", 130: "compute_80"} {
		arch, why := Pick(capability)
		require.Equal(t, want, arch, capability)
		require.NotEmpty(t, why)
	}
}

// TestEveryDeviceFindsItsImage: one image of a kernel for each chip, cubin or PTX.
func TestEveryDeviceFindsItsImage(t *testing.T) {
	for capability, want := range map[int]string{80: "sm_80.cubin", 86: "sm_86.cubin", 89: "sm_86.cubin", 90: "sm_90a.cubin", 103: "sm_100.cubin", 121: "sm_120.cubin", 110: "compute_80.ptx"} {
		name, data, err := Find("gemm_mma_bf16", capability)
		require.NoError(t, err)
		require.Equal(t, "gemm_mma."+want, name)
		if strings.HasSuffix(want, ".ptx") {
			require.Equal(t, byte(0), data[len(data)-1])
			require.Contains(t, string(data), ".target sm_80")
		} else {
			require.Equal(t, "\x7fELF", string(data[:4]))
		}
	}
	_, _, err := Find("gemm_mma_bf16", 75)
	require.ErrorContains(t, err, "8.0 (Ampere) or newer")
}

// TestEverySourceCompilesAtRunTime sends every source through NVRTC, where it is installed (SYNTIC_LIBNVRTC names one): the kernels are those of the archive.
func TestEverySourceCompilesAtRunTime(t *testing.T) {
	sources, err := filepath.Glob("../src/*.cu")
	require.NoError(t, err)
	require.NotEmpty(t, sources)
	headers, err := headersFor("../src")
	require.NoError(t, err)
	missing := nvrtc.Open()
	for _, source := range sources {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		cubin, err := nvrtc.Compile(filepath.Base(source), string(text), headers, native(90))
		if missing != nil {
			require.ErrorContains(t, err, missing.Error())
			return
		}
		require.NoError(t, err)
		uses, err := Uses(cubin)
		require.NoError(t, err, source)
		a, err := read(".", stemOf(filepath.Base(source)))
		require.NoError(t, err)
		require.Equal(t, a.Kernels, slices.Sorted(maps.Keys(uses)), source)
		t.Logf("%s: %d kernels", source, len(uses))
	}
}
