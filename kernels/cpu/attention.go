package cpu

import (
	"math"
	"sync/atomic"

	"syntic/kernels"
)

func init() {
	addPanelVariants(kernels.Attention, (*panel).attention)
	addPanelVariants(kernels.AttentionGrad, (*panel).attentionGrad)
}

// The forward pass works on scores that lie a row for every key and a column for every query, 32 queries at a time (a tile of attnStrip columns):
// keys and values are then read where they lie, for both products broadcast numbers of theirs and multiply whole rows of the other operand, softmax
// runs down columns, and no dimension but the queries is filled up to whole vectors. Only queries are transposed on the way in and sums on the way out.
const (
	attnStrip = 32
	attnPiece = 256                  // queries for which a block of keys is fetched once
	fewTokens = 64                   // queries of every head whose operands and results share the second-level cache with the keys
	unseen    = -math.MaxFloat32 / 2 // the largest score, in powers of two, of a query that has seen none: finite, so that −Inf less it is −Inf
)

// flashKeys is how many keys a tile of scores has: their rows fit the second-level cache with the tile (32 KiB at most).
func flashKeys(m, d int) int { return min(m, max(64, min(256, 1<<15/d&^15))) }

// attnHead is one batch item and head of an attention and the parts of it that both directions need.
type attnHead struct {
	p          *panel
	n, m, d    int
	ld, ldo    int       // from one token to the next of q, k, v and their gradients, of out and its gradient
	q, k, v    []float32 // of the head's first token
	mask       []int32   // of the batch item; nil if every one of the m keys is kept
	bias       []float32 // [N, biasLd]; nil if none
	biasLd     int
	scale      float32
	mul        float32 // what scores as the products give them are multiplied by, as powers of two
	causal     bool
	offset     int // query n sees keys below n + offset with causal
	base, lse0 int // offsets of the head's first token in [B, N, H, D], of its first row in [B, H, N]
	q0, key0   int // offsets of its first query and key
	next       *ahead
}

