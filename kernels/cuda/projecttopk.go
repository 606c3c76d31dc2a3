//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

func init() {
	for _, r := range searchRungs {
		addRung(r, kernels.ProjectTopK, kernels.Variant[kernels.ProjectTopKArgs]{Name: r.name, Rank: r.rank,
			Usable: func(a *kernels.ProjectTopKArgs) bool {
				return a.K > 0 && r.fits(&a.Query, &a.Mem) && isF32(&a.Out, &a.Kth, &a.Mass) && (a.Mass.Absent() || a.Mem.Dim(1) <= streamWidth)
			},
			Run: func(s *kernels.Stream, a *kernels.ProjectTopKArgs) error {
				q := search{searchRung: r, query: &a.Query, mem: &a.Mem, scale: a.Scale, exclude: &a.Exclude, k: a.K}
				if !a.Mass.Absent() {
					q.invTau = 1 / a.Tau
				}
				return q.run(s, func(q0, rows int, score, index unsafe.Pointer) error {
					return launch(s, "project_blend", blocks(rows), score, index, a.Mem, int32(a.Mem.DType), a.Scale, a.Out, int64(q0), int32(a.K), int32(a.Mem.Dim(1)), 1/a.Tau,
						q.at(q.tops, 0), q.at(q.sums, 0), int64(q.chunks), a.Kth, a.Mass)
				})
			}})
		addRung(r, kernels.ProjectTopKGrad, kernels.Variant[kernels.ProjectTopKGradArgs]{Name: r.name, Rank: r.rank,
			Usable: func(a *kernels.ProjectTopKGradArgs) bool {
				return a.K > 0 && r.fits(&a.Query, &a.Mem) && isF32(&a.DOut, &a.DQuery)
			},
			Run: func(s *kernels.Stream, a *kernels.ProjectTopKGradArgs) error {
				q := search{searchRung: r, query: &a.Query, mem: &a.Mem, scale: a.Scale, exclude: &a.Exclude, k: a.K}
				return q.run(s, func(q0, rows int, score, index unsafe.Pointer) error {
					return launch(s, "project_blend_grad", blocks(rows), score, index, a.Mem, int32(a.Mem.DType), a.Scale, a.DOut, a.DQuery, int64(q0), int32(a.K), int32(a.Mem.Dim(1)), 1/a.Tau)
				})
			}})
	}
	add(kernels.ProjectTopK, kernels.Variant[kernels.ProjectTopKArgs]{Name: "all_flash_f32", Rank: 15,
		Usable: func(a *kernels.ProjectTopKArgs) bool {
			return allRows(a) && a.Query.Dim(0) <= flashQueries && a.Query.Dim(1) <= 768
		},
		Run: projectAllFlash})
	add(kernels.ProjectTopK, kernels.Variant[kernels.ProjectTopKArgs]{Name: "all_tiled_f32", Rank: 14, Usable: allRows,
		Run: func(s *kernels.Stream, a *kernels.ProjectTopKArgs) error {
			return projectAllTiled(s, &kernels.ProjectTopKGradArgs{Query: a.Query, Mem: a.Mem, Exclude: a.Exclude, Out: a.Out, Tau: a.Tau})
		}})
	add(kernels.ProjectTopKGrad, kernels.Variant[kernels.ProjectTopKGradArgs]{Name: "all_tiled_f32", Rank: 14,
		Usable: func(a *kernels.ProjectTopKGradArgs) bool {
			f := a.Forward()
			return allRows(&f) && isF32(&a.DOut, &a.DQuery)
		},
		Run: projectAllTiled})
}

// flashQueries is up to how many queries the bank is read once for each of them.
const flashQueries = 16

func allRows(a *kernels.ProjectTopKArgs) bool {
	return a.K == 0 && a.Query.DType <= kernels.F16 && a.Mem.DType <= kernels.F16 && isF32(&a.Out)
}

func projectAllFlash(s *kernels.Stream, a *kernels.ProjectTopKArgs) error {
	n, m, d, _ := a.Sizes()
	share := max(1024, ceilDiv(m, 512)) // at least; by sizes alone, so that the same call gives the same bits on every device
	shares := ceilDiv(m, share)
	ws, err := workspace(s, 4*shares*n*(2+d))
	if err != nil {
		return err
	}
	defer ws.free()
	if err := launch(s, "project_all_flash_f32", blocks(n*shares), a.Query, int32(a.Query.DType), a.Mem, int32(a.Mem.DType), a.Exclude, ws.ptr,
		int64(n), int64(m), int32(d), int64(share), 1/a.Tau); err != nil {
		return err
	}
	return launch(s, "project_all_merge", blocks(n), ws.ptr, a.Out, int64(n), int32(d), int32(shares))
}

// projectSide is the side of the blocks of weights (tests take a smaller one).
var projectSide = 4096

// projectAllTiled computes Out, or DQuery if there is one.
func projectAllTiled(s *kernels.Stream, a *kernels.ProjectTopKGradArgs) error {
	n, m, d := a.Query.Dim(0), a.Mem.Dim(0), a.Query.Dim(1)
	var t arena
	rows, cols := min(n, projectSide), min(m, projectSide)
	w, top, sum, mean := t.take(4*rows*cols), t.take(4*n), t.take(4*n), t.take(4*n)
	tops, sums := t.take(4*rows*ceilDiv(cols, 64)), t.take(4*rows*ceilDiv(cols, 64))
	if err := t.alloc(s); err != nil {
		return err
	}
	defer t.space.free()
	to, means := a.Out, unsafe.Pointer(nil)
	if !a.DQuery.Absent() {
		to, means = a.DQuery, t.at(mean, 0)
		if err := launch(s, "project_mean", each(n), a.DOut, a.Out, means, int64(n), int32(d)); err != nil {
			return err
		}
	}
	for row := 0; row < n; row += projectSide {
		rows := min(projectSide, n-row)
		tile := func(kernel string, col int, more ...any) error {
			cols := min(projectSide, m-col)
			return launch(s, kernel, blocks(ceilDiv(rows, 64)*ceilDiv(cols, 64)), append([]any{a.Query, int32(a.Query.DType), a.Mem, int32(a.Mem.DType), a.Exclude,
				int64(row), int64(col), int32(rows), int32(cols), int32(d), 1 / a.Tau}, more...)...)
		}
		for col := 0; col < m; col += projectSide {
			if err := tile("project_stats_f32", col, t.at(tops, 0), t.at(sums, 0)); err != nil {
				return err
			}
			none := unsafe.Pointer(nil)
			if err := launch(s, "infonce_merge", each(rows), t.at(tops, 0), t.at(sums, 0), none, int32(ceilDiv(min(projectSide, m-col), 64)), int32(rows), col == 0,
				t.at(top, 4*row), t.at(sum, 4*row), none); err != nil {
				return err
			}
		}
		for col := 0; col < m; col += projectSide {
			if err := tile("project_weights_f32", col, t.at(top, 0), t.at(sum, 0), a.DOut, means, t.at(w, 0)); err != nil {
				return err
			}
			if err := product(s, t.at(w, 0), offset(&a.Mem, col*d), a.Mem.DType, offset(&to, row*d), rows, d, min(projectSide, m-col), false, col > 0); err != nil {
				return err
			}
		}
	}
	return nil
}
