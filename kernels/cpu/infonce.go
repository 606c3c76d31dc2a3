package cpu

import (
	"sync"
	"unsafe"

	"syntic/kernels"
)

func init() {
	addPanelVariants(kernels.InfoNCE, func(p *panel, a *kernels.InfoNCEArgs) { infoNCE(a, p, p.micro()) })
}

// micro is the micro-kernel of the same instruction set.
func (p *panel) micro() *micro {
	for _, m := range micros {
		if m.name == p.name {
			return m
		}
	}
	return microGo
}

// The loss takes four products of N·M·D, or three where the similarities are few: the similarities for the statistics of rows and columns, once more for their gradient G, of which a
// band of nceBand rows is kept for Gᵀ·X and G·Y. Bands follow each other, the columns of a band are dealt out: a sum of DY goes through the bands
// in order, one of DX through the columns. In scratch similarities lie with the rows of Y one below the other and those of X side by side: rows of Y
// are then read where they lie, and no more of X than a piece or a band is copied to panels.
const (
	nceBand = 512
	nceCols = 256  // rows of Y of a tile, at most
	nceRows = 128  // rows of X of a piece of work, at most: each reads all of Y
	nceDeep = 2    // tiles that rows of DX are summed over at a time
	nceMany = 2048 // rows, or columns, from which on pieces are that large; a quarter below, for the sake of other processors
)

// nceKept is how many similarities, 20 MiB of them, are kept from the statistics for the gradient instead of being computed again; a test changes it.
var nceKept = 5 << 20

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
	kernel  *micro
	loops   *vector
	n, m, d int
	units   int // of a row in products: numbers, or pairs
	rows    int // of X of a piece of work
	cols    int // of Y of a tile
	scale   float32

	target, own      []int32   // the row of Y that belongs to each of X; 0, 1, 2, …
	hit              []float32 // similarity of the positive
	xTop, xSum, xOwn []float32 // of rows of X: the largest similarity, Σ exp(similarity − largest), and what a probability counts in the gradient
	yTop, ySum, yOwn []float32 // of rows of Y
	parts            []float32 // of rows of Y, for every piece of X: largest and Σ
	times            []float64 // what a row of Y counts as a target
	dScale           []float64 // by pieces of X
	kept             []float32 // similarities of the first `held` rows of X with those of Y, keptLD apart; they become the band's gradient
	held, keptLD     int

	yRows               []float32 // rows of Y, units apart
	yDown               []float32 // what DX is made of: rows of Y, yLD apart, or pairs of neighbouring rows as panels of tiles
	yLD                 int
	padded              *scratch  // of float32, where rows are no whole panels: what yDown lies in
	pairRows, pairDowns []float32 // of pairs: yRows and yDown; not of the common scratch, where smaller work would keep their memory
	xCols, xDown        []float32 // the band's rows of X as columns of panels, and as rows of panels, or pairs of them: what DY is made of
	band                []float32 // of pairs: its gradient, pairs of rows of Y, bandLD apart
	bandLD              int
	r0, nr              int // the band

	statisticsFn, mergeFn, packFn, downFn, yAlongFn, yDownFn, tileFn, rowsFn, finishFn func(lo, hi int)
}

var nces = sync.Pool{New: func() any {
	t := new(nce)
	t.statisticsFn, t.mergeFn, t.packFn, t.downFn, t.yAlongFn, t.yDownFn, t.tileFn, t.rowsFn, t.finishFn = t.statistics, t.merge, t.pack, t.down, t.pairAlong, t.pairDown, t.bandTile, t.bandRows, t.finish
	return t
}}

// infoNCE computes the loss with the routines of p and, for products, a micro-kernel, of float32 or of pairs.
func infoNCE(a *kernels.InfoNCEArgs, p *panel, m *micro) {
	t := nces.Get().(*nce)
	t.InfoNCEArgs, t.p, t.kernel, t.loops = a, p, m, p.loops()
	t.n, t.m, t.d, t.scale = a.X.Dim(0), a.Y.Dim(0), a.X.Dim(1), a.Scale.F32()[0]
	t.rows, t.cols = ncePiece(t.n, nceRows), ncePiece(t.m, nceCols)
	t.keep()
	t.operands()
	t.prepare()
	t.parts = grown(t.parts, 2*ceilDiv(t.n, t.rows)*round16(t.m))
	Ranges(t.n, t.rows, t.statisticsFn)
	if t.WY == 0 {
		fill(t.yTop, posInf) // exp(similarity − top) is 0
	} else {
		Ranges(t.m, 512, t.mergeFn)
	}
	t.loss()
	if !a.DX.Absent() {
		t.gradients()
	}
	t.padded.put()
	t.padded = nil
	t.InfoNCEArgs, t.target, t.yRows, t.yDown = nil, nil, nil, nil // keeps no operand alive
	nces.Put(t)
}

