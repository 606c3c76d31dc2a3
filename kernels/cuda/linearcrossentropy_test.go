//go:build cuda

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/kerneltest"
)

// TestHeadBlocks is parity of the vocabulary head where rows and words are gone through in many blocks, with ragged last ones, for each set of gradients.
func TestHeadBlocks(t *testing.T) {
	stat, grad := headStatSide, headGradSide
	defer func() { headStatSide, headGradSide = stat, grad }()
	headStatSide, headGradSide = 128, 64
	op := *kernels.LinearCrossEntropy
	op.Dims = [][]int{{150, 300, 20, 63}, {70, 203, 132, 2}, {131, 129, 9, 12 + 32}}
	kerneltest.Parity(t, &op)
}

// TestHeadWorkspace: beside rounded operands the head of GPT-2 takes at most 200 MB for any number of rows, and none that grows with rows times words.
func TestHeadWorkspace(t *testing.T) {
	const v, c = 50257, 768
	one := kernels.Of([]float32{0}, 1)
	of := func(shape ...int) kernels.View { return kernels.NewView(kernels.F32, one.Ptr(), shape...) } // its memory is never touched
	for _, n := range []int{1280, 1 << 20} {
		a := &kernels.LinearCrossEntropyArgs{X: of(n, c), W: of(v, c), Bias: of(v), Loss: one, DX: of(n, c), DW: of(v, c), DBias: of(v), Smoothing: 0.1}
		for _, r := range []headRung{{"f32", 64, kernels.F32, false}, {"bf16", 128, kernels.BF16, false}, {"tf32", 128, kernels.TF32, false}, {"wgmma", wgmmaRows, kernels.BF16, true}} {
			h := &head{LinearCrossEntropyArgs: a, headRung: r, n: n, v: v, c: c}
			h.layOut()
			operands := 44*n + 4096
			if r.format != kernels.F32 {
				operands += r.format.Size() * (n + v + 8) * c
			}
			require.LessOrEqual(t, h.bytes-operands, 200<<20, r.suffix)
		}
	}
}
