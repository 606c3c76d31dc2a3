//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

const naiveMaxD = 512

func init() {
	for _, r := range []struct {
		name       string
		rank, maxD int
		forward    func(s *kernels.Stream, a *kernels.AttentionArgs) error
		backward   func(s *kernels.Stream, a *kernels.AttentionGradArgs) error
	}{
		{"naive_f32", 10, naiveMaxD, attentionNaive, attentionGradNaive},
		{"flash_f32", 20, 1 << 30, attentionFlash, attentionGradFlash},
	} {
		add(kernels.Attention, kernels.Variant[kernels.AttentionArgs]{Name: r.name, Rank: r.rank,
			Usable: func(a *kernels.AttentionArgs) bool {
				return isF32(&a.Q, &a.K, &a.V, &a.Bias, &a.Out) && a.Q.Dim(a.Q.Rank()-1) <= r.maxD
			},
			Run: r.forward})
		add(kernels.AttentionGrad, kernels.Variant[kernels.AttentionGradArgs]{Name: r.name, Rank: r.rank,
			Usable: func(a *kernels.AttentionGradArgs) bool {
				return isF32(&a.Q, &a.K, &a.V, &a.Bias, &a.Out, &a.DOut, &a.DQ) && a.Q.Dim(a.Q.Rank()-1) <= r.maxD
			},
			Run: r.backward})
	}
}

// operandsOf are the addresses of queries, keys and values, or of their gradients: x, y and z, or parts of x alone.
func operandsOf(a *kernels.AttentionArgs, x, y, z *kernels.View) (q, k, v unsafe.Pointer) {
	if _, _, _, h, d := a.Sizes(); a.Packed() {
		return x.Ptr(), offset(x, h*d), offset(x, 2*h*d)
	}
	return x.Ptr(), y.Ptr(), z.Ptr()
}

// attentionSizes are the last arguments of every attention kernel.
func attentionSizes(a *kernels.AttentionArgs) []any {
	_, n, m, h, d := a.Sizes()
	sb, sh := kernels.BiasStrides(&a.Bias)
	return []any{int32(n), int32(m), int32(h), int32(d), int64(tokenStep(a)), int64(sb), int64(sh), a.Scale, causalFrom(a)}
}

// tokenStep is how far apart neighbouring tokens of queries, keys, values and their gradients lie.
func tokenStep(a *kernels.AttentionArgs) int {
	_, _, _, h, d := a.Sizes()
	if a.Packed() {
		return 3 * h * d
	}
	return h * d
}

// causalFrom is what a key's index may exceed the query's by.
func causalFrom(a *kernels.AttentionArgs) int32 {
	_, n, m, _, _ := a.Sizes()
	if a.Causal {
		return int32(m - n)
	}
	return int32(m)
}

// forward launches a kernel of float32 operands.
func forward(s *kernels.Stream, a *kernels.AttentionArgs, kernel string, grid config) error {
	q, k, v := operandsOf(a, &a.Q, &a.K, &a.V)
	return launch(s, kernel, grid, append([]any{q, k, v, a.KeyMask, a.Bias, a.Out, a.LSE}, attentionSizes(a)...)...)
}

func attentionNaive(s *kernels.Stream, a *kernels.AttentionArgs) error {
	b, n, _, h, _ := a.Sizes()
	return forward(s, a, "attention_naive_f32", blocks(b*n*h))
}

func attentionFlash(s *kernels.Stream, a *kernels.AttentionArgs) error {
	b, n, _, h, d := a.Sizes()
	return forward(s, a, "attention_flash_f32", blocks(flashBlocks(b, n, h, d)))
}

// flashBlocks is a block for each tile of 64 rows, piece of 128 columns, head and batch item.
func flashBlocks(b, rows, h, d int) int { return b * h * ceilDiv(rows, 64) * ceilDiv(d, 128) }

func attentionGradFlash(s *kernels.Stream, a *kernels.AttentionGradArgs) error {
	f := a.Forward()
	b, n, m, h, d := f.Sizes()
	ws, err := workspace(s, 4*b*h*n)
	if err != nil {
		return err
	}
	defer ws.free()
	if err := launch(s, "attention_flash_delta", each(b*h*n), a.Out, a.DOut, ws.ptr, int32(n), int32(h), int32(d), int64(b*h*n)); err != nil {
		return err
	}
	q, k, v := operandsOf(&f, &a.Q, &a.K, &a.V)
	dq, dk, dv := operandsOf(&f, &a.DQ, &a.DK, &a.DV)
	args := append([]any{q, k, v, a.KeyMask, a.Bias, a.LSE, ws.ptr, a.DOut, dq, dk, dv}, attentionSizes(&f)...)
	if err := launch(s, "attention_flash_grad_q_f32", blocks(flashBlocks(b, n, h, d)), args...); err != nil {
		return err
	}
	return launch(s, "attention_flash_grad_kv_f32", blocks(flashBlocks(b, m, h, d)), args...)
}

func attentionGradNaive(s *kernels.Stream, a *kernels.AttentionGradArgs) error {
	f := a.Forward()
	b, n, m, h, _ := f.Sizes()
	ws, err := workspace(s, 4*b*h*n)
	if err != nil {
		return err
	}
	defer ws.free()
	q, k, v := operandsOf(&f, &a.Q, &a.K, &a.V)
	dq, dk, dv := operandsOf(&f, &a.DQ, &a.DK, &a.DV)
	args := append([]any{q, k, v, a.KeyMask, a.Bias, a.Out, a.LSE, a.DOut, dq, ws.ptr, dk, dv}, attentionSizes(&f)...)
	if err := launch(s, "attention_grad_q_f32", blocks(b*n*h), args...); err != nil {
		return err
	}
	return launch(s, "attention_grad_kv_f32", blocks(b*m*h), args...)
}
