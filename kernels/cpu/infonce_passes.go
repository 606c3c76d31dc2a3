package cpu

import "math"

// statistics fills hit, tops and sums of rows lo..hi-1 of X, and counts ranks if they are wanted; those of Y are partial ones.
func (t *nce) statistics(lo, hi int) {
	nx := hi - lo
	wide, panels := round16(nx), t.panelled(nx)
	sc := getScratch(panels*t.units + t.cols*wide + wide + 16)
	defer sc.put()
	buf := sc.f
	cols, s, e, old := take(&buf, panels*t.units), take(&buf, t.cols*wide), take(&buf, wide), take(&buf, 16)
	t.columns(cols, lo, nx)
	w := workers.Get().(*worker)
	t.hits(w, lo, hi, cols, s)
	tops, sums := t.xTop[lo:lo+wide], t.xSum[lo:lo+wide]
	fill(tops, negInf)
	clear(sums)
	ranks := t.Rank.I32()
	if ranks != nil {
		clear(ranks[lo:hi])
	}
	mp := round16(t.m)
	yTops, ySums := t.parts[lo/t.rows*2*mp:][:mp], t.parts[(lo/t.rows*2+1)*mp:][:mp]
	fill(yTops[t.m:], negInf)
	clear(ySums[t.m:])
	for c0 := 0; c0 < t.m; c0 += t.cols {
		nc := min(t.cols, t.m-c0)
		t.tile(w, s, wide, c0, nc, cols, wide, false)
		if ranks != nil {
			t.count(ranks, s, wide, lo, nx, c0, nc)
		}
		for j := range nc {
			row := s[j*wide : (j+1)*wide]
			if lo < t.held {
				copy(t.kept[(c0+j)*t.keptLD+lo:], row)
			}
			if t.WY != 0 {
				fill(row[nx:], negInf)
				yTops[c0+j] = t.p.maxRow(row)
				ySums[c0+j] = t.p.expRow(e, row, yTops[c0+j])
			}
		}
		for i := 0; i < wide; i += 16 {
			top, sum := tops[i:i+16], sums[i:i+16]
			copy(old, top)
			t.p.maxCols(top, s[i:], wide, nc)
			for l, x := range old {
				if x != top[l] {
					sum[l] *= exp32(x - top[l])
				}
			}
			t.p.expCols(s[i:], sum, s[i:], top, wide, nc)
		}
	}
	w.tile = tile{}
	workers.Put(w)
}

// hits are the similarities of rows lo..hi-1 of X with their positives, of panels: the bits must be those of the tiles.
func (t *nce) hits(w *worker, lo, hi int, cols, s []float32) {
	nr := t.kernel.nr
	for i := lo; i < hi; i++ {
		at := (i - lo) / nr * nr
		t.kernel.tiles(w, tilesArgs{c: s, ldc: nr, a: t.yRows[int(t.target[i])*t.units:], ars: t.units, aks: 1, b: cols[at*t.units:], ldb: nr, rows: 1, cols: nr, k: t.units, alpha: t.scale})
		t.hit[i] = s[i-lo-at]
	}
}

// count counts similarities above those of the positives, or equal and before them.
func (t *nce) count(ranks []int32, s []float32, ld, lo, nx, c0, nc int) {
	for j := range nc {
		for i, x := range s[j*ld:][:nx] {
			if hit := t.hit[lo+i]; x > hit || (x == hit && c0+j < int(t.target[lo+i])) {
				ranks[lo+i]++
			}
		}
	}
}

// merge merges the statistics of rows lo..hi-1 of Y, pieces of X in order; lo is a multiple of 16.
func (t *nce) merge(lo, hi int) {
	pieces, mp := ceilDiv(t.n, t.rows), round16(t.m)
	for j := lo; j < hi; j += 16 {
		top, sum := t.yTop[j:j+16], t.ySum[j:j+16]
		fill(top, negInf)
		t.p.maxCols(top, t.parts[j:], 2*mp, pieces)
		t.p.expCols(t.parts[j:], sum, t.parts[j:], top, 2*mp, pieces)
		clear(sum)
		for b := range pieces {
			for l, e := range t.parts[2*b*mp+j:][:16] {
				sum[l] += t.parts[(2*b+1)*mp+j+l] * e
			}
		}
	}
}

func (t *nce) loss() {
	wx, wy := float64(t.WX)/float64(t.n), float64(t.WY)/float64(t.n)
	loss := 0.0
	for i := range t.n {
		t.xOwn[i] = float32(wx / float64(t.xSum[i]))
	}
	if wy != 0 {
		if cap(t.times) < t.m {
			t.times = make([]float64, t.m)
		}
		t.times = t.times[:t.m]
		clear(t.times)
		for i, to := range t.target {
			t.times[to] += wy
			loss += wy * (float64(t.yTop[to]) + math.Log(float64(t.ySum[to])) - float64(t.hit[i]))
		}
		for j, w := range t.times {
			t.yOwn[j] = float32(w / float64(t.ySum[j]))
		}
	}
	for i := range t.n {
		loss += wx * (float64(t.xTop[i]) + math.Log(float64(t.xSum[i])) - float64(t.hit[i]))
	}
	t.Loss.F32()[0] = float32(loss)
}
