package tensor

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestPoolHalvesLargeBuffers(t *testing.T) {
	p := &pool{dev: CPU()}
	const whole = 4 * largeBuffer
	big, class := p.get(whole)
	require.Equal(t, whole, class)
	p.put(big, class)
	var parts []unsafe.Pointer
	for range 3 { // a quarter, its twin, and a quarter of the other half
		q, class := p.get(largeBuffer)
		require.Equal(t, largeBuffer, class)
		parts = append(parts, q)
	}
	for i, q := range parts {
		require.Contains(t, []uintptr{uintptr(big), uintptr(big) + largeBuffer, uintptr(big) + 2*largeBuffer, uintptr(big) + 3*largeBuffer}, uintptr(q))
		require.NotContains(t, parts[:i], q)
	}
	require.Equal(t, largeBuffer, p.idle)
	p.trim() // the last quarter stays: its twin is in use
	require.Equal(t, largeBuffer, p.idle)
	for _, q := range parts {
		p.put(q, largeBuffer)
	}
	require.Equal(t, whole, p.idle)
	require.Empty(t, p.twin)
	again, _ := p.get(whole)
	require.Equal(t, big, again)
	p.put(again, whole)

	small, class := p.get(largeBuffer / 4) // small ones are never halves
	require.NotEqual(t, big, small)
	p.put(small, class)
	larger, class := p.get(2 * whole) // before which the large ones that lie idle go back to the system, the small one not
	require.Equal(t, largeBuffer/4, p.idle)
	p.put(larger, class)
	p.trim()
	require.Zero(t, p.idle)
}
