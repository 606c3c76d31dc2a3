package cpu

import (
	"runtime"
	"sync"
	"unsafe"

	"syntic/kernels"
)

func init() { kernels.RegisterBackend(kernels.CPU, &backend{live: map[unsafe.Pointer][]byte{}}) }

// backend keeps host memory alive by address; the garbage collector owns the bytes.
type backend struct {
	mu   sync.Mutex
	live map[unsafe.Pointer][]byte
}

const align = 64 // a cache line and a 512-bit register

func (b *backend) Devices() []kernels.DeviceInfo {
	return []kernels.DeviceInfo{{Kind: kernels.CPU, Name: runtime.GOARCH}}
}

func (b *backend) Alloc(_, bytes int) (unsafe.Pointer, error) {
	buf := make([]byte, bytes+align)
	at := (align - int(uintptr(unsafe.Pointer(unsafe.SliceData(buf)))%align)) % align
	p := unsafe.Pointer(&buf[at])
	b.mu.Lock()
	b.live[p] = buf
	b.mu.Unlock()
	return p, nil
}

func (b *backend) Free(_ int, p unsafe.Pointer) {
	b.mu.Lock()
	delete(b.live, p)
	b.mu.Unlock()
}

func (b *backend) Copy(_ *kernels.Stream, dst, src unsafe.Pointer, bytes int) error {
	copy(unsafe.Slice((*byte)(dst), bytes), unsafe.Slice((*byte)(src), bytes))
	return nil
}

func (b *backend) CopyIn(s *kernels.Stream, dst, src unsafe.Pointer, bytes int) error {
	return b.Copy(s, dst, src, bytes)
}

func (b *backend) CopyOut(s *kernels.Stream, dst, src unsafe.Pointer, bytes int) error {
	return b.Copy(s, dst, src, bytes)
}

func (b *backend) NewStream(int) (*kernels.Stream, error) {
	return &kernels.Stream{Kind: kernels.CPU}, nil
}

func (b *backend) Sync(*kernels.Stream) error { return nil }

// alignedFloats is Go memory that begins on a cache line.
func alignedFloats(n int) []float32 {
	buf := make([]float32, n+align/4)
	at := (align - int(uintptr(unsafe.Pointer(unsafe.SliceData(buf)))%align)) % align / 4
	return buf[at : at+n : at+n]
}
