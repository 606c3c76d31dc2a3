package cpu

import (
	"math"
	"unsafe"

	"syntic/kernels"
)

func init() {
	addPanelVariants(kernels.ProjectTopK, (*panel).projectTopK)
	addPanelVariants(kernels.ProjectTopKGrad, (*panel).projectTopKGrad)
	addPanelVariants(kernels.TopK, (*panel).topK)
}

// The bank is read in place, in tiles of memRows rows by memQueries queries. Pieces of the bank have partial results of their own, which are
// merged in order: alone when there are many blocks of queries, in parallel, memWave at a time, when there are few. The bits are the same.
const (
	memQueries = 64
	memRows    = 128
	memPiece   = 2048
	memWave    = 16
	memMany    = 8 // blocks of queries that are enough to work in parallel
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
}

func newBank(p *panel, query, mem, exclude *kernels.View) *bank {
	d := mem.Dim(1)
	b := &bank{p: p, n: query.Dim(0), m: mem.Dim(0), d: d, ld: round16(d), query: query.F32(), exclude: exclude.I32()}
	if mem.DType == kernels.BF16 {
		b.near = mem.Ptr()
	} else {
		b.mem = mem.F32()
	}
	return b
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

// blend is Σ exp(score − top)·row for each of a block's queries, with the largest score and Σ exp(score − top).
type blend struct {
	top, sum, acc []float32
	own           *scratch
}

func (b *bank) blend(nq int) blend {
	own := getScratch(2*memQueries + nq*b.ld)
	s := blend{own.f[:memQueries], own.f[memQueries : 2*memQueries], own.f[2*memQueries:], own}
	for i := range s.top {
		s.top[i] = negInf
	}
	clear(s.sum)
	clear(s.acc)
	return s
}

// blendAll is the softmax over all rows of the bank: of rows, or, for the gradient, of rows times ⟨dout, row⟩ − ⟨dout, out⟩. Pieces follow each other
// where there are many blocks of queries, else they are dealt out; done gets what a block gathered.
func (b *bank) blendAll(tau float32, out, dout []float32, done func(q0, nq int, s *blend)) {
	blocks, pieces := ceilDiv(b.n, memQueries), ceilDiv(b.m, memPiece)
	size := func(q int) (q0, nq int) { q0 = q * memQueries; return q0, min(memQueries, b.n-q0) }
	loops := b.p.loops()
	piece := func(q, i int) blend {
		q0, nq := size(q)
		s := b.blend(nq)
		if from, to := i*memPiece, min((i+1)*memPiece, b.m); b.half != nil {
			b.blendHalf(&s, q0, nq, from, to, tau)
		} else {
			b.blendPiece(&s, q0, nq, from, to, tau, out, dout)
		}
		return s
	}
	if blocks >= memMany || pieces == 1 {
		Parallel(blocks, func(q int) {
			q0, nq := size(q)
			all := piece(q, 0)
			for i := 1; i < pieces; i++ {
				s := piece(q, i)
				b.merge(loops, nq, &all, &s)
			}
			done(q0, nq, &all)
			all.own.put()
		})
		return
	}
	parts := make([]blend, blocks*(memWave+1)) // the first of a block's is that of all pieces so far
	for w := 0; w < pieces; w += memWave {
		count := min(memWave, pieces-w)
		Parallel(blocks*count, func(u int) { parts[u/count*(memWave+1)+1+u%count] = piece(u/count, w+u%count) })
		Parallel(blocks, func(q int) {
			_, nq := size(q)
			mine := parts[q*(memWave+1):]
			for i := 1; i <= count; i++ {
				if w == 0 && i == 1 {
					mine[0] = mine[1]
				} else {
					b.merge(loops, nq, &mine[0], &mine[i])
				}
			}
		})
	}
	Parallel(blocks, func(q int) {
		q0, nq := size(q)
		done(q0, nq, &parts[q*(memWave+1)])
		parts[q*(memWave+1)].own.put()
	})
}

// blendPiece gathers rows from..to-1 of the bank.
func (b *bank) blendPiece(s *blend, q0, nq, from, to int, tau float32, out, dout []float32) {
	sc := getScratch(2*memQueries*memRows + memRows*b.ld + 2*b.packSize() + 3*memQueries)
	defer sc.put()
	buf := sc.f
	blk := b.block(&buf, q0, nq)
	scores, g := take(&buf, memQueries*memRows), take(&buf, memQueries*memRows)
	mean, old, sub := take(&buf, memQueries), take(&buf, memQueries), take(&buf, memQueries)
	var dcols []float32
	if dout != nil {
		dcols = b.pack(&buf, dout, q0, nq, 1)
		b.p.product(g, memQueries, out[q0*b.d:], b.d, 1, dcols, 16, b.d*16, nq, blk.w, b.d, false)
		for i := range nq { // ⟨out, dout⟩, summed in the order in which ⟨row, dout⟩ is
			mean[i] = g[i*memQueries+i]
		}
	}
	for j := from; j < to; j += memRows {
		rows, tile := min(memRows, to-j), buf
		if blk.rows != nil && dout == nil {
			blk.alone(j, rows)
			blk.aloneExponentials(1/tau, rows, s)
			if b.p.blend != nil && b.d%256 == 0 {
				for i := range nq {
					b.p.blend(s.acc[i*b.ld:], b.mem[j*b.d:], blk.few[i*memRows:], b.d, rows)
				}
				continue
			}
			v, ldv := rowsOf(&tile, b.mem[j*b.d:], b.d, rows, b.d)
			b.p.product(s.acc, b.ld, blk.few, memRows, 1, v, ldv, 16, nq, b.ld, rows, true)
			continue
		}
		blk.scores(scores, j, rows)
		b.p.scale(scores[:rows*memQueries], 1/tau, 0)
		blk.exponentials(scores, old, sub, rows, s)
		if dout != nil {
			b.p.product(g, memQueries, b.mem[j*b.d:], b.d, 1, dcols, 16, b.d*16, rows, blk.w, b.d, false)
			for r := range rows {
				x, y := scores[r*memQueries:][:nq], g[r*memQueries:][:nq]
				for i := range x {
					x[i] *= y[i] - mean[i]
				}
			}
		}
		v, ldv := rowsOf(&tile, b.mem[j*b.d:], b.d, rows, b.d)
		b.p.product(s.acc, b.ld, scores, 1, memQueries, v, ldv, 16, nq, b.ld, rows, true)
	}
}

// merge adds s, of later rows of the bank, to into, and gives up its memory.
func (b *bank) merge(loops *vector, nq int, into, s *blend) {
	for i := range nq {
		top := max(into.top[i], s.top[i])
		if top == negInf {
			continue
		}
		x, y := exp32(into.top[i]-top), exp32(s.top[i]-top)
		into.top[i], into.sum[i] = top, x*into.sum[i]+y*s.sum[i]
		acc := into.acc[i*b.ld : (i+1)*b.ld]
		loops.axpby(acc, acc, s.acc[i*b.ld:(i+1)*b.ld], x, y)
	}
	s.own.put()
}

// exponentials turns a tile of scores into exp(score − top), after moving top, sum and acc to the new largest scores; old and sub are work space.
func (b *block) exponentials(t, old, sub []float32, rows int, s *blend) {
	copy(old, s.top)
	clear(sub)
	for c := 0; c < b.w; c += 16 {
		b.p.maxCols(s.top[c:c+16], t[c:], memQueries, rows)
	}
	for i := range b.nq {
		if s.top[i] == negInf { // nothing but the excluded row so far: exp(−Inf − 0) is 0
			continue
		}
		sub[i] = s.top[i]
		if keep := exp32(old[i] - s.top[i]); keep != 1 {
			s.sum[i] *= keep
			b.p.scale(s.acc[i*b.ld:(i+1)*b.ld], keep, 0)
		}
	}
	for c := 0; c < b.w; c += 16 {
		b.p.expCols(t[c:], s.sum[c:c+16], t[c:], sub[c:c+16], memQueries, rows)
	}
}

// aloneExponentials is exponentials, and the division by tau, for scores of few queries.
func (b *block) aloneExponentials(scale float32, rows int, s *blend) {
	for i := range b.nq {
		row := b.few[i*memRows:][:round16(rows)]
		b.p.scale(row, scale, 0)
		old, sub := s.top[i], float32(0)
		s.top[i] = max(old, b.p.maxRow(row))
		if s.top[i] != negInf {
			sub = s.top[i]
			if keep := exp32(old - sub); keep != 1 {
				s.sum[i] *= keep
				b.p.scale(s.acc[i*b.ld:(i+1)*b.ld], keep, 0)
			}
		}
		b.p.expRow(row, row, sub)
		sum := s.sum[i]
		for _, x := range row[:rows] { // in the order of many queries
			sum += x
		}
		s.sum[i] = sum
	}
}

// weights are the softmax of the scores over tau; they begin with the largest.
func weights(w []float64, found []rank, tau float32) {
	sum := 0.0
	for i, r := range found {
		w[i] = math.Exp((float64(r.score) - float64(found[0].score)) / float64(tau))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
}

var none = new(kernels.View)

// find is search, by a scan in fewer bits where that is faster.
func (b *bank) find(k int, near, bounds *kernels.View, done func(q int, found []rank)) {
	if s := b.scanned(k, near, bounds); s != nil {
		s.run(done)
		return
	}
	b.search(k, done)
}

func (p *panel) topK(a *kernels.TopKArgs) {
	k, score, index := a.Score.Dim(1), a.Score.F32(), a.Index.I32()
	newBank(p, &a.Query, &a.Mem, &a.Exclude).find(k, &a.Near, &a.Bounds, func(q int, found []rank) {
		for i, r := range found {
			score[q*k+i], index[q*k+i] = r.score, r.index
		}
	})
}

func (p *panel) projectTopK(a *kernels.ProjectTopKArgs) {
	mem := a.Bank()
	b, out := newBank(p, &a.Query, &mem, &a.Exclude), a.Out.F32()
	d := b.d
	if a.K == 0 {
		b.blendAll(a.Tau, nil, nil, func(q0, nq int, s *blend) { s.unpack(out[q0*d:], nq, b, 1) })
		return
	}
	all := b.allRows(a)
	b.find(a.K, none, none, func(q int, found []rank) {
		all.tell(a, q, found)
		w, o := make([]float64, len(found)), make([]float64, d)
		weights(w, found, a.Tau)
		for i, r := range found {
			for l, x := range b.mem[int(r.index)*d:][:d] {
				o[l] += w[i] * float64(x)
			}
		}
		for l, x := range o {
			out[q*d+l] = float32(x)
		}
	})
}

// unpack writes acc/sum · scale, zeros where a query saw nothing.
func (s *blend) unpack(out []float32, nq int, b *bank, scale float32) {
	for i := range nq {
		f := float32(0)
		if s.sum[i] != 0 {
			f = scale / s.sum[i]
		}
		for l, x := range s.acc[i*b.ld:][:b.d] {
			out[i*b.d+l] = f * x
		}
	}
}

func (p *panel) projectTopKGrad(a *kernels.ProjectTopKGradArgs) {
	b, out, dout, dq := newBank(p, &a.Query, &a.Mem, &a.Exclude), a.Out.F32(), a.DOut.F32(), a.DQuery.F32()
	d := b.d
	if a.K == 0 {
		b.blendAll(a.Tau, out, dout, func(q0, nq int, s *blend) { s.unpack(dq[q0*d:], nq, b, 1/a.Tau) })
		return
	}
	b.find(a.K, none, none, func(q int, found []rank) {
		w, g, o := make([]float64, len(found)), make([]float64, len(found)), make([]float64, d)
		weights(w, found, a.Tau)
		mean := 0.0
		for i, r := range found {
			for l, x := range b.mem[int(r.index)*d:][:d] {
				g[i] += float64(x) * float64(dout[q*d+l])
			}
			mean += w[i] * g[i]
		}
		for i, r := range found {
			f := w[i] * (g[i] - mean) / float64(a.Tau)
			for l, x := range b.mem[int(r.index)*d:][:d] {
				o[l] += f * float64(x)
			}
		}
		for l, x := range o {
			dq[q*d+l] = float32(x)
		}
	})
}
