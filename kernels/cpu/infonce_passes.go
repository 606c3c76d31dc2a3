package cpu

import "math"

// statistics fills hit, tops and sums, and counts ranks if they are wanted.
func (t *nce) statistics() {
	mp, blocks := round16(t.m), ceilDiv(t.n, t.rows)
	t.parts = grown(t.parts, 2*blocks*mp)
	Ranges(t.n, t.rows, func(lo, hi int) {
		sc := getScratch((t.rows+1)*t.cols + t.rows*16)
		defer sc.put()
		s := sc.f[:t.rows*t.cols]
		t.hits(lo, hi, sc.f)
		for i := lo; i < hi; i++ {
			t.xTop[i], t.xSum[i] = negInf, 0
		}
		ranks := t.Rank.I32()
		if ranks != nil {
			clear(ranks[lo:hi])
		}
		tops := t.parts[lo/t.rows*2*mp:][:mp]
		sums := t.parts[lo/t.rows*2*mp+mp:][:mp]
		for c0 := 0; c0 < t.m; c0 += t.cols {
			nc := min(t.cols, t.m-c0)
			t.tile(s, t.cols, lo, hi-lo, c0, nc)
			if t.all != nil {
				for i := lo; i < hi; i++ {
					copy(t.all[i*t.bandLD+c0:][:round16(nc)], s[(i-lo)*t.cols:])
				}
			}
			for i := lo; i < hi; i++ {
				row := s[(i-lo)*t.cols:][:round16(nc)]
				for j := nc; j < len(row); j++ {
					row[j] = negInf
				}
				if ranks != nil {
					ranks[i] += t.above(row[:nc], i, c0)
				}
				top := max(t.xTop[i], t.p.maxRow(row))
				if top > t.xTop[i] {
					t.xSum[i] *= exp32(t.xTop[i] - top)
				}
				t.xTop[i] = top
				t.xSum[i] += t.p.expRow(sc.f[t.rows*t.cols:][:len(row)], row, top)
			}
			if t.WY == 0 {
				continue
			}
			for j := 0; j < nc; j += 16 {
				top, sum := tops[c0+j:c0+j+16], sums[c0+j:c0+j+16]
				copy(top, allNegInf[:])
				clear(sum)
				t.p.maxCols(top, s[j:], t.cols, hi-lo)
				t.p.expCols(s[j:], sum, s[j:], top, t.cols, hi-lo)
			}
		}
	})
	if t.WY == 0 {
		for j := range t.yTop {
			t.yTop[j] = posInf // exp(similarity − top) is 0
		}
		return
	}
	Ranges(t.m, 512, func(lo, hi int) { // the blocks of rows, in order
		for j := lo; j < hi; j++ {
			top, sum := negInf, float32(0)
			for b := range blocks {
				top = max(top, t.parts[b*2*mp+j])
			}
			for b := range blocks {
				sum += t.parts[(2*b+1)*mp+j] * exp32(t.parts[b*2*mp+j]-top)
			}
			t.yTop[j], t.ySum[j] = top, sum
		}
	})
	for j := t.m; j < mp; j++ {
		t.yTop[j] = posInf
	}
}

// hits are the similarities of rows lo..hi-1 with their positives, a panel at a time: the bits must be those of the tiles.
func (t *nce) hits(lo, hi int, s []float32) {
	for i := lo; i < hi; i++ {
		to := int(t.target[i])
		t.tile(s, 16, i, 1, to&^15, 16)
		t.hit[i] = s[to%16]
	}
}

