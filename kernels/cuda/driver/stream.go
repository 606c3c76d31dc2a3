//go:build cuda

package driver

// #include "drv.h"
import "C"

import (
	"errors"
	"sync"
	"time"
	"unsafe"
)

const remembered = 8 // launches that an error names

// Stream is an order of execution. Its methods may be called by several goroutines.
type Stream struct {
	ctx  *Context
	h    unsafe.Pointer
	mu   sync.Mutex
	last [remembered]string
	n    int // launches so far
}

// NewStream makes a stream that does not wait for the default stream.
func (c *Context) NewStream() (*Stream, error) {
	s := &Stream{ctx: c}
	return s, failure("cuStreamCreate", C.drv_stream_new(c.place, &s.h))
}

// Context is where the stream lives, Handle its CUstream.
func (s *Stream) Context() *Context { return s.ctx }

// Handle is the CUstream.
func (s *Stream) Handle() unsafe.Pointer { return s.h }

// Close destroys the stream once its work is done.
func (s *Stream) Close() error {
	return s.failure("cuStreamDestroy", C.drv_stream_free(s.ctx.place, s.h))
}

// Sync waits for everything launched. An error of any kernel launched before surfaces here and names the last ones.
func (s *Stream) Sync() error {
	return s.failure("synchronise", C.drv_stream_sync(s.ctx.place, s.h))
}

func (s *Stream) note(kernel string) {
	s.mu.Lock()
	s.last[s.n%remembered] = kernel
	s.n++
	s.mu.Unlock()
}

// Put lets another library put work on the stream, under a name for errors; its context is current meanwhile.
func (s *Stream) Put(name string, fn func() error) error {
	s.note(name)
	return s.ctx.Do(fn)
}

// launched is how many launches the stream has seen.
func (s *Stream) launched() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *Stream) failure(call string, code C.int) error {
	err := failure(call, code)
	var e *Error
	if errors.As(err, &e) {
		s.mu.Lock()
		for i := max(0, s.n-remembered); i < s.n; i++ {
			e.Ops = append(e.Ops, s.last[i%remembered])
		}
		s.mu.Unlock()
	}
	return err
}

// Event marks a point in a stream.
type Event struct {
	ctx *Context
	h   unsafe.Pointer
}

// NewEvent makes an event; only one with timing can measure.
func (c *Context) NewEvent(timing bool) (*Event, error) {
	e, flag := &Event{ctx: c}, C.int(0)
	if timing {
		flag = 1
	}
	return e, failure("cuEventCreate", C.drv_event_new(c.place, &e.h, flag))
}

// Close destroys the event.
func (e *Event) Close() error {
	return failure("cuEventDestroy", C.drv_event_free(e.ctx.place, e.h))
}

// Record puts the event behind what was launched on the stream.
func (s *Stream) Record(e *Event) error {
	return s.failure("cuEventRecord", C.drv_event_record(s.ctx.place, e.h, s.h))
}

// Wait makes later work of the stream wait for the event.
func (s *Stream) Wait(e *Event) error {
	return s.failure("cuStreamWaitEvent", C.drv_stream_wait(s.ctx.place, s.h, e.h))
}

// Sync waits for the event.
func (e *Event) Sync() error {
	return failure("cuEventSynchronize", C.drv_event_sync(e.ctx.place, e.h))
}

// Since is the device's time between two events that have passed.
func (e *Event) Since(from *Event) (time.Duration, error) {
	var ms C.float
	err := failure("cuEventElapsedTime", C.drv_event_elapsed(e.ctx.place, &ms, from.h, e.h))
	return time.Duration(float64(ms) * float64(time.Millisecond)), err
}
