//go:build cuda

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/kerneltest"
)

// sizes of attention for tests: those of the models, but for the number of heads: text, image patches, cross attention with 77 tokens, every exact tile,
// packed operands. The numbers are those of kernels.Attention.Dims.
var mmaDims = [][]int{{1, 50, 50, 1, 64, 0}, {1, 77, 77, 1, 64, 1}, {1, 130, 77, 1, 40, 0}, {1, 64, 77, 1, 80, 34}, {2, 33, 70, 2, 128, 2}, {1, 20, 65, 1, 160, 9},
	{1, 70, 20, 1, 40, 1}, {2, 50, 50, 2, 64, 65}, {1, 140, 140, 1, 40, 68}}

// TestAttentionOf16Bits is parity where operands and output hold 16 bits: the reference takes the same rounded numbers.
func TestAttentionOf16Bits(t *testing.T) {
	for _, format := range []kernels.DType{kernels.BF16, kernels.F16} {
		t.Run(format.String(), func(t *testing.T) {
			op := *kernels.Attention
			op.Dims = mmaDims
			op.Make = func(r *kernels.Rand, d []int) kernels.AttentionArgs {
				a := kernels.Attention.Make(r, d)
				for _, v := range []*kernels.View{&a.Q, &a.K, &a.V, &a.Out} {
					*v = halved(*v, format)
				}
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

// TestAttentionGradOf16Bits is the same of the gradients.
func TestAttentionGradOf16Bits(t *testing.T) {
	for _, format := range []kernels.DType{kernels.BF16, kernels.F16} {
		t.Run(format.String(), func(t *testing.T) {
			op := *kernels.AttentionGrad
			op.Dims = mmaDims
			half := func(a *kernels.AttentionGradArgs) []*kernels.View {
				return []*kernels.View{&a.Q, &a.K, &a.V, &a.Out, &a.DOut, &a.DQ, &a.DK, &a.DV}
			}
			op.Make = func(r *kernels.Rand, d []int) kernels.AttentionGradArgs {
				a := kernels.AttentionGrad.Make(r, d)
				for _, v := range half(&a) {
					*v = halved(*v, format)
				}
				return a
			}
			wide := func(a *kernels.AttentionGradArgs, do func(*kernels.AttentionGradArgs)) {
				b := *a
				for _, v := range half(&b) {
					*v = widened(*v)
				}
				do(&b)
				for i, v := range half(a) {
					if !v.Absent() {
						kernels.Narrow(v.U16(), half(&b)[i].F32(), format)
					}
				}
			}
			op.Ref = func(a *kernels.AttentionGradArgs) { wide(a, kernels.AttentionGrad.Ref) }
			op.Renew = func(a *kernels.AttentionGradArgs) { wide(a, kernels.AttentionGrad.Renew) }
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

// TestAttentionGradTiles is parity of the exact tiles that kernels.AttentionGrad.Dims do not have, over several blocks.
func TestAttentionGradTiles(t *testing.T) {
	op := *kernels.AttentionGrad
	op.Dims = [][]int{{1, 150, 140, 1, 40, 1}, {2, 70, 90, 1, 128, 2}, {1, 90, 70, 1, 160, 9}}
	kerneltest.Parity(t, &op)
}

// TestConvOf16Bits is parity of convolutions whose image holds 16 bits and is read in place.
func TestConvOf16Bits(t *testing.T) {
	for _, format := range []kernels.DType{kernels.BF16, kernels.F16} {
		t.Run(format.String(), func(t *testing.T) {
			op := *kernels.Conv2D
			op.Dims = [][]int{{1, 9, 7, 40, 24, 3, 3, 1, 1, 1, 1, 1, 11}, {2, 6, 6, 8, 130, 3, 3, 2, 0, 0, 1, 1, 1}, {1, 5, 5, 12, 9, 1, 1, 1, 0, 0, 0, 0, 0}}
			op.Make = func(r *kernels.Rand, d []int) kernels.Conv2DArgs {
				a := kernels.Conv2D.Make(r, d)
				a.X, a.W = halved(a.X, format), halved(a.W, format)
				return a
			}
			op.Ref = func(a *kernels.Conv2DArgs) {
				b := *a
				b.X = widened(a.X)
				kernels.Conv2D.Ref(&b)
			}
			kerneltest.Parity(t, &op)
		})
	}
}

func TestAttentionUsable(t *testing.T) {
	a := kernels.Attention.Make(kernels.NewRand(1), []int{1, 3, 3, 1, 48, 0})
	v, err := kernels.Attention.Choose(kernels.CUDA, &a)
	require.NoError(t, err)
	require.Equal(t, "flash_f32", v.Name, "no exact tile, and nothing rounded unasked")
}

// TestNothingIsRoundedUnasked holds every op's default choice on the device, for the sizes of its tests, to variants that do not round operands.
func TestNothingIsRoundedUnasked(t *testing.T) {
	for _, op := range kernels.Ops() {
		rounds := map[string]bool{}
		for _, v := range op.VariantList() {
			rounds[v.Name] = v.Device == kernels.CUDA && v.Operands != kernels.F32
		}
		for i := range op.NumCases() {
			name := op.NewCase(i, 1).Chosen(kernels.CUDA)
			require.False(t, rounds[name], "%v %v takes %s", op, op.CaseDims(i), name)
		}
	}
}
