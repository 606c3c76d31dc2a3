//go:build cuda

package cuda

import (
	"syntic/kernels"
	"syntic/kernels/cuda/driver"
	"syntic/kernels/cuda/image"
)

// Adopt is a stream in a context that another library made (driver.FromCurrent), and what gives back the stream and the images loaded there.
// Ops run on that library's memory by Views of it; whatever it put on streams of its own must be complete before. Devices older than the images
// are an error.
func Adopt(ctx *driver.Context) (*kernels.Stream, func() error, error) {
	capability, err := driver.Capability(ctx.Device)
	if err != nil {
		return nil, nil, err
	}
	if !driver.Emulated() {
		if _, _, err := image.Find("gemm_tiled_f32", capability); err != nil {
			return nil, nil, err
		}
	}
	stream, err := ctx.NewStream()
	if err != nil {
		return nil, nil, err
	}
	d := &device{loaded: &loaded{modules: map[string]*driver.Module{}}, ctx: ctx, stream: stream, capability: capability}
	release := func() error {
		err := stream.Sync()
		for _, m := range d.modules {
			if e := m.Close(); err == nil {
				err = e
			}
		}
		if e := stream.Close(); err == nil {
			err = e
		}
		return err
	}
	return &kernels.Stream{Kind: kernels.CUDA, Device: ctx.Device, Handle: d}, release, nil
}
