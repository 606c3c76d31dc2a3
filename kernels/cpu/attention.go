package cpu

import (
	"math"

	"syntic/kernels"
)

func init() {
	addPanelVariants(kernels.Attention, (*panel).attention)
	addPanelVariants(kernels.AttentionGrad, (*panel).attentionGrad)
}

// Sizes of the tile of scores in scratch: 64 queries by up to 512 keys (128 KiB at most, within L2). Up to 512 keys softmax needs one pass.
const (
	attnQueries = 64
	attnKeys    = 512
)

// attnHead is one batch item and head of an attention and the parts of it that both directions need.
type attnHead struct {
	p          *panel
	n, m, d    int
	ld         int       // from one token to the next: H·D
	q, k, v    []float32 // of the head's first token
	mask       []int32   // of the batch item; nil if every one of the m keys is kept
	bias       []float32 // [N, biasLd]; nil if none
	biasLd     int
	scale      float32
	causal     bool
	offset     int // query n sees keys below n + offset with causal
	base, lse0 int // offsets of the head's first token in [B, N, H, D], of its first row in [B, H, N]
	key0       int // the same in [B, M, H, D]
}

func attnHeadOf(p *panel, a *kernels.AttentionArgs, unit int) attnHead {
	_, n, m, h, d := a.Sizes()
	b, hh := unit/h, unit%h
	t := attnHead{p: p, n: n, m: m, d: d, ld: h * d, scale: a.Scale, causal: a.Causal, offset: m - n + 1, base: b*n*h*d + hh*d, key0: b*m*h*d + hh*d, lse0: unit * n}
	t.q, t.k, t.v = a.Q.F32()[t.base:], a.K.F32()[t.key0:], a.V.F32()[t.key0:]
	if bias := a.Bias.F32(); bias != nil {
		sb, sh := kernels.BiasStrides(&a.Bias)
		t.bias, t.biasLd = bias[b*sb+hh*sh:], m
	}
	if mask := a.KeyMask.I32(); mask != nil {
		mask = mask[b*m : b*m+m]
		for t.m > 0 && mask[t.m-1] == 0 { // padding at the end costs nothing
			t.m--
		}
		for _, keep := range mask[:t.m] {
			if keep == 0 {
				t.mask = mask
			}
		}
	}
	return t
}

// visible is how many of the keys j0..j1-1 query i sees as far as causality goes.
func (t *attnHead) visible(i, j0, j1 int) int {
	if t.causal {
		j1 = min(j1, i+t.offset)
	}
	return max(0, j1-j0)
}

// row finishes row i of scores for keys from j0: bias, mask, and −Inf from the first key that it must not see up to a multiple of 16.
func (t *attnHead) row(s []float32, i, j0, seen int) {
	s, tail := s[:seen], s[seen:round16(seen)]
	if t.bias != nil {
		for j, x := range t.bias[i*t.biasLd+j0 : i*t.biasLd+j0+seen] {
			s[j] += x
		}
	}
	if t.mask != nil {
		for j, keep := range t.mask[j0 : j0+seen] {
			if keep == 0 {
				s[j] = negInf
			}
		}
	}
	for j := range tail {
		tail[j] = negInf
	}
}

// rowsOf gives rows as an operand B: in place if a row is whole panels, else copied to scratch.
func rowsOf(buf *[]float32, src []float32, ld, n, d int) (b []float32, ldb int) {
	if d%16 == 0 || n == 0 {
		return src, ld
	}
	b = take(buf, n*round16(d))
	packRows(b, src, ld, n, d, 1)
	return b, round16(d)
}

