//go:build linux || darwin

package safetensors

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapFile maps the first size bytes read-only; the second result unmaps them.
func mapFile(fd *os.File, size int) ([]byte, func() error, error) {
	b, err := unix.Mmap(int(fd.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	return b, func() error { return unix.Munmap(b) }, nil
}

// forget tells the system that mapped memory will not soon be read again: whole pages of b leave the process, to come back from the file
// when touched.
func forget(b []byte) {
	page := os.Getpagesize()
	at := int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) % uintptr(page))
	from := (page - at) % page
	if to := (at+len(b))/page*page - at; from < to {
		_ = unix.Madvise(b[from:to], unix.MADV_DONTNEED) // advice
	}
}
