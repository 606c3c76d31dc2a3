package cpu

import (
	"math"
	"math/bits"
	"slices"
	"unsafe"
)

// rank is a candidate of a search: better is a larger score, or an equal one with a lower index.
type rank struct {
	score float32
	index int32
}

func (r rank) better(o rank) bool {
	return r.score > o.score || (r.score == o.score && r.index < o.index)
}

// offer puts a candidate into a full heap if it is better than the worst.
func offer(h []rank, r rank) {
	if !r.better(h[0]) {
		return
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c].better(h[c+1]) {
			c++
		}
		if !r.better(h[c]) {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = r
}

// hunt is a search in float32, and the memory of one.
type hunt struct {
	*bank
	k             int
	chunks, chunk int
	heaps         []rank // k of every query, chunk after chunk
	found         func(q int, found []rank)

	unitFn, bestFn func(int)
}

func (t *hunt) init() { t.unitFn, t.bestFn = t.unit, t.best }

// search finds the k nearest rows of every query; found gets them, nearest first. The order of candidates is total, so the result does not depend on
// how the bank is cut.
func (b *bank) search(k int, found func(q int, found []rank)) {
	t, blocks := &b.hunt, ceilDiv(b.n, memQueries)
	t.chunks, t.chunk = b.chunks(blocks, k)
	t.k, t.found, t.heaps = k, found, grownRanks(t.heaps, t.chunks*b.n*k)
	Parallel(blocks*t.chunks, t.unitFn)
	Parallel(b.n, t.bestFn)
	t.found = nil
}

func (t *hunt) unit(u int) {
	q0, c := u/t.chunks*memQueries, u%t.chunks
	nq := min(memQueries, t.n-q0)
	t.searchChunk(t.heaps[(c*t.n+q0)*t.k:][:nq*t.k], t.k, q0, nq, c*t.chunk, min(t.m, (c+1)*t.chunk))
}

func grownRanks(buf []rank, n int) []rank {
	if cap(buf) < n {
		buf = make([]rank, n+n/4)
	}
	return buf[:n]
}

const (
	searchTasks = 16   // pieces of work to aim at
	searchRows  = 4096 // of the bank in a chunk, at least
)

// chunks are few, of so many rows, because each begins with an empty heap, which costs far more insertions than its later rows.
func (b *bank) chunks(blocks, k int) (chunks, rows int) {
	chunks = max(1, min(ceilDiv(searchTasks, blocks), b.m/max(searchRows, 32*k)))
	rows = ceilDiv(ceilDiv(b.m, chunks), memRows) * memRows
	return ceilDiv(b.m, rows), rows
}

// best hands out the k best of all chunks' heaps.
func (t *hunt) best(q int) {
	k := t.k
	h := t.heaps[q*k : (q+1)*k]
	for c := 1; c < t.chunks; c++ {
		for _, r := range t.heaps[(c*t.n+q)*k:][:k] {
			offer(h, r)
		}
	}
	slices.SortFunc(h, byRank)
	t.found(q, h)
}

func byRank(x, y rank) int {
	switch {
	case x.better(y):
		return -1
	case y.better(x):
		return 1
	}
	return 0
}

// searchChunk fills the heaps of nq queries from q0 with the best of rows from..to-1.
func (b *bank) searchChunk(heaps []rank, k, q0, nq, from, to int) {
	for i := range heaps {
		heaps[i] = rank{negInf, math.MaxInt32}
	}
	sc := getScratch(memQueries*memRows + b.packSize() + memQueries + memRows + 16)
	defer sc.put()
	buf := sc.f
	blk := b.block(&buf, q0, nq)
	s, worst, least := take(&buf, memQueries*memRows), take(&buf, memQueries), take(&buf, 16)
	hits := unsafe.Slice((*uint32)(unsafe.Pointer(&buf[0])), memRows)
	for i := range worst {
		if worst[i] = negInf; i >= nq {
			worst[i] = posInf
		}
	}
	meet := func(i, row int, score float32) {
		if i >= nq || score < worst[i] || b.exclude != nil && b.exclude[q0+i] == int32(row) { // no query, or the worst was another when the row was looked at
			return
		}
		if score != score {
			score = negInf // a NaN is no nearest neighbour
		}
		h := heaps[i*k : (i+1)*k]
		offer(h, rank{score, int32(row)})
		worst[i] = h[0].score
	}
	for j := from; j < to; j += memRows {
		rows := min(memRows, to-j)
		if blk.rows != nil {
			blk.alone(j, rows)
			for i := range nq {
				fill(least, worst[i])
				b.p.notBelow(hits, blk.few[i*memRows:], least, 16, ceilDiv(rows, 16))
				for r, m := range hits[:ceilDiv(rows, 16)] {
					for ; m != 0; m &= m - 1 {
						if row := 16*r + bits.TrailingZeros32(m); row < rows {
							meet(i, j+row, blk.few[i*memRows+row])
						}
					}
				}
			}
			continue
		}
		blk.scores(s, j, rows)
		for c := 0; c < blk.w; c += 16 {
			b.p.notBelow(hits, s[c:], worst[c:c+16], memQueries, rows)
			for r, m := range hits[:rows] {
				for ; m != 0; m &= m - 1 {
					i := c + bits.TrailingZeros32(m)
					meet(i, j+r, s[r*memQueries+i])
				}
			}
		}
	}
}
