package tensor

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"syntic/kernels"
	_ "syntic/kernels/cpu" // registers the CPU backend and its variants
)

// Device is a place where tensors live and ops run.
type Device struct {
	info    kernels.DeviceInfo
	backend kernels.Backend
	pool    pool
}

var devices struct {
	sync.Mutex
	m map[kernels.DeviceInfo]*Device
}

func device(info kernels.DeviceInfo) *Device {
	devices.Lock()
	defer devices.Unlock()
	if devices.m == nil {
		devices.m = map[kernels.DeviceInfo]*Device{}
	}
	d := devices.m[info]
	if d == nil {
		d = &Device{info: info, backend: kernels.BackendOf(info.Kind)}
		d.pool.dev = d
		devices.m[info] = d
	}
	return d
}

// CPU is the host.
func CPU() *Device { return device(kernels.BackendOf(kernels.CPU).Devices()[0]) }

// Open finds a device by name: "cpu", "cuda", "cuda:1", or "auto", which is the first GPU if there is one and the CPU else: NoGPU says why.
// A GPU that is asked for and not there is an error, never silently the CPU.
func Open(name string) (*Device, error) {
	family, at, _ := strings.Cut(name, ":")
	index, err := strconv.Atoi(at)
	if at != "" && (err != nil || index < 0) || at != "" && family != "cuda" {
		return nil, fmt.Errorf("device %q: want auto, cpu, cuda or cuda:N", name)
	}
	cuda := kernels.BackendOf(kernels.CUDA)
	switch family {
	case "cpu", "":
		return CPU(), nil
	case "auto":
		if cuda == nil || len(cuda.Devices()) == 0 {
			return CPU(), nil
		}
		return device(cuda.Devices()[0]), nil
	case "cuda":
		if cuda == nil {
			return nil, fmt.Errorf("device %q: this binary was built without -tags cuda", name)
		}
		if l := cuda.Devices(); index < len(l) {
			return device(l[index]), nil
		}
		if why, ok := cuda.(interface{ Usable() error }); ok && why.Usable() != nil {
			return nil, fmt.Errorf("device %q: %w", name, why.Usable())
		}
		return nil, fmt.Errorf("device %q: %d CUDA devices found", name, len(cuda.Devices()))
	}
	return nil, fmt.Errorf("device %q: want auto, cpu, cuda or cuda:N", name)
}

// NoGPU is why "auto" is the CPU in a binary that has CUDA kernels; nil where there is a GPU, and in binaries without such kernels.
func NoGPU() error {
	cuda, ok := kernels.BackendOf(kernels.CUDA).(interface{ Usable() error })
	if !ok {
		return nil
	}
	return cuda.Usable()
}

// String is the name that Open takes.
func (d *Device) String() string {
	if d.info.Kind == kernels.CPU {
		return "cpu"
	}
	return fmt.Sprintf("%v:%d", d.info.Kind, d.info.Index)
}

// Name is the vendor's name of it, Emulated whether it is no GPU but the emulator of one.
func (d *Device) Name() string   { return d.info.Name }
func (d *Device) Emulated() bool { return d.info.Emulated }

// Sync waits until it has done all that was asked.
func (d *Device) Sync() (err error) {
	s, err := d.backend.NewStream(d.info.Index)
	if err != nil {
		return err
	}
	return d.backend.Sync(s)
}

// Index is its number among those of its kind.
func (d *Device) Index() int { return d.info.Index }

// IsCPU tells whether tensors of this device are in host memory.
func (d *Device) IsCPU() bool { return d.info.Kind == kernels.CPU }

// buffer is memory of a device; ptr nil is memory that has not been needed yet.
type buffer struct {
	ptr   unsafe.Pointer
	bytes int // of the size class; 0 for memory of someone else, which is never freed
	pool  *pool
	owner *Scope  // nil for parameters
	prev  *buffer // in the owner's chain
	next  *buffer
	hold  any                    // keeps someone else's memory alive
	kept  *kernels.Kept          // other forms of someone else's memory that ops made
	wide  atomic.Pointer[Tensor] // float32 copy of memory of 16 bits, for ops that need one
	round atomic.Pointer[Tensor] // copy of someone else's memory in the format to which products round it
	near  atomic.Pointer[nearby] // a bank's rows in fewer bits (KeepNearby)
}

// Trim gives memory that no tensor uses back to the system.
func (d *Device) Trim() { d.pool.trim() }

// TrimAbove is Trim where more than so many bytes lie idle: for the way from one part of a large model to another, which seldom has tensors of
// the same sizes.
func (d *Device) TrimAbove(bytes int) {
	d.pool.mu.Lock()
	idle := d.pool.idle
	d.pool.mu.Unlock()
	if idle > bytes {
		d.pool.trim()
	}
}
