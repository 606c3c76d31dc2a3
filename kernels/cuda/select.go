//go:build cuda

package cuda

import "syntic/kernels"

func init() {
	add(kernels.Select, kernels.Variant[kernels.SelectArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.SelectArgs) bool { return isF32(&a.X, &a.Value) },
		Run: func(s *kernels.Stream, a *kernels.SelectArgs) error {
			return launch(s, "select_f32", blocks(a.X.Dim(0)), a.X, a.Value, a.Index, int64(a.X.Dim(1)), int32(a.Value.Dim(1)))
		}})
}
