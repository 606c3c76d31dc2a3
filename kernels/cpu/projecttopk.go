package cpu

import (
	"math"
	"sort"

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
	memQueries = 32
	memRows    = 256
	memPiece   = 2048
	memWave    = 16
	memMany    = 8 // blocks of queries that are enough to work in parallel
)

// bank is a memory bank and the queries on it.
type bank struct {
	p       *panel
	n, m, d int
	ld      int // round16(d): of rows in scratch
	query   []float32
	mem     []float32
	exclude []int32
}

func newBank(p *panel, query, mem, exclude *kernels.View) *bank {
	d := mem.Dim(1)
	return &bank{p, query.Dim(0), mem.Dim(0), d, round16(d), query.F32(), mem.F32(), exclude.I32()}
}

// block is the part of a piece's work that belongs to queries q0..q0+nq-1, packed as columns; w is nq up to a multiple of 16.
type block struct {
	*bank
	q0, nq, w int
	cols      []float32
}

// pack makes columns of rows q0.. of x, times scale.
func (b *bank) pack(buf *[]float32, x []float32, q0, nq int, scale float32) []float32 {
	rows, cols := take(buf, nq*b.ld), take(buf, round16(nq)*b.d)
	packRows(rows, x[q0*b.d:], b.d, nq, b.d, scale)
	b.p.packCols(cols, rows, b.ld, nq, b.d)
	return cols
}

func (b *bank) packSize() int { return memQueries * (b.ld + b.d) }

// scores fills tile s [rows, memQueries] with the dot products of bank rows from j0 with the columns, −Inf where excluded.
func (b *block) scores(s []float32, j0, rows int) {
	b.p.product(s, memQueries, b.mem[j0*b.d:], b.d, 1, b.cols, 16, b.d*16, rows, b.w, b.d, false)
	if b.exclude == nil {
		return
	}
	for i, e := range b.exclude[b.q0 : b.q0+b.nq] {
		if int(e) >= j0 && int(e) < j0+rows {
			s[(int(e)-j0)*memQueries+i] = negInf
		}
	}
}

// walk calls work for every block of queries and piece of the bank, and merge in order of pieces: for each block first with fresh state.
func walk[S any](b *bank, fresh func(nq int) S, work func(blk *block, from, to int, s S), merge func(nq int, into, s S), done func(q0, nq int, s S)) {
	blocks, pieces := (b.n+memQueries-1)/memQueries, (b.m+memPiece-1)/memPiece
	size := func(q int) (q0, nq int) { q0 = q * memQueries; return q0, min(memQueries, b.n-q0) }
	run := func(q, piece int, s S) {
		sc := getScratch(b.packSize())
		defer sc.put()
		q0, nq := size(q)
		buf := sc.f
		blk := &block{b, q0, nq, round16(nq), b.pack(&buf, b.query, q0, nq, 1)}
		work(blk, piece*memPiece, min((piece+1)*memPiece, b.m), s)
	}
	if blocks >= memMany || pieces == 1 {
		Parallel(blocks, func(q int) {
			q0, nq := size(q)
			all := fresh(nq)
			for piece := range pieces {
				s := all
				if piece > 0 {
					s = fresh(nq)
				}
				if run(q, piece, s); piece > 0 {
					merge(nq, all, s)
				}
			}
			done(q0, nq, all)
		})
		return
	}
	all := make([]S, blocks)
	for w := 0; w < pieces; w += memWave {
		count := min(memWave, pieces-w)
		parts := make([]S, blocks*count)
		Parallel(blocks*count, func(u int) {
			_, nq := size(u / count)
			parts[u] = fresh(nq)
			run(u/count, w+u%count, parts[u])
		})
		Parallel(blocks, func(q int) {
			_, nq := size(q)
			for i, s := range parts[q*count : (q+1)*count] {
				if w+i == 0 {
					all[q] = s
				} else {
					merge(nq, all[q], s)
				}
			}
		})
	}
	Parallel(blocks, func(q int) {
		q0, nq := size(q)
		done(q0, nq, all[q])
	})
}

// blend is Σ exp(score − top)·row for each of a block's queries, with the largest score and Σ exp(score − top).
type blend struct{ top, sum, acc []float32 }

