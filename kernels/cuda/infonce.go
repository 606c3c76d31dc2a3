//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

// nceRung is one rung of the ladder: kernels by the suffix of their names, and the side of their tiles.
type nceRung struct {
	suffix string
	tile   int
	half   bool // bfloat16 operands
	hopper bool // by wgmma, tiles of wgmmaCols columns
}

// wide is how many columns a tile has.
func (r nceRung) wide() int {
	if r.hopper {
		return wgmmaCols
	}
	return r.tile
}

func init() {
	for rank, r := range []nceRung{{"mma", 128, true, false}, {"pipelined", 128, true, false}, {"wgmma", wgmmaRows, true, true}, {"f32", 64, false, false}} {
		v := kernels.Variant[kernels.InfoNCEArgs]{Name: "tiled_f32", Rank: 20, Usable: nceUsable,
			Run: func(s *kernels.Stream, a *kernels.InfoNCEArgs) error { return infoNCE(s, a, r) }}
		if r.half {
			v.Name, v.Rank, v.Operands, v.Within = r.suffix+"_bf16", rank, kernels.BF16, true
			// ranks of rounded similarities are others
			v.Usable = func(a *kernels.InfoNCEArgs) bool {
				return nceUsable(a) && (a.Rank.Absent() || a.X.DType == kernels.BF16 && a.Y.DType == kernels.BF16)
			}
		}
		if r.hopper {
			addHopper(kernels.InfoNCE, v)
		} else {
			add(kernels.InfoNCE, v)
		}
	}
}

func nceUsable(a *kernels.InfoNCEArgs) bool {
	return a.X.DType <= kernels.F16 && a.Y.DType <= kernels.F16 && isF32(&a.Scale, &a.Loss, &a.DX, &a.DY, &a.DScale)
}

// Sides of the blocks in which pairs are gone through: of statistics, which leave O(side²/tile) numbers, and of gradients, which leave side² weights.
// Work space is O(N + M) and at most 150 MB (tests take smaller sides).
var (
	nceStatSide = 16384
	nceGradSide = 4096
)

// nce is one call.
type nce struct {
	*kernels.InfoNCEArgs
	nceRung
	arena
	s       *kernels.Stream
	n, m, d int
	ld      int // of x and y as bfloat16

	hit, rowTop, rowSum, rowOwn, colTop, colSum, colOwn, times part
	rowTops, rowSums, ranks, colTops, colSums                  part // of tiles
	g, slots, x16, y16                                         part
}

func infoNCE(s *kernels.Stream, a *kernels.InfoNCEArgs, r nceRung) error {
	t := &nce{InfoNCEArgs: a, nceRung: r, s: s, n: a.X.Dim(0), m: a.Y.Dim(0), d: a.X.Dim(1)}
	t.layOut()
	if err := t.alloc(s); err != nil {
		return err
	}
	defer t.space.free()
	if err := t.prepare(); err != nil {
		return err
	}
	if err := t.statistics(); err != nil {
		return err
	}
	wx, wy := a.WX/float32(t.n), a.WY/float32(t.n)
	if err := t.loss(wx, wy); err != nil || a.DX.Absent() {
		return err
	}
	return t.gradients(wx, wy)
}

func (t *nce) loss(wx, wy float32) error {
	return launch(t.s, "infonce_loss", blocks(1), t.at(t.rowTop, 0), t.at(t.rowSum, 0), t.at(t.colTop, 0), t.at(t.colSum, 0), t.at(t.hit, 0), t.Target, t.Loss, int64(t.n), wx, wy)
}

// own turns sums of exp into what one exp counts in the gradient.
func (t *nce) own(wx, wy float32) error {
	if err := launch(t.s, "infonce_own", each(t.n), t.at(t.rowSum, 0), unsafe.Pointer(nil), t.at(t.rowOwn, 0), int64(t.n), wx); err != nil || t.WY == 0 {
		return err
	}
	return launch(t.s, "infonce_own", each(t.m), t.at(t.colSum, 0), t.at(t.times, 0), t.at(t.colOwn, 0), int64(t.m), wy)
}

