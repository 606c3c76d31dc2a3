//go:build cuda

package cuda

import "syntic/kernels"

func init() {
	add(kernels.LayerNorm, kernels.Variant[kernels.LayerNormArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.LayerNormArgs) bool { return isF32(&a.X, &a.Gain, &a.Bias, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.LayerNormArgs) error {
			return launch(s, "layer_norm_f32", blocks(a.X.Dim(0)), a.X, a.Gain, a.Bias, a.Out, a.Mean, a.Rstd, int32(a.X.Dim(1)), a.Eps)
		}})
	add(kernels.LayerNormGrad, kernels.Variant[kernels.LayerNormGradArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.LayerNormGradArgs) bool { return isF32(&a.X, &a.Gain, &a.DOut, &a.DX) },
		Run:    layerNormGrad})
	add(kernels.GroupNorm, kernels.Variant[kernels.GroupNormArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.GroupNormArgs) bool { return isF32(&a.X, &a.Gain, &a.Bias, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.GroupNormArgs) error {
			b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
			return launch(s, "group_norm_f32", blocks(b*a.Groups), a.X, a.Gain, a.Bias, a.Out, a.Mean, a.Rstd, int64(p), int32(c), int32(a.Groups), a.Eps, int32(a.Act))
		}})
	add(kernels.GroupNorm, kernels.Variant[kernels.GroupNormArgs]{Name: "split_f32", Rank: 20,
		Usable: func(a *kernels.GroupNormArgs) bool { return isF32(&a.X, &a.Gain, &a.Bias, &a.Out) && a.Groups <= 256 },
		Run:    groupNormSplit})
	add(kernels.GroupNormGrad, kernels.Variant[kernels.GroupNormGradArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.GroupNormGradArgs) bool { return isF32(&a.X, &a.Gain, &a.Bias, &a.DOut, &a.DX) },
		Run:    groupNormGrad})
	add(kernels.RowNorm, kernels.Variant[kernels.RowNormArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.RowNormArgs) bool { return isF32(&a.X, &a.Out) },
		Run: func(s *kernels.Stream, a *kernels.RowNormArgs) error {
			return launch(s, "row_norm_f32", blocks(a.X.Dim(0)), a.X, a.Out, a.Norm, int32(a.X.Dim(1)), a.Eps)
		}})
	add(kernels.RowNormGrad, kernels.Variant[kernels.RowNormGradArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.RowNormGradArgs) bool { return isF32(&a.Out, &a.DOut, &a.DX) },
		Run: func(s *kernels.Stream, a *kernels.RowNormGradArgs) error {
			return launch(s, "row_norm_grad_f32", blocks(a.Out.Dim(0)), a.Out, a.Norm, a.DOut, a.DX, int32(a.Out.Dim(1)), a.Eps)
		}})
}

// layerNormGrad sums the columns first: DX may be DOut.
func layerNormGrad(s *kernels.Stream, a *kernels.LayerNormGradArgs) error {
	n, c := a.X.Dim(0), a.X.Dim(1)
	if !a.DGain.Absent() || !a.DBias.Absent() {
		if err := launch(s, "norm_columns_f32", blocks(ceilDiv(c, 32)), a.X, a.Gain, kernels.View{}, a.Mean, a.Rstd, a.DOut, a.DGain, a.DBias,
			int64(n), int32(c), int64(1), int32(1), int32(c), int32(kernels.ActNone)); err != nil {
			return err
		}
	}
	return launch(s, "layer_norm_grad_f32", blocks(n), a.X, a.Gain, a.Mean, a.Rstd, a.DOut, a.DX, int32(c))
}

// groupNormSplit cuts images into runs of about 2^14 numbers, at most 256; the cut depends on the image's size alone.
func groupNormSplit(s *kernels.Stream, a *kernels.GroupNormArgs) error {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	run := ceilDiv(p, min(256, max(1, p*c>>14)))
	parts := ceilDiv(p, run)
	ws, err := workspace(s, 8*b*parts*a.Groups)
	if err != nil {
		return err
	}
	defer ws.free()
	if err := launch(s, "group_norm_part", blocks(b*parts), a.X, ws.ptr, int64(p), int32(c), int32(a.Groups), int32(parts), int64(run)); err != nil {
		return err
	}
	return launch(s, "group_norm_join", blocks(b*parts), a.X, ws.ptr, a.Gain, a.Bias, a.Out, a.Mean, a.Rstd, int64(p), int32(c), int32(a.Groups), int32(parts), int64(run),
		a.Eps, int32(a.Act))
}

func groupNormGrad(s *kernels.Stream, a *kernels.GroupNormGradArgs) error {
	b, p, c := a.X.Dim(0), a.X.Dim(1), a.X.Dim(2)
	if !a.DGain.Absent() || !a.DBias.Absent() {
		if err := launch(s, "norm_columns_f32", blocks(ceilDiv(c, 32)), a.X, a.Gain, a.Bias, a.Mean, a.Rstd, a.DOut, a.DGain, a.DBias,
			int64(b*p), int32(c), int64(p), int32(a.Groups), int32(c/a.Groups), int32(a.Act)); err != nil {
			return err
		}
	}
	return launch(s, "group_norm_grad_f32", blocks(b*a.Groups), a.X, a.Gain, a.Bias, a.Mean, a.Rstd, a.DOut, a.DX, int64(p), int32(c), int32(a.Groups), int32(a.Act))
}
