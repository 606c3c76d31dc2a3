package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// InfoNCE with bfloat16 operands, only by name: X, Y and the gradient of the similarities are rounded to pairs (bf16.go); similarities, their
// statistics and all sums stay float32.
func init() {
	for i, m := range bf16Micros {
		kernels.InfoNCE.Add(kernels.Variant[kernels.InfoNCEArgs]{Name: m.name, Device: kernels.CPU, Rank: i, Operands: kernels.BF16, Within: true, Note: m.note, Available: m.available,
			Usable: func(a *kernels.InfoNCEArgs) bool { return a.Rank.Absent() }, // ranks of rounded similarities are others
			Run:    func(_ *kernels.Stream, a *kernels.InfoNCEArgs) error { infoNCE(a, m.panel(), m); return nil }})
	}
}

// panel is the set of panel routines that goes with a micro-kernel of pairs.
func (m *micro) panel() *panel {
	if m.level >= isaAVX512 {
		return panels[0]
	}
	return panels[len(panels)-1]
}

// nceHalf is the operands of the products as pairs.
type nceHalf struct {
	m            *micro
	half         int      // pairs of a row: (D+1)/2
	x, y         *scratch // pairs within a row: rows of X, and those of Y as columns of panels
	xDown, yDown *scratch // pairs of neighbouring rows, [rows/2, D]
	band         *scratch // pairs within a row of the gradient, rows bandLD apart
	bandLD       int
}

func newNCEHalf(t *nce, m *micro) *nceHalf {
	h := &nceHalf{m: m, half: ceilDiv(t.d, 2)}
	x, y, f := t.X.F32(), t.Y.F32(), m.pairs
	h.x = f.along(x, t.n, t.d)
	rows := f.along(y, t.m, t.d)
	h.y = getScratch(ceilDiv(round16(t.m), m.nr) * m.nr * h.half)
	packed := operand{data: rows.f, ld: h.half, deep: true}
	Ranges(t.m, m.nr, func(lo, hi int) { packed.pack(m, h.y.f[lo*h.half:], m.nr, lo, hi, 0, h.half) })
	rows.put()
	if !t.DX.Absent() {
		h.xDown, h.yDown = f.acrossPadded(x, t.n, t.d, m.nr), f.acrossPadded(y, t.m, t.d, m.nr)
		h.bandLD = ceilDiv(round16(t.m), 2) + 16
		h.band = getScratch(min(nceBand, t.n) * h.bandLD)
	}
	return h
}

// acrossPadded is across for one matrix, with nr more numbers: kernels read whole panels.
func (f *rounding) acrossPadded(src []float32, k, width, nr int) *scratch {
	half := ceilDiv(k, 2)
	dst := getScratch(half*width + nr)
	Ranges(half, max(1, roundGrain/width), func(lo, hi int) {
		f.rowPairs(dst.f[lo*width:hi*width], src[2*lo*width:], width, min(k, 2*hi)-2*lo, width)
	})
	return dst
}

func (h *nceHalf) put() {
	for _, s := range []*scratch{h.x, h.y, h.xDown, h.yDown, h.band} {
		s.put()
	}
}

func (h *nceHalf) scores(s []float32, ld, r0, nr, c0, w int, scale float32) {
	at := c0 / h.m.nr * h.m.nr
	if at != c0 { // half a panel
		h.m.products(tilesArgs{c: s, ldc: ld, a: h.x.f[r0*h.half:], ars: h.half, aks: 1, b: h.y.f[at*h.half+c0-at:], ldb: h.m.nr, rows: nr, cols: w, k: h.half, alpha: scale})
		return
	}
	h.m.products(tilesArgs{c: s, ldc: ld, a: h.x.f[r0*h.half:], ars: h.half, aks: 1, b: h.y.f[c0*h.half:], ldb: h.m.nr, panel: h.m.nr * h.half, rows: nr, cols: w, k: h.half, alpha: scale})
}

// columns adds to DY the part of a tile g of the gradient, t.cols wide, and keeps it for rows.
func (h *nceHalf) columns(t *nce, g []float32, r0, nr, c0, nc int) {
	f := h.m.pairs
	f.rows(unsafe.Pointer(&h.band.f[c0/2]), uintptr(4*h.bandLD), unsafe.Pointer(&g[0]), uintptr(4*t.cols), uintptr(nc), uintptr(nr))
	sc := getScratch(nceBand / 2 * t.cols)
	defer sc.put()
	f.pairsOf(sc.f, t.cols, g, t.cols, nr, nc)
	h.m.products(tilesArgs{c: t.dy[c0*t.ld:], ldc: t.ld, a: sc.f, ars: 1, aks: t.cols, b: h.xDown.f[r0/2*t.d:], ldb: t.d, panel: h.m.nr, rows: nc, cols: t.d, k: ceilDiv(nr, 2), alpha: 1, add: r0 > 0})
}

func (h *nceHalf) rows(t *nce, b0, r0, nr, c0, nc int) {
	h.m.products(tilesArgs{c: t.dx[r0*t.ld:], ldc: t.ld, a: h.band.f[(r0-b0)*h.bandLD+c0/2:], ars: h.bandLD, aks: 1, b: h.yDown.f[c0/2*t.d:], ldb: t.d, panel: h.m.nr, rows: nr, cols: t.d, k: ceilDiv(nc, 2), alpha: 1, add: c0 > 0})
}