// blendAll is the softmax over all rows of the bank: of rows, or, for the gradient, of rows times ⟨dout, row⟩ − ⟨dout, out⟩.
func (b *bank) blendAll(tau float32, out, dout []float32, done func(q0, nq int, s *blend)) {
	fresh := func(nq int) *blend {
		f := alignedFloats(2*memQueries + nq*b.ld)
		s := &blend{f[:memQueries], f[memQueries : 2*memQueries], f[2*memQueries:]}
		for i := range s.top {
			s.top[i] = negInf
		}
		return s
	}
	walk(b, fresh, func(blk *block, from, to int, s *blend) {
		sc := getScratch(2*memQueries*memRows + memRows*b.ld + b.packSize() + memQueries)
		defer sc.put()
		buf := sc.f
		scores, g := take(&buf, memQueries*memRows), take(&buf, memQueries*memRows)
		mean := take(&buf, memQueries)
		var dcols []float32
		if dout != nil {
			dcols = b.pack(&buf, dout, blk.q0, blk.nq, 1)
			b.p.product(g, memQueries, out[blk.q0*b.d:], b.d, 1, dcols, 16, b.d*16, blk.nq, blk.w, b.d, false)
			for i := range blk.nq { // ⟨out, dout⟩, summed in the order in which ⟨row, dout⟩ is
				mean[i] = g[i*memQueries+i]
			}
		}
		for j := from; j < to; j += memRows {
			rows, tile := min(memRows, to-j), buf
			blk.scores(scores, j, rows)
			b.p.scale(scores[:rows*memQueries], 1/tau, 0)
			blk.exponentials(scores, rows, s)
			if dout != nil {
				b.p.product(g, memQueries, b.mem[j*b.d:], b.d, 1, dcols, 16, b.d*16, rows, blk.w, b.d, false)
				for r := range rows {
					x, y := scores[r*memQueries:][:blk.nq], g[r*memQueries:][:blk.nq]
					for i := range x {
						x[i] *= y[i] - mean[i]
					}
				}
			}
			v, ldv := rowsOf(&tile, b.mem[j*b.d:], b.d, rows, b.d)
			b.p.product(s.acc, b.ld, scores, 1, memQueries, v, ldv, 16, blk.nq, b.ld, rows, true)
		}
	}, func(nq int, into, s *blend) {
		for i := range nq {
			top := max(into.top[i], s.top[i])
			if top == negInf {
				continue
			}
			x, y := exp32(into.top[i]-top), exp32(s.top[i]-top)
			into.top[i], into.sum[i] = top, x*into.sum[i]+y*s.sum[i]
			to := into.acc[i*b.ld : (i+1)*b.ld]
			for l, v := range s.acc[i*b.ld : (i+1)*b.ld] {
				to[l] = x*to[l] + y*v
			}
		}
	}, done)
}

// exponentials turns a tile of scores into exp(score − top), after moving top, sum and acc to the new largest scores.
func (b *block) exponentials(t []float32, rows int, s *blend) {
	var old, sub [memQueries]float32
	copy(old[:], s.top)
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

// rank is a candidate of a search: better is a larger score, or an equal one with a lower index.
type rank struct {
	score float32
	index int32
}

func (r rank) better(o rank) bool {
	return r.score > o.score || (r.score == o.score && r.index < o.index)
}

// best are the k best candidates of each of a block's queries, as heaps whose root is the worst.
type best [][]rank

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

// search finds the k nearest rows of every query; done gets them, nearest first.
func (b *bank) search(k int, done func(q int, found []rank)) {
	walk(b, func(nq int) best {
		all := make([]rank, nq*k)
		for i := range all {
			all[i] = rank{negInf, math.MaxInt32}
		}
		s := make(best, nq)
		for i := range s {
			s[i] = all[i*k : (i+1)*k]
		}
		return s
	}, func(blk *block, from, to int, s best) {
		sc := getScratch(memQueries * memRows)
		defer sc.put()
		var worst [memQueries]float32
		for i := range worst {
			worst[i] = negInf
		}
		for j := from; j < to; j += memRows {
			rows := min(memRows, to-j)
			blk.scores(sc.f, j, rows)
			for r := range rows {
				for i, x := range sc.f[r*memQueries:][:blk.nq] {
					if x < worst[i] {
						continue
					}
					if x != x {
						x = negInf // a NaN is no nearest neighbour
					}
					if b.exclude == nil || b.exclude[blk.q0+i] != int32(j+r) {
						offer(s[i], rank{x, int32(j + r)})
						worst[i] = s[i][0].score
					}
				}
			}
		}
	}, func(nq int, into, s best) {
		for i := range nq {
			for _, r := range s[i] {
				offer(into[i], r)
			}
		}
	}, func(q0, nq int, s best) {
		for i, h := range s {
			sort.Slice(h, func(x, y int) bool { return h[x].better(h[y]) })
			done(q0+i, h)
		}
	})
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

func (p *panel) topK(a *kernels.TopKArgs) {
	k, score, index := a.Score.Dim(1), a.Score.F32(), a.Index.I32()
	newBank(p, &a.Query, &a.Mem, &a.Exclude).search(k, func(q int, found []rank) {
		for i, r := range found {
			score[q*k+i], index[q*k+i] = r.score, r.index
		}
	})
}

func (p *panel) projectTopK(a *kernels.ProjectTopKArgs) {
	b, out := newBank(p, &a.Query, &a.Mem, &a.Exclude), a.Out.F32()
	d := b.d
	if a.K == 0 {
		b.blendAll(a.Tau, nil, nil, func(q0, nq int, s *blend) { s.unpack(out[q0*d:], nq, b, 1) })
		return
	}
	b.search(a.K, func(q int, found []rank) {
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
	b.search(a.K, func(q int, found []rank) {
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
