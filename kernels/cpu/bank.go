package cpu

import (
	"sync"
	"unsafe"

	"syntic/kernels"
)

// The bank is read in place, in tiles of memRows rows by memQueries queries. Pieces of the bank have partial results
// of their own, which are merged in order, so that the bits are the same however many are worked on at once.
const (
	memQueries = 64
	memRows    = 128
	memPiece   = 2048
	memFew     = 8 // queries for which it is rows of the bank that are packed
	memAlone   = 2 // queries for which they are transposed on the way
)

// bank is a memory bank and the queries on it.
type bank struct {
	p       *panel
	n, m, d int
	ld      int // round16(d): of rows in scratch
	query   []float32
	mem     []float32
	exclude []int32
	half    *micro         // of a projection with bfloat16 operands (project_bf16.go); nil: float32
	near    unsafe.Pointer // the bank in bfloat16, if it is so; then mem is nil
	answer  answer         // what a search is for
	blends  blends         // softmax over all rows
	hunt    hunt           // the search
}

var banks = sync.Pool{New: func() any {
	b := new(bank)
	b.answer.bank, b.blends.bank, b.hunt.bank = b, b, b
	b.answer.init()
	b.blends.init()
	b.hunt.init()
	return b
}}

// newBank takes a bank from the pool; put gives it back.
func newBank(p *panel, query, mem, exclude *kernels.View) *bank {
	d, b := mem.Dim(1), banks.Get().(*bank)
	b.p, b.n, b.m, b.d, b.ld = p, query.Dim(0), mem.Dim(0), d, round16(d)
	b.query, b.exclude = query.F32(), exclude.I32()
	if mem.DType == kernels.BF16 {
		b.near = mem.Ptr()
	} else {
		b.mem = mem.F32()
	}
	return b
}

func (b *bank) put() {
	b.query, b.mem, b.exclude, b.half, b.near = nil, nil, nil, nil, nil // keeps no operand alive
	banks.Put(b)
}

// block is the part of a piece's work that belongs to queries q0..q0+nq-1, packed as columns; w is nq up to a multiple of 16.
type block struct {
	*bank
	q0, nq, w int
	cols      []float32
	rows, few []float32 // of few queries: packed rows of the bank, and scores, memRows a query
}

// pack makes columns of rows q0.. of x, times scale.
func (b *bank) pack(buf *[]float32, x []float32, q0, nq int, scale float32) []float32 {
	rows, cols := take(buf, nq*b.ld), take(buf, round16(nq)*b.d)
	packRows(rows, x[q0*b.d:], b.d, nq, b.d, scale)
	b.p.packCols(cols, rows, b.ld, nq, b.d)
	return cols
}

func (b *bank) packSize() int { return memQueries*(b.ld+b.d) + memRows*b.d + memFew*memRows }

// block packs queries.
func (b *bank) block(buf *[]float32, q0, nq int) block {
	k := block{bank: b, q0: q0, nq: nq, w: round16(nq)}
	if b.n <= memFew {
		k.rows, k.few = take(buf, memRows*b.d), take(buf, memFew*memRows)
	} else {
		k.cols = b.pack(buf, b.query, q0, nq, 1)
	}
	return k
}

// micro packs queries as panels of a micro-kernel.
func (b *bank) micro(buf *[]float32, q0, nq int) block {
	m := b.p.micro()
	k := block{bank: b, q0: q0, nq: nq, w: round16(nq), cols: take(buf, memQueries*b.d)}
	clear(k.cols)
	x := operand{data: b.query, ld: b.d, deep: true}
	for j := 0; j < nq; j += m.nr {
		x.pack(m, k.cols[j*b.d:], m.nr, q0+j, q0+min(nq, j+m.nr), 0, b.d)
	}
	return k
}

// scores fills tile s [rows, memQueries] with the dot products of bank rows from j0 with the columns, −Inf where excluded.
func (b *block) scores(s []float32, j0, rows int) {
	if b.rows != nil {
		b.alone(j0, rows)
		for r := range rows {
			to := s[r*memQueries:][:b.w]
			clear(to)
			for i := range b.nq {
				to[i] = b.few[i*memRows+r]
			}
		}
		return
	}
	b.p.product(s, memQueries, b.mem[j0*b.d:], b.d, 1, b.cols, 16, b.d*16, rows, b.w, b.d, false)
	b.hide(s, 1, memQueries, j0, rows)
}

// alone fills few with the scores of bank rows from j0, −Inf where excluded and in what a whole vector has beyond them. For few queries columns of queries
// would be nearly empty: it is rows of the bank that are transposed. The sums, and so the bits, are the same.
func (b *block) alone(j0, rows int) {
	mem, query, wide := b.mem[j0*b.d:], b.query[b.q0*b.d:], round16(rows)
	if b.p.dots != nil && b.nq <= memAlone && rows%16 == 0 && b.d%16 == 0 {
		for i := range b.nq {
			b.p.dots(b.few[i*memRows:], mem, query[i*b.d:], b.d, rows)
		}
	} else {
		b.p.packCols(b.rows, mem, b.d, rows, b.d)
		b.p.product(b.few, memRows, query, b.d, 1, b.rows, 16, b.d*16, b.nq, wide, b.d, false)
	}
	b.hide(b.few, memRows, 1, j0, rows)
	for i := range b.nq {
		for r := rows; r < wide; r++ {
			b.few[i*memRows+r] = negInf
		}
	}
}

// hide makes the scores of excluded rows −Inf; that of query i and row r is s[i·a + r·c].
func (b *block) hide(s []float32, a, c, j0, rows int) {
	if b.exclude == nil {
		return
	}
	for i, e := range b.exclude[b.q0 : b.q0+b.nq] {
		if int(e) >= j0 && int(e) < j0+rows {
			s[i*a+(int(e)-j0)*c] = negInf
		}
	}
}
