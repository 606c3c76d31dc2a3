//go:build cuda

package driver

// #include "drv.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Graph is a sequence of launches and copies that was recorded once and is replayed as a whole.
type Graph struct {
	ctx  *Context
	exec unsafe.Pointer
	name string // in errors
}

// Capture records what fn puts on the stream, without running it. The addresses that fn uses are part of the graph; fn must neither synchronise nor
// copy from or to memory of the host that is not pinned. Errors name the graph as one launch.
func (s *Stream) Capture(name string, fn func() error) (*Graph, error) {
	runtime.LockOSThread() // a capture belongs to a thread
	defer runtime.UnlockOSThread()
	if err := s.failure("begin capture", C.drv_capture_begin(s.ctx.place, s.h)); err != nil {
		return nil, err
	}
	before := s.launched()
	failed := fn()
	var graph unsafe.Pointer
	err := s.failure("end capture", C.drv_capture_end(s.ctx.place, s.h, &graph))
	if graph != nil {
		defer C.drv_graph_free(s.ctx.place, graph)
	}
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	g := &Graph{ctx: s.ctx, name: fmt.Sprintf("graph %s of %d launches", name, s.launched()-before)}
	return g, s.failure("instantiate "+g.name, C.drv_graph_instantiate(s.ctx.place, &g.exec, graph))
}

// Replay puts the whole graph on a stream.
func (s *Stream) Replay(g *Graph) error {
	s.note(g.name)
	return s.failure("launch "+g.name, C.drv_graph_launch(s.ctx.place, g.exec, s.h))
}

// Close destroys the graph.
func (g *Graph) Close() error {
	return failure("cuGraphExecDestroy", C.drv_graph_exec_free(g.ctx.place, g.exec))
}
