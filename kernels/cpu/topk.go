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

// search finds the k nearest rows of every query; done gets them, nearest first. The order of candidates is total, so the result does not depend on
// how the bank is cut.
func (b *bank) search(k int, done func(q int, found []rank)) {
	blocks := ceilDiv(b.n, memQueries)
	chunks, chunk := b.chunks(blocks, k)
	heaps := make([]rank, chunks*b.n*k)
	Parallel(blocks*chunks, func(u int) {
		q0, c := u/chunks*memQueries, u%chunks
		nq := min(memQueries, b.n-q0)
		b.searchChunk(heaps[(c*b.n+q0)*k:][:nq*k], k, q0, nq, c*chunk, min(b.m, (c+1)*chunk))
	})
	b.best(heaps, chunks, k, done)
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

// best hands out the k best of all chunks' heaps, those of all queries chunk after chunk.
func (b *bank) best(heaps []rank, chunks, k int, done func(q int, found []rank)) {
	Parallel(b.n, func(q int) {
		h := heaps[q*k : (q+1)*k]
		for c := 1; c < chunks; c++ {
			for _, r := range heaps[(c*b.n+q)*k:][:k] {
				offer(h, r)
			}
		}
		slices.SortFunc(h, func(x, y rank) int {
			switch {
			case x.better(y):
				return -1
			case y.better(x):
				return 1
			}
			return 0
		})
		done(q, h)
	})
}

// searchChunk fills the heaps of nq queries from q0 with the best of rows from..to-1.
func (b *bank) searchChunk(heaps []rank, k, q0, nq, from, to int) {
	for i := range heaps {
		heaps[i] = rank{negInf, math.MaxInt32}
	}
	sc := getScratch(memQueries*memRows + b.packSize() + memQueries + memRows)
	defer sc.put()
	buf := sc.f
	blk := b.block(&buf, q0, nq)
	s, worst, hits := take(&buf, memQueries*memRows), take(&buf, memQueries), unsafe.Slice((*uint32)(unsafe.Pointer(&buf[0])), memRows)
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
	var least [16]float32
	for j := from; j < to; j += memRows {
		rows := min(memRows, to-j)
		if blk.rows != nil {
			blk.alone(j, rows)
			for i := range nq {
				for l := range least {
					least[l] = worst[i]
				}
				b.p.notBelow(hits, blk.few[i*memRows:], least[:], 16, ceilDiv(rows, 16))
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
