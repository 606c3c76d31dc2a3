package tensor

import (
	"os"

	"syntic/kernels"
)

// GraphEnv, set to "off", makes devices run op by op what they could replay as a graph; results are the same bits.
const GraphEnv = "SYNTIC_GRAPH"

// Graph is work of a device that was recorded once and is replayed as a whole. What its ops make lies in memory of its own, as long as it is open;
// operands from outside must stay where they are. It serves one goroutine at a time.
type Graph struct {
	rec   kernels.Recording
	dev   *Device
	scope *Scope // of inputs, results and all between
	pool  pool
}

// HasGraphs tells whether work can be recorded on the device: on GPUs, unless GraphEnv says no.
func (d *Device) HasGraphs() bool {
	_, ok := d.backend.(kernels.Recorder)
	return ok && os.Getenv(GraphEnv) != "off"
}

// NewGraph is a graph with nothing in it yet. It panics with an *Error where the device has none. The name is for errors.
func NewGraph(dev *Device, name string) *Graph {
	recorder, ok := dev.backend.(kernels.Recorder)
	if !ok {
		fail("graph %s on %v: want a GPU", name, dev)
	}
	rec, err := recorder.NewRecording(dev.info.Index, name)
	check(err)
	g := &Graph{rec: rec, dev: dev, pool: pool{dev: dev}}
	g.scope = &Scope{dev: dev, stream: rec.Stream(), pool: &g.pool}
	g.scope.root = g.scope
	return g
}

// Input is a float32 tensor of undefined values that stays in its place: what the graph reads, to be set by [Scope.Assign] before each replay.
func (g *Graph) Input(shape ...int) *Tensor { return g.scope.Empty(shape...) }

// Record runs fn twice, the second time to record what it does; the result is where each replay leaves fn's. fn must do the same both times and
// only put ops on the scope it is given: no values of the host, and none to it. It panics with an *Error if the device refuses.
func (g *Graph) Record(fn func(s *Scope) *Tensor) *Tensor {
	main, err := g.dev.backend.NewStream(g.dev.info.Index)
	check(err)
	check(g.dev.backend.Sync(main)) // what fn reads was made there
	c := g.scope.Child()
	fn(c)
	c.Close()
	g.scope.Sync()
	var out *Tensor
	check(g.rec.Record(func() (err error) {
		defer Catch(&err)
		out = fn(g.scope)
		return nil
	}))
	return out
}

// Replay runs what was recorded, in order with the ops of s, whose scope must be of the device's own stream.
func (g *Graph) Replay(s *Scope) { check(g.rec.Replay(s.stream)) }

// Close frees the graph and its memory, once the device has done all that was asked.
func (g *Graph) Close() {
	main, err := g.dev.backend.NewStream(g.dev.info.Index)
	check(err)
	check(g.dev.backend.Sync(main))
	g.scope.Close()
	g.pool.trim()
	check(g.rec.Close())
}
