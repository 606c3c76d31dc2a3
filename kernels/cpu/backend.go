package cpu

import (
	"runtime"
	"sync"
	"unsafe"

	"syntic/kernels"
)

func init() { kernels.RegisterBackend(kernels.CPU, &backend{live: map[unsafe.Pointer]allocation{}}) }

// backend keeps host memory by address: small pieces are the garbage collector's, large ones the system's own.
type backend struct {
	mu   sync.Mutex
	live map[unsafe.Pointer]allocation
}

type allocation struct {
	bytes  []byte
	mapped bool
}

// mapFrom is the size from which memory is mapped; a page is a small share of it.
const mapFrom = 1 << 20

const align = 64 // a cache line and a 512-bit register

func (b *backend) Devices() []kernels.DeviceInfo {
	return []kernels.DeviceInfo{{Kind: kernels.CPU, Name: runtime.GOARCH}}
}

func (b *backend) Alloc(_, bytes int) (unsafe.Pointer, error) {
	var m allocation
	var p unsafe.Pointer
	if bytes >= mapFrom {
		if buf, err := mapMemory(bytes); err == nil { // else the collector's, which ends the program where there is no more
			m, p = allocation{buf, true}, unsafe.Pointer(unsafe.SliceData(buf))
		}
	}
	if p == nil {
		m = allocation{bytes: make([]byte, bytes+align)}
		p = unsafe.Pointer(&m.bytes[toLine(unsafe.Pointer(unsafe.SliceData(m.bytes)))])
	}
	b.mu.Lock()
	b.live[p] = m
	b.mu.Unlock()
	return p, nil
}

func (b *backend) Free(_ int, p unsafe.Pointer) {
	b.mu.Lock()
	m := b.live[p]
	delete(b.live, p)
	b.mu.Unlock()
	if m.mapped {
		unmapMemory(m.bytes)
	}
}

// toLine is how many bytes after p a cache line begins.
func toLine(p unsafe.Pointer) int { return (align - int(uintptr(p)%align)) % align }

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
	return cpuStream, nil
}

// cpuStream serves all: an op is complete when it returns.
var cpuStream = &kernels.Stream{Kind: kernels.CPU}

func (b *backend) Sync(*kernels.Stream) error { return nil }

// alignedFloats is Go memory that begins on a cache line.
func alignedFloats(n int) []float32 {
	buf := make([]float32, n+align/4)
	at := toLine(unsafe.Pointer(unsafe.SliceData(buf))) / 4
	if 4*n >= hugeFrom {
		adviseHuge(wholePages(buf))
	}
	return buf[at : at+n : at+n]
}

// hugeFrom is the size from which scratch memory asks for pages of 2 MiB, and pageSize more than any system's page of its own.
const (
	hugeFrom = 8 << 20
	pageSize = 1 << 16
)

// wholePages is the part of x that fills pages.
func wholePages(x []float32) []byte {
	p := uintptr(unsafe.Pointer(unsafe.SliceData(x)))
	at := (pageSize - int(p%pageSize)) % pageSize
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), at)), (4*len(x)-at)&^(pageSize-1))
}
