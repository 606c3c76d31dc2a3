package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// Projection on a bank that is stored in bfloat16, which is read where it lies: queries and exp(scores − top) are rounded to pairs (bf16.go), scores,
// their largest and all sums stay float32. It is taken by name. On a bank of another format, and for the nearest rows, these variants are those of float32:
// a rounded bank would change scores by up to 2⁻⁸ of their size, and weights by exp of 1/Tau times that.
func init() {
	for i, m := range bf16Micros {
		kernels.ProjectTopK.Add(kernels.Variant[kernels.ProjectTopKArgs]{Name: m.name, Device: kernels.CPU, Rank: i, Operands: kernels.BF16, Within: true, Note: m.note, Available: m.available,
			Run: func(_ *kernels.Stream, a *kernels.ProjectTopKArgs) error { m.project(a); return nil }})
	}
}

func (m *micro) project(a *kernels.ProjectTopKArgs) {
	p := m.panel()
	if a.Mem.DType != kernels.BF16 || a.K > 0 {
		p.projectTopK(a)
		return
	}
	b := newBank(p, &a.Query, &a.Mem, &a.Exclude)
	t := &b.blends
	b.half, t.tau, t.to, t.scale = m, a.Tau, a.Out.F32(), 1
	t.run()
	b.put()
}

// bankScanner is the scanner that goes with a micro-kernel of pairs.
func (m *micro) bankScanner() *scanner {
	if f := m.panel().scan; f != nil {
		return f
	}
	return goScan
}

// halves is the work space of a piece.
type halves struct {
	*blends
	f                       *scanner
	w                       *worker
	units                   int
	query, cols             []float32 // pairs of queries, and the same as panels
	rounded, down           []float32 // pairs of a tile, and those of its neighbouring rows as panels
	scores, weights         []float32
	old, sub, few, fewPairs []float32
}

// pieceHalf is piece.
func (t *blends) pieceHalf(s []blend, q0, from, to int) {
	m, units, d := t.half, ceilDiv(t.d, 2), t.d
	nq := min(len(s)*memQueries, t.n-q0)
	panels := ceilDiv(nq, m.nr) * m.nr
	h := halves{blends: t, f: m.bankScanner(), units: units}
	sc := getScratch(nq*units + panels*units + memRows*(units+memQueries+memQueries/2) + memRows/2*(d+m.nr) + 2*memQueries + memFew*memRows*3/2)
	defer sc.put()
	buf := sc.f
	h.query, h.cols, h.rounded = take(&buf, nq*units), take(&buf, panels*units), take(&buf, memRows*units)
	h.scores, h.weights, h.down = take(&buf, memRows*memQueries), take(&buf, memRows/2*memQueries), take(&buf, memRows/2*(d+m.nr))
	h.old, h.sub, h.few, h.fewPairs = take(&buf, memQueries), take(&buf, memQueries), take(&buf, memFew*memRows), take(&buf, memFew*memRows/2)
	m.pairs.rows(unsafe.Pointer(&h.query[0]), uintptr(4*units), unsafe.Pointer(&t.query[q0*d]), uintptr(4*d), uintptr(d), uintptr(nq))
	clear(h.cols[nq/m.nr*m.nr*units:])
	packed := operand{data: h.query, ld: units, deep: true}
	for j := 0; j < nq; j += m.nr {
		packed.pack(m, h.cols[j*units:], m.nr, j, min(nq, j+m.nr), 0, units)
	}
	h.w = workers.Get().(*worker)
	for j := from; j < to; j += memRows {
		rows := min(memRows, to-j)
		mem := t.pairsAt(h.rounded, j, rows)
		if t.n <= memAlone && rows%32 == 0 && units%16 == 0 {
			h.alone(&s[0], mem, q0, nq, j, rows)
			continue
		}
		panel := h.f.down(m, h.down, mem, rows, d)
		next, bytes := uintptr(unsafe.Pointer(&mem[0]))+uintptr(4*rows*units), 4*rows*units/len(s)
		for k := range s {
			at := k * memQueries
			n := min(memQueries, nq-at)
			blk := block{bank: t.bank, q0: q0 + at, nq: n, w: round16(n)}
			m.tiles(h.w, tilesArgs{c: h.scores, ldc: memQueries, a: mem, ars: units, aks: 1, b: h.cols[at*units:], ldb: m.nr, panel: m.nr * units, rows: rows, cols: min(blk.w, panels-at), k: units, alpha: 1 / t.tau,
				next: next + uintptr(k*bytes), bytes: bytes})
			blk.hide(h.scores, 1, memQueries, j, rows)
			blk.exponentials(h.scores, h.old, h.sub, rows, &s[k])
			m.pairs.pairsOf(h.weights, memQueries, h.scores, memQueries, rows, blk.w)
			m.tiles(h.w, tilesArgs{c: s[k].acc, ldc: t.ld, a: h.weights, ars: 1, aks: memQueries, b: h.down, ldb: m.nr, panel: panel, rows: n, cols: d, k: ceilDiv(rows, 2), alpha: 1, add: true})
		}
	}
	h.w.tile = tile{}
	workers.Put(h.w)
}

