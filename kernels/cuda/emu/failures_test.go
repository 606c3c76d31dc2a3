//go:build cuda

package emu_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels/cuda/driver"
	"syntic/kernels/cuda/emu"
)

// These tests hold what is said where a device or its driver fails.

func TestTooLittleMemory(t *testing.T) {
	g := start(t)
	t.Setenv("SYNTIC_EMU_MEMORY", "64")
	p, err := g.c.Alloc(40 << 20)
	require.NoError(t, err)
	defer g.c.Free(p)
	_, err = g.c.Alloc(30 << 20)
	assert.ErrorContains(t, err, "allocate 31457280 bytes on cuda:0: out of memory (CUDA_ERROR_OUT_OF_MEMORY, 2)")
	assert.ErrorContains(t, err, "24 MiB free of 64: lower the batch")
	_, err = g.s.Alloc(30 << 20)
	assert.ErrorContains(t, err, "allocate 31457280 bytes of workspace on cuda:0")
	assert.ErrorContains(t, err, "24 MiB free of 64: lower the batch")
}

func TestImagesThatDoNotLoad(t *testing.T) {
	g := start(t)
	for code, says := range map[int]string{
		driver.NoBinary:  "load image gemm.sm_80.cubin: emulated error (CUDA_ERROR_NO_BINARY_FOR_GPU, 209): the image was made for another chip: syntic doctor tells which one the device takes",
		driver.OldDriver: "(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, 222): the driver is older than the compiler of the kernels: want one of CUDA 13.0 (580) or newer",
	} {
		t.Setenv("SYNTIC_EMU_FAIL", fmt.Sprint("load=", code))
		_, err := g.c.Load("gemm.sm_80.cubin", []byte("\x7fELF"))
		assert.ErrorContains(t, err, says)
	}
}

// TestFailuresSurfaceAtSync: an error of the device comes at a later synchronisation and names the last kernels; a lost device fails every call.
func TestFailuresSurfaceAtSync(t *testing.T) {
	g := start(t)
	x, out := g.put(count(256)), g.put(make([]float32, 256))
	for _, name := range []string{"bug_barrier", "bug_wait"} {
		k, err := g.m.Kernel(name)
		require.NoError(t, err)
		var a driver.Args
		a.Reset()
		a.Ptr(x)
		a.Ptr(out)
		a.I32(1)
		require.NoError(t, g.s.Launch(k, driver.Config{}, &a))
	}
	t.Setenv("SYNTIC_EMU_FAIL", fmt.Sprint("sync=", driver.ECC))
	err := g.s.Sync()
	assert.ErrorContains(t, err, "synchronise: emulated error (CUDA_ERROR_ECC_UNCORRECTABLE, 214): the device's memory has failed: nothing that it computed since the last synchronisation can be trusted")
	assert.ErrorContains(t, err, "last launched: bug_barrier, bug_wait")
	t.Setenv("SYNTIC_EMU_FAIL", fmt.Sprint("any=", driver.Unknown))
	assert.ErrorContains(t, g.s.Sync(), "999): the device may be lost: nvidia-smi and the system's log (Xid) tell more")
	_, err = g.c.Alloc(16)
	assert.ErrorContains(t, err, "the device may be lost")
	t.Setenv("SYNTIC_EMU_FAIL", "")
	require.NoError(t, g.s.Sync())
}

// TestDriversThatDoNotStart runs this test alone in another process, which can open another driver.
func TestDriversThatDoNotStart(t *testing.T) {
	if os.Getenv("SYNTIC_TEST_OPEN") != "" {
		fmt.Printf("says: %v\n", driver.Open())
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	source, old := filepath.Join(dir, "old.c"), filepath.Join(dir, "libcuda.so.1")
	require.NoError(t, os.WriteFile(source, []byte("int cuInit(unsigned f) { return 0; }\n"), 0o644))
	text, err := exec.Command(emu.Compiler(), "-shared", "-fPIC", "-x", "c", source, "-o", old).CombinedOutput()
	require.NoError(t, err, string(text))
	for says, env := range map[string][]string{
		"no CUDA driver: cuInit: emulated error (CUDA_ERROR_NO_DEVICE, 100): no GPU, or CUDA_VISIBLE_DEVICES hides it": {"SYNTIC_EMU_FAIL=init=100"},
		"(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, 803): the driver's kernel module and library are of different versions":   {"SYNTIC_EMU_FAIL=init=803"},
		"no CUDA driver: " + old + " has no cuDriverGetVersion: the driver is too old":                                 {driver.LibraryEnv + "=" + old},
		"no CUDA driver: " + dir + "/nothing.so: cannot open shared object file":                                       {driver.LibraryEnv + "=" + dir + "/nothing.so"},
	} {
		cmd := exec.Command(self, "-test.run", "^TestDriversThatDoNotStart$")
		cmd.Env = append(append(os.Environ(), "SYNTIC_TEST_OPEN=1"), env...)
		said, err := cmd.CombinedOutput()
		require.NoError(t, err, string(said))
		assert.Contains(t, string(said), says)
	}
}
