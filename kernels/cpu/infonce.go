package cpu

import (
	"sync"

	"syntic/kernels"
)

func init() {
	addPanelVariants(kernels.InfoNCE, func(p *panel, a *kernels.InfoNCEArgs) { infoNCE(a, p, nil) })
}

// The loss takes four products of N·M·D, or three where the similarities are few: the similarities for the statistics of rows and columns, once more for their gradient G, of which a
// band of nceBand rows is kept for G·Y and Gᵀ·X. Bands follow each other, the columns of a band are dealt out: a sum of DY goes through the bands
// in order, one of DX through the columns.
const (
	nceBand = 512
	nceCols = 256     // columns of a tile, at most
	nceRows = 128     // rows of a piece of work, at most: each reads all columns
	nceMany = 2048    // rows, or columns, from which on pieces are that large; a quarter below, for the sake of other processors
	nceKept = 5 << 20 // similarities, 20 MiB of them, that are kept from the statistics for the gradient instead of being computed again
)

func ncePiece(n, most int) int {
	if n < nceMany {
		return most / 4
	}
	return most
}

// nce is the work space of one call.
type nce struct {
	*kernels.InfoNCEArgs
	p       *panel
	pairs   *nceHalf // products with bfloat16 operands; nil: float32
	n, m, d int
	rows    int // of X, and columns, of a piece of work
	cols    int
	ld      int // of rows that are whole panels
	scale   float32

	target, own      []int32   // the row of Y that belongs to each of X; 0, 1, 2, …
	hit              []float32 // similarity of the positive
	xTop, xSum, xOwn []float32 // of rows: the largest similarity, Σ exp(similarity − largest), and what a probability counts in the gradient
	yTop, ySum, yOwn []float32 // of columns
	parts            []float32 // of columns, for every block of rows: largest and Σ
	times            []float64 // what a column counts as a target
	dScale           []float64 // by blocks of rows
	xRows, yRows     []float32 // X and Y with rows ld apart: themselves if that is D
	yCols            []float32 // rows of Y as columns of panels
	dx, dy           []float32 // ld apart
	band             []float32 // rows bandLD apart
	all              []float32 // every similarity, rows bandLD apart, if they are few enough; nil: none is kept
	kept             []float32 // its memory
	bandLD           int
}

var nces = sync.Pool{New: func() any { return new(nce) }}

// infoNCE computes the loss with the routines of p, or, for the products, with those of a micro-kernel of pairs.
func infoNCE(a *kernels.InfoNCEArgs, p *panel, m *micro) {
	t := nces.Get().(*nce)
	defer func() {
		t.InfoNCEArgs, t.xRows, t.yRows, t.dx, t.dy = nil, nil, nil, nil, nil
		nces.Put(t)
	}()
	t.InfoNCEArgs, t.p, t.pairs = a, p, nil
	t.n, t.m, t.d, t.scale = a.X.Dim(0), a.Y.Dim(0), a.X.Dim(1), a.Scale.F32()[0]
	t.rows, t.cols = ncePiece(t.n, nceRows), ncePiece(t.m, nceCols)
	t.ld, t.bandLD = round16(t.d), round16(t.m)+16
	if t.all = nil; !a.DX.Absent() && t.n*t.bandLD <= nceKept {
		t.all = grown(t.kept, t.n*t.bandLD)
		t.kept = t.all
	}
	if m != nil {
		t.pairs = newNCEHalf(t, m)
		defer t.pairs.put()
	}
	if t.pairs == nil {
		x, ownX := padded(a.X.F32(), t.n, t.d)
		defer ownX.put()
		y, ownY := padded(a.Y.F32(), t.m, t.d)
		defer ownY.put()
		t.xRows, t.yRows = x, y
		t.yCols = grown(t.yCols, round16(t.m)*t.d)
		Ranges(t.m, t.rows, func(lo, hi int) { p.packCols(t.yCols[lo*t.d:], t.yRows[lo*t.ld:], t.ld, hi-lo, t.d) })
	}
	t.prepare()
	t.statistics()
	t.loss()
	if !a.DX.Absent() {
		t.gradients()
	}
}

// padded are rows of whole panels: src itself, or a copy in scratch.
func padded(src []float32, n, d int) ([]float32, *scratch) {
	if d%16 == 0 {
		return src, nil
	}
	s := getScratch(n * round16(d))
	packRows(s.f, src, d, n, d, 1)
	return s.f, s
}

func (t *nce) prepare() {
	mp := round16(t.m)
	t.hit, t.xTop, t.xSum, t.xOwn = grown(t.hit, t.n), grown(t.xTop, t.n), grown(t.xSum, t.n), grown(t.xOwn, t.n)
	t.yTop, t.ySum, t.yOwn = grown(t.yTop, mp), grown(t.ySum, mp), grown(t.yOwn, mp)
	clear(t.yOwn)
	if t.target = t.Target.I32(); t.target == nil {
		for i := len(t.own); i < t.n; i++ {
			t.own = append(t.own, int32(i))
		}
		t.target = t.own[:t.n]
	}
}

// tile is s[i·ld + j] = Scale·⟨X[r0+i], Y[c0+j]⟩ for nr rows and nc columns up to a multiple of 16.
func (t *nce) tile(s []float32, ld, r0, nr, c0, nc int) {
	w := round16(nc)
	if t.pairs != nil {
		t.pairs.scores(s, ld, r0, nr, c0, w, t.scale)
		return
	}
	t.p.product(s, ld, t.xRows[r0*t.ld:], t.ld, 1, t.yCols[c0*t.d:], 16, t.d*16, nr, w, t.d, false)
	for i := range nr {
		t.p.scale(s[i*ld:i*ld+w], t.scale, 0)
	}
}
