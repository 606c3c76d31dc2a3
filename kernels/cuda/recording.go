//go:build cuda

package cuda

import (
	"errors"
	"unsafe"

	"syntic/kernels"
	"syntic/kernels/cuda/driver"
)

// recording is a graph and what it stands on.
type recording struct {
	d     *device // with a stream and a reserve of its own
	name  string
	graph *driver.Graph
}

func (backend) NewRecording(index int, name string) (kernels.Recording, error) {
	d, err := open(index)
	if err != nil {
		return nil, err
	}
	stream, err := d.ctx.NewStream()
	if err != nil {
		return nil, err
	}
	return &recording{d: &device{loaded: d.loaded, ctx: d.ctx, stream: stream, capability: d.capability, reserve: &reserve{}}, name: name}, nil
}

func (r *recording) Stream() *kernels.Stream {
	return &kernels.Stream{Kind: kernels.CUDA, Device: r.d.ctx.Device, Handle: r.d}
}

func (r *recording) Record(fn func() error) (err error) {
	r.graph, err = r.d.stream.Capture(r.name, fn)
	return err
}

func (r *recording) Replay(s *kernels.Stream) error { return of(s).stream.Replay(r.graph) }

func (r *recording) Close() error {
	var errs []error
	if r.graph != nil {
		errs = append(errs, r.graph.Close())
	}
	for _, b := range r.d.reserve.all {
		errs = append(errs, r.d.ctx.Free(b.ptr))
	}
	return errors.Join(append(errs, r.d.stream.Close())...)
}

// reserve is the work space of a recording's ops. It is taken when they first run and stays where it is, for its addresses are part of the graph. The
// ops of a graph follow each other, so all share it.
type reserve struct{ all []*block }

type block struct {
	ptr   unsafe.Pointer
	bytes int
	taken bool
}

// take is the smallest block that is free and large enough, or a new one.
func (r *reserve) take(ctx *driver.Context, bytes int) (unsafe.Pointer, error) {
	var best *block
	for _, b := range r.all {
		if !b.taken && b.bytes >= bytes && (best == nil || b.bytes < best.bytes) {
			best = b
		}
	}
	if best == nil {
		p, err := ctx.Alloc(bytes)
		if err != nil {
			return nil, err
		}
		best = &block{ptr: p, bytes: bytes}
		r.all = append(r.all, best)
	}
	best.taken = true
	return best.ptr, nil
}

func (r *reserve) put(p unsafe.Pointer) {
	for _, b := range r.all {
		if b.ptr == p {
			b.taken = false
		}
	}
}
