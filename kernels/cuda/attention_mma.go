//go:build cuda

package cuda

import (
	"fmt"

	"syntic/kernels"
)

// mmaTiles are the head sizes with exact tiles, and how many queries (backward: or keys) a block has.
var mmaTiles = map[int]int{40: 128, 64: 64, 80: 64, 128: 64, 160: 64}

func init() {
	for rank, format := range []kernels.DType{kernels.F16, kernels.BF16} {
		add(kernels.Attention, kernels.Variant[kernels.AttentionArgs]{Name: "mma_" + format.String(), Rank: rank, Operands: format, Within: true, Note: onlyByName(format) + "; heads of other sizes than 40, 64, 80, 128, 160 run flash_f32",
			Usable: func(a *kernels.AttentionArgs) bool { return mmaUsable(a, format, &a.Out) },
			Run:    func(s *kernels.Stream, a *kernels.AttentionArgs) error { return attentionMMA(s, a, format) }})
		add(kernels.AttentionGrad, kernels.Variant[kernels.AttentionGradArgs]{Name: "mma_" + format.String(), Rank: rank, Operands: format, Within: true, Note: onlyByName(format) + "; heads of other sizes than 40, 64, 80, 128, 160 run flash_f32",
			Usable: func(a *kernels.AttentionGradArgs) bool {
				f := a.Forward()
				return mmaUsable(&f, format, &a.Out) && isF32(&a.DQ, &a.DK, &a.DV) && a.DOut.DType == a.Q.DType && aligned(&a.DOut)
			},
			Run: func(s *kernels.Stream, a *kernels.AttentionGradArgs) error { return attentionGradMMA(s, a, format) }})
	}
}

// mmaUsable tells whether a can run: operands all of 32 bits or all of format, results of either; float32 alone where there is no tile, for then
// flash_f32 runs: a model asked for mma_bf16 by name may have heads of other sizes beside its others.
func mmaUsable(a *kernels.AttentionArgs, format kernels.DType, out *kernels.View) bool {
	is := func(d kernels.DType) bool { return d == kernels.F32 || d == format }
	if _, _, _, _, d := a.Sizes(); mmaTiles[d] == 0 {
		return isF32(&a.Q, &a.K, &a.V, &a.Bias, &a.LSE, out)
	}
	return is(a.Q.DType) && is(out.DType) && (a.Packed() || (a.K.DType == a.Q.DType && a.V.DType == a.Q.DType)) &&
		isF32(&a.Bias, &a.LSE) && aligned(&a.Q, &a.K, &a.V)
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

// roundedTo changes float32 views whose rows have d numbers to copies in format, in one allocation; those of 16 bits stay where they are. free gives
// the copies back when the last launch that reads them has been made.
func roundedTo(s *kernels.Stream, format kernels.DType, d int, views ...*kernels.View) (free func(), err error) {
	var t arena
	to := make([]part, len(views))
	for i, v := range views {
		to[i] = -1
		if !v.Absent() && v.DType == kernels.F32 {
			to[i] = t.take(2 * v.Len())
		}
	}
	if t.bytes == 0 {
		return func() {}, nil
	}
	if err := t.alloc(s); err != nil {
		return nil, err
	}
	for i, v := range views {
		if to[i] < 0 {
			continue
		}
		if err := launch(s, "pad_"+format.String(), each(v.Len()), *v, int32(kernels.F32), t.at(to[i], 0), int64(v.Len()/d), int32(d), int32(d)); err != nil {
			t.space.free()
			return nil, err
		}
		*v = kernels.NewView(format, t.at(to[i], 0), v.Shape()...)
	}
	return t.space.free, nil
}

func attentionMMA(s *kernels.Stream, call *kernels.AttentionArgs, format kernels.DType) error {
	a := *call
	b, n, _, h, d := a.Sizes()
	if mmaTiles[d] == 0 {
		return attentionFlash(s, call)
	}
	free, err := roundedTo(s, format, d, &a.Q, &a.K, &a.V)
	if err != nil {
		return err
	}
	defer free()
	q, k, v := operandsOf(&a, &a.Q, &a.K, &a.V)
	return launch(s, fmt.Sprintf("attention_mma_%v_%d", format, d), blocks(b*h*ceilDiv(n, mmaTiles[d])),
		append([]any{q, k, v, a.KeyMask, a.Bias, a.Out, int32(a.Out.DType), a.LSE}, attentionSizes(&a)...)...)
}

func attentionGradMMA(s *kernels.Stream, call *kernels.AttentionGradArgs, format kernels.DType) error {
	a := *call
	f := a.Forward()
	b, n, m, h, d := f.Sizes()
	if mmaTiles[d] == 0 {
		return attentionGradFlash(s, call)
	}
	free, err := roundedTo(s, format, d, &a.Q, &a.K, &a.V, &a.DOut)
	if err != nil {
		return err
	}
	defer free()
	ws, err := workspace(s, 4*b*h*n)
	if err != nil {
		return err
	}
	defer ws.free()
	if err := launch(s, "attention_mma_delta_"+format.String(), each(b*h*n), a.Out, int32(a.Out.DType), a.DOut, ws.ptr, int32(n), int32(h), int32(d), int64(b*h*n)); err != nil {
		return err
	}
	q, k, v := operandsOf(&f, &a.Q, &a.K, &a.V)
	dq, dk, dv := operandsOf(&f, &a.DQ, &a.DK, &a.DV)
	args := append([]any{q, k, v, a.DOut, a.KeyMask, a.Bias, a.LSE, ws.ptr, dq, dk, dv}, attentionSizes(&f)...)
	for _, pass := range []struct {
		kernel string
		rows   int
	}{{"q", n}, {"kv", m}} {
		if err := launch(s, fmt.Sprintf("attention_mma_grad_%s_%v_%d", pass.kernel, format, d), blocks(b*h*ceilDiv(pass.rows, mmaTiles[d])), args...); err != nil {
			return err
		}
	}
	return nil
}