// above counts similarities of row i, from column c0 on, above that of its positive, or equal and before it.
func (t *nce) above(row []float32, i, c0 int) (n int32) {
	hit, to := t.hit[i], int(t.target[i])
	for j, s := range row {
		if s > hit || (s == hit && c0+j < to) {
			n++
		}
	}
	return n
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

// gradients goes through the bands.
func (t *nce) gradients() {
	dx, dy := t.DX.F32(), t.DY.F32()
	if t.ld == t.d {
		t.dx, t.dy = dx, dy
	} else {
		sx, sy := getScratch(t.n*t.ld), getScratch(t.m*t.ld)
		defer sx.put()
		defer sy.put()
		t.dx, t.dy = sx.f, sy.f
	}
	if t.pairs == nil && t.all == nil {
		t.band = grown(t.band, min(nceBand, t.n)*t.bandLD)
	}
	if blocks := ceilDiv(t.n, t.rows); cap(t.dScale) < blocks {
		t.dScale = make([]float64, blocks)
	}
	for r0 := 0; r0 < t.n; r0 += nceBand {
		nr := min(nceBand, t.n-r0)
		Ranges(t.m, t.cols, func(lo, hi int) { t.bandTile(r0, nr, lo, hi-lo) })
		Ranges(nr, t.rows, func(lo, hi int) { t.bandRows(r0, r0+lo, hi-lo) })
	}
	Ranges(t.m, t.rows, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			to := dy[j*t.d : (j+1)*t.d]
			for l, g := range t.dy[j*t.ld:][:t.d] {
				to[l] = t.scale * g
			}
		}
	})
	if ds := t.DScale.F32(); ds != nil {
		sum := 0.0
		for _, v := range t.dScale[:ceilDiv(t.n, t.rows)] {
			sum += v
		}
		ds[0] = float32(sum)
	}
}

// bandTile makes the gradient of a tile of similarities and adds its part to DY.
func (t *nce) bandTile(r0, nr, c0, nc int) {
	s, ld, w := []float32(nil), t.bandLD, round16(nc)
	if t.pairs != nil {
		sc := getScratch(nceBand * t.cols)
		defer sc.put()
		s, ld = sc.f, t.cols
	} else {
		s = t.bandOf(r0, r0)[c0:]
	}
	switch {
	case t.all == nil:
		t.tile(s, ld, r0, nr, c0, nc)
	case t.pairs != nil:
		for i := range nr {
			copy(s[i*ld:][:w], t.all[(r0+i)*t.bandLD+c0:])
		}
	}
	hit := float32(float64(t.WX)/float64(t.n) + float64(t.WY)/float64(t.n))
	for i := range nr {
		row := s[i*ld:][:w]
		t.p.expPair(row, row, t.yTop[c0:c0+w], t.yOwn[c0:c0+w], t.xTop[r0+i], t.xOwn[r0+i])
		if j := int(t.target[r0+i]) - c0; j >= 0 && j < nc {
			row[j] -= hit
		}
	}
	if t.pairs != nil {
		t.pairs.columns(t, s, r0, nr, c0, nc)
		return
	}
	t.p.product(t.dy[c0*t.ld:], t.ld, s, 1, ld, t.xRows[r0*t.ld:], t.ld, 16, nc, t.ld, nr, r0 > 0)
}

// bandOf is the band from row b0 on, from row r0 on.
func (t *nce) bandOf(b0, r0 int) []float32 {
	if t.all != nil {
		return t.all[r0*t.bandLD:]
	}
	return t.band[(r0-b0)*t.bandLD:]
}

// bandRows makes nr rows of DX from r0 on, of the band from b0.
func (t *nce) bandRows(b0, r0, nr int) {
	for c0 := 0; c0 < t.m; c0 += t.cols {
		nc := min(t.cols, t.m-c0)
		if t.pairs != nil {
			t.pairs.rows(t, b0, r0, nr, c0, nc)
			continue
		}
		t.p.product(t.dx[r0*t.ld:], t.ld, t.bandOf(b0, r0)[c0:], t.bandLD, 1, t.yRows[c0*t.ld:], t.ld, 16, nr, t.ld, nc, c0 > 0)
	}
	x, dx, sum := t.X.F32(), t.DX.F32(), 0.0
	for i := r0; i < r0+nr; i++ {
		from, to := t.dx[i*t.ld:][:t.d], dx[i*t.d:(i+1)*t.d]
		for l, v := range x[i*t.d : (i+1)*t.d] {
			sum += float64(v) * float64(from[l])
			to[l] = t.scale * from[l]
		}
	}
	t.dScale[:cap(t.dScale)][r0/t.rows] = sum
}
