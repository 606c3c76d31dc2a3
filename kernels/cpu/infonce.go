package cpu

import (
	"math"

	"syntic/kernels"
)

func init() { addPanelVariants(kernels.InfoNCE, (*panel).infoNCE) }

// Sizes of the tile of similarities in scratch.
const (
	nceRows = 64
	nceCols = 256
)

// nceSide is one of the two sets of vectors, once as rows and once packed as columns, with the statistics of its similarities to the other set.
type nceSide struct {
	n, d     int
	rows     []float32 // [n, ld]: X times scale, or Y
	ld       int
	cols     []float32 // packed panels of the rows
	top, sum []float32 // [n]: the largest similarity and Σ exp(similarity − largest)
	weight   []float32 // [n]: what a similarity's probability counts in the loss's gradient, divided by sum
}

func (p *panel) nceSide(x []float32, n, d int, scale float32) *nceSide {
	t := &nceSide{n: n, d: d, ld: round16(d), top: make([]float32, round16(n)), sum: make([]float32, n), weight: make([]float32, round16(n))}
	t.rows, t.cols = alignedFloats(n*t.ld), alignedFloats(round16(n)*d)
	Ranges(n, nceRows, func(lo, hi int) {
		packRows(t.rows[lo*t.ld:], x[lo*d:], d, hi-lo, d, scale)
		p.packCols(t.cols[lo*d:], t.rows[lo*t.ld:], t.ld, hi-lo, d)
	})
	return t
}

// tile is s[i, j] = similarity of rows r0.. of t with rows c0.. of u, padded to whole panels. Its bits are those of the tile the other way round.
func (p *panel) nceTile(s []float32, t, u *nceSide, r0, nr, c0, nc int) {
	p.product(s, nceCols, t.rows[r0*t.ld:], t.ld, 1, u.cols[c0*t.d:], 16, t.d*16, nr, round16(nc), t.d, false)
}

// infoNCE makes two passes over tiles of the similarities, each in parallel over blocks of rows: statistics of rows (and of columns, as the rows of
// the transpose), then gradients of rows (and of columns). Memory is O((N + M)·D).
func (p *panel) infoNCE(a *kernels.InfoNCEArgs) {
	n, m, d, scale := a.X.Dim(0), a.Y.Dim(0), a.X.Dim(1), a.Scale.F32()[0]
	x, y := p.nceSide(a.X.F32(), n, d, scale), p.nceSide(a.Y.F32(), m, d, 1)
	target := a.Target.I32()
	if target == nil {
		target = make([]int32, n)
		for i := range target {
			target[i] = int32(i)
		}
	}
	hit := make([]float32, n)
	Ranges(n, nceRows, func(lo, hi int) {
		var s [16]float32
		for i := lo; i < hi; i++ { // a panel at a time: the bits must be those of the tiles
			t := int(target[i])
			p.product(s[:], 16, x.rows[i*x.ld:], x.ld, 1, y.cols[t/16*d*16:], 16, d*16, 1, 16, d, false)
			hit[i] = s[t%16]
		}
	})
	p.nceStats(x, y, target, hit, a.Rank.I32())
	wx, wy := float64(a.WX)/float64(n), float64(a.WY)/float64(n)
	for i := range n {
		x.weight[i] = float32(wx / float64(x.sum[i]))
	}
	loss := 0.0
	lse := func(t *nceSide, i int) float64 { return float64(t.top[i]) + math.Log(float64(t.sum[i])) }
	if a.WY != 0 {
		p.nceStats(y, x, nil, nil, nil)
		times := make([]float64, m)
		for i := range n {
			times[target[i]] += wy
			loss += wy * (lse(y, int(target[i])) - float64(hit[i]))
		}
		for j := range m {
			y.weight[j] = float32(times[j] / float64(y.sum[j]))
		}
	} else {
		for j := range y.top {
			y.top[j] = posInf // exp(similarity − top) is 0
		}
	}
	for i := range n {
		loss += wx * (lse(x, i) - float64(hit[i]))
	}
	a.Loss.F32()[0] = float32(loss)
	if a.DX.Absent() {
		return
	}
	// positives of column j, in order: first[j], then next
	first, next := make([]int32, m), make([]int32, n)
	for j := range first {
		first[j] = -1
	}
	for i := n - 1; i >= 0; i-- {
		next[i] = first[target[i]]
		first[target[i]] = int32(i)
	}
	hitWeight := float32(wx + wy)
	raw, dx, dy := a.X.F32(), a.DX.F32(), a.DY.F32()
	parts := make([]float64, (n+nceRows-1)/nceRows)
	p.nceGrad(x, y, func(i int, drop func(j int)) { drop(int(target[i])) }, hitWeight, func(i int, g []float32) {
		to := dx[i*d : i*d+d]
		s := 0.0
		for l, v := range raw[i*d : i*d+d] {
			s += float64(v) * float64(g[l])
			to[l] = scale * g[l]
		}
		parts[i/nceRows] += s
	})
	p.nceGrad(y, x, func(j int, drop func(i int)) {
		for i := first[j]; i >= 0; i = next[i] {
			drop(int(i))
		}
	}, hitWeight, func(j int, g []float32) { copy(dy[j*d:j*d+d], g) })
	if ds := a.DScale.F32(); ds != nil {
		s := 0.0
		for _, v := range parts {
			s += v
		}
		ds[0] = float32(s)
	}
}

