package cpu

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// TestMemory takes small memory, the collector's, and large memory, the system's: whole, aligned, known until it is freed, and freed once.
func TestMemory(t *testing.T) {
	b := &backend{live: map[unsafe.Pointer]allocation{}}
	for _, bytes := range []int{1, 4096, mapFrom - 1, mapFrom, 3*mapFrom + 5} {
		p, err := b.Alloc(0, bytes)
		require.NoError(t, err)
		assert.Zero(t, uintptr(p)%align, bytes)
		m := unsafe.Slice((*byte)(p), bytes)
		m[0], m[bytes-1] = 7, 9
		back := make([]byte, bytes)
		require.NoError(t, b.CopyOut(&kernels.Stream{}, unsafe.Pointer(&back[0]), p, bytes))
		assert.Equal(t, byte(9), back[bytes-1])
		assert.Contains(t, b.live, p)
		b.Free(0, p)
		assert.Empty(t, b.live)
		b.Free(0, p)
	}
}
