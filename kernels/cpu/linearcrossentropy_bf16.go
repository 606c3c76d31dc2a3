package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// The vocabulary head with bfloat16 operands, only by name: X, W and the exponentials are rounded to pairs (bf16.go); logits, their sums, the words at targets
// and all sums stay float32.
func init() {
	for i, m := range bf16Micros {
		kernels.LinearCrossEntropy.Add(kernels.Variant[kernels.LinearCrossEntropyArgs]{Name: m.name, Device: kernels.CPU, Rank: i, Operands: kernels.BF16, Within: true, Note: m.note, Available: m.available,
			Run: func(_ *kernels.Stream, a *kernels.LinearCrossEntropyArgs) error {
				linearCrossEntropy(a, m.panel(), m)
				return nil
			}})
	}
}

// lceHalf is the operands of the products as pairs.
type lceHalf struct {
	m        *micro
	half     int       // pairs of a row: (C+1)/2
	w, wDown []float32 // pairs within a row of W, and pairs of neighbouring rows, [rows/2, C]
	x        []float32 // rows of the band as columns of panels
	from     operand   // the band's rows of X, rounded
	band     []float32 // exponentials: pairs of rows of X, words bandLD/2 apart

	openFn, packFn func(lo, hi int) // its own methods, so that a call allocates none
}

// open rounds W.
func (h *lceHalf) open(t *lce, m *micro) {
	h.m, h.half = m, ceilDiv(t.c, 2)
	h.w, h.x = grown(h.w, t.v*h.half), grown(h.x, (min(t.n, lceBand)+m.nr)*h.half)
	if t.keep {
		h.band = grown(h.band, (t.v+1)*t.bandLD/2)
		clear(h.band[t.v*t.bandLD/2:]) // what an odd last word is paired with
	}
	if !t.DX.Absent() {
		h.wDown = grown(h.wDown, ceilDiv(t.v, 2)*t.c+m.nr) // whole panels are read
	}
	Ranges(t.v, lceChunk, h.openFn)
}

// words rounds words of W.
func (h *lceHalf) words(t *lce, lo, hi int) {
	f := h.m.pairs
	f.rows(unsafe.Pointer(&h.w[lo*h.half]), uintptr(4*h.half), unsafe.Pointer(&t.w[lo*t.c]), uintptr(4*t.c), uintptr(t.c), uintptr(hi-lo))
	if !t.DX.Absent() {
		f.pairsOf(h.wDown[lo/2*t.c:], t.c, t.w[lo*t.c:], t.c, hi-lo, t.c)
	}
}

// columns makes the columns of a band.
func (h *lceHalf) columns(t *lce) {
	rows := h.m.pairs.along(t.x[t.r0*t.c:], t.nr, t.c)
	h.from = operand{data: rows.f, ld: h.half, deep: true}
	Ranges(t.nr, h.m.nr, h.packFn)
	h.from = operand{}
	rows.put()
}

// pack makes columns of rows of the band.
func (h *lceHalf) pack(lo, hi int) {
	h.from.pack(h.m, h.x[lo*h.half:], h.m.nr, lo, hi, 0, h.half)
}

func (h *lceHalf) logits(t *lce, s []float32, c0, nv int) {
	h.m.products(tilesArgs{c: s, ldc: t.bandLD, a: h.w[c0*h.half:], ars: h.half, aks: 1, b: h.x, ldb: h.m.nr, panel: h.m.nr * h.half, rows: nv, cols: t.nr, k: h.half, alpha: 1})
}

// round keeps the exponentials s of nv words from c0 on, which is even.
func (h *lceHalf) round(t *lce, s []float32, c0, nv int) {
	h.m.pairs.rows(unsafe.Pointer(&h.band[c0*t.bandLD/2]), uintptr(2*t.bandLD), unsafe.Pointer(&s[0]), uintptr(4*t.bandLD), uintptr(t.cols), uintptr(nv))
}

// across is pairs of neighbouring rows of x, ldx apart, as panels.
func (h *lceHalf) across(t *lce, x []float32, ldx int) *scratch {
	pairs, nr := ceilDiv(t.nr, 2), h.m.nr
	dst := getScratch(pairs * ceilDiv(t.c, nr) * nr)
	for j := 0; j < t.c; j += nr {
		h.m.pairs.pairsOf(dst.f[j*pairs:], nr, x[j:], ldx, t.nr, min(nr, t.c-j))
	}
	return dst
}

func (h *lceHalf) dw(t *lce, x *scratch, c0, nv int) {
	pairs := ceilDiv(t.nr, 2)
	h.m.products(tilesArgs{c: t.dw[c0*t.c:], ldc: t.c, a: h.band[c0*t.bandLD/2:], ars: t.bandLD / 2, aks: 1, b: x.f, ldb: h.m.nr, panel: h.m.nr * pairs, rows: nv, cols: t.c, k: pairs, alpha: 1, add: t.r0 > 0})
}

func (h *lceHalf) dx(t *lce, part []float32, c0, nv int, add bool) {
	down := getScratch(ceilDiv(nv, 2) * t.bandLD)
	defer down.put()
	h.m.pairs.zip(unsafe.Pointer(&down.f[0]), uintptr(4*t.bandLD), unsafe.Pointer(&h.band[c0*t.bandLD/2]), uintptr(2*t.bandLD), uintptr(t.cols), uintptr(ceilDiv(nv, 2)))
	for i := 0; i < t.nr; i += lceRows {
		h.m.products(tilesArgs{c: part[i*t.c:], ldc: t.c, a: down.f[i:], ars: 1, aks: t.bandLD, b: h.wDown[c0/2*t.c:], ldb: t.c, panel: h.m.nr, rows: min(lceRows, t.nr-i), cols: t.c, k: ceilDiv(nv, 2), alpha: 1, add: add})
	}
}

// row is the exponentials of a word as they were rounded.
func (h *lceHalf) row(t *lce, dst []float32, v int) {
	pairs := h.band[v*t.bandLD/2:][:t.cols/2]
	kernels.Widen(dst, unsafe.Slice((*uint16)(unsafe.Pointer(&pairs[0])), t.cols), kernels.BF16)
}
