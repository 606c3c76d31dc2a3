package main

import (
	"fmt"
	"os"

	"syntic/cmd/internal/cli"
	"syntic/tensor"
)

// openDevice opens the device of --device. Where auto is the CPU though this binary has CUDA kernels, a line on stderr says why. Its errors are
// wrong usage.
func openDevice() (*tensor.Device, error) {
	dev, err := tensor.Open(globals.Device)
	if err == nil {
		if line := fallback(globals.Device, tensor.NoGPU()); line != "" {
			fmt.Fprintln(os.Stderr, line)
		}
	}
	return dev, cli.Usage(err)
}

// fallback is what is said of a device asked for by name when no GPU can be used, for this reason; "" if there is nothing to say.
func fallback(name string, noGPU error) string {
	if name != "auto" || noGPU == nil {
		return ""
	}
	return fmt.Sprintf("syntic: --device auto takes the CPU: %v", noGPU)
}
