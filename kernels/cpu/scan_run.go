package cpu

import (
	"math"
	"math/bits"
	"slices"
	"sync"
	"unsafe"
)

// run is bank.search.
func (s *scan) run(found func(q int, found []rank)) {
	own := s.prepare()
	defer own.put()
	blocks := ceilDiv(s.n, scanQueries)
	s.chunks, s.chunk = s.bank.chunks(blocks, s.k)
	for len(s.parts) < blocks*s.chunks {
		s.parts = append(s.parts, scanChunk{})
	}
	if len(s.lows) < blocks {
		s.lows = make([]sync.Mutex, blocks)
	}
	s.low, s.heaps, s.found = unseenRanks(grownRanks(s.low, s.n*s.k)), grownRanks(s.heaps, s.n*s.k), found
	Parallel(blocks*s.chunks, s.chunkFn)
	Parallel(s.n, s.bestFn)
	s.found = nil
}

func (s *scan) runChunk(u int) {
	q0, c := u/s.chunks*scanQueries, u%s.chunks
	t := &s.parts[u]
	t.scan, t.q0, t.nq, t.from, t.to, t.exact, t.left = s, q0, min(scanQueries, s.n-q0), c*s.chunk, min(s.m, (c+1)*s.chunk), nil, t.left[:0]
	t.run()
}

// best finds the best of all chunks' rows.
func (s *scan) best(q int) {
	gather := getScratch(s.gatherSize())
	defer gather.put()
	s.raise(q, s.low[q*s.k].score)
	h := unseenRanks(s.heaps[q*s.k : (q+1)*s.k])
	first := q / scanQueries * s.chunks
	for c := range s.chunks {
		t := &s.parts[first+c]
		i := q - t.q0
		if t.exact != nil {
			for _, r := range t.exact[i*s.k : (i+1)*s.k] {
				offer(h, r)
			}
		}
		s.rescore(q, t.left[t.ends[i]:t.ends[i+1]], h, gather.f)
	}
	slices.SortFunc(h, byRank)
	s.found(q, h)
}

// unseenRanks empties a heap.
func unseenRanks(h []rank) []rank {
	for i := range h {
		h[i] = rank{negInf, math.MaxInt32}
	}
	return h
}

// gatherSize is the scratch that rescore takes.
func (s *scan) gatherSize() int { return 2*scanRescored*s.d + scanRescored }

// rescore puts those rows of a list, with upper bounds of their scores, that may still be among the best of query q into its heap, with their scores in float32.
func (s *scan) rescore(q int, list, h []rank, gather []float32) {
	d := s.d
	rows, cols, out := take(&gather, scanRescored*d), take(&gather, scanRescored*d), take(&gather, scanRescored)
	query, n := s.query[q*d:][:d], 0
	var which [scanRescored]int32
	flush := func() {
		if s.p.dots != nil && d%16 == 0 {
			clear(rows[n*d:])
			s.p.dots(out, rows, query, d, scanRescored)
		} else {
			s.p.packCols(cols, rows, d, n, d)
			s.p.product(out, scanRescored, query, d, 1, cols, 16, d*16, 1, 16, d, false)
		}
		for r, row := range which[:n] {
			if out[r] != out[r] {
				out[r] = negInf // a NaN is no nearest neighbour
			}
			offer(h, rank{out[r], row})
		}
		s.raise(q, h[0].score)
		n = 0
	}
	for i, r := range list {
		if i%scanRescored == 0 {
			s.soon(q, list[min(len(list), i+scanRescored):min(len(list), i+2*scanRescored)])
		}
		if r.score < math.Float32frombits(s.floors[q].Load()) {
			continue
		}
		copy(rows[n*d:(n+1)*d], s.mem[int(r.index)*d:])
		which[n] = r.index
		if n++; n == scanRescored {
			flush()
		}
	}
	if n > 0 {
		flush()
	}
}

// soon asks for the rows of a list that will be scored: they lie anywhere.
func (s *scan) soon(q int, list []rank) {
	for _, r := range list {
		if !(r.score < math.Float32frombits(s.floors[q].Load())) {
			fetchRows(uintptr(unsafe.Pointer(&s.mem[int(r.index)*s.d])), 0, uintptr(ceilDiv(4*s.d, align)), 1)
		}
	}
}

// scanChunk is the search of queries q0..q0+nq-1 in a chunk of the bank. It keeps, for each query, the k best lower bounds of scores, of which the least is
// a floor, and a list of rows whose upper bound is no less than the floor was. What is left of the list in the end is scored in float32 when all chunks are
// done and the floor is at its highest; all of it at once where it becomes too long.
type scanChunk struct {
	*scan
	q0, nq   int
	from, to int       // rows
	least    []float32 // thresholds of the tile
	same     []float32 // one of them, 16 times
	y, ye    float64   // of the tile
	low      []rank    // heaps of lower bounds, of this chunk and of those that were done before it began
	list     []rank    // scanList a query
	count    []int32
	exact    []rank // heaps of scores in float32; nil: no list became too long
	late     []rank // their memory
	gather   []float32
	left     []rank  // what is left of the lists of all queries
	ends     []int32 // query i's lie before ends[i+1]
}