// nceStats fills top and sum of t, and counts, if rank is wanted, the similarities of row i above hit[i], or equal and before target[i].
func (p *panel) nceStats(t, u *nceSide, target []int32, hit []float32, rank []int32) {
	Ranges(t.n, nceRows, func(lo, hi int) {
		sc := getScratch(nceRows * nceCols)
		defer sc.put()
		for i := lo; i < hi; i++ {
			t.top[i], t.sum[i] = negInf, 0
			if rank != nil {
				rank[i] = 0
			}
		}
		for c0 := 0; c0 < u.n; c0 += nceCols {
			nc := min(nceCols, u.n-c0)
			p.nceTile(sc.f, t, u, lo, hi-lo, c0, nc)
			for i := lo; i < hi; i++ {
				row := sc.f[(i-lo)*nceCols:][:round16(nc)]
				for j := nc; j < len(row); j++ {
					row[j] = negInf
				}
				if rank != nil {
					for j, s := range row[:nc] {
						if s > hit[i] || (s == hit[i] && c0+j < int(target[i])) {
							rank[i]++
						}
					}
				}
				top := max(t.top[i], p.maxRow(row))
				if top > t.top[i] {
					t.sum[i] *= exp32(t.top[i] - top)
				}
				t.top[i] = top
				t.sum[i] += p.expRow(row, row, top)
			}
		}
	})
}

// nceGrad gives done, row by row, G·U, where G is the loss's gradient with respect to the similarities of t's rows with u's; each calls drop for
// every positive of a row.
func (p *panel) nceGrad(t, u *nceSide, each func(i int, drop func(j int)), hitWeight float32, done func(i int, g []float32)) {
	Ranges(t.n, nceRows, func(lo, hi int) {
		sc := getScratch(nceRows * (nceCols + u.ld))
		defer sc.put()
		s, acc := sc.f[:nceRows*nceCols], sc.f[nceRows*nceCols:]
		for c0 := 0; c0 < u.n; c0 += nceCols {
			nc := min(nceCols, u.n-c0)
			w := round16(nc)
			p.nceTile(s, t, u, lo, hi-lo, c0, nc)
			for i := lo; i < hi; i++ {
				row := s[(i-lo)*nceCols:][:w]
				p.expPair(row, row, u.top[c0:c0+w], u.weight[c0:c0+w], t.top[i], t.weight[i])
				each(i, func(j int) {
					if j >= c0 && j < c0+nc {
						row[j-c0] -= hitWeight
					}
				})
			}
			p.product(acc, u.ld, s, nceCols, 1, u.rows[c0*u.ld:], u.ld, 16, hi-lo, u.ld, nc, c0 > 0)
		}
		for i := lo; i < hi; i++ {
			done(i, acc[(i-lo)*u.ld:][:t.d])
		}
	})
}
