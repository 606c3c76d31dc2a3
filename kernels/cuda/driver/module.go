//go:build cuda

package driver

// #include <stdlib.h>
// #include "drv.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Module is a loaded image: a cubin, or PTX that the driver compiled.
type Module struct {
	ctx *Context
	h   unsafe.Pointer
}

// Load loads an image. PTX must end in a zero byte. The error carries what the driver's compiler says.
func (c *Context) Load(name string, image []byte) (*Module, error) {
	m := &Module{ctx: c}
	var log [8192]C.char
	err := failure("load image "+name, C.drv_module_load(c.place, &m.h, unsafe.Pointer(unsafe.SliceData(image)), &log[0], C.size_t(len(log))))
	var e *Error
	if errors.As(err, &e) {
		e.Log = C.GoString(&log[0])
	}
	return m, err
}

// Close unloads the module.
func (m *Module) Close() error {
	return failure("cuModuleUnload", C.drv_module_free(m.ctx.place, m.h))
}

// Kernel is a function of a module, with what its source declares by KERNEL.
type Kernel struct {
	Name    string
	Threads int // of a block
	Smem    int // dynamic shared memory of a block in bytes
	h       unsafe.Pointer
	params  []uint8 // sizes of the parameters in bytes; nil if the driver cannot tell
}

// Numbers that the driver knows of a function (CUfunction_attribute).
const (
	fnShared    = 1
	fnLocal     = 3
	fnRegisters = 4
	fnSmemMax   = 8
)

// Kernel finds a kernel and reads the threads and shared memory that its source declares, and allows it that much.
func (m *Module) Kernel(name string) (*Kernel, error) {
	k := &Kernel{Name: name}
	cname, cmeta := C.CString(name), C.CString(name+"_meta")
	defer C.free(unsafe.Pointer(cname))
	defer C.free(unsafe.Pointer(cmeta))
	if err := failure("find kernel "+name, C.drv_function(m.ctx.place, &k.h, m.h, cname)); err != nil {
		return nil, err
	}
	var at unsafe.Pointer
	var bytes C.size_t
	if err := failure("find "+name+"_meta", C.drv_global(m.ctx.place, &at, &bytes, m.h, cmeta)); err != nil {
		return nil, err
	}
	var meta [2]int32
	if int(bytes) != 8 {
		return nil, fmt.Errorf("%s_meta has %d bytes, want 8: the image is of another version", name, bytes)
	}
	if err := failure("read "+name+"_meta", C.drv_to_host(m.ctx.place, unsafe.Pointer(&meta), at, 8, nil)); err != nil {
		return nil, err
	}
	if err := failure("synchronise", C.drv_stream_sync(m.ctx.place, nil)); err != nil {
		return nil, err
	}
	k.Threads, k.Smem = int(meta[0]), int(meta[1])
	for i := 0; ; i++ {
		var offset, size C.size_t
		code := C.drv_param_info(k.h, C.size_t(i), &offset, &size)
		if code == NotSupported {
			k.params = nil
			break
		}
		if code != 0 {
			if k.params == nil {
				k.params = []uint8{}
			}
			break
		}
		k.params = append(k.params, uint8(size))
	}
	return k, m.ctx.Allow(k, k.Smem)
}

// Allow lets a kernel have this much dynamic shared memory; needed above 48 KB.
func (c *Context) Allow(k *Kernel, smem int) error {
	if smem <= 48<<10 {
		return nil
	}
	return failure(fmt.Sprintf("give %s %d bytes of shared memory", k.Name, smem), C.drv_function_set(c.place, k.h, fnSmemMax, C.int(smem)))
}

// Usage is registers and local memory a thread (bytes: spills and indexed arrays), and static shared memory a block.
func (c *Context) Usage(k *Kernel) (registers, local, shared int, err error) {
	for attribute, v := range map[C.int]*int{fnRegisters: &registers, fnLocal: &local, fnShared: &shared} {
		var n C.int
		if err = failure("cuFuncGetAttribute", C.drv_function_get(c.place, &n, attribute, k.h)); err != nil {
			return
		}
		*v = int(n)
	}
	return
}

// Occupancy is how many blocks of a kernel fit on one multiprocessor.
func (c *Context) Occupancy(k *Kernel) (int, error) {
	var n C.int
	err := failure("cuOccupancyMaxActiveBlocksPerMultiprocessor", C.drv_occupancy(c.place, &n, k.h, C.int(k.Threads), C.size_t(k.Smem)))
	return int(n), err
}
