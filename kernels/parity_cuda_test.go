//go:build cuda

package kernels_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	_ "syntic/kernels/cuda"
	"syntic/kernels/cuda/emu"
)

func TestMain(m *testing.M) {
	if err := emu.Use(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestDevice keeps parity from passing because there was nothing to run on.
func TestDevice(t *testing.T) {
	require.NotEmpty(t, kernels.BackendOf(kernels.CUDA).Devices())
}
