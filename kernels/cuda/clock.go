//go:build cuda

package cuda

import (
	"errors"
	"unsafe"

	"syntic/kernels"
	"syntic/kernels/cuda/driver"
)

// Elapsed is the device's time between two events around what fn puts on the stream.
func (backend) Elapsed(s *kernels.Stream, fn func() error) (seconds float64, err error) {
	d := of(s)
	from, err := d.ctx.NewEvent(true)
	if err != nil {
		return 0, err
	}
	to, err := d.ctx.NewEvent(true)
	if err != nil {
		return 0, errors.Join(err, from.Close())
	}
	defer func() { err = errors.Join(err, from.Close(), to.Close()) }()
	if err = d.stream.Record(from); err != nil {
		return 0, err
	}
	if err = fn(); err != nil {
		return 0, err
	}
	if err = d.stream.Record(to); err != nil {
		return 0, err
	}
	if err = d.stream.Sync(); err != nil {
		return 0, err
	}
	took, err := to.Since(from)
	return took.Seconds(), err
}

// Flush writes twice as much as the L2 cache holds.
func (backend) Flush(s *kernels.Stream) error {
	d := of(s)
	l2, err := driver.L2Bytes.Get(d.ctx.Device)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.flushed == nil {
		var p unsafe.Pointer
		if p, err = d.ctx.Alloc(2 * l2); err != nil {
			return err
		}
		d.flushed = p
	}
	return d.stream.Fill(d.flushed, 0, 2*l2/4)
}

func (backend) Conditions(device int) string { return driver.Conditions(device) }
