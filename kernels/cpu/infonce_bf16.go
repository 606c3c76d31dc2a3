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

// pairOperands rounds rows of Y to pairs within a row, and to pairs of neighbouring rows for DX; those of X are rounded piece by piece and band by band.
func (t *nce) pairOperands() {
	t.units = ceilDiv(t.d, 2)
	t.pairRows = grown(t.pairRows, t.m*t.units)
	t.yRows = t.pairRows
	Ranges(t.m, t.cols, t.yAlongFn)
	if t.DX.Absent() {
		return
	}
	t.yLD = ceilDiv(t.d, t.kernel.nr) * t.kernel.nr
	t.pairDowns = grown(t.pairDowns, ceilDiv(t.m, 2)*t.yLD)
	t.yDown = t.pairDowns
	Ranges(t.m, nceDeep*t.cols, t.yDownFn)
}

// pairAlong rounds rows lo..hi-1 of Y.
func (t *nce) pairAlong(lo, hi int) {
	t.kernel.pairs.rows(unsafe.Pointer(&t.yRows[lo*t.units]), uintptr(4*t.units), unsafe.Pointer(&t.Y.F32()[lo*t.d]), uintptr(4*t.d), uintptr(t.d), uintptr(hi-lo))
}

// pairDown makes panels of pairs of rows lo..hi-1 of Y, which are those of a tile of DX.
func (t *nce) pairDown(lo, hi int) {
	nr, k := t.kernel.nr, ceilDiv(hi-lo, 2)
	for j := 0; j < t.d; j += nr {
		t.kernel.pairs.pairsOf(t.yDown[lo/2*t.yLD+j*k:], nr, t.Y.F32()[lo*t.d+j:], t.d, hi-lo, min(nr, t.d-j))
	}
}

// pairTile adds to DY the part x of a tile s of the gradient, and keeps the tile for DX.
func (t *nce) pairTile(w *worker, x *tilesArgs, s []float32, c0, nc int) {
	f, ld := t.kernel.pairs, t.bandLD/2
	f.pairsOf(t.band[c0/2*t.bandLD:], t.bandLD, s, t.bandLD, nc, round16(t.nr))
	sc := getScratch(nc * ld)
	defer sc.put()
	f.rows(unsafe.Pointer(&sc.f[0]), uintptr(4*ld), unsafe.Pointer(&s[0]), uintptr(4*t.bandLD), uintptr(t.nr), uintptr(nc))
	x.a, x.ars = sc.f, ld
	t.kernel.tiles(w, *x)
}
