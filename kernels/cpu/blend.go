package cpu

import "unsafe"

// A blend of the bank's rows for every query, weighted by softmax over all of them. A tile of the bank is read for blendShared queries, memQueries at a
// time, and then left: it comes from memory, what belongs to the queries from the caches.
const (
	blendShared = 256
	blendOnce   = 2048     // queries whose partial results are kept at once
	blendParts  = 17 << 18 // numbers of partial results, which every piece of the bank has of its own: how many pieces are worked on at a time
)

// blend is Σ exp(score − top)·row for each of a block's queries, with the largest score and Σ exp(score − top).
type blend struct{ top, sum, acc []float32 }

// blends goes over the whole bank.
type blends struct {
	*bank
	tau       float32
	out, dout []float32 // for the gradient: of rows times ⟨dout, row⟩ − ⟨dout, out⟩
	to        []float32 // gets blends, times scale
	scale     float32
	all       *softmaxes // gets largest scores and sums, if to is nil
	loops     *vector

	parts               []float32 // of wave+1 partial results of each block of queries: that of all pieces so far comes first
	first, blocks, most int       // queries, blocks of them that are worked on, and queries of one
	groups, wave, count int
	w                   int // first piece of the wave

	unitFn, mergeFn, doneFn func(int)
}

func (t *blends) init() { t.unitFn, t.mergeFn, t.doneFn = t.unit, t.merge, t.done }

// run is the softmax over all rows of the bank for all queries.
func (t *blends) run() {
	t.loops = t.p.loops()
	pieces := ceilDiv(t.m, memPiece)
	for t.first = 0; t.first < t.n; t.first += blendOnce {
		n := min(blendOnce, t.n-t.first)
		t.blocks, t.groups = ceilDiv(n, memQueries), ceilDiv(n, blendShared)
		t.most = min(n, memQueries)
		t.wave = min(pieces, max(1, blendParts/(t.blocks*t.partSize())-1))
		t.parts = grown(t.parts, t.blocks*(t.wave+1)*t.partSize())
		for t.w = 0; t.w < pieces; t.w += t.wave {
			t.count = min(t.wave, pieces-t.w)
			Parallel(t.groups*t.count, t.unitFn)
			Parallel(t.blocks, t.mergeFn)
		}
		Parallel(t.blocks, t.doneFn)
	}
	t.out, t.dout, t.to, t.all = nil, nil, nil, nil
}

func (t *blends) partSize() int { return 2*memQueries + t.most*t.ld }

// part is partial result i of a block of queries; 0 is that of all pieces so far.
func (t *blends) part(block, i int) blend {
	f := t.parts[(block*(t.wave+1)+i)*t.partSize():][:t.partSize()]
	return blend{f[:memQueries], f[memQueries : 2*memQueries], f[2*memQueries:]}
}

// queries of a block.
func (t *blends) queries(block int) (q0, nq int) {
	q0 = t.first + block*memQueries
	return q0, min(memQueries, t.n-q0)
}

// unit gathers one piece of the bank for one group of blocks. Groups of a piece follow each other, so that the piece is near.
func (t *blends) unit(u int) {
	const shared = blendShared / memQueries
	g, i := u%t.groups, u/t.groups
	var s [shared]blend
	b0 := g * shared
	blocks := min(shared, t.blocks-b0)
	for k := range blocks {
		s[k] = t.part(b0+k, i+1)
		fill(s[k].top, negInf)
		clear(s[k].sum)
		clear(s[k].acc)
	}
	q0, _ := t.queries(b0)
	from, to := (t.w+i)*memPiece, min((t.w+i+1)*memPiece, t.m)
	if t.half != nil {
		t.pieceHalf(s[:blocks], q0, from, to)
	} else {
		t.piece(s[:blocks], q0, from, to)
	}
}

// merge adds a wave's partial results of a block to that of all pieces so far.
func (t *blends) merge(block int) {
	_, nq := t.queries(block)
	into, from := t.part(block, 0), 1
	if t.w == 0 {
		one := t.part(block, 1)
		copy(into.top, one.top)
		copy(into.sum, one.sum)
		copy(into.acc[:nq*t.ld], one.acc)
		from = 2
	}
	for i := from; i <= t.count; i++ {
		s := t.part(block, i)
		t.add(nq, &into, &s)
	}
}

// add adds s, of later rows of the bank, to into.
func (t *blends) add(nq int, into, s *blend) {
	for i := range nq {
		top := max(into.top[i], s.top[i])
		if top == negInf {
			continue
		}
		x, y := exp32(into.top[i]-top), exp32(s.top[i]-top)
		into.top[i], into.sum[i] = top, x*into.sum[i]+y*s.sum[i]
		acc := into.acc[i*t.ld : (i+1)*t.ld]
		t.loops.axpby(acc, acc, s.acc[i*t.ld:(i+1)*t.ld], x, y)
	}
}

