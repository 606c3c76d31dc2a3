//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

func init() {
	add(kernels.LinearCrossEntropy, kernels.Variant[kernels.LinearCrossEntropyArgs]{Name: "tiled_f32", Rank: 20, Usable: headUsable,
		Run: func(s *kernels.Stream, a *kernels.LinearCrossEntropyArgs) error {
			return linearCrossEntropy(s, a, headRung{"f32", 64, kernels.F32, false})
		}})
	for _, format := range []kernels.DType{kernels.BF16, kernels.TF32} {
		add(kernels.LinearCrossEntropy, kernels.Variant[kernels.LinearCrossEntropyArgs]{Name: "mma_" + format.String(), Rank: 5, Operands: format, Within: true, Note: onlyByName(format), Usable: headUsable,
			Run: func(s *kernels.Stream, a *kernels.LinearCrossEntropyArgs) error {
				return linearCrossEntropy(s, a, headRung{format.String(), 128, format, false})
			}})
	}
	addHopper(kernels.LinearCrossEntropy, kernels.Variant[kernels.LinearCrossEntropyArgs]{Name: "wgmma_bf16", Rank: 6, Operands: kernels.BF16, Within: true, Usable: headUsable,
		Run: func(s *kernels.Stream, a *kernels.LinearCrossEntropyArgs) error {
			return linearCrossEntropy(s, a, headRung{"wgmma", wgmmaRows, kernels.BF16, true})
		}})
}

func headUsable(a *kernels.LinearCrossEntropyArgs) bool {
	return isF32(&a.X, &a.W, &a.Bias, &a.Weight, &a.Loss, &a.RowLoss, &a.DX, &a.DW, &a.DBias)
}

// headRung is one rung of the vocabulary head: kernels by the suffix of their names, the side of their tiles, and the format of operands.
type headRung struct {
	suffix string
	tile   int
	format kernels.DType
	hopper bool // by wgmma, tiles of wgmmaCols columns
}

// wide is how many columns a tile has.
func (r headRung) wide() int {
	if r.hopper {
		return wgmmaCols
	}
	return r.tile
}

// Sides of the blocks in which rows and words are gone through: of statistics, which leave O(side²/tile) numbers, and of gradients, which leave side²
// numbers. Work space is O(N + V), what rounded operands take, and at most 200 MB (tests take smaller sides).
var (
	headStatSide = 16384
	headGradSide = 4096
)

// head is one call.
type head struct {
	*kernels.LinearCrossEntropyArgs
	headRung
	arena
	s       *kernels.Stream
	n, v, c int
	ld      int // of x and w, rounded

	norm, hit, top, sum, total, term, counts part
	tops, sums, totals                       part // of tiles
	g, bias, x, w                            part // a block of gradients, and what its tiles add to that of the bias; rounded operands
}

func linearCrossEntropy(s *kernels.Stream, a *kernels.LinearCrossEntropyArgs, r headRung) error {
	t := &head{LinearCrossEntropyArgs: a, headRung: r, s: s, n: a.X.Dim(0), v: a.W.Dim(0), c: a.X.Dim(1)}
	t.layOut()
	if err := t.alloc(s); err != nil {
		return err
	}
	defer t.space.free()
	if err := t.round(); err != nil {
		return err
	}
	if err := t.statistics(); err != nil {
		return err
	}
	if err := t.loss(); err != nil || !t.differentiated() {
		return err
	}
	return t.gradients()
}

// differentiated tells whether any gradient is wanted.
func (t *head) differentiated() bool { return !t.DX.Absent() || !t.DW.Absent() || !t.DBias.Absent() }

func (t *head) layOut() {
	rows, cols := min(t.n, headStatSide), min(t.v, headStatSide)
	tiles := 4 * rows * ceilDiv(cols, t.wide())
	t.norm, t.counts, t.hit, t.top, t.sum, t.term = t.take(4), t.take(16*t.n), t.take(4*t.n), t.take(4*t.n), t.take(4*t.n), t.take(4*t.n)
	t.tops, t.sums, t.total, t.totals = t.take(tiles), t.take(tiles), -1, -1
	if t.Smoothing != 0 {
		t.total, t.totals = t.take(8*t.n), t.take(tiles)
	}
	t.g, t.bias, t.x, t.w = -1, -1, -1, -1
	size := t.format.Size()
	rows, cols = min(t.n, headGradSide), min(t.v, headGradSide)
	if !t.DX.Absent() || !t.DW.Absent() {
		t.g = t.take(size * rows * t.pitch(cols))
	}
	if !t.DBias.Absent() {
		t.bias = t.take(4 * cols * ceilDiv(rows, t.tile))
	}
	if t.format != kernels.F32 {
		t.ld = t.pitch(t.c)
		t.x, t.w = t.take(size*t.n*t.ld), t.take(size*t.v*t.ld)
	}
}

// pitch is n numbers up to what is copied at once.
func (t *head) pitch(n int) int {
	if t.format == kernels.F32 {
		return n
	}
	return roundUp(n, chunk(t.format))
}

// round lays X and W in the rung's format.
func (t *head) round() error {
	if t.format == kernels.F32 {
		return nil
	}
	if err := roundRows(t.s, t.format, &t.X, t.at(t.x, 0), 1, t.n, t.c, t.ld, false); err != nil {
		return err
	}
	return roundRows(t.s, t.format, &t.W, t.at(t.w, 0), 1, t.v, t.c, t.ld, false)
}