// alone gathers a tile for very few queries.
func (h *halves) alone(s *blend, mem []float32, q0, nq, j, rows int) {
	m, f, d, units, pairs := h.half, h.f, h.d, h.units, ceilDiv(rows, 2)
	blk := block{bank: h.bank, q0: q0, nq: nq, w: round16(nq), few: h.few}
	for i := range nq {
		f.pairs(unsafe.Pointer(&h.few[i*memRows]), unsafe.Pointer(&mem[0]), uintptr(4*units), unsafe.Pointer(&h.query[i*units]), 0, nil, uintptr(units/16), uintptr(rows/32), uintptr(32*4*units))
	}
	blk.hide(h.few, memRows, 1, j, rows)
	blk.aloneExponentials(1/h.tau, rows, s)
	m.pairs.rows(unsafe.Pointer(&h.fewPairs[0]), uintptr(2*memRows), unsafe.Pointer(&h.few[0]), uintptr(4*memRows), uintptr(rows), uintptr(nq))
	if f.blend != nil && d%256 == 0 {
		for i := range nq {
			f.blend(unsafe.Pointer(&s.acc[i*h.ld]), unsafe.Pointer(&mem[0]), uintptr(4*units), unsafe.Pointer(&h.fewPairs[i*memRows/2]), uintptr(pairs), uintptr(d/256), uintptr(4*units*(rows+32)))
		}
		return
	}
	panel := f.down(m, h.down, mem, rows, d)
	m.tiles(h.w, tilesArgs{c: s.acc, ldc: h.ld, a: h.fewPairs, ars: memRows / 2, aks: 1, b: h.down, ldb: m.nr, panel: panel, rows: nq, cols: d, k: pairs, alpha: 1, add: true})
}

// pairsAt is rows from j of the bank as pairs: where they lie, or rounded to own.
func (b *bank) pairsAt(own []float32, j, rows int) []float32 {
	units := ceilDiv(b.d, 2)
	if b.d%2 == 0 && uintptr(b.near)%4 == 0 {
		return unsafe.Slice((*float32)(unsafe.Add(b.near, 2*j*b.d)), rows*units)
	}
	from, to := unsafe.Slice((*uint16)(unsafe.Add(b.near, 2*j*b.d)), rows*b.d), unsafe.Slice((*uint16)(unsafe.Pointer(&own[0])), 2*rows*units)
	for r := range rows {
		to[2*(r+1)*units-1] = 0
		copy(to[2*r*units:], from[r*b.d:(r+1)*b.d])
	}
	return own
}

// down makes pairs of neighbouring rows, d wide, of rows of pairs, as panels of m.nr columns, `panel` pairs each; an odd number of rows is filled up with zeros.
func (f *scanner) down(m *micro, dst, mem []float32, rows, d int) (panel int) {
	units, pairs := ceilDiv(d, 2), ceilDiv(rows, 2)
	panel, whole := pairs*m.nr, 0
	if f.weave != nil && d%32 == 0 && m.nr == 32 {
		if whole = rows &^ 1; whole > 0 {
			f.weave(unsafe.Pointer(&dst[0]), unsafe.Pointer(&mem[0]), uintptr(d), uintptr(rows/2), uintptr(4*panel))
		}
	}
	from, to := unsafe.Slice((*uint16)(unsafe.Pointer(&mem[0])), 2*rows*units), unsafe.Slice((*uint32)(unsafe.Pointer(&dst[0])), ceilDiv(d, m.nr)*panel)
	for r := whole; r < rows; r += 2 {
		x, y := from[2*r*units:][:d], []uint16(nil)
		if r+1 < rows {
			y = from[2*(r+1)*units:][:d]
		}
		for i, v := range x {
			at := i/m.nr*panel + r/2*m.nr + i%m.nr
			to[at] = uint32(v)
			if y != nil {
				to[at] |= uint32(y[i]) << 16
			}
		}
	}
	return panel
}
