package kernels_test

import (
	"testing"

	"syntic/kernels"
	_ "syntic/kernels/cpu"
	"syntic/kernels/kerneltest"
)

func TestParity(t *testing.T) {
	for _, op := range kernels.Ops() {
		t.Run(op.String(), func(t *testing.T) { kerneltest.Parity(t, op) })
	}
}
