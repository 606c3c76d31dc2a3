//go:build cuda

package cuda

import (
	"testing"

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
