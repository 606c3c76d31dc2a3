//go:build cuda

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/kerneltest"
)

// TestAttentionOf16Bits is parity where operands and output hold 16 bits: the reference takes the same rounded numbers. The sizes are those of the
// models, but for the number of heads: text, image patches, cross attention with 77 tokens, every exact tile.
func TestAttentionOf16Bits(t *testing.T) {
	for _, format := range []kernels.DType{kernels.BF16, kernels.F16} {
		t.Run(format.String(), func(t *testing.T) {
			op := *kernels.Attention
			op.Dims = [][]int{{1, 50, 50, 1, 64, 0}, {1, 77, 77, 1, 64, 1}, {1, 130, 77, 1, 40, 0}, {1, 64, 77, 1, 80, 32}, {2, 33, 70, 2, 128, 2}, {1, 20, 65, 1, 160, 9}, {1, 70, 20, 1, 40, 1}}
			op.Make = func(r *kernels.Rand, d []int) kernels.AttentionArgs {
				a := kernels.Attention.Make(r, d)
				a.Q, a.K, a.V, a.Out = halved(a.Q, format), halved(a.K, format), halved(a.V, format), halved(a.Out, format)
				return a
			}
			op.Ref = func(a *kernels.AttentionArgs) {
				b := *a
				b.Q, b.K, b.V, b.Out = widened(a.Q), widened(a.K), widened(a.V), widened(a.Out)
				kernels.Attention.Ref(&b)
				kernels.Narrow(a.Out.U16(), b.Out.F32(), format)
			}
			kerneltest.Parity(t, &op)
		})
	}
}

// TestAttentionHeads512 is parity of the head size of the autoencoder, whose columns take several pieces.
func TestAttentionHeads512(t *testing.T) {
	op := *kernels.Attention
	op.Dims = [][]int{{1, 70, 66, 1, 512, 0}, {1, 5, 9, 2, 130, 1}}
	kerneltest.Parity(t, &op)
	grad := *kernels.AttentionGrad
	grad.Dims = op.Dims
	kerneltest.Parity(t, &grad)
}

func TestAttentionUsable(t *testing.T) {
	a := kernels.Attention.Make(kernels.NewRand(1), []int{1, 3, 3, 1, 48, 0})
	v, err := kernels.Attention.Choose(kernels.CUDA, &a)
	require.NoError(t, err)
	require.Equal(t, "flash_f32", v.Name, "no exact tile, and nothing rounded unasked")
}
