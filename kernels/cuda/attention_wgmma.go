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
var wgmmaHeads = []int{40, 64, 80, 128}

// wgmmaTokens is how many queries a block has, and how many keys a tile.
const wgmmaTokens = 128

func init() {
	for rank, format := range []kernels.DType{kernels.F16, kernels.BF16} {
		addHopper(kernels.Attention, kernels.Variant[kernels.AttentionArgs]{Name: "wgmma_" + format.String(), Rank: 2 + rank, Operands: format, Within: true,
			Usable: func(a *kernels.AttentionArgs) bool {
				formats := []kernels.DType{kernels.F32, format}
				return slices.Contains(wgmmaHeads, a.Q.Dim(3)) && slices.Contains(formats, a.Q.DType) && a.K.DType == a.Q.DType && a.V.DType == a.Q.DType &&
					slices.Contains(formats, a.Out.DType) && isF32(&a.Bias, &a.LSE) && aligned(&a.Q, &a.K, &a.V)
			},
			Run: func(s *kernels.Stream, a *kernels.AttentionArgs) error { return attentionWGMMA(s, a, format) }})
	}
}

// attentionWGMMA rounds float32 operands to format first; those of 16 bits are read in place.
func attentionWGMMA(s *kernels.Stream, a *kernels.AttentionArgs, format kernels.DType) error {
	b, n, m, h, d := a.Sizes()
	sb, sh := kernels.BiasStrides(&a.Bias)
	var t arena
	var maps [3]*driver.TensorMap
	var to [3]part
	operands := [3]*kernels.View{&a.Q, &a.K, &a.V}
	for i, v := range operands {
		if to[i] = -1; v.DType == kernels.F32 {
			to[i] = t.take(2 * v.Len())
		}
	}
	if err := t.alloc(s); err != nil {
		return err
	}
	defer t.space.free()
	for i, v := range operands {
		p := v.Ptr()
		if to[i] >= 0 {
			p = t.at(to[i], 0)
			if err := launch(s, "pad_"+format.String(), each(v.Len()), *v, int32(kernels.F32), p, int64(v.Len()/d), int32(d), int32(d)); err != nil {
				return err
			}
		}
		var err error
		if maps[i], err = headMap(p, format, b, v.Dim(1), h, d); err != nil {
			return err
		}
	}
	return launch(s, fmt.Sprintf("attention_wgmma_%v_%d", format, d), blocks(b*h*ceilDiv(n, wgmmaTokens)), maps[0], maps[1], maps[2], a.KeyMask, a.Bias, a.Out, int32(a.Out.DType), a.LSE,
		int32(n), int32(m), int32(h), int64(sb), int64(sh), a.Scale, causalFrom(a.Causal, n, m))
}

// headMap describes tokens [B, N, H, D], of which a tile takes one head; columns from D on and tokens from N on read as 0.
func headMap(p unsafe.Pointer, format kernels.DType, b, n, h, d int) (*driver.TensorMap, error) {
	return driver.NewTensorMap(mapFormat(format), p, []int{d, h, n, b}, []int{2 * d, 2 * d * h, 2 * d * h * n}, []int{wgmmaSlab, 1, wgmmaTokens, 1}, driver.Swizzle128)
}
