//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/cuda/image"
	"syntic/kernels/kerneltest"
)

// TestProductsOfHopper is parity of products that go round the ring of stages, over several tiles a block, in all four layouts, B read where it lies.
func TestProductsOfHopper(t *testing.T) {
	op := *kernels.GEMM
	op.Dims = nil
	for i := range 4 {
		format := 32 << (i % 2)
		op.Dims = append(op.Dims, []int{2, 130, 264, 456, i & 1, i / 2, format}, []int{1, 136, 256, 520, i & 1, i / 2, format | 11})
	}
	kerneltest.Parity(t, &op)
}

// TestAttentionOfHopper is parity of attention that goes round the ring of keys and values, for each size of head.
func TestAttentionOfHopper(t *testing.T) {
	op := *kernels.Attention
	op.Dims = [][]int{{1, 140, 300, 1, 128, 3}, {1, 20, 650, 1, 40, 0}, {2, 30, 270, 2, 80, 2}, {1, 20, 530, 1, 64, 8}, {1, 140, 300, 1, 160, 3}, {1, 135, 135, 2, 160, 65}}
	kerneltest.Parity(t, &op)
}

// TestHopperAlone: kernels of wgmma are found for compute capability 9.0 and for no other.
func TestHopperAlone(t *testing.T) {
	for _, kernel := range []string{"gemm_wgmma_nt_bf16_256", "infonce_grad_wgmma", "topk_max_wgmma_f16", "attention_wgmma_bf16_40"} {
		name, data, err := image.Find(kernel, 90)
		require.NoError(t, err)
		require.Regexp(t, `_wgmma\.sm_90a\.cubin$`, name)
		require.Equal(t, "\x7fELF", string(data[:4]))
		for _, other := range []int{80, 89, 100, 120} {
			_, _, err = image.Find(kernel, other)
			require.ErrorContains(t, err, "compiled for sm_90a alone")
		}
	}
}

// convsOfHopper are sizes where patches, channels and places of the filter go round the ring and overhang, with strides too.
var convsOfHopper = [][]int{{3, 9, 7, 72, 136, 3, 3, 1, 1, 1, 1, 1, 17}, {2, 12, 20, 136, 40, 3, 2, 1, 0, 1, 2, 0, 11}, {1, 16, 16, 320, 16, 3, 3, 1, 1, 1, 1, 1, 32},
	{2, 13, 10, 72, 24, 3, 3, 2, 0, 1, 1, 0, 1}, {1, 12, 11, 8, 20, 4, 5, 3, 2, 2, 1, 1, 0}}

// TestConvOfHopper is parity of convolutions by wgmma of such sizes, TestConvGradsOfHopper of their gradients.
func TestConvOfHopper(t *testing.T) {
	op := *kernels.Conv2D
	op.Dims = convsOfHopper
	kerneltest.Parity(t, &op)
}

func TestConvGradsOfHopper(t *testing.T) {
	x, w := *kernels.Conv2DGradX, *kernels.Conv2DGradW
	x.Dims, w.Dims = convsOfHopper[:2], convsOfHopper[1:]
	kerneltest.Parity(t, &x)
	kerneltest.Parity(t, &w)
}

// TestHopperSideBySide has goroutines with streams of their own run wgmma variants of several ops at once: each gives the bits that it gives alone. CI runs it under
// the race detector.
func TestHopperSideBySide(t *testing.T) {
	type call struct {
		op      kernels.AnyOp
		dims    []int
		variant string
	}
	calls := []call{{kernels.GEMM, []int{2, 30, 40, 70, 0, 1, 11}, "wgmma_bf16"}, {kernels.Conv2D, []int{1, 5, 6, 37, 40, 3, 3, 2, 1, 1, 1, 1, 3}, "wgmma_f16"},
		{kernels.Conv2DGradW, []int{1, 5, 6, 37, 40, 3, 3, 1, 1, 1, 1, 1, 3}, "wgmma_bf16"}, {kernels.Attention, []int{1, 20, 65, 1, 160, 9}, "wgmma_bf16"},
		{kernels.InfoNCE, []int{40, 40, 17, 6}, "wgmma_bf16"}, {kernels.LinearCrossEntropy, []int{7, 300, 33, 63}, "wgmma_bf16"}}
	b := kernels.BackendOf(kernels.CUDA)
	run := func(c call) (out [][]float32, err error) {
		s, err := b.NewStream(0)
		if err != nil {
			return nil, err
		}
		x := c.op.NewCaseOf(c.dims, 1)
		back, err := x.MoveTo(b, s)
		if err != nil {
			return nil, err
		}
		err = errors.Join(x.Run(s, c.variant), b.Sync(s))
		if err = errors.Join(err, back(err == nil)); err != nil {
			return nil, fmt.Errorf("%v %s: %w", c.op, c.variant, err)
		}
		for _, v := range x.Out {
			out = append(out, append([]float32(nil), v.Floats()...))
		}
		return out, nil
	}
	want := make([][][]float32, len(calls))
	for i, c := range calls {
		var err error
		want[i], err = run(c)
		require.NoError(t, err)
	}
	var all sync.WaitGroup
	for i, c := range calls {
		for range 2 {
			all.Go(func() {
				got, err := run(c)
				if assert.NoError(t, err) {
					assert.Equal(t, want[i], got, "%v %s", c.op, c.variant)
				}
			})
		}
	}
	all.Wait()
}
