//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"syntic/kernels"
	"syntic/kernels/cuda/driver"
	"syntic/kernels/cuda/image"
)

// add registers a variant of this device.
func add[A any](op *kernels.Op[A], v kernels.Variant[A]) {
	v.Device, v.Available = kernels.CUDA, available
	if v.Note == "" {
		v.Note = "emulated only"
	} else {
		v.Note += "; emulated only"
	}
	op.Add(v)
}

// config is the shape of a launch. Zero fields take 1, and the kernel's own threads and shared memory.
type config = driver.Config

// blocks is a one-dimensional grid.
func blocks(n int) config { return config{Grid: [3]int{n, 1, 1}} }

// each is a grid with one thread for each of n elements, in blocks of 256.
func each(n int) config { return blocks(ceilDiv(n, 256)) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }

var argsPool = sync.Pool{New: func() any { return new(driver.Args) }}

// launch puts a kernel on the stream. An argument is a kernels.View (its address; nil if absent), an unsafe.Pointer, a number of a fixed size
// (int32 for int, int64 or uint64 for i64 and u64, uint32, float32), a bool (int) or a *driver.TensorMap.
func launch(s *kernels.Stream, name string, c config, args ...any) error {
	d := of(s)
	k, err := d.kernel(name)
	if err != nil {
		return err
	}
	if c.Smem > k.Smem && c.Smem > 48<<10 {
		if err := d.ctx.Allow(k, c.Smem); err != nil {
			return err
		}
	}
	packed := argsPool.Get().(*driver.Args)
	defer argsPool.Put(packed)
	packed.Reset()
	for i, a := range args {
		switch v := a.(type) {
		case kernels.View:
			packed.Ptr(v.Ptr())
		case unsafe.Pointer:
			packed.Ptr(v)
		case int32:
			packed.I32(v)
		case uint32:
			packed.I32(int32(v))
		case int64:
			packed.I64(v)
		case uint64:
			packed.I64(int64(v))
		case float32:
			packed.F32(v)
		case bool:
			if v {
				packed.I32(1)
			} else {
				packed.I32(0)
			}
		case *driver.TensorMap:
			packed.Map(v)
		default:
			return fmt.Errorf("launch %s: argument %d is a %T: want a View, a number of fixed size, a bool or a tensor map", name, i, a)
		}
	}
	return d.stream.Launch(k, c, packed)
}

// kernel finds a kernel in its image, which is loaded when it is first needed.
func (d *device) kernel(name string) (*driver.Kernel, error) {
	if k, ok := d.kernels.Load(name); ok {
		return k.(*driver.Kernel), nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	file, data, err := image.Find(name, d.capability)
	if err != nil {
		if !driver.Emulated() || !errors.Is(err, image.ErrNoKernel) {
			return nil, err
		}
		file, data = "emulated", []byte("\x7fELF") // the emulator knows its kernels by name
	}
	m := d.modules[file]
	if m == nil {
		if m, err = d.ctx.Load(file, data); err != nil {
			return nil, err
		}
		d.modules[file] = m
	}
	k, err := m.Kernel(name)
	if err != nil {
		return nil, err
	}
	d.kernels.Store(name, k)
	return k, nil
}

// space is memory of one op call, ordered on the stream.
type space struct {
	d   *device
	ptr unsafe.Pointer
}

// workspace is memory of undefined content for one op call: free it when the last launch that uses it has been made.
func workspace(s *kernels.Stream, bytes int) (space, error) {
	d := of(s)
	if d.reserve != nil {
		p, err := d.reserve.take(d.ctx, max(bytes, 16))
		return space{d, p}, err
	}
	p, err := d.stream.Alloc(max(bytes, 16))
	return space{d, p}, err
}

func (w space) free() {
	if w.d.reserve != nil {
		w.d.reserve.put(w.ptr)
		return
	}
	w.d.stream.Free(w.ptr) // an error here is one of an earlier kernel: the next Sync reports it
}

func isF32(views ...*kernels.View) bool {
	for _, v := range views {
		if !v.Absent() && v.DType != kernels.F32 {
			return false
		}
	}
	return true
}
