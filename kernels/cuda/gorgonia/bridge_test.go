//go:build cuda

package gorgonia

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"gorgonia.org/cu"

	"syntic/kernels"
	"syntic/kernels/cuda"
	"syntic/kernels/cuda/driver"
)

// upload is device memory of cu that holds data.
func upload(t *testing.T, ctx *cu.Ctx, data []float32) (p cu.DevicePtr) {
	require.NoError(t, ctx.Do(func() (err error) {
		bytes := int64(4 * len(data))
		if p, err = cu.MemAlloc(bytes); err != nil {
			return err
		}
		return cu.MemcpyHtoD(p, unsafe.Pointer(&data[0]), bytes)
	}))
	t.Cleanup(func() { ctx.Do(func() error { return cu.MemFree(p) }) })
	return p
}

func download(t *testing.T, ctx *cu.Ctx, p cu.DevicePtr, n int) []float32 {
	data := make([]float32, n)
	require.NoError(t, ctx.Do(func() error { return cu.MemcpyDtoH(unsafe.Pointer(&data[0]), p, int64(4*n)) }))
	return data
}

// currentOf is the address of what is current on the context's thread; require.Equal of two contexts would compare what they point to.
func currentOf(t *testing.T, ctx *cu.Ctx) (address string) {
	require.NoError(t, ctx.Do(func() error { // no require within: it would end the context's goroutine
		at, err := cu.CurrentContext()
		address = at.String()
		return err
	}))
	return address
}

func newContext(t *testing.T) (*cu.Ctx, *Bridge) {
	require.NoError(t, cuda.Available())
	ctx := cu.NewContext(cu.Device(0), cu.SchedAuto)
	b, err := New(ctx)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.Close())
		require.NoError(t, ctx.Close())
	})
	return ctx, b
}

// Integers below 2²⁴ have exact float32 products and sums, whatever variant is chosen.
func TestProductOnMemoryOfCU(t *testing.T) {
	ctx, b := newContext(t)
	const m, n, k = 5, 7, 40
	x, y, want := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
	for i := range x {
		x[i] = float32(i%11 - 5)
	}
	for i := range y {
		y[i] = float32(i%13 - 6)
	}
	for i := range m {
		for j := range n {
			for l := range k {
				want[i*n+j] += x[i*k+l] * y[l*n+j]
			}
		}
	}
	dx, dy, out := upload(t, ctx, x), upload(t, ctx, y), upload(t, ctx, make([]float32, m*n))
	require.NoError(t, b.Do(func(s *kernels.Stream) error {
		return kernels.GEMM.Run(s, &kernels.GEMMArgs{A: View(dx, kernels.F32, 1, m, k), B: View(dy, kernels.F32, 1, k, n), Out: View(out, kernels.F32, 1, m, n), Alpha: 1})
	}))
	require.Equal(t, want, download(t, ctx, out, m*n))
}

func TestTheContextIsThatOfCU(t *testing.T) {
	ctx, b := newContext(t)
	primary, err := driver.Primary(0)
	require.NoError(t, err)
	own, err := primary.NewStream() // makes the primary context current on this thread, not on that of cu
	require.NoError(t, err)
	defer own.Close()
	require.Equal(t, ctx.CUDAContext().String(), currentOf(t, ctx))
	require.NoError(t, b.Do(func(*kernels.Stream) error { return nil }))
	require.Equal(t, ctx.CUDAContext().String(), currentOf(t, ctx))
}

func TestViewAndPointerAreInverse(t *testing.T) {
	ctx, _ := newContext(t)
	p := upload(t, ctx, []float32{1, 2, 3, 4})
	require.Equal(t, p, Pointer(View(p, kernels.F32, 2, 2)))
}

func TestNoContextIsAnError(t *testing.T) {
	_, err := New(nil)
	require.ErrorContains(t, err, "no cu.Ctx")
	ctx, b := newContext(t)
	require.NoError(t, ctx.Do(func() error { return cu.SetCurrentContext(cu.CUContext{}) }))
	require.ErrorContains(t, b.Do(func(*kernels.Stream) error { return nil }), "no context")
	require.NoError(t, ctx.Do(func() error { return cu.SetCurrentContext(ctx.CUDAContext()) }))
}