func attnHeadOf(p *panel, a *kernels.AttentionArgs, unit int) attnHead {
	_, n, m, h, d := a.Sizes()
	b, hh := unit/h, unit%h
	q, k, v, ld := a.Rows()
	t := attnHead{p: p, n: n, m: m, d: d, ld: ld, ldo: h * d, scale: a.Scale, mul: a.Scale * log2e, causal: a.Causal, offset: m - n + 1,
		base: b*n*h*d + hh*d, q0: b*n*ld + hh*d, key0: b*m*ld + hh*d, lse0: unit * n}
	t.q, t.k, t.v = q[t.q0:], k[t.key0:], v[t.key0:]
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

// blank hides, in a tile of scores of the keys from j0 and w queries from i, the keys that a mask drops and, in the 16 queries from column c on,
// those that come after the query, and adds the bias. It returns how many of the rows the last of these 16 queries sees.
func (t *attnHead) blank(s []float32, c, i, nq, j0, rows int) (seen int) {
	s = s[c:]
	seen = rows
	if t.causal {
		seen = t.visible(i+min(16, nq)-1, j0, j0+rows)
		for r := t.visible(i, j0, j0+rows); r < seen; r++ { // the diagonal
			copy(s[r*attnStrip:][:min(16, j0+r-i-t.offset+1)], allNegInf[:])
		}
		for r := seen; r < rows; r++ {
			clear(s[r*attnStrip:][:16])
		}
	}
	t.drop(s, j0, seen)
	return seen
}

// drop hides the keys from j0 that the mask drops from 16 columns of scores.
func (t *attnHead) drop(s []float32, j0, rows int) {
	if t.mask == nil {
		return
	}
	for r, keep := range t.mask[j0 : j0+rows] {
		if keep == 0 {
			copy(s[r*attnStrip:][:16], allNegInf[:])
		}
	}
}

var allNegInf = func() (x [16]float32) {
	for i := range x {
		x[i] = negInf
	}
	return x
}()

// addBias adds the bias of up to 16 queries from i to their columns of the scores; buf has room for 16·rows numbers.
func (t *attnHead) addBias(s, buf []float32, i, nq, j0, rows int) {
	t.p.packCols(buf, t.bias[i*t.biasLd+j0:], t.biasLd, nq, rows)
	for r := range rows {
		to, from := (*[16]float32)(s[r*attnStrip:]), (*[16]float32)(buf[r*16:])
		for c, x := range from {
			to[c] += x
		}
	}
}

// attnSums are what a strip of queries has gathered: Σ 2^(score − top)·V as columns, the largest scores and the sums of 2^(score − top); and
// factors of columns.
type attnSums struct{ o, top, sum, factor []float32 }

func attnSumsSize(d int) int { return attnStrip * (d + 3) }

func newAttnSums(buf *[]float32, d int) attnSums {
	s := attnSums{take(buf, attnStrip*d), take(buf, attnStrip), take(buf, attnStrip), take(buf, attnStrip)}
	for i := range s.top {
		s.top[i] = unseen
	}
	clear(s.sum)
	return s
}

// softmax turns a tile of scores of nq queries from i and the keys from j0 into 2^(score − top), and brings top and sums up to date.
func (t *attnHead) softmax(st *attnSums, s, buf []float32, i, nq, j0, rows int) {
	for c := 0; c < nq; c += 16 {
		n := min(16, nq-c)
		if t.bias != nil {
			t.addBias(s[c:], buf, i+c, n, j0, rows)
		}
		seen := t.blank(s, c, i+c, n, j0, rows)
		if seen == 0 {
			continue
		}
		top, sum, keep := st.top[c:c+16], st.sum[c:c+16], st.factor
		if t.p.topCols(top, keep, sum, s[c:], attnStrip, seen, t.mul) && j0 > 0 {
			t.p.mulCols(st.o[c:], keep, attnStrip, t.d)
		}
		t.p.exp2Cols(s[c:], sum, s[c:], top, attnStrip, seen, t.mul)
	}
}

// finish writes the outputs of nq queries from i, and their LSE unless lse is nil.
func (t *attnHead) finish(st *attnSums, out, lse []float32, i, nq int) {
	inv := st.factor
	clear(inv)
	for c, x := range st.sum[:nq] {
		if x > 0 || x != x {
			inv[c] = 1 / x
		}
		if lse != nil {
			lse[t.lse0+i+c] = float32(float64(st.top[c])*math.Ln2 + math.Log(float64(x)))
		}
	}
	for c := 0; c < nq; c += 16 {
		t.p.mulCols(st.o[c:], inv[c:], attnStrip, t.d)
	}
	t.p.turn(out[t.base+i*t.ldo:], t.ldo, st.o, attnStrip, t.d, nq)
}

func (p *panel) attention(a *kernels.AttentionArgs) {
	attnWork{p: p, a: a}.compute()
}

// attnWork is an attention in progress, piece queries of a head at a time.
type attnWork struct {
	p         *panel
	m         *micro // with bfloat16 operands (attention_bf16.go); nil: float32
	a         *kernels.AttentionArgs
	pieces    int   // in all
	taken     int64 // so many of them, or more
	workers   int
	piece, kb int  // queries of one, keys at a time
	heads     int  // of one
	few       bool // all keys at a time (attention_few.go)
}

// cut decides what is done at a time.
func (w *attnWork) cut() {
	b, n, m, h, d := w.a.Sizes()
	w.kb, w.heads, w.piece = flashKeys(m, d), 1, attnPiece
	if b*h < 16 || d > 128 {
		w.piece = attnPiece / 4
	}
	w.few = m <= w.kb && w.p.soft != nil && (w.m == nil || w.p.scores != nil)
	if w.few && d%16 != 0 { // heads begin within a cache line: one piece has them all
		w.heads, w.piece = h, fewTokens
	}
	w.pieces = b * ceilDiv(h, w.heads) * ceilDiv(n, w.piece)
	w.workers = max(1, crewFor(w.pieces))
}

// compute does all.
func (w attnWork) compute() {
	w.cut()
	attnPieces.ranges(crewFor(w.pieces), 1, w)
}

// attnPieces has one turn for every worker, who takes pieces until none is left, always one ahead of the one that it computes.
var attnPieces = newSpread(func(w *attnWork, _, _ int) {
	next := aheads.Get().(*ahead)
	for u, end := w.take(); u < w.pieces; {
		after := u + 1
		if after >= end {
			after, end = w.take()
		}
		w.ahead(u, after, next)
		switch {
		case w.few:
			head, from, rows := w.part(u)
			w.exactFew(head, w.headsFrom(head), from, rows, next)
		case w.m != nil:
			w.rounded(u, next)
		default:
			w.exact(u, next)
		}
		u = after
	}
	next.drop()
	aheads.Put(next)
})

// take is the next run of pieces, shorter towards the end, so that all workers end together: what lies side by side is best fetched by one.
func (w *attnWork) take() (from, end int) {
	for {
		at := atomic.LoadInt64(&w.taken)
		end := at + max(1, (int64(w.pieces)-at)/int64(4*w.workers))
		if atomic.CompareAndSwapInt64(&w.taken, at, end) {
			return int(at), int(end)
		}
	}
}

// part is the first head (of all batch items), the first query and the number of queries of piece u.
func (w *attnWork) part(u int) (head, from, rows int) {
	_, n, _, h, _ := w.a.Sizes()
	pieces, groups := ceilDiv(n, w.piece), ceilDiv(h, w.heads)
	from = u % pieces * w.piece
	u /= pieces
	return u/groups*h + u%groups*w.heads, from, min(w.piece, n-from)
}

// headsFrom is how many heads a piece has whose first is `head`.
func (w *attnWork) headsFrom(head int) int {
	_, _, _, h, _ := w.a.Sizes()
	return min(w.heads, h-head%h)
}

// exact computes piece u in float32.
func (w *attnWork) exact(u int, next *ahead) {
	head, from, rows := w.part(u)
	t := attnHeadOf(w.p, w.a, head)
	t.next = next
	d := t.d
	sc := getScratch(ceilDiv(rows, attnStrip)*attnSumsSize(d) + round16(rows)*d + w.kb*(attnStrip+16))
	defer sc.put()
	mem := sc.f
	q := take(&mem, round16(rows)*d)
	w.p.packCols(q, t.q[from*t.ld:], t.ld, rows, d)
	if t.bias != nil || !(t.scale > 0) {
		w.p.scale(q, t.scale, 0)
		t.mul = log2e
	}
	t.forward(mem, q, from, rows, w.a.Out.F32(), w.a.LSE.F32())
}

// forward is the attention of `rows` queries from `from`, whose numbers lie in q as panels of 16 columns.
func (t *attnHead) forward(mem, q []float32, from, rows int, out, lse []float32) {
	var sums [attnPiece / attnStrip]attnSums
	strips, kb, p := ceilDiv(rows, attnStrip), flashKeys(t.m, t.d), t.p
	for i := range strips {
		if sums[i] = newAttnSums(&mem, t.d); t.m == 0 {
			clear(sums[i].o)
		}
	}
	s, buf := take(&mem, kb*attnStrip), mem
	for j0 := 0; j0 < t.m; j0 += kb {
		k, v := t.k[j0*t.ld:], t.v[j0*t.ld:]
		for i := range strips {
			q0 := i * attnStrip
			nq := min(attnStrip, rows-q0)
			all := t.visible(from+q0+nq-1, j0, min(t.m, j0+kb))
			if all == 0 {
				if j0 == 0 {
					clear(sums[i].o)
				}
				continue
			}
			// With causality the second 16 queries of a strip may see keys that the first do not: rows below `both` are for all.
			w, both := round16(nq), all
			if t.causal && w > 16 {
				both = t.visible(from+q0+15, j0, j0+all)
			}
			p.product(s, attnStrip, k, t.ld, 1, q[q0*t.d:], 16, 16*t.d, both, w, t.d, false)
			t.next.turn()
			if both < all {
				p.product(s[both*attnStrip+16:], attnStrip, k[both*t.ld:], t.ld, 1, q[(q0+16)*t.d:], 16, 0, all-both, 16, t.d, false)
			}
			t.next.turn()
			t.softmax(&sums[i], s, buf, from+q0, nq, j0, all)
			t.next.turn()
			if o := sums[i].o; both < all*3/4 { // each sum in one go, whatever queries come with it
				p.product(o, attnStrip, v, 1, t.ld, s, attnStrip, 16, t.d, 16, both, j0 > 0)
				p.product(o[16:], attnStrip, v, 1, t.ld, s[16:], attnStrip, 16, t.d, 16, all, j0 > 0)
			} else {
				p.product(o, attnStrip, v, 1, t.ld, s, attnStrip, 16, t.d, w, all, j0 > 0)
			}
			t.next.turn()
		}
	}
	for i := range strips {
		q0 := i * attnStrip
		t.finish(&sums[i], out, lse, from+q0, min(attnStrip, rows-q0))
	}
}
