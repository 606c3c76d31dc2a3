package detr

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

// TestForwardAllocatesNothing: in a scope that begins anew for each call, images of one size leave nothing to the collector.
func TestForwardAllocatesNothing(t *testing.T) {
	m := loadTiny(t, "model")
	s, outer := tensor.NewScope(tensor.CPU()), tensor.NewScope(tensor.CPU())
	defer outer.Close()
	defer s.Close()
	px := outer.Randn(tensor.Key{Seed: 1}, 2, 64, 96, 3)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection takes spare work spaces away
	call := func() {
		s.Reset()
		m.Forward(s, px, nil)
	}
	for range 3 { // memory of all sizes, and headers, are made
		call()
	}
	require.Zero(t, testing.AllocsPerRun(12, call))
}
