//go:build cuda

package driver

// #include "drv.h"
import "C"

import (
	"fmt"
	"unsafe"
)

const (
	maxArgs  = 48
	argBytes = 1024
)

// Args are the arguments of one launch, packed as C lays them out.
type Args struct {
	buf    [argBytes]byte
	offset [maxArgs]uint16
	size   [maxArgs]uint8
	n      int
	at     uintptr
	err    string
}

// Reset forgets the arguments.
func (a *Args) Reset() { a.n, a.at, a.err = 0, 0, "" }

func (a *Args) put(p unsafe.Pointer, size, align uintptr) {
	at := (a.at + align - 1) &^ (align - 1)
	if a.n == maxArgs || at+size > argBytes {
		a.err = fmt.Sprintf("more than %d arguments or %d bytes of them", maxArgs, argBytes)
		return
	}
	copy(a.buf[at:], unsafe.Slice((*byte)(p), size))
	a.offset[a.n], a.size[a.n] = uint16(at), uint8(size)
	a.n, a.at = a.n+1, at+size
}

// Ptr adds a device address; nil is an absent operand.
func (a *Args) Ptr(p unsafe.Pointer) { a.put(unsafe.Pointer(&p), 8, 8) }

// I32 adds an int.
func (a *Args) I32(v int32) { a.put(unsafe.Pointer(&v), 4, 4) }

// I64 adds a long long.
func (a *Args) I64(v int64) { a.put(unsafe.Pointer(&v), 8, 8) }

// F32 adds a float.
func (a *Args) F32(v float32) { a.put(unsafe.Pointer(&v), 4, 4) }

// Map adds a tensor map, by value.
func (a *Args) Map(m *TensorMap) { a.put(unsafe.Pointer(m), unsafe.Sizeof(*m), 8) }

// Config is the shape of a launch; zero fields take 1, the kernel's own threads and shared memory.
type Config struct {
	Grid    [3]int
	Cluster [3]int
	Threads int
	Smem    int
}

// Launch puts a kernel on the stream. Number and sizes of the arguments are held against the kernel's parameters where the driver tells them.
func (s *Stream) Launch(k *Kernel, c Config, a *Args) error {
	if err := k.fits(a); err != "" {
		return fmt.Errorf("launch %s: %s", k.Name, err)
	}
	var grid, block, cluster [3]C.uint
	for i, n := range c.Grid {
		grid[i], cluster[i], block[i] = C.uint(max(n, 1)), C.uint(max(c.Cluster[i], 1)), 1
		if limit := [3]int{1<<31 - 1, 65535, 65535}[i]; n > limit || n < 0 {
			return fmt.Errorf("launch %s: grid %v: dimension %d must be at most %d", k.Name, c.Grid, i, limit)
		}
	}
	threads, smem := c.Threads, c.Smem
	if threads == 0 {
		threads = k.Threads
	}
	if smem == 0 {
		smem = k.Smem
	}
	block[0] = C.uint(threads)
	s.note(k.Name)
	code := C.drv_launch(s.ctx.place, k.h, &grid[0], &block[0], &cluster[0], C.uint(smem), s.h, unsafe.Pointer(&a.buf), (*C.uint16_t)(unsafe.Pointer(&a.offset)), C.int(a.n))
	if code == 0 {
		return nil
	}
	return s.failure(fmt.Sprintf("launch %s, grid %v, %d threads, %d bytes of shared memory", k.Name, c.Grid, threads, smem), code)
}

func (k *Kernel) fits(a *Args) string {
	if a.err != "" || k.params == nil {
		return a.err
	}
	if a.n != len(k.params) {
		return fmt.Sprintf("%d arguments, the kernel takes %d", a.n, len(k.params))
	}
	for i, size := range k.params {
		if a.size[i] != size {
			return fmt.Sprintf("argument %d has %d bytes, the kernel takes %d there", i, a.size[i], size)
		}
	}
	return ""
}