func (t *nce) layOut() {
	rows, cols := min(t.n, nceStatSide), min(t.m, nceStatSide)
	byRow, byCol := 4*rows*ceilDiv(cols, t.wide()), 0
	t.hit, t.rowTop, t.rowSum = t.take(4*t.n), t.take(4*t.n), t.take(4*t.n)
	t.colTop, t.colSum, t.colTops, t.colSums, t.colOwn, t.times, t.ranks = -1, -1, -1, -1, -1, -1, -1
	if t.WY != 0 {
		byCol = 4 * cols * ceilDiv(rows, t.tile)
		t.colTop, t.colSum, t.colOwn, t.times = t.take(4*t.m), t.take(4*t.m), t.take(4*t.m), t.take(4*t.m)
	}
	t.rowTops, t.rowSums, t.colTops, t.colSums = t.take(byRow), t.take(byRow), t.take(byCol), t.take(byCol)
	if !t.Rank.Absent() {
		t.ranks = t.take(byRow)
	}
	if !t.DX.Absent() {
		rows, cols = min(t.n, nceGradSide), roundUp(min(t.m, nceGradSide), 8)
		size := 4
		if t.half {
			size = 2
		}
		t.rowOwn, t.g, t.slots = t.take(4*t.n), t.take(size*rows*cols), t.take(8*ceilDiv(rows, t.tile)*ceilDiv(cols, t.wide()))
	}
	if t.half {
		t.ld = roundUp(t.d, 16)
		t.x16, t.y16 = t.take(2*t.n*t.ld), t.take(2*t.m*t.ld)
	}
}

func (t *nce) prepare() error {
	if t.WY != 0 {
		if err := launch(t.s, "infonce_times", each(t.m), t.at(t.times, 0), int64(t.n), int64(t.m), !t.Target.Absent()); err != nil {
			return err
		}
		if !t.Target.Absent() {
			if err := launch(t.s, "infonce_times_add", each(t.n), t.Target, t.at(t.times, 0), int64(t.n)); err != nil {
				return err
			}
		}
	}
	if !t.half {
		return launch(t.s, "infonce_hit_f32", each(t.n), t.X, int32(t.X.DType), t.Y, int32(t.Y.DType), t.Scale, t.Target, t.at(t.hit, 0), int64(t.n), int32(t.d))
	}
	if err := launch(t.s, "pad_bf16", each(t.n*t.ld), t.X, int32(t.X.DType), t.at(t.x16, 0), int64(t.n), int32(t.d), int32(t.ld)); err != nil {
		return err
	}
	if err := launch(t.s, "pad_bf16", each(t.m*t.ld), t.Y, int32(t.Y.DType), t.at(t.y16, 0), int64(t.m), int32(t.d), int32(t.ld)); err != nil {
		return err
	}
	return launch(t.s, "infonce_hit_bf16", blocks(ceilDiv(t.n, 64)), t.at(t.x16, 0), t.at(t.y16, 0), int64(t.ld), t.Scale, t.Target, t.at(t.hit, 0), int64(t.n))
}

// operands are the first arguments of a kernel of tiles for a block of pairs.
func (t *nce) operands(row, rows, col, cols int) ([]any, error) {
	if t.hopper {
		x, err := t.rows16(t.x16, row, rows).tensorMap(wgmmaRows)
		if err != nil {
			return nil, err
		}
		y, err := t.rows16(t.y16, col, cols).tensorMap(wgmmaCols)
		return []any{x, y, int32(t.ld)}, err
	}
	if t.half {
		return []any{t.at(t.x16, 0), t.at(t.y16, 0), int64(t.ld)}, nil
	}
	return []any{t.X, int32(t.X.DType), t.Y, int32(t.Y.DType), int32(t.d)}, nil
}

// rows16 are rows of x or y as bfloat16.
func (t *nce) rows16(of part, row, rows int) operand {
	return operand{p: t.at(of, 2*row*t.ld), format: kernels.BF16, inner: t.ld, lines: rows, batch: 1, ld: t.ld}
}

// grid is one block a tile, or a multiprocessor.
func (t *nce) grid(rows, cols int) config {
	tiles := ceilDiv(rows, t.tile) * ceilDiv(cols, t.wide())
	if t.hopper {
		return persistent(t.s, tiles)
	}
	return blocks(tiles)
}

// statistics goes through all pairs once; what tiles found is merged block by block.
func (t *nce) statistics() error {
	for row := 0; row < t.n; row += nceStatSide {
		rows := min(nceStatSide, t.n-row)
		for col := 0; col < t.m; col += nceStatSide {
			cols := min(nceStatSide, t.m-col)
			down, across := ceilDiv(rows, t.tile), ceilDiv(cols, t.wide())
			operands, err := t.operands(row, rows, col, cols)
			if err != nil {
				return err
			}
			if err := launch(t.s, "infonce_stats_"+t.suffix, t.grid(rows, cols), append(operands, t.Scale, t.at(t.hit, 0), t.Target, int64(row), int64(col), int32(rows), int32(cols),
				t.at(t.rowTops, 0), t.at(t.rowSums, 0), t.at(t.ranks, 0), t.at(t.colTops, 0), t.at(t.colSums, 0))...); err != nil {
				return err
			}
			if err := launch(t.s, "infonce_merge", each(rows), t.at(t.rowTops, 0), t.at(t.rowSums, 0), t.at(t.ranks, 0), int32(across), int32(rows), col == 0,
				t.at(t.rowTop, 4*row), t.at(t.rowSum, 4*row), offset(&t.Rank, row)); err != nil {
				return err
			}
			if t.WY == 0 {
				continue
			}
			if err := launch(t.s, "infonce_merge", each(cols), t.at(t.colTops, 0), t.at(t.colSums, 0), unsafe.Pointer(nil), int32(down), int32(cols), row == 0,
				t.at(t.colTop, 4*col), t.at(t.colSum, 4*col), unsafe.Pointer(nil)); err != nil {
				return err
			}
		}
	}
	return nil
}

