//go:build cuda

package cuda

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/cuda/driver"
)

// These tests run one block of a kernel where its elements lie beyond 2³¹, in memory of which only the touched pages exist, and once more where they
// lie at the beginning: both must give the same bits.

type far struct {
	t *testing.T
	s *kernels.Stream
}

func newFar(t *testing.T) far {
	s, err := backend{}.NewStream(0)
	require.NoError(t, err)
	if !driver.Emulated() {
		t.Skip("a device holds what it allocates")
	}
	return far{t, s}
}

func (f far) alloc(bytes int) unsafe.Pointer {
	p, err := backend{}.Alloc(0, bytes)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { backend{}.Free(0, p) })
	return p
}

func (f far) put(p unsafe.Pointer, x kernels.View) {
	require.NoError(f.t, backend{}.CopyIn(f.s, p, x.Ptr(), x.Bytes()))
}

func (f far) get(p unsafe.Pointer, n int) []float32 {
	x := make([]float32, n)
	require.NoError(f.t, backend{}.CopyOut(f.s, unsafe.Pointer(&x[0]), p, 4*n))
	return x
}

func (f far) run(name string, args ...any) {
	require.NoError(f.t, launch(f.s, name, blocks(1), args...))
	require.NoError(f.t, backend{}.Sync(f.s), name)
}

// TestIndicesOfPairs is for kernels that are told where their block of rows begins.
func TestIndicesOfPairs(t *testing.T) {
	const rows, d, at = 40, 16, 1 << 27 // element 2³¹ is the first of row 2²⁷
	for _, format := range []kernels.DType{kernels.F32, kernels.BF16} {
		t.Run(format.String(), func(t *testing.T) {
			f := newFar(t)
			x := kernels.NewRand(1).Unit(rows, d)
			if format != kernels.F32 {
				x = halved(x, format)
			}
			size, none := format.Size(), unsafe.Pointer(nil)
			p := f.alloc((at + rows) * d * size)
			there := unsafe.Add(p, at*d*size)
			f.put(there, x)
			scale, stats := f.alloc(4), f.alloc(4*rows*4)
			f.put(scale, kernels.Of([]float32{3}, 1))
			run := func(x unsafe.Pointer, row int64) []float32 {
				operands, kernel := []any{x, int32(0), x, int32(0), int32(d)}, "infonce_stats_f32"
				if format != kernels.F32 {
					operands, kernel = []any{x, x, int64(d)}, "infonce_stats_pipelined"
				}
				f.run(kernel, append(operands, scale, none, none, row, row, int32(rows), int32(rows),
					stats, unsafe.Add(stats, 4*rows), none, unsafe.Add(stats, 8*rows), unsafe.Add(stats, 12*rows))...)
				return f.get(stats, 4*rows)
			}
			require.Equal(t, run(there, 0), run(p, at))
			if format == kernels.F32 {
				project := func(x unsafe.Pointer, row int64) []float32 {
					f.run("project_stats_f32", x, int32(0), x, int32(0), none, row, row, int32(rows), int32(rows), int32(d), float32(20), stats, unsafe.Add(stats, 4*rows))
					return f.get(stats, 2*rows)
				}
				require.Equal(t, project(there, 0), project(p, at))
			}
		})
	}
}

// TestIndicesOfAttention is of so many heads that a token's row has 2³¹ elements and more.
func TestIndicesOfAttention(t *testing.T) {
	const n, d, heads = 2, 40, 1<<26 + 8
	for _, c := range []struct {
		kernel string
		format kernels.DType
	}{{"attention_flash_f32", kernels.F32}, {"attention_mma_bf16_40", kernels.BF16}} {
		t.Run(c.kernel, func(t *testing.T) {
			f := newFar(t)
			x := kernels.NewRand(2).Normal(n, d)
			if c.format != kernels.F32 {
				x = halved(x, c.format)
			}
			row := d * c.format.Size()
			run := func(heads int) (all []float32) {
				p, out, none := f.alloc(n*heads*row), f.alloc(n*heads*row), unsafe.Pointer(nil)
				for i := range n {
					f.put(unsafe.Add(p, i*heads*row), kernels.NewView(c.format, unsafe.Add(x.Ptr(), i*row), d))
				}
				args := []any{p, p, p, none, none, out}
				if c.format != kernels.F32 {
					args = append(args, int32(c.format))
				}
				f.run(c.kernel, append(args, none, int32(n), int32(n), int32(heads), int32(d), int64(heads*d), int64(0), int64(0), float32(0.3), int32(n))...)
				for i := range n {
					all = append(all, f.get(unsafe.Add(out, i*heads*row), row/4)...)
				}
				return all
			}
			require.Equal(t, fmt.Sprintf("%x", run(1)), fmt.Sprintf("%x", run(heads)))
		})
	}
}

// TestIndicesOfTensorMaps is of rows so long that the tensor memory accelerator finds them beyond element 2³¹: the last slab of a product, and a head
// of tokens with 2²⁶ of them.
func TestIndicesOfTensorMaps(t *testing.T) {
	f, none := newFar(t), unsafe.Pointer(nil)
	t.Run("product", func(t *testing.T) {
		const rows, long = 40, 1 << 26
		x := halved(kernels.NewRand(3).Normal(rows, wgmmaSlab), kernels.BF16)
		run := func(ld int) []float32 {
			p, out := f.alloc(2*rows*ld), f.alloc(4*rows*rows)
			for i := range rows {
				f.put(unsafe.Add(p, 2*(i*ld+ld-wgmmaSlab)), kernels.NewView(kernels.BF16, unsafe.Add(x.Ptr(), 2*i*wgmmaSlab), wgmmaSlab))
			}
			o := operand{p: p, format: kernels.BF16, inner: ld, lines: rows, batch: 1, ld: ld}
			left, err := o.tensorMap(wgmmaRows)
			require.NoError(t, err)
			right, err := o.tensorMap(wgmmaCols / 2)
			require.NoError(t, err)
			f.run("gemm_wgmma_nt_bf16_128", left, right, int32(0), int32(0), out, none, none, int32(1), int32(rows), int32(rows), int32(ld/wgmmaSlab-1), int32(1), float32(1), false, int32(0))
			return f.get(out, rows*rows)
		}
		require.Equal(t, run(wgmmaSlab), run(long))
	})
	t.Run("attention", func(t *testing.T) {
		const n, d, heads = 2, 40, 1<<26 + 8
		x := halved(kernels.NewRand(4).Normal(n, d), kernels.BF16)
		run := func(heads int) (all []float32) {
			p, out := f.alloc(2*n*heads*d), f.alloc(4*n*heads*d)
			for i := range n {
				f.put(unsafe.Add(p, 2*i*heads*d), kernels.NewView(kernels.BF16, unsafe.Add(x.Ptr(), 2*i*d), d))
			}
			m, err := headMap(p, kernels.BF16, 1, n, heads, d, heads*d)
			require.NoError(t, err)
			f.run("attention_wgmma_bf16_40", m, m, m, none, none, out, int32(kernels.F32), none, int32(n), int32(n), int32(heads), int64(0), int64(0), float32(0.3), int32(n))
			for i := range n {
				all = append(all, f.get(unsafe.Add(out, 4*i*heads*d), d)...)
			}
			return all
		}
		require.Equal(t, run(1), run(heads))
	})
}
