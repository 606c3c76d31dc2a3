//go:build cuda

package driver

// #cgo CFLAGS: -O2 -Wall
// #cgo LDFLAGS: -ldl
// #cgo noescape drv_launch
// #cgo nocallback drv_launch
// #include <stdlib.h>
// #include "drv.h"
import "C"

import (
	"fmt"
	"os"
	"sync"
	"unsafe"
)

// LibraryEnv names a file to open instead of libcuda.so.1: the emulator of kernels/cuda/emu, or a driver in an unusual place.
const LibraryEnv = "SYNTIC_LIBCUDA"

// Open loads and starts the driver, once; later calls answer alike. Errors wrap ErrNoDriver.
var Open = sync.OnceValue(func() error {
	path := os.Getenv(LibraryEnv)
	if path == "" {
		path = "libcuda.so.1"
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var msg [512]C.char
	switch code := C.drv_open(name, &msg[0], C.size_t(len(msg))); {
	case code < 0:
		return fmt.Errorf("%w: %s", ErrNoDriver, C.GoString(&msg[0]))
	case code > 0:
		return fmt.Errorf("%w: %w", ErrNoDriver, failure("cuInit", code))
	}
	return nil
})

// Emulated tells whether the open library is the emulator.
func Emulated() bool { return Open() == nil && C.drv_emulated() != 0 }

func failure(call string, code C.int) error {
	if code == 0 {
		return nil
	}
	return &Error{Call: call, Code: int(code), Name: C.GoString(C.drv_error_name(code)), Text: C.GoString(C.drv_error_string(code))}
}

// Version is the newest CUDA version that the driver knows, as 1000·major + 10·minor.
func Version() (int, error) {
	if err := Open(); err != nil {
		return 0, err
	}
	var v C.int
	err := failure("cuDriverGetVersion", C.drv_version(&v))
	return int(v), err
}

// Count is the number of devices.
func Count() (int, error) {
	if err := Open(); err != nil {
		return 0, err
	}
	var n C.int
	err := failure("cuDeviceGetCount", C.drv_count(&n))
	return int(n), err
}

// Name is the vendor's name of a device, and Memory its size in bytes.
func Name(device int) (string, error) {
	var buf [256]C.char
	err := failure("cuDeviceGetName", C.drv_name(&buf[0], C.int(len(buf)), C.int(device)))
	return C.GoString(&buf[0]), err
}

// Memory is a device's size in bytes.
func Memory(device int) (int64, error) {
	var n C.size_t
	err := failure("cuDeviceTotalMem", C.drv_total_mem(&n, C.int(device)))
	return int64(n), err
}

// Attribute is a number that the driver tells of a device.
type Attribute int

// Some attributes (CUdevice_attribute).
const (
	Multiprocessors Attribute = 16
	SharedPerSM     Attribute = 81
	SharedOptIn     Attribute = 97 // the most shared memory that a block may have
	L2Bytes         Attribute = 38
	CapabilityMajor Attribute = 75
	CapabilityMinor Attribute = 76
)

// Get reads an attribute of a device.
func (a Attribute) Get(device int) (int, error) {
	var v C.int
	err := failure("cuDeviceGetAttribute", C.drv_attribute(&v, C.int(a), C.int(device)))
	return int(v), err
}

// Capability is the compute capability: 80 for 8.0.
func Capability(device int) (int, error) {
	major, err := CapabilityMajor.Get(device)
	if err != nil {
		return 0, err
	}
	minor, err := CapabilityMinor.Get(device)
	return 10*major + minor, err
}
