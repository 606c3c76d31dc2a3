package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/bench"
)

func TestFallbackIsSaidWhereTheDeviceWasLeftOpen(t *testing.T) {
	why := errors.New("no CUDA driver: libcuda.so.1 not found")
	require.Equal(t, "syntic: --device auto takes the CPU: no CUDA driver: libcuda.so.1 not found", fallback("auto", why))
	require.Empty(t, fallback("cpu", why))
	require.Empty(t, fallback("auto", nil))
}

func TestDoctorTellsOfGPUs(t *testing.T) {
	f := examineGPU(bench.Machine{CUDA: true, GPUs: []bench.GPU{{Name: "Card", Memory: 1 << 30, Detail: "compute capability 9.0, images sm_90a"}}})
	require.Equal(t, "cuda:0 Card, 1.0 GiB, compute capability 9.0, images sm_90a", f.Found)
	require.Equal(t, stateOK, f.State)
	f = examineGPU(bench.Machine{CUDA: true, NoGPU: "no CUDA driver"})
	require.Equal(t, stateNote, f.State)
	require.Contains(t, f.Found, "no CUDA driver")
}
