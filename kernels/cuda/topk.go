//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

// searchRung is one rung of top-k search: kernels by the suffix of their names; "" goes through the bank k times.
type searchRung struct {
	name, suffix string
	rank, tile   int
	format       kernels.DType // of bank and queries on tensor cores
	hopper       bool          // maxima by wgmma
}

var searchRungs = []searchRung{{"naive_f32", "", 10, 0, kernels.F32, false}, {"tiled_f32", "f32", 20, 64, kernels.F32, false},
	{"mma_bf16", "bf16", 30, 128, kernels.BF16, false}, {"mma_f16", "f16", 30, 128, kernels.F16, false},
	{"wgmma_bf16", "bf16", 40, 128, kernels.BF16, true}, {"wgmma_f16", "f16", 40, 128, kernels.F16, true},
	{"stream", "stream", 50, 0, kernels.F32, false}}

// streamQueries is up to how many queries a warp reads each row of the bank once for eight of them, and streamWidth of how many elements.
const streamQueries, streamWidth, streamTile = 16, 768, 8

// fits tells whether the rung takes these operands, to its advantage; on tensor cores those that hold 16 bits already, for rounding would change the order.
func (r searchRung) fits(query, mem *kernels.View) bool {
	if r.suffix == "stream" && (query.Dim(0) > streamQueries && mem.DType != kernels.I8 || mem.Dim(1) > streamWidth) {
		return false
	}
	if r.format != kernels.F32 {
		return mem.DType == r.format && query.DType == r.format && mem.Dim(1)%8 == 0 && (!r.hopper || uintptr(mem.Ptr())%16 == 0)
	}
	return query.DType <= kernels.F16 && (mem.DType <= kernels.F16 || mem.DType == kernels.I8 && r.suffix == "stream")
}

// addRung registers a rung's variant where it can run.
func addRung[A any](r searchRung, op *kernels.Op[A], v kernels.Variant[A]) {
	if r.hopper {
		addHopper(op, v)
	} else {
		add(op, v)
	}
}

func init() {
	for _, r := range searchRungs {
		addRung(r, kernels.TopK, kernels.Variant[kernels.TopKArgs]{Name: r.name, Rank: r.rank,
			Usable: func(a *kernels.TopKArgs) bool {
				return r.fits(&a.Query, &a.Mem) && a.Mem.DType != kernels.I8 && isF32(&a.Score)
			},
			Run: func(s *kernels.Stream, a *kernels.TopKArgs) error { return topK(s, a, search{searchRung: r}) }})
	}
}

// topK is search q with the arguments' operands, its results in order.
func topK(s *kernels.Stream, a *kernels.TopKArgs, q search) error {
	q.query, q.mem, q.exclude, q.k = &a.Query, &a.Mem, &a.Exclude, a.Score.Dim(1)
	return q.run(s, func(q0, rows int, score, index unsafe.Pointer) error {
		return launch(s, "topk_sort", blocks(rows), score, index, a.Score, a.Index, int64(q0), int32(q.k))
	})
}

// search finds the k best rows of the bank for each query.
type search struct {
	searchRung
	arena
	query, mem, exclude *kernels.View
	k                   int
	scale               kernels.View // of a bank of int8
	invTau              float32      // unless 0, sums for it are wanted with the maxima
	near, bounds        kernels.View // the bank in fewer bits (near.go)

	chunks, chosen, rows, ld                    int // chunks of the bank and of them to score again; queries at once; of padded queries
	maxima, which, candidates, score, index, qs part
	sizes, floors, upper                        part // with near
	sums, tops                                  part // Σ exp of the chunks and the maxima that they go with: those of this rung, or of a pass of their own
}

const (
	chunkRows   = 32
	searchBytes = 128 << 20 // of work space, unless one tile of queries takes more
)

func (t *search) layOut() {
	n, m, d := t.query.Dim(0), t.mem.Dim(0), t.query.Dim(1)
	t.chunks = ceilDiv(m, chunkRows)
	t.chosen = min(t.k, t.chunks)
	perQuery := 8 * t.k
	if t.suffix != "" {
		perQuery += 4*t.chunks + 4*t.chosen*(1+chunkRows)
	}
	if t.invTau != 0 {
		perQuery += 8 * t.chunks
	}
	if !t.near.Absent() {
		perQuery += 4 * t.chunks
	}
	t.rows = min(n, max(128, roundUp(searchBytes/perQuery, 128)))
	t.score, t.index = t.take(4*t.rows*t.k), t.take(4*t.rows*t.k)
	if t.suffix != "" {
		t.maxima, t.which, t.candidates = t.take(4*t.rows*t.chunks), t.take(4*t.rows*t.chosen), t.take(4*t.rows*t.chosen*chunkRows)
	}
	t.sums, t.tops = -1, -1
	if t.invTau != 0 {
		t.sums = t.take(4 * t.rows * t.chunks)
		if t.tops = t.maxima; t.suffix != "stream" {
			t.tops = t.take(4 * t.rows * t.chunks)
		}
	}
	if t.format != kernels.F32 {
		t.ld = roundUp(d, 16)
		t.qs = t.take(2 * n * t.ld)
	}
	if !t.near.Absent() {
		t.nearLayOut()
	}
}