func (p *panel) attention(a *kernels.AttentionArgs) {
	b, n, m, h, d := a.Sizes()
	piece := 256 // queries for which keys are packed once
	if b*h < 16 {
		piece = attnQueries
	}
	pieces, dp, kb := (n+piece-1)/piece, round16(d), min(m, attnKeys)
	out, lse := a.Out.F32(), a.LSE.F32()
	Parallel(b*h*pieces, func(u int) {
		t := attnHeadOf(p, a, u/pieces)
		from := u % pieces * piece
		rows := min(piece, n-from)
		sc := getScratch(rows*(d+dp+2) + kb*dp + round16(kb)*d + attnQueries*(round16(kb)+16))
		defer sc.put()
		mem := sc.f
		o := take(&mem, rows*dp)
		top, sum := take(&mem, rows), take(&mem, rows)
		t.forward(mem, from, rows, o, top, sum)
		for i := range rows {
			to, inv := out[t.base+(from+i)*t.ld:][:d], float32(0)
			if sum[i] > 0 || sum[i] != sum[i] {
				inv = 1 / sum[i]
			}
			for l, x := range o[i*dp : i*dp+d] {
				to[l] = x * inv
			}
			if lse != nil {
				lse[t.lse0+from+i] = float32(float64(top[i]) + math.Log(float64(sum[i])))
			}
		}
	})
}

// forward is the sum of exp(scores − top)·V in o, the largest score and the sum of exp(scores − top) of some queries. A query that sees nothing has all 0.
func (t *attnHead) forward(mem []float32, from, rows int, o, top, sum []float32) {
	dp, ls, p := round16(t.d), round16(min(t.m, attnKeys))+16, t.p
	q := take(&mem, rows*t.d)
	for i := range rows {
		to := q[i*t.d : (i+1)*t.d]
		for l, x := range t.q[(from+i)*t.ld:][:t.d] {
			to[l] = t.scale * x
		}
		top[i], sum[i] = negInf, 0
	}
	clear(o)
	for j0 := 0; j0 < t.m; j0 += attnKeys {
		j1, buf := min(j0+attnKeys, t.m), mem
		kt := take(&buf, round16(j1-j0)*t.d)
		p.packCols(kt, t.k[j0*t.ld:], t.ld, j1-j0, t.d)
		v, ldv := rowsOf(&buf, t.v[j0*t.ld:], t.ld, j1-j0, t.d)
		s := take(&buf, attnQueries*ls)
		for i0 := 0; i0 < rows; i0 += attnQueries {
			nq := min(attnQueries, rows-i0)
			all := t.visible(from+i0+nq-1, j0, j1)
			if all == 0 {
				continue
			}
			p.product(s, ls, q[i0*t.d:], t.d, 1, kt, 16, t.d*16, nq, round16(all), t.d, false)
			for i := range nq {
				r := i0 + i
				t.softmaxRow(s[i*ls:][:round16(all)], from+r, j0, j1, o[r*dp:(r+1)*dp], &top[r], &sum[r])
			}
			p.product(o[i0*dp:], dp, s, ls, 1, v, ldv, 16, nq, dp, all, true)
		}
	}
}

// softmaxRow turns the scores of query i for keys from j0 into exp(scores − top), 0 where it does not see, and brings its sum o of values, its
// top and its sum of exponentials up to date.
func (t *attnHead) softmaxRow(row []float32, i, j0, j1 int, o []float32, top, sum *float32) {
	seen, p := t.visible(i, j0, j1), t.p
	t.row(row, i, j0, seen)
	w := round16(seen)
	clear(row[w:])
	next := *top
	if w > 0 {
		next = max(next, p.maxRow(row[:w]))
	}
	if next == negInf {
		clear(row)
		return
	}
	if next != *top {
		if keep := exp32(*top - next); j0 > 0 {
			*sum *= keep
			p.scale(o, keep, 0)
		}
		*top = next
	}
	if w > 0 {
		*sum += p.expRow(row[:w], row[:w], next)
	}
}

func (p *panel) attentionGrad(a *kernels.AttentionGradArgs) {
	f := a.Forward()
	b, n, m, h, d := f.Sizes()
	dp, kb := round16(d), min(m, attnKeys)
	Parallel(b*h, func(u int) {
		t := attnHeadOf(p, &f, u)
		sc := getScratch(n*(3*dp+1) + m*2*dp + kb*2*dp + 2*round16(kb)*d + 2*attnQueries*(round16(kb)+16))
		defer sc.put()
		mem := sc.f
		dq, dk, dv := take(&mem, n*dp), take(&mem, m*dp), take(&mem, m*dp)
		clear(dq)
		clear(dk)
		clear(dv)
		t.backward(mem, a.Out.F32()[t.base:], a.DOut.F32()[t.base:], a.LSE.F32()[t.lse0:][:n], dq, dk, dv)
		unpackRows(a.DQ.F32()[t.base:], t.ld, dq, n, d, a.Scale)
		unpackRows(a.DK.F32()[t.key0:], t.ld, dk, m, d, 1)
		unpackRows(a.DV.F32()[t.key0:], t.ld, dv, m, d, 1)
	})
}