func ints(f []float32) []int32 { return unsafe.Slice((*int32)(unsafe.Pointer(&f[0])), len(f)) }

func ranks(f []float32) []rank { return unsafe.Slice((*rank)(unsafe.Pointer(&f[0])), len(f)/2) }

func (t *scanChunk) run() {
	wide := round16(t.nq)
	sc := getScratch(memRows*(t.units+2+memQueries+1) + wide*2 + 16 + 2*t.nq*(t.k+scanList) + t.gatherSize())
	defer sc.put()
	buf := sc.f
	mem, norms, scores := take(&buf, memRows*t.units), take(&buf, 2*memRows), take(&buf, memRows*memQueries)
	hits := unsafe.Slice((*uint32)(unsafe.Pointer(&take(&buf, memRows)[0])), memRows)
	t.least, t.same, t.count = take(&buf, wide), take(&buf, 16), ints(take(&buf, wide))
	t.low, t.list, t.gather = ranks(take(&buf, 2*t.nq*t.k)), ranks(take(&buf, 2*t.nq*scanList)), take(&buf, t.gatherSize())
	clear(t.count)
	t.share(false)
	var scales []float32
	w := workers.Get().(*worker)
	for j := t.from; j < t.to; j += memRows {
		rows := min(memRows, t.to-j)
		at := t.tile(mem, norms, j, rows)
		if t.bytes {
			scales = t.bounds[j:][:rows]
		}
		for i := range wide {
			t.least[i] = posInf
			if i < t.nq {
				t.least[i] = t.threshold(t.q0+i, t.floor(i), t.y, t.ye)
			}
		}
		if t.n <= memFew && rows%32 == 0 && t.units%16 == 0 && t.near != nil {
			t.alone(at, scores, scales, hits, j, rows)
			continue
		}
		for c := 0; c < t.nq; c += memQueries {
			cols := min(memQueries, round16(t.nq-c))
			t.products(w, at, scores, scales, c, rows, cols)
			for v := c; v < c+cols; v += 16 {
				t.p.notBelow(hits, scores[v-c:], t.least[v:v+16], memQueries, rows)
				for r, m := range hits[:rows] {
					for ; m != 0; m &= m - 1 {
						i := v + bits.TrailingZeros32(m)
						t.meet(i, j+r, scores[r*memQueries+i-c])
					}
				}
			}
		}
	}
	w.tile = tile{}
	workers.Put(w)
	t.share(true)
	t.ends = append(t.ends[:0], 0)
	for i := range t.nq {
		t.left = append(t.left, t.kept(i)...)
		t.ends = append(t.ends, int32(len(t.left)))
	}
	t.low, t.list, t.gather, t.least, t.same, t.count = nil, nil, nil, nil, nil, nil // scratch
}

// share copies the heaps of lower bounds of all chunks that are done to this one's, or adds this one's to them.
func (t *scanChunk) share(done bool) {
	t.lows[t.q0/scanQueries].Lock()
	defer t.lows[t.q0/scanQueries].Unlock()
	for i := range t.nq {
		at := (t.q0 + i) * t.k
		all, mine := t.scan.low[at:at+t.k], t.low[i*t.k:(i+1)*t.k]
		if !done {
			copy(mine, all)
			continue
		}
		for _, r := range mine {
			if int(r.index) >= t.from && int(r.index) < t.to {
				offer(all, r)
			}
		}
	}
}

// floor is no more than the k-th best score of query i of the chunk.
func (t *scanChunk) floor(i int) float32 {
	return max(t.low[i*t.k].score, math.Float32frombits(t.floors[t.q0+i].Load()))
}

// meet takes note of a row that may be among the best of query i.
func (t *scanChunk) meet(i, row int, score float32) {
	if i >= t.nq || score < t.least[i] || t.exclude != nil && t.exclude[t.q0+i] == int32(row) { // no query, the threshold has risen since, or the row must not be seen
		return
	}
	low, high := t.between(t.q0+i, score, t.y, t.ye)
	if h := t.low[i*t.k : (i+1)*t.k]; low > h[0].score {
		offer(h, rank{low, int32(row)})
		t.raise(t.q0+i, h[0].score)
		t.least[i] = t.threshold(t.q0+i, t.floor(i), t.y, t.ye)
	}
	if int(t.count[i]) == scanList {
		if kept := t.kept(i); len(kept) > scanList*3/4 {
			if t.exact == nil {
				t.late = grownRanks(t.late, t.nq*t.k)
				t.exact = unseenRanks(t.late)
			}
			t.rescore(t.q0+i, kept, t.exact[i*t.k:(i+1)*t.k], t.gather)
			t.count[i] = 0
		}
	}
	t.list[i*scanList+int(t.count[i])] = rank{high, int32(row)}
	t.count[i]++
}

