//go:build cuda

package driver

// #include "drv.h"
import "C"

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// MemInfo is the free and the total memory of the device in bytes.
func (c *Context) MemInfo() (free, total int64, err error) {
	var f, t C.size_t
	err = failure("cuMemGetInfo", C.drv_mem_info(c.place, &f, &t))
	return int64(f), int64(t), err
}

// Alloc is device memory, at least 256-byte aligned. Its error for want of memory says how much is needed and free.
func (c *Context) Alloc(bytes int) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := failure(fmt.Sprintf("allocate %d bytes on cuda:%d", bytes, c.Device), C.drv_alloc(c.place, &p, C.size_t(bytes)))
	return p, c.short(err)
}

func (c *Context) short(err error) error {
	if CodeOf(err) == OutOfMemory {
		if free, total, e := c.MemInfo(); e == nil {
			return fmt.Errorf("%w: %d MiB free of %d: lower the batch", err, free>>20, total>>20)
		}
	}
	return err
}

// Free gives memory of Alloc back; it waits for kernels that may use it.
func (c *Context) Free(p unsafe.Pointer) error { return failure("cuMemFree", C.drv_free(c.place, p)) }

// PoolKeep sets how many idle bytes the stream-ordered allocator keeps instead of giving them back at the next synchronisation.
func (c *Context) PoolKeep(bytes int64) error {
	return failure("cuMemPoolSetAttribute", C.drv_pool_keep(c.place, C.uint64_t(bytes)))
}

// AllocHost is pinned host memory: copies from and to it run beside kernels.
func (c *Context) AllocHost(bytes int) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := failure("cuMemHostAlloc", C.drv_host_alloc(c.place, &p, C.size_t(bytes)))
	return p, err
}

// FreeHost gives memory of AllocHost back.
func (c *Context) FreeHost(p unsafe.Pointer) error {
	return failure("cuMemFreeHost", C.drv_host_free(c.place, p))
}

// Alloc is device memory ordered on the stream: kernels launched on it later may use it at once.
func (s *Stream) Alloc(bytes int) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := s.failure(fmt.Sprintf("allocate %d bytes of workspace on cuda:%d", bytes, s.ctx.Device), C.drv_alloc_async(s.ctx.place, &p, C.size_t(bytes), s.h))
	return p, s.ctx.short(err)
}

// Free gives memory of Stream.Alloc back once what was launched before has run.
func (s *Stream) Free(p unsafe.Pointer) error {
	return s.failure("cuMemFreeAsync", C.drv_free_async(s.ctx.place, p, s.h))
}

// ToDevice copies from host memory. Pageable memory may be reused on return; pinned memory only after Sync.
func (s *Stream) ToDevice(dst, src unsafe.Pointer, bytes int) error {
	toDevice.Add(1)
	return s.failure("copy to the device", C.drv_to_device(s.ctx.place, dst, src, C.size_t(bytes), s.h))
}

var toHost, toDevice atomic.Int64

// CopiesToDevice is how many copies from host memory this process has made.
func CopiesToDevice() int64 { return toDevice.Load() }

// CopiesToHost is how often this process has waited for what it copied to host memory.
func CopiesToHost() int64 { return toHost.Load() }

// ToHost copies to host memory and waits for it.
func (s *Stream) ToHost(dst, src unsafe.Pointer, bytes int) error {
	toHost.Add(1)
	if err := s.failure("copy to the host", C.drv_to_host(s.ctx.place, dst, src, C.size_t(bytes), s.h)); err != nil {
		return err
	}
	return s.Sync()
}

// ToPinned copies to pinned memory of the host, without waiting: it is there after Sync.
func (s *Stream) ToPinned(dst, src unsafe.Pointer, bytes int) error {
	return s.failure("copy to the host", C.drv_to_host(s.ctx.place, dst, src, C.size_t(bytes), s.h))
}

// WaitToHost waits for what ToPinned copied.
func (s *Stream) WaitToHost() error {
	toHost.Add(1)
	return s.Sync()
}

// Within copies from device memory to device memory.
func (s *Stream) Within(dst, src unsafe.Pointer, bytes int) error {
	return s.failure("copy within the device", C.drv_within(s.ctx.place, dst, src, C.size_t(bytes), s.h))
}

// Fill sets n 32-bit words.
func (s *Stream) Fill(dst unsafe.Pointer, word uint32, n int) error {
	return s.failure("cuMemsetD32", C.drv_set32(s.ctx.place, dst, C.uint32_t(word), C.size_t(n), s.h))
}
