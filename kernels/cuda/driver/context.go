//go:build cuda

package driver

// #include "drv.h"
import "C"

import (
	"fmt"
	"runtime"
	"sync"
)

// Context is a device's primary context, which all users of the device in a process share and which lives as long as the process, or one of
// another library.
type Context struct {
	Device int
	place  C.drv_place
}

var contexts struct {
	sync.Mutex
	m map[int]*Context
}

// Primary is the primary context of a device.
func Primary(device int) (*Context, error) {
	n, err := Count()
	if err != nil {
		return nil, err
	}
	if device < 0 || device >= n {
		return nil, fmt.Errorf("device cuda:%d: %d found", device, n)
	}
	contexts.Lock()
	defer contexts.Unlock()
	if c := contexts.m[device]; c != nil {
		return c, nil
	}
	c := &Context{Device: device}
	c.place.device = C.int(device)
	if err := failure("cuDevicePrimaryCtxRetain", C.drv_retain(&c.place.ctx, C.int(device))); err != nil {
		return nil, err
	}
	if contexts.m == nil {
		contexts.m = map[int]*Context{}
	}
	contexts.m[device] = c
	return c, nil
}

// FromCurrent is the context that another library made current on this thread, to be called with the goroutine locked to it. That library owns it:
// nothing of the Context may be used once it is destroyed.
func FromCurrent() (*Context, error) {
	if err := Open(); err != nil {
		return nil, err
	}
	c := &Context{}
	if err := failure("cuCtxGetCurrent", C.drv_current(&c.place)); err != nil {
		return nil, fmt.Errorf("the calling thread has no context that could be taken up: %w", err)
	}
	c.Device = int(c.place.device)
	return c, nil
}

// Do calls fn with the context current on its thread, for libraries beside the driver.
func (c *Context) Do(fn func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := failure("cuCtxSetCurrent", C.drv_use(c.place)); err != nil {
		return err
	}
	return fn()
}