// kept drops from query i's list what the floor has left behind.
func (t *scanChunk) kept(i int) []rank {
	list, n, floor := t.list[i*scanList:(i+1)*scanList], 0, t.floor(i)
	for _, r := range list[:t.count[i]] {
		if !(r.score < floor) {
			list[n] = r
			n++
		}
	}
	t.count[i] = int32(n)
	return list[:n]
}

// tile finds, or makes in mem, rows j.. of the bank in fewer bits, and how large they and their changes are.
func (t *scanChunk) tile(mem, norms []float32, j, rows int) unsafe.Pointer {
	y, ye := float32(0), float32(0)
	if t.near != nil {
		t.y, t.ye = float64(t.largest(t.bounds[t.m+j:], rows)), float64(t.largest(t.bounds[2*t.m+j:], rows))
		return unsafe.Add(t.near, j*4*t.units)
	}
	t.f.round(unsafe.Pointer(&mem[0]), unsafe.Pointer(&t.mem[j*t.d]), uintptr(t.d), uintptr(rows), unsafe.Pointer(&norms[0]))
	for r := range rows {
		y, ye = larger(y, norms[2*r]), larger(ye, norms[2*r+1])
	}
	up, small := 1+float64(t.d+8)*0x1p-23, math.Sqrt(float64(t.d))*0x1p-63
	t.y, t.ye = math.Sqrt(float64(y))*up+small, math.Sqrt(float64(ye))*up+small
	return unsafe.Pointer(&mem[0])
}

// largest is the largest of the first n numbers, of which none is NaN.
func (t *scanChunk) largest(x []float32, n int) float32 {
	if n%16 == 0 {
		return t.p.maxRow(x[:n])
	}
	return slices.Max(x[:n])
}

// larger is the larger of two numbers, or one that is none.
func larger(x, y float32) float32 {
	if y > x || y != y {
		return y
	}
	return x
}

// products fills the scores of `cols` queries from c of the block for rows of a tile.
func (t *scanChunk) products(w *worker, rowsAt unsafe.Pointer, scores, scales []float32, c, rows, cols int) {
	share, next, bytes := max(1, ceilDiv(t.nq, memQueries)), uintptr(0), 0
	if t.near != nil { // a share of the next tile is asked for meanwhile
		bytes = 4 * rows * t.units / share
		next = uintptr(rowsAt) + uintptr(4*rows*t.units+c/memQueries*bytes)
	}
	a := unsafe.Slice((*float32)(rowsAt), rows*t.units)
	at := (t.q0 + c) / t.nr * t.nr // memQueries and scanQueries are multiples of nr
	if !t.bytes {
		t.f.half.tiles(w, tilesArgs{c: scores, ldc: memQueries, a: a, ars: t.units, aks: 1, b: t.panels[at*t.units:], ldb: t.nr, panel: t.nr * t.units,
			rows: rows, cols: min(cols, ceilDiv(t.n, t.nr)*t.nr-at), k: t.units, alpha: 1, next: next, bytes: bytes})
		return
	}
	step := evenly(rows, len(t.f.tiles)-1)
	for v := 0; v < cols; v += byteColumns {
		w.tile = tile{ars: uintptr(4 * t.units), acs: 4, b: unsafe.Pointer(&t.panels[(at+v)*t.units]), bs: 4 * byteColumns, cs: 4 * memQueries, bias: unsafe.Pointer(&t.first[at+v]), k: t.units}
		for r := 0; r < rows; r += step {
			n := min(step, rows-r)
			w.tile.a, w.tile.c, w.tile.res = unsafe.Pointer(&a[r*t.units]), unsafe.Pointer(&scores[r*memQueries+v]), unsafe.Pointer(&scales[r])
			t.f.tiles[n](&w.tile)
		}
	}
}

// alone scores rows of a tile for few queries, one by one.
func (t *scanChunk) alone(rowsAt unsafe.Pointer, scores, scales []float32, hits []uint32, j, rows int) {
	lines := uintptr(t.units / 16)
	for i := range t.nq {
		q := t.q0 + i
		at := unsafe.Pointer(&t.rows[q*t.units])
		if t.bytes {
			t.f.bytes(unsafe.Pointer(&scores[0]), rowsAt, uintptr(4*t.units), at, uintptr(uint32(t.first[q])), unsafe.Pointer(&scales[0]), lines, uintptr(rows/32), uintptr(32*4*t.units))
		} else {
			t.f.pairs(unsafe.Pointer(&scores[0]), rowsAt, uintptr(4*t.units), at, 0, nil, lines, uintptr(rows/32), uintptr(32*4*t.units))
		}
		fill(t.same, t.least[i])
		t.p.notBelow(hits, scores, t.same, 16, rows/16)
		for r, m := range hits[:rows/16] {
			for ; m != 0; m &= m - 1 {
				row := 16*r + bits.TrailingZeros32(m)
				t.meet(i, j+row, scores[row])
			}
		}
	}
}
