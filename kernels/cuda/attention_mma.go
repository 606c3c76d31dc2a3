//go:build cuda

package cuda

import (
	"fmt"
	"slices"

	"syntic/kernels"
)

// mmaTiles are the head sizes with exact tiles, and how many queries a block has.
var mmaTiles = map[int]int{40: 128, 64: 64, 80: 64, 128: 64, 160: 64}

func init() {
	for rank, format := range []kernels.DType{kernels.F16, kernels.BF16} {
		add(kernels.Attention, kernels.Variant[kernels.AttentionArgs]{Name: "mma_" + format.String(), Rank: rank, Operands: format, Within: true,
			Usable: func(a *kernels.AttentionArgs) bool {
				formats := []kernels.DType{kernels.F32, format}
				return mmaTiles[a.Q.Dim(3)] > 0 && slices.Contains(formats, a.Q.DType) && a.K.DType == a.Q.DType && a.V.DType == a.Q.DType &&
					slices.Contains(formats, a.Out.DType) && isF32(&a.Bias, &a.LSE) && aligned(&a.Q, &a.K, &a.V)
			},
			Run: func(s *kernels.Stream, a *kernels.AttentionArgs) error { return attentionMMA(s, a, format) }})
	}
}

// aligned tells whether rows of 16-bit numbers can be copied 16 bytes at a time.
func aligned(views ...*kernels.View) bool {
	for _, v := range views {
		if v.DType != kernels.F32 && uintptr(v.Ptr())%16 != 0 {
			return false
		}
	}
	return true
}

// attentionMMA rounds float32 operands to format first; those of 16 bits are read in place.
func attentionMMA(s *kernels.Stream, a *kernels.AttentionArgs, format kernels.DType) error {
	b, n, m, h, d := a.Sizes()
	sb, sh := kernels.BiasStrides(&a.Bias)
	q, k, v := a.Q.Ptr(), a.K.Ptr(), a.V.Ptr()
	if a.Q.DType == kernels.F32 {
		var t arena
		rq, rk, rv := t.take(2*a.Q.Len()), t.take(2*a.K.Len()), t.take(2*a.V.Len())
		if err := t.alloc(s); err != nil {
			return err
		}
		defer t.space.free()
		for _, r := range []struct {
			from *kernels.View
			to   part
		}{{&a.Q, rq}, {&a.K, rk}, {&a.V, rv}} {
			if err := launch(s, "pad_"+format.String(), each(r.from.Len()), *r.from, int32(kernels.F32), t.at(r.to, 0), int64(r.from.Len()/d), int32(d), int32(d)); err != nil {
				return err
			}
		}
		q, k, v = t.at(rq, 0), t.at(rk, 0), t.at(rv, 0)
	}
	return launch(s, fmt.Sprintf("attention_mma_%v_%d", format, d), blocks(b*h*ceilDiv(n, mmaTiles[d])), q, k, v, a.KeyMask, a.Bias, a.Out, int32(a.Out.DType), a.LSE,
		int32(n), int32(m), int32(h), int64(sb), int64(sh), a.Scale, causalFrom(a.Causal, n, m))
}