// run calls found for blocks of queries with their k best: score and index [rows, k] in index order, to be used up before the next block.
func (t *search) run(s *kernels.Stream, found func(q0, rows int, score, index unsafe.Pointer) error) error {
	t.layOut()
	if err := t.alloc(s); err != nil {
		return err
	}
	defer t.space.free()
	n := t.query.Dim(0)
	if t.format != kernels.F32 {
		if err := launch(s, "pad_"+t.suffix, each(n*t.ld), *t.query, int32(t.query.DType), t.at(t.qs, 0), int64(n), int32(t.query.Dim(1)), int32(t.ld)); err != nil {
			return err
		}
	}
	if !t.near.Absent() {
		if err := t.nearQuerySizes(s); err != nil {
			return err
		}
	}
	for q0 := 0; q0 < n; q0 += t.rows {
		rows := min(t.rows, n-q0)
		if err := t.block(s, q0, rows); err != nil {
			return err
		}
		if t.invTau != 0 && t.suffix != "stream" {
			if err := t.stream(s, q0, rows, t.tops, t.sums); err != nil {
				return err
			}
		}
		if err := found(q0, rows, t.at(t.score, 0), t.at(t.index, 0)); err != nil {
			return err
		}
	}
	return nil
}

func (t *search) block(s *kernels.Stream, q0, rows int) error {
	m, d := t.mem.Dim(0), int32(t.mem.Dim(1))
	operands := []any{*t.query, int32(t.query.DType), *t.mem, int32(t.mem.DType), *t.exclude, int64(q0)}
	if t.format != kernels.F32 {
		operands = []any{t.at(t.qs, 0), int64(t.ld), *t.mem, *t.exclude, int64(q0)}
	}
	if t.suffix == "stream" {
		operands = []any{*t.query, int32(t.query.DType), *t.mem, int32(t.mem.DType), t.scale, *t.exclude, int64(q0)}
	}
	operands = operands[:len(operands):len(operands)]
	if t.suffix == "" {
		return launch(s, "topk_naive_f32", blocks(rows), append(operands, int64(m), d, int32(t.k), t.at(t.score, 0), t.at(t.index, 0))...)
	}
	var err error
	switch {
	case !t.near.Absent():
		err = t.nearMaxima(s, q0, rows)
	case t.hopper:
		err = t.maximaWGMMA(s, q0, rows)
	case t.suffix == "stream":
		err = t.stream(s, q0, rows, t.maxima, t.sums)
	default:
		err = launch(s, "topk_max_"+t.suffix, blocks(ceilDiv(rows, t.tile)*ceilDiv(m, t.tile)), append(operands, int32(rows), int64(m), d, t.at(t.maxima, 0), int64(t.chunks))...)
	}
	if err != nil {
		return err
	}
	if err := launch(s, "topk_choose", blocks(rows), t.at(t.maxima, 0), int64(t.chunks), int32(t.chosen), t.at(t.which, 0)); err != nil {
		return err
	}
	if err := launch(s, "topk_score_"+t.suffix, blocks(rows), append(operands, int64(m), d, t.at(t.which, 0), int32(t.chosen), t.at(t.candidates, 0))...); err != nil {
		return err
	}
	return launch(s, "topk_take", blocks(rows), t.at(t.candidates, 0), t.at(t.which, 0), int32(t.chosen), int32(t.k), t.at(t.score, 0), t.at(t.index, 0))
}

// stream leaves the maxima of the chunks of all rows, and their sums unless it is negative.
func (t *search) stream(s *kernels.Stream, q0, rows int, maxima, sums part) error {
	return launch(s, "topk_max_stream", blocks(ceilDiv(rows, streamTile)*ceilDiv(t.chunks, 8)), *t.query, int32(t.query.DType), *t.mem, int32(t.mem.DType), t.scale, *t.exclude, int64(q0), int32(rows),
		int64(t.mem.Dim(0)), int32(t.mem.Dim(1)), t.at(maxima, 0), t.at(sums, 0), int64(t.chunks), t.invTau)
}
