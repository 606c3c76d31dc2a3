//go:build cuda

package cuda

import "syntic/kernels"

const naiveMaxD = 512

func init() {
	add(kernels.Attention, kernels.Variant[kernels.AttentionArgs]{Name: "naive_f32", Rank: 10,
		Usable: func(a *kernels.AttentionArgs) bool {
			return isF32(&a.Q, &a.K, &a.V, &a.Bias, &a.Out) && a.Q.Dim(3) <= naiveMaxD
		},
		Run: func(s *kernels.Stream, a *kernels.AttentionArgs) error {
			b, n, m, h, d := a.Sizes()
			sb, sh := kernels.BiasStrides(&a.Bias)
			return launch(s, "attention_naive_f32", blocks(b*n*h), a.Q, a.K, a.V, a.KeyMask, a.Bias, a.Out, a.LSE,
				int32(n), int32(m), int32(h), int32(d), int64(sb), int64(sh), a.Scale, causalFrom(a.Causal, n, m))
		}})
	add(kernels.AttentionGrad, kernels.Variant[kernels.AttentionGradArgs]{Name: "naive_f32", Rank: 10,
		Usable: func(a *kernels.AttentionGradArgs) bool {
			return isF32(&a.Q, &a.K, &a.V, &a.Bias, &a.Out, &a.DOut, &a.DQ) && a.Q.Dim(3) <= naiveMaxD
		},
		Run: attentionGradNaive})
}

func init() {
	add(kernels.Attention, kernels.Variant[kernels.AttentionArgs]{Name: "flash_f32", Rank: 20,
		Usable: func(a *kernels.AttentionArgs) bool { return isF32(&a.Q, &a.K, &a.V, &a.Bias, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.AttentionArgs) error {
			b, n, m, h, d := a.Sizes()
			sb, sh := kernels.BiasStrides(&a.Bias)
			return launch(s, "attention_flash_f32", blocks(flashBlocks(b, n, h, d)), a.Q, a.K, a.V, a.KeyMask, a.Bias, a.Out, a.LSE,
				int32(n), int32(m), int32(h), int32(d), int64(sb), int64(sh), a.Scale, causalFrom(a.Causal, n, m))
		}})
	add(kernels.AttentionGrad, kernels.Variant[kernels.AttentionGradArgs]{Name: "flash_f32", Rank: 20,
		Usable: func(a *kernels.AttentionGradArgs) bool {
			return isF32(&a.Q, &a.K, &a.V, &a.Bias, &a.Out, &a.DOut, &a.DQ)
		},
		Run: attentionGradFlash})
}

// flashBlocks is a block for each tile of 64 rows, piece of 128 columns, head and batch.
func flashBlocks(b, rows, h, d int) int { return b * h * ceilDiv(rows, 64) * ceilDiv(d, 128) }

func attentionGradFlash(s *kernels.Stream, a *kernels.AttentionGradArgs) error {
	f := a.Forward()
	b, n, m, h, d := f.Sizes()
	sb, sh := kernels.BiasStrides(&a.Bias)
	ws, err := workspace(s, 4*b*h*n)
	if err != nil {
		return err
	}
	defer ws.free()
	if err := launch(s, "attention_flash_delta", each(b*h*n), a.Out, a.DOut, ws.ptr, int32(n), int32(h), int32(d), int64(b*h*n)); err != nil {
		return err
	}
	if err := launch(s, "attention_flash_grad_q_f32", blocks(flashBlocks(b, n, h, d)), a.Q, a.K, a.V, a.KeyMask, a.Bias, a.LSE, ws.ptr, a.DOut, a.DQ,
		int32(n), int32(m), int32(h), int32(d), int64(sb), int64(sh), a.Scale, causalFrom(a.Causal, n, m)); err != nil {
		return err
	}
	return launch(s, "attention_flash_grad_kv_f32", blocks(flashBlocks(b, m, h, d)), a.Q, a.K, a.V, a.KeyMask, a.Bias, a.LSE, ws.ptr, a.DOut, a.DK, a.DV,
		int32(n), int32(m), int32(h), int32(d), int64(sb), int64(sh), a.Scale, causalFrom(a.Causal, n, m))
}

// causalFrom is what a key's index may exceed the query's by.
func causalFrom(causal bool, n, m int) int32 {
	if causal {
		return int32(m - n)
	}
	return int32(m)
}

func attentionGradNaive(s *kernels.Stream, a *kernels.AttentionGradArgs) error {
	f := a.Forward()
	b, n, m, h, d := f.Sizes()
	sb, sh := kernels.BiasStrides(&a.Bias)
	ws, err := workspace(s, 4*b*h*n)
	if err != nil {
		return err
	}
	defer ws.free()
	if err := launch(s, "attention_grad_q_f32", blocks(b*n*h), a.Q, a.K, a.V, a.KeyMask, a.Bias, a.Out, a.LSE, a.DOut, a.DQ, ws.ptr,
		int32(n), int32(m), int32(h), int32(d), int64(sb), int64(sh), a.Scale, causalFrom(a.Causal, n, m)); err != nil {
		return err
	}
	return launch(s, "attention_grad_kv_f32", blocks(b*m*h), a.Q, a.K, a.V, a.KeyMask, a.Bias, a.LSE, ws.ptr, a.DOut, a.DK, a.DV,
		int32(n), int32(m), int32(h), int32(d), int64(sb), int64(sh), a.Scale, causalFrom(a.Causal, n, m))
}
