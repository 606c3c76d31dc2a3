//go:build cuda

package cuda

import (
	"math"

	"syntic/kernels"
)

// nearRungs search by a bank in fewer bits that lies beside the float32 one; their result is that of a search without, to the bit.
var nearRungs = []searchRung{{name: "near_stream", suffix: "stream", rank: 60}, {name: "near_mma", suffix: "stream", rank: 55, tile: 128},
	{name: "near_wgmma", suffix: "stream", rank: 57, tile: wgmmaRows, hopper: true}}

func init() {
	for _, r := range nearRungs {
		addRung(r, kernels.TopK, kernels.Variant[kernels.TopKArgs]{Name: r.name, Rank: r.rank, Note: "with KeepNearby",
			Usable: func(a *kernels.TopKArgs) bool { return nearUsable(r, a) },
			Run: func(s *kernels.Stream, a *kernels.TopKArgs) error {
				return topK(s, a, search{searchRung: r, near: a.Near, bounds: a.Bounds})
			}})
	}
}

// nearQueries is up to how many queries a bank of bytes is read once for every eight.
const nearQueries = 64

func nearUsable(r searchRung, a *kernels.TopKArgs) bool {
	n, d := a.Query.Dim(0), a.Mem.Dim(1)
	if a.Near.Absent() || d > streamWidth || a.Mem.DType != kernels.F32 || a.Query.DType > kernels.F16 || !isF32(&a.Score, &a.Bounds) {
		return false
	}
	if r.tile > 0 {
		return a.Near.DType == kernels.BF16 && d%8 == 0 && uintptr(a.Near.Ptr())%16 == 0
	}
	return n <= streamQueries || a.Near.DType == kernels.U8 && n <= nearQueries
}

// nearLayOut adds what a search by fewer bits takes.
func (t *search) nearLayOut() {
	n := t.query.Dim(0)
	t.sizes, t.floors, t.upper = t.take(8*n), t.take(4*t.rows), t.take(4*t.rows*t.chunks)
	t.qs = -1
	if t.tile > 0 {
		t.ld = roundUp(t.query.Dim(1), 8)
		t.qs = t.take(2 * n * t.ld)
	}
}

// nearQuerySizes measures the queries, and rounds them for tensor cores.
func (t *search) nearQuerySizes(s *kernels.Stream) error {
	n, d, ld := t.query.Dim(0), t.query.Dim(1), t.query.Dim(1)
	gamma := float64(d+8) / (1 << 23)
	if t.tile > 0 {
		gamma, ld = 4*gamma, t.ld
	}
	return launch(s, "topk_near_queries", blocks(ceilDiv(n, 8)), *t.query, int32(t.query.DType), t.at(t.qs, 0), t.at(t.sizes, 0), int64(n), int32(d), int32(ld), float32(gamma))
}

// nearMaxima leaves the maxima of the chunks that may hold one of the k best rows, −∞ of the others.
func (t *search) nearMaxima(s *kernels.Stream, q0, rows int) error {
	m, d := t.mem.Dim(0), int32(t.mem.Dim(1))
	tiny := float32(float64(d) * math.Pow(2, -124))
	kernel, grid := "topk_near_stream", blocks(ceilDiv(rows, streamTile)*ceilDiv(t.chunks, 8))
	operands := []any{*t.query, int32(t.query.DType), t.near, int32(t.near.DType)}
	if t.tile > 0 {
		kernel, grid = "topk_near_bf16", blocks(ceilDiv(rows, t.tile)*ceilDiv(m, t.tile))
		operands = []any{t.at(t.qs, 0), int64(t.ld), t.near}
	}
	if t.hopper {
		queries, err := operand{p: t.at(t.qs, 2*q0*t.ld), format: kernels.BF16, inner: t.ld, lines: rows, batch: 1, ld: t.ld}.tensorMap(wgmmaRows)
		if err != nil {
			return err
		}
		bank, err := operand{p: t.near.Ptr(), format: kernels.BF16, inner: int(d), lines: m, batch: 1, ld: int(d)}.tensorMap(wgmmaCols)
		if err != nil {
			return err
		}
		kernel, grid, operands = "topk_near_wgmma", persistent(s, ceilDiv(rows, wgmmaRows)*ceilDiv(m, wgmmaCols)), []any{queries, bank}
	}
	if err := launch(s, kernel, grid, append(operands, t.bounds, t.at(t.sizes, 0), tiny, *t.exclude, int64(q0), int32(rows), int64(m), d, t.at(t.upper, 0), t.at(t.maxima, 0),
		int64(t.chunks))...); err != nil {
		return err
	}
	if err := launch(s, "topk_near_floor", blocks(rows), t.at(t.maxima, 0), int64(t.chunks), int32(t.k), t.at(t.floors, 0)); err != nil {
		return err
	}
	return launch(s, "topk_near_refine", blocks(rows*ceilDiv(t.chunks, 256)), *t.query, int32(t.query.DType), *t.mem, int32(t.mem.DType), *t.exclude, int64(q0), int64(m), d, t.at(t.upper, 0),
		t.at(t.floors, 0), t.at(t.maxima, 0), int64(t.chunks))
}
