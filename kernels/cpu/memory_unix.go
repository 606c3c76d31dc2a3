//go:build linux || darwin

package cpu

import "golang.org/x/sys/unix"

// mapMemory is memory of the system itself: it comes when touched, and goes back at once when freed. Weights and activations of gigabytes kept by the
// garbage collector would let as much garbage pile up beside them before it looks.
func mapMemory(bytes int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		adviseHuge(b)
	}
	return b, err
}

func unmapMemory(b []byte) { _ = unix.Munmap(b) } // fails only for what was never mapped
