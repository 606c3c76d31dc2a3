//go:build cuda

package cuda

import "syntic/kernels"

func init() {
	add(kernels.Permute, kernels.Variant[kernels.PermuteArgs]{Name: "gather_b32", Rank: 10, Run: permute})
	add(kernels.CopyBlock, kernels.Variant[kernels.CopyBlockArgs]{Name: "columns_b32", Rank: 10,
		Run: func(s *kernels.Stream, a *kernels.CopyBlockArgs) error {
			n, w, d := a.Src.Dim(0), a.Src.Dim(1), a.Dst.Dim(1)
			return launch(s, "copy_block_b32", each(n*a.Width), a.Src, a.Dst, int64(n), int32(w), int32(d), int32(a.SrcAt), int32(a.DstAt), int32(a.Width), a.Accumulate)
		}})
	add(kernels.Embedding, kernels.Variant[kernels.EmbeddingArgs]{Name: "gather", Rank: 10,
		Usable: func(a *kernels.EmbeddingArgs) bool { return isF32(&a.Out) && a.Table.DType <= kernels.F16 },
		Run: func(s *kernels.Stream, a *kernels.EmbeddingArgs) error {
			v, c, n := a.Table.Dim(0), a.Table.Dim(1), a.IDs.Dim(0)
			return launch(s, "embedding_f32", each(n*c), a.Table, a.IDs, a.Out, int64(n), int32(v), int32(c), int32(a.Table.DType))
		}})
	add(kernels.EmbeddingGrad, kernels.Variant[kernels.EmbeddingGradArgs]{Name: "first_f32", Rank: 10,
		Usable: func(a *kernels.EmbeddingGradArgs) bool { return isF32(&a.DOut, &a.DTable) },
		Run: func(s *kernels.Stream, a *kernels.EmbeddingGradArgs) error {
			if !a.Accumulate {
				if err := of(s).stream.Fill(a.DTable.Ptr(), 0, a.DTable.Len()); err != nil {
					return err
				}
			}
			n := a.IDs.Dim(0)
			return launch(s, "embedding_grad_f32", blocks(n), a.IDs, a.DOut, a.DTable, int32(n), int32(a.DTable.Dim(0)), int32(a.DTable.Dim(1)))
		}})
	add(kernels.Reduce, kernels.Variant[kernels.ReduceArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.ReduceArgs) bool { return isF32(&a.X, &a.Out) }, Run: reduce})
	add(kernels.SumSquares, kernels.Variant[kernels.SumSquaresArgs]{Name: "parts_f32", Rank: 10,
		Usable: func(a *kernels.SumSquaresArgs) bool { return isF32(&a.X, &a.Out) }, Run: sumSquares})
}

func permute(s *kernels.Stream, a *kernels.PermuteArgs) error {
	rank, at := a.X.Rank(), 1
	var step [kernels.MaxRank]int64
	for i := rank - 1; i >= 0; i-- {
		step[i] = int64(at)
		at *= a.X.Dim(i)
	}
	var size [kernels.MaxRank]int32 // missing dimensions come first
	var from [kernels.MaxRank]int64
	for i := range size {
		size[i] = 1
		if j := i - (kernels.MaxRank - rank); j >= 0 {
			size[i], from[i] = int32(a.Out.Dim(j)), step[a.Perm[j]]
		}
	}
	return launch(s, "permute_b32", each(a.X.Len()), a.X, a.Out, int64(a.X.Len()), size[1], size[2], size[3], size[4], size[5],
		from[0], from[1], from[2], from[3], from[4], from[5])
}

// reduce takes one thread an output where there are many outputs, one block an output else; the choice depends on sizes alone.
func reduce(s *kernels.Stream, a *kernels.ReduceArgs) error {
	n, m, c := int32(a.X.Dim(0)), int32(a.X.Dim(1)), int32(a.X.Dim(2))
	on, om, oc := int32(a.Out.Dim(0)), int32(a.Out.Dim(1)), int32(a.Out.Dim(2))
	outputs := a.Out.Len()
	if terms := a.X.Len() / outputs; outputs >= 1024 && terms <= 64 {
		return launch(s, "reduce_thread_f32", each(outputs), a.X, a.Out, int64(outputs), n, m, c, on, om, oc, a.Scale, a.Accumulate)
	}
	return launch(s, "reduce_block_f32", blocks(outputs), a.X, a.Out, n, m, c, on, om, oc, a.Scale, a.Accumulate)
}

func sumSquares(s *kernels.Stream, a *kernels.SumSquaresArgs) error {
	parts := min(ceilDiv(a.X.Len(), 2048), 512)
	ws, err := workspace(s, 4*parts)
	if err != nil {
		return err
	}
	defer ws.free()
	if err := launch(s, "sum_squares_f32", blocks(parts), a.X, ws.ptr, int64(a.X.Len())); err != nil {
		return err
	}
	return launch(s, "sum_parts_f32", blocks(1), ws.ptr, a.Out, int32(parts), a.Accumulate)
}
