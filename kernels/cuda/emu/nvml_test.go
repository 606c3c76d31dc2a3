//go:build cuda

package emu_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels/cuda/driver"
	"syntic/kernels/cuda/emu"
)

// TestConditions reads clocks from a libnvidia-ml of ours, with all that NVIDIA's may leave untold.
func TestConditions(t *testing.T) {
	start(t)
	lib := filepath.Join(t.TempDir(), "libnvidia-ml.so")
	text, err := exec.Command(emu.Compiler(), "-x", "c", "-Wall", "-Werror", "-shared", "-fPIC", "-o", lib, filepath.Join("testdata", "nvml.c")).CombinedOutput()
	require.NoError(t, err, string(text))
	t.Setenv(driver.MonitorEnv, lib)
	assert.Equal(t, "clocks unknown: NVML has no device 0000:01:00.0 (6)", driver.Conditions(0))
	for state, says := range map[string]string{
		"1755 1980 2619 41 312600 0":   "clock 1755 of 1980 MHz, memory 2619 MHz, 41 °C, 313 W, not held down",
		"345 1980 2619 30 70000 1":     "clock 345 of 1980 MHz, memory 2619 MHz, 30 °C, 70 W, not held down", // idle
		"1410 1980 2619 84 700000 100": "clock 1410 of 1980 MHz, memory 2619 MHz, 84 °C, 700 W, held down by power cap and software thermal and hardware thermal",
		"1755 1980 -1 41 -1 8":         "clock 1755 of 1980 MHz, 41 °C, held down by hardware slowdown",
		"-1 -1 -1 55 -1 -1":            "55 °C",
	} {
		t.Setenv("SYNTIC_EMU_NVML", state)
		assert.Equal(t, says, driver.Conditions(0), state)
	}
}
