//go:build cuda

package cuda

import (
	"fmt"
	"slices"
	"unsafe"

	"syntic/kernels"
	"syntic/kernels/cuda/driver"
)

// wgmmaHeads are the head sizes with exact tiles.
var wgmmaHeads = []int{40, 64, 80, 128, 160}

// wgmmaTokens is how many queries a block has, and how many keys a tile.
const wgmmaTokens = 128

func init() {
	for rank, format := range []kernels.DType{kernels.F16, kernels.BF16} {
		addHopper(kernels.Attention, kernels.Variant[kernels.AttentionArgs]{Name: "wgmma_" + format.String(), Rank: 2 + rank, Operands: format, Within: true,
			Usable: func(a *kernels.AttentionArgs) bool {
				_, _, _, _, d := a.Sizes()
				return slices.Contains(wgmmaHeads, d) && mmaUsable(a, format, &a.Out)
			},
			Run: func(s *kernels.Stream, a *kernels.AttentionArgs) error { return attentionWGMMA(s, a, format) }})
	}
}

// attentionWGMMA rounds float32 operands to format first; those of 16 bits are read in place.
func attentionWGMMA(s *kernels.Stream, call *kernels.AttentionArgs, format kernels.DType) error {
	a := *call
	b, n, m, h, d := a.Sizes()
	free, err := roundedTo(s, format, d, &a.Q, &a.K, &a.V)
	if err != nil {
		return err
	}
	defer free()
	var maps [3]*driver.TensorMap
	q, k, v := operandsOf(&a, &a.Q, &a.K, &a.V)
	for i, p := range []unsafe.Pointer{q, k, v} {
		tokens := m
		if i == 0 {
			tokens = n
		}
		if maps[i], err = headMap(p, format, b, tokens, h, d, tokenStep(&a)); err != nil {
			return err
		}
	}
	sb, sh := kernels.BiasStrides(&a.Bias)
	return launch(s, fmt.Sprintf("attention_wgmma_%v_%d", format, d), blocks(b*h*ceilDiv(n, wgmmaTokens)), maps[0], maps[1], maps[2], a.KeyMask, a.Bias, a.Out, int32(a.Out.DType), a.LSE,
		int32(n), int32(m), int32(h), int64(sb), int64(sh), a.Scale, causalFrom(&a))
}

// headMap describes tokens [B, N, H, D] that are step apart, of which a tile takes one head; columns from D on and tokens from N on read as 0.
func headMap(p unsafe.Pointer, format kernels.DType, b, n, h, d, step int) (*driver.TensorMap, error) {
	return driver.NewTensorMap(mapFormat(format), p, []int{d, h, n, b}, []int{2 * d, 2 * step, 2 * step * n}, []int{wgmmaSlab, 1, wgmmaTokens, 1}, driver.Swizzle128)
}
