//go:build cuda

package gorgonia

import (
	"errors"
	"unsafe"

	"gorgonia.org/cu"

	"syntic/kernels"
	"syntic/kernels/cuda"
	"syntic/kernels/cuda/driver"
)

// Bridge runs ops in the context of a cu.Ctx, which stays its owner's.
type Bridge struct {
	ctx     *cu.Ctx
	stream  *kernels.Stream
	release func() error
}

// New takes up the context of ctx, whose goroutine must run (cu.NewContext starts it). Close the Bridge before the context.
func New(ctx *cu.Ctx) (*Bridge, error) {
	if ctx == nil {
		return nil, errors.New("no cu.Ctx to run in: want one of cu.NewContext")
	}
	b := &Bridge{ctx: ctx}
	err := ctx.Do(func() error {
		current, err := driver.FromCurrent()
		if err != nil {
			return err
		}
		b.stream, b.release, err = cuda.Adopt(current)
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Do runs ops, such as kernels.GEMM.Run(s, args), on the thread of the context, once all that was put on streams of the context is complete, and waits for
// them. An error of a kernel surfaces here.
func (b *Bridge) Do(ops func(s *kernels.Stream) error) error {
	return b.ctx.Do(func() error {
		if _, err := driver.FromCurrent(); err != nil { // others may have made another context current meanwhile
			return err
		}
		if err := cu.Synchronize(); err != nil {
			return err
		}
		return errors.Join(ops(b.stream), kernels.BackendOf(kernels.CUDA).Sync(b.stream))
	})
}

// Close gives back the stream and the loaded images.
func (b *Bridge) Close() error { return b.ctx.Do(b.release) }

// View is memory of cu as an operand: row-major, of the given shape, at least 16-byte aligned. Go code must not read or write through it.
func View(p cu.DevicePtr, dtype kernels.DType, shape ...int) kernels.View {
	address := p.Uintptr()
	return kernels.NewView(dtype, *(*unsafe.Pointer)(unsafe.Pointer(&address)), shape...) // a device address: the collector knows nothing of it
}

// Pointer is an operand's memory as cu names it.
func Pointer(v kernels.View) cu.DevicePtr { return cu.DevicePtr(uintptr(v.Ptr())) }