// unpackRows is packRows backwards.
func unpackRows(dst []float32, ld int, src []float32, n, k int, scale float32) {
	kp := round16(k)
	for i := range n {
		to, from := dst[i*ld:i*ld+k], src[i*kp:i*kp+k]
		if scale == 1 {
			copy(to, from)
			continue
		}
		for l, x := range from {
			to[l] = scale * x
		}
	}
}

// backward adds the head's gradients to dq (yet to be scaled), dk and dv, whose rows are round16(D) long, key block by key block, queries in order.
func (t *attnHead) backward(mem, out, dout, lse, dq, dk, dv []float32) {
	d, dp, p := t.d, round16(t.d), t.p
	ls := round16(min(t.m, attnKeys)) + 16
	q, delta := take(&mem, t.n*dp), take(&mem, t.n)
	packRows(q, t.q, t.ld, t.n, d, t.scale)
	clear(delta)
	for i := 0; i < t.n && t.m > attnKeys; i++ { // otherwise rowGrad has it from the probabilities
		s, g := float32(0), dout[i*t.ld:][:d]
		for l, x := range out[i*t.ld:][:d] {
			s += x * g[l]
		}
		delta[i] = s
	}
	do, ldo := rowsOf(&mem, dout, t.ld, t.n, d)
	for j0 := 0; j0 < t.m; j0 += attnKeys {
		j1, buf := min(j0+attnKeys, t.m), mem
		kt, vt := take(&buf, round16(j1-j0)*d), take(&buf, round16(j1-j0)*d)
		p.packCols(kt, t.k[j0*t.ld:], t.ld, j1-j0, d)
		p.packCols(vt, t.v[j0*t.ld:], t.ld, j1-j0, d)
		k, ldk := rowsOf(&buf, t.k[j0*t.ld:], t.ld, j1-j0, d)
		s, g := take(&buf, attnQueries*ls), take(&buf, attnQueries*ls)
		for i0 := 0; i0 < t.n; i0 += attnQueries {
			nq := min(attnQueries, t.n-i0)
			all := t.visible(i0+nq-1, j0, j1)
			if all == 0 {
				continue
			}
			w := round16(all)
			p.product(s, ls, q[i0*dp:], dp, 1, kt, 16, d*16, nq, w, d, false)
			p.product(g, ls, dout[i0*t.ld:], t.ld, 1, vt, 16, d*16, nq, w, d, false)
			for i := range nq {
				t.rowGrad(s[i*ls:][:w], g[i*ls:][:w], i0+i, j0, j1, lse[i0+i], delta[i0+i])
			}
			p.product(dv[j0*dp:], dp, s, 1, ls, do[i0*ldo:], ldo, 16, all, dp, nq, true)
			p.product(dk[j0*dp:], dp, g, 1, ls, q[i0*dp:], dp, 16, all, dp, nq, true)
			p.product(dq[i0*dp:], dp, g, ls, 1, k, ldk, 16, nq, dp, all, true)
		}
	}
}

// rowGrad turns a row of scores into probabilities and the row g of ⟨DOut, V⟩ into the scores' gradient; both are 0 where the query sees nothing.
func (t *attnHead) rowGrad(s, g []float32, i, j0, j1 int, lse, delta float32) {
	seen := t.visible(i, j0, j1)
	t.row(s, i, j0, seen)
	w := round16(seen)
	if lse == negInf {
		w = 0
	}
	clear(s[w:])
	clear(g[w:])
	if w == 0 {
		return
	}
	sum := t.p.expRow(s[:w], s[:w], lse)
	if j0 == 0 && j1 == t.m && sum > 0 { // the whole row is here: undo the rounding of a large LSE, and take δ = Σ P·⟨DOut, V⟩
		t.p.scale(s[:w], 1/sum, 0)
		delta = t.p.dotRow(s[:w], g[:w])
	}
	t.p.mulSub(g[:w], s[:w], g[:w], delta)
}
