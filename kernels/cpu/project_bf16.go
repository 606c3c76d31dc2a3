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
	b, out := newBank(p, &a.Query, &a.Mem, &a.Exclude), a.Out.F32()
	b.half = m
	b.blendAll(a.Tau, nil, nil, func(q0, nq int, s *blend) { s.unpack(out[q0*b.d:], nq, b, 1) })
}

// bankScanner is the scanner that goes with a micro-kernel of pairs.
func (m *micro) bankScanner() *scanner {
	if f := m.panel().scan; f != nil {
		return f
	}
	return goScan
}

// blendHalf is blendPiece.
func (b *bank) blendHalf(s *blend, q0, nq, from, to int, tau float32) {
	m, f, units, d := b.half, b.half.bankScanner(), ceilDiv(b.d, 2), b.d
	panels := ceilDiv(nq, m.nr) * m.nr
	sc := getScratch(nq*units + panels*units + memRows*(units+memQueries+memQueries/2) + memRows/2*d + m.nr + 2*memQueries + memFew*memRows*3/2)
	defer sc.put()
	buf := sc.f
	query, cols, rounded := take(&buf, nq*units), take(&buf, panels*units), take(&buf, memRows*units)
	scores, weights, down := take(&buf, memRows*memQueries), take(&buf, memRows/2*memQueries), take(&buf, memRows/2*d+m.nr)
	old, sub, few, fewHalf := take(&buf, memQueries), take(&buf, memQueries), take(&buf, memFew*memRows), take(&buf, memFew*memRows/2)
	m.pairs.rows(unsafe.Pointer(&query[0]), uintptr(4*units), unsafe.Pointer(&b.query[q0*d]), uintptr(4*d), uintptr(d), uintptr(nq))
	clear(cols)
	packed := operand{data: query, ld: units, deep: true}
	for j := 0; j < nq; j += m.nr {
		packed.pack(m, cols[j*units:], m.nr, j, min(nq, j+m.nr), 0, units)
	}
	blk := block{bank: b, q0: q0, nq: nq, w: round16(nq), few: few}
	w := workers.Get().(*worker)
	for j := from; j < to; j += memRows {
		rows := min(memRows, to-j)
		mem, k := b.pairsAt(rounded, j, rows), ceilDiv(rows, 2)
		if alone := b.n <= memAlone && rows%32 == 0 && units%16 == 0; alone {
			for i := range nq {
				f.pairs(unsafe.Pointer(&few[i*memRows]), unsafe.Pointer(&mem[0]), uintptr(4*units), unsafe.Pointer(&query[i*units]), 0, nil, uintptr(units/16), uintptr(rows/32), uintptr(32*4*units))
			}
			blk.hide(few, memRows, 1, j, rows)
			blk.aloneExponentials(1/tau, rows, s)
			m.pairs.rows(unsafe.Pointer(&fewHalf[0]), uintptr(2*memRows), unsafe.Pointer(&few[0]), uintptr(4*memRows), uintptr(rows), uintptr(nq))
			if f.blend != nil && d%256 == 0 {
				for i := range nq {
					f.blend(unsafe.Pointer(&s.acc[i*b.ld]), unsafe.Pointer(&mem[0]), uintptr(4*units), unsafe.Pointer(&fewHalf[i*memRows/2]), uintptr(k), uintptr(d/256), uintptr(4*units*(rows+32)))
				}
				continue
			}
			f.down(m, down, mem, rows, d)
			m.tiles(w, tilesArgs{c: s.acc, ldc: b.ld, a: fewHalf, ars: memRows / 2, aks: 1, b: down, ldb: d, panel: m.nr, rows: nq, cols: d, k: k, alpha: 1, add: true})
			continue
		}
		m.tiles(w, tilesArgs{c: scores, ldc: memQueries, a: mem, ars: units, aks: 1, b: cols, ldb: m.nr, panel: m.nr * units, rows: rows, cols: min(blk.w, panels), k: units, alpha: 1})
		blk.hide(scores, 1, memQueries, j, rows)
		b.p.scale(scores[:rows*memQueries], 1/tau, 0)
		blk.exponentials(scores, old, sub, rows, s)
		m.pairs.pairsOf(weights, memQueries, scores, memQueries, rows, blk.w)
		f.down(m, down, mem, rows, d)
		m.tiles(w, tilesArgs{c: s.acc, ldc: b.ld, a: weights, ars: 1, aks: memQueries, b: down, ldb: d, panel: m.nr, rows: nq, cols: d, k: k, alpha: 1, add: true})
	}
	w.tile = tile{}
	workers.Put(w)
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

// down makes pairs of neighbouring rows, d wide, of rows of pairs; an odd number of rows is filled up with zeros.
func (f *scanner) down(m *micro, dst, mem []float32, rows, d int) {
	units := ceilDiv(d, 2)
	if f.weave != nil && d%32 == 0 && rows > 1 {
		f.weave(unsafe.Pointer(&dst[0]), unsafe.Pointer(&mem[0]), uintptr(d), uintptr(rows/2))
		if rows%2 == 0 {
			return
		}
		dst, mem, rows = dst[rows/2*d:], mem[(rows-1)*units:], 1
	}
	from, to := unsafe.Slice((*uint16)(unsafe.Pointer(&mem[0])), 2*rows*units), unsafe.Slice((*uint32)(unsafe.Pointer(&dst[0])), ceilDiv(rows, 2)*d)
	for r := 0; r < rows; r += 2 {
		x, y := from[2*r*units:][:d], []uint16(nil)
		if r+1 < rows {
			y = from[2*(r+1)*units:][:d]
		}
		for i, v := range x {
			to[r/2*d+i] = uint32(v)
			if y != nil {
				to[r/2*d+i] |= uint32(y[i]) << 16
			}
		}
	}
}