// gradients goes through all pairs again: a block of scale·∂Loss/∂s, then DX += block·Y and DY += blockᵀ·X, in a fixed order.
func (t *nce) gradients(wx, wy float32) error {
	if err := t.own(wx, wy); err != nil {
		return err
	}
	for row := 0; row < t.n; row += nceGradSide {
		rows := min(nceGradSide, t.n-row)
		for col := 0; col < t.m; col += nceGradSide {
			if err := t.gradient(row, rows, col, min(nceGradSide, t.m-col), wx+wy); err != nil {
				return err
			}
		}
	}
	if t.DScale.Absent() {
		return nil
	}
	slots := ceilDiv(min(t.n, nceGradSide), t.tile) * ceilDiv(min(t.m, nceGradSide), t.wide())
	return launch(t.s, "infonce_dscale", blocks(1), t.at(t.slots, 0), int32(slots), t.DScale)
}

func (t *nce) gradient(row, rows, col, cols int, both float32) error {
	pitch := cols
	if t.half {
		pitch = roundUp(cols, 8)
	}
	g := t.at(t.g, 0)
	operands, err := t.operands(row, rows, col, cols)
	if err != nil {
		return err
	}
	if err := launch(t.s, "infonce_grad_"+t.suffix, t.grid(rows, cols), append(operands, t.Scale, t.Target, int64(row), int64(col), int32(rows), int32(cols),
		t.at(t.rowTop, 0), t.at(t.rowOwn, 0), t.at(t.colTop, 0), t.at(t.colOwn, 0), both, g, int64(pitch), t.at(t.slots, 0), row == 0 && col == 0)...); err != nil {
		return err
	}
	dx, dy := offset(&t.DX, row*t.d), offset(&t.DY, col*t.d)
	if t.hopper {
		block := operand{p: g, format: kernels.BF16, inner: cols, lines: rows, batch: 1, ld: pitch}
		turned, x, y := block, t.rows16(t.x16, row, rows), t.rows16(t.y16, col, cols)
		turned.across, x.across, y.across = true, true, true
		if err := product16(t.s, block, y, dx, rows, t.d, cols, col > 0); err != nil {
			return err
		}
		return product16(t.s, turned, x, dy, cols, t.d, rows, row > 0)
	}
	if t.half {
		if err := launch(t.s, "product_nn_bf16", blocks(ceilDiv(rows, 128)*ceilDiv(t.d, 128)), g, int64(pitch), t.at(t.y16, 2*col*t.ld), int64(t.ld), dx, int64(t.d),
			int32(rows), int32(t.d), int32(cols), col > 0); err != nil {
			return err
		}
		return launch(t.s, "product_tn_bf16", blocks(ceilDiv(cols, 128)*ceilDiv(t.d, 128)), g, int64(pitch), t.at(t.x16, 2*row*t.ld), int64(t.ld), dy, int64(t.d),
			int32(cols), int32(t.d), int32(rows), row > 0)
	}
	if err := product(t.s, g, offset(&t.Y, col*t.d), t.Y.DType, dx, rows, t.d, cols, false, col > 0); err != nil {
		return err
	}
	return product(t.s, g, offset(&t.X, row*t.d), t.X.DType, dy, cols, t.d, rows, true, row > 0)
}

// product is out[m, n] (+)= op(a) · b of dense matrices in float32, b in any format.
func product(s *kernels.Stream, a, b unsafe.Pointer, format kernels.DType, out unsafe.Pointer, m, n, k int, transA, more bool) error {
	none := unsafe.Pointer(nil)
	return launch(s, "gemm_tiled_f32", blocks(ceilDiv(m, 64)*ceilDiv(n, 64)), a, b, out, none, none, int32(m), int32(n), int32(k), int64(0), int64(0), transA, false,
		int32(format), float32(1), more, int32(0))
}