// tiles launches a kernel of tiles for a block of rows and words.
func (t *head) tiles(kernel string, row, rows, col, cols int, more ...any) error {
	operands, count := []any{t.X, t.W, int32(t.c)}, ceilDiv(rows, t.tile)*ceilDiv(cols, t.wide())
	grid := blocks(count)
	switch {
	case t.hopper:
		x, err := t.rows16(t.x, row, rows).tensorMap(wgmmaRows)
		if err != nil {
			return err
		}
		w, err := t.rows16(t.w, col, cols).tensorMap(wgmmaCols)
		if err != nil {
			return err
		}
		operands, grid = []any{x, w, int32(t.ld)}, persistent(t.s, count)
	case t.format != kernels.F32:
		operands = []any{t.at(t.x, 0), t.at(t.w, 0), int64(t.ld)}
	}
	return launch(t.s, "linear_crossentropy_"+kernel+"_"+t.suffix, grid, append(append(operands, t.Bias, t.Target, int64(row), int64(col), int32(rows), int32(cols)), more...)...)
}

// rows16 are rows of x or w as bfloat16.
func (t *head) rows16(of part, row, rows int) operand {
	return operand{p: t.at(of, 2*row*t.ld), format: kernels.BF16, inner: t.ld, lines: rows, batch: 1, ld: t.ld}
}

// statistics goes through all logits once; what tiles found is merged block by block.
func (t *head) statistics() error {
	if err := launch(t.s, "linear_crossentropy_begin", each(t.n), t.at(t.hit, 0), int64(t.n)); err != nil {
		return err
	}
	for row := 0; row < t.n; row += headStatSide {
		rows := min(headStatSide, t.n-row)
		for col := 0; col < t.v; col += headStatSide {
			cols := min(headStatSide, t.v-col)
			if err := t.tiles("stats", row, rows, col, cols, t.at(t.tops, 0), t.at(t.sums, 0), t.at(t.totals, 0), t.at(t.hit, 0)); err != nil {
				return err
			}
			if err := launch(t.s, "linear_crossentropy_merge", each(rows), t.at(t.tops, 0), t.at(t.sums, 0), t.at(t.totals, 0), int32(ceilDiv(cols, t.wide())), int32(rows), col == 0,
				t.at(t.top, 4*row), t.at(t.sum, 4*row), t.at(t.total, 8*row)); err != nil {
				return err
			}
		}
	}
	return nil
}

// loss makes the loss of the statistics, and what rows count in the gradient.
func (t *head) loss() error {
	if err := launch(t.s, "crossentropy_weights_f32", blocks(1), t.Target, t.Weight, t.at(t.norm, 0), int32(t.n), t.Ignore); err != nil {
		return err
	}
	if err := launch(t.s, "linear_crossentropy_own", each(t.n), t.Target, t.Weight, t.at(t.norm, 0), t.at(t.top, 0), t.at(t.sum, 0), t.at(t.hit, 0), t.at(t.total, 0), t.at(t.counts, 0),
		t.RowLoss, t.at(t.term, 0), int64(t.n), int32(t.v), t.Ignore, t.Smoothing); err != nil {
		return err
	}
	return launch(t.s, "sum_f64_f32", blocks(1), t.at(t.term, 0), t.Loss, int64(t.n), float32(1))
}

// gradients goes through all logits again: a block of ∂Loss/∂z, then DX += block·W, DW += blockᵀ·X and DBias, in a fixed order.
func (t *head) gradients() error {
	for row := 0; row < t.n; row += headGradSide {
		rows := min(headGradSide, t.n-row)
		for col := 0; col < t.v; col += headGradSide {
			cols := min(headGradSide, t.v-col)
			if err := t.tiles("grad", row, rows, col, cols, t.at(t.counts, 0), t.at(t.g, 0), int64(t.pitch(cols)), t.at(t.bias, 0)); err != nil {
				return err
			}
			if !t.DBias.Absent() {
				if err := launch(t.s, "linear_crossentropy_dbias", each(cols), t.at(t.bias, 0), int32(ceilDiv(rows, t.tile)), int32(cols), row > 0, offset(&t.DBias, col)); err != nil {
					return err
				}
			}
			if err := t.product("nn", cols, &t.W, t.w, col, offset(&t.DX, row*t.c), rows, cols, col > 0); err != nil {
				return err
			}
			if err := t.product("tn", cols, &t.X, t.x, row, offset(&t.DW, col*t.c), cols, rows, row > 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// product is out[m, C] (+)= op(block) · k rows, from `first` on, of an operand, in memory or rounded; a row of the block has `wide` numbers. No out: none.
func (t *head) product(layout string, wide int, of *kernels.View, rounded part, first int, out unsafe.Pointer, m, k int, more bool) error {
	switch {
	case out == nil:
		return nil
	case t.format == kernels.F32:
		return product(t.s, t.at(t.g, 0), offset(of, first*t.c), kernels.F32, out, m, t.c, k, layout == "tn", more)
	case t.hopper:
		block, right := operand{p: t.at(t.g, 0), format: kernels.BF16, inner: k, lines: m, batch: 1, ld: t.pitch(wide)}, t.rows16(rounded, first, k)
		if right.across = true; layout == "tn" {
			block.inner, block.lines, block.across = m, k, true
		}
		return product16(t.s, block, right, out, m, t.c, k, more)
	}
	return launch(t.s, "product_"+layout+"_"+t.suffix, blocks(ceilDiv(m, 128)*ceilDiv(t.c, 128)), t.at(t.g, 0), int64(t.pitch(wide)), t.at(rounded, t.format.Size()*first*t.ld), int64(t.ld),
		out, int64(t.c), int32(m), int32(t.c), int32(k), more)
}