// keep tells which similarities stay from the statistics: all if they are few, else, in float32, those of the first band, in its place.
func (t *nce) keep() {
	t.held, t.bandLD = 0, round16(min(nceBand, t.n))+16
	if t.DX.Absent() {
		return
	}
	switch ld := round16(t.n) + 16; {
	case t.m*ld <= nceKept:
		t.held, t.keptLD = t.n, ld
	case t.kernel.pairs == nil:
		t.held, t.keptLD = min(nceBand, t.n), t.bandLD
	default:
		return
	}
	t.kept = grown(t.kept, t.m*t.keptLD)
}

// operands finds, or makes, what products read.
func (t *nce) operands() {
	if t.kernel.pairs != nil {
		t.pairOperands()
		return
	}
	t.units, t.yRows = t.d, t.Y.F32()
	if t.DX.Absent() {
		return
	}
	t.yLD = ceilDiv(t.d, t.kernel.nr) * t.kernel.nr
	t.yDown, t.padded = widenedRows(t.Y.F32(), t.m, t.d, t.yLD)
}

// widenedRows are rows of whole panels, ld apart: src itself, or a copy in scratch.
func widenedRows(src []float32, n, d, ld int) ([]float32, *scratch) {
	if d == ld {
		return src, nil
	}
	s := getScratch(n * ld)
	clear(s.f)
	for i := range n {
		copy(s.f[i*ld:], src[i*d:(i+1)*d])
	}
	return s.f, s
}

func (t *nce) prepare() {
	np := round16(t.n)
	t.hit, t.xTop, t.xSum, t.xOwn = grown(t.hit, t.n), grown(t.xTop, np), grown(t.xSum, np), grown(t.xOwn, np)
	t.yTop, t.ySum, t.yOwn = grown(t.yTop, round16(t.m)), grown(t.ySum, round16(t.m)), grown(t.yOwn, t.m)
	clear(t.xOwn)
	clear(t.yOwn)
	if t.target = t.Target.I32(); t.target == nil {
		for i := len(t.own); i < t.n; i++ {
			t.own = append(t.own, int32(i))
		}
		t.target = t.own[:t.n]
	}
}

// panelled is how many columns the panels of n rows have: up to a multiple of 16, and whole panels.
func (t *nce) panelled(n int) int { return ceilDiv(round16(n), t.kernel.nr) * t.kernel.nr }

// columns copies n rows of X from i0 on to panels.
func (t *nce) columns(dst []float32, i0, n int) {
	nr, x := t.kernel.nr, operand{data: t.X.F32(), ld: t.d, deep: true}
	if f := t.kernel.pairs; f != nil {
		sc := getScratch(n * t.units)
		defer sc.put()
		f.rows(unsafe.Pointer(&sc.f[0]), uintptr(4*t.units), unsafe.Pointer(&x.data[i0*t.d]), uintptr(4*t.d), uintptr(t.d), uintptr(n))
		x, i0 = operand{data: sc.f, ld: t.units, deep: true}, 0
	}
	clear(dst[n/nr*nr*t.units : t.panelled(n)*t.units])
	for j := 0; j < n; j += nr {
		x.pack(t.kernel, dst[j*t.units:], nr, i0+j, i0+min(n, j+nr), 0, t.units)
	}
}

// tile is s[j·ld + i] = Scale·⟨Y[c0+j], X[i]⟩ for nc rows of Y and the rows of X that lie in panels, w of them, a multiple of 16.
func (t *nce) tile(w *worker, s []float32, ld, c0, nc int, panels []float32, cols int, far bool) {
	x := tilesArgs{c: s, ldc: ld, a: t.yRows[c0*t.units:], ars: t.units, aks: 1, b: panels, ldb: t.kernel.nr, panel: t.kernel.nr * t.units, rows: nc, cols: cols, k: t.units, alpha: t.scale, far: far}
	if next := c0 + nc; next < t.m {
		x.next, x.bytes = uintptr(unsafe.Pointer(&t.yRows[next*t.units])), 4*t.units*min(t.cols, t.m-next)
	}
	t.kernel.tiles(w, x)
}