// done writes acc/sum · scale, zeros where a query saw nothing; or tops and sums.
func (t *blends) done(block int) {
	q0, nq := t.queries(block)
	s := t.part(block, 0)
	if t.to == nil {
		copy(t.all.top[q0:q0+nq], s.top)
		copy(t.all.sum[q0:q0+nq], s.sum)
		return
	}
	for i := range nq {
		f := float32(0)
		if s.sum[i] != 0 {
			f = t.scale / s.sum[i]
		}
		to := t.to[(q0+i)*t.d:][:t.d]
		for l, x := range s.acc[i*t.ld:][:t.d] {
			to[l] = f * x
		}
	}
}

// piece gathers rows from..to-1 of the bank for the blocks of queries from q0 on.
func (t *blends) piece(s []blend, q0, from, to int) {
	const shared = blendShared / memQueries
	sc := getScratch(2*memQueries*memRows + memRows*t.ld + len(s)*(2*t.packSize()+memQueries) + 2*memQueries)
	defer sc.put()
	buf, b, kernel := sc.f, t.bank, t.p.micro()
	scores, g := take(&buf, memQueries*memRows), take(&buf, memQueries*memRows)
	old, sub, rowBuf := take(&buf, memQueries), take(&buf, memQueries), take(&buf, memRows*t.ld)
	var blocks [shared]block
	var dcols, mean [shared][]float32
	for k := range s {
		nq := min(memQueries, t.n-q0-k*memQueries)
		if t.dout == nil && t.n > memFew {
			blocks[k] = b.micro(&buf, q0+k*memQueries, nq)
			continue
		}
		blocks[k] = b.block(&buf, q0+k*memQueries, nq)
		if t.dout != nil {
			mean[k], dcols[k] = take(&buf, memQueries), b.pack(&buf, t.dout, blocks[k].q0, nq, 1)
			t.p.product(g, memQueries, t.out[blocks[k].q0*t.d:], t.d, 1, dcols[k], 16, t.d*16, nq, blocks[k].w, t.d, false)
			for i := range nq { // ⟨out, dout⟩, summed in the order in which ⟨row, dout⟩ is
				mean[k][i] = g[i*memQueries+i]
			}
		}
	}
	w := workers.Get().(*worker)
	for j := from; j < to; j += memRows {
		rows, tile := min(memRows, to-j), rowBuf
		mem := t.mem[j*t.d:]
		if blocks[0].rows != nil && t.dout == nil {
			t.alone(&blocks[0], &s[0], j, rows, tile)
			continue
		}
		v, ldv := rowsOf(&tile, mem, t.d, rows, t.d)
		for k := range s {
			blk := &blocks[k]
			if t.dout == nil {
				bytes := 4 * rows * t.d / len(s) // a share of the next tile is asked for meanwhile
				kernel.tiles(w, tilesArgs{c: scores, ldc: memQueries, a: mem, ars: t.d, aks: 1, b: blk.cols, ldb: kernel.nr, panel: kernel.nr * t.d, rows: rows, cols: blk.w, k: t.d, alpha: 1 / t.tau,
					next: uintptr(unsafe.Pointer(&mem[0])) + uintptr(4*rows*t.d+k*bytes), bytes: bytes})
				blk.hide(scores, 1, memQueries, j, rows)
			} else {
				blk.scores(scores, j, rows)
				t.p.scale(scores[:rows*memQueries], 1/t.tau, 0)
			}
			blk.exponentials(scores, old, sub, rows, &s[k])
			if t.dout != nil {
				t.p.product(g, memQueries, mem, t.d, 1, dcols[k], 16, t.d*16, rows, blk.w, t.d, false)
				for r := range rows {
					x, y := scores[r*memQueries:][:blk.nq], g[r*memQueries:][:blk.nq]
					for i := range x {
						x[i] *= y[i] - mean[k][i]
					}
				}
			}
			t.p.product(s[k].acc, t.ld, scores, 1, memQueries, v, ldv, 16, blk.nq, t.ld, rows, true)
		}
	}
	w.tile = tile{}
	workers.Put(w)
}

// alone gathers a tile for few queries.
func (t *blends) alone(blk *block, s *blend, j, rows int, tile []float32) {
	mem := t.mem[j*t.d:]
	blk.alone(j, rows)
	blk.aloneExponentials(1/t.tau, rows, s)
	if t.p.blend != nil && t.d%256 == 0 {
		for i := range blk.nq {
			t.p.blend(s.acc[i*t.ld:], mem, blk.few[i*memRows:], t.d, rows)
		}
		return
	}
	v, ldv := rowsOf(&tile, mem, t.d, rows, t.d)
	t.p.product(s.acc, t.ld, blk.few, memRows, 1, v, ldv, 16, blk.nq, t.ld, rows, true)
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
		if sub[i] = s.top[i]; old[i] != s.top[i] {
			keep := exp32(old[i] - s.top[i])
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
