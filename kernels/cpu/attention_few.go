package cpu

import "math"

// Few keys: the scores of a strip of queries for all keys at once, so that softmax is one pass and sums of values need not be kept: they are multiplied
// row by row, as Out lies, and written where they belong. The bits are those of attnHead.forward: every sum runs over the same numbers in the same order.

// softStats are what softmax finds for each column: the largest score in powers of two, the sum of 2^(score − top), and 1 by it.
type softStats struct{ top, sum, inv []float32 }

// exactFew computes `rows` queries from `from` of some heads in float32.
func (w *attnWork) exactFew(head, heads, from, rows int, next *ahead) {
	t := attnHeadOf(w.p, w.a, head)
	wide := heads * t.d
	sc := getScratch(round16(rows)*wide + w.kb*(attnStrip+16) + 3*attnStrip)
	defer sc.put()
	mem := sc.f
	q := take(&mem, round16(rows)*wide)
	w.p.packCols(q, t.q[from*t.ld:], t.ld, rows, wide)
	if t.bias != nil || !(t.scale > 0) {
		w.p.scale(q, t.scale, 0)
	}
	for i := range heads {
		if i > 0 {
			t = attnHeadOf(w.p, w.a, head+i)
		}
		if t.bias != nil || !(t.scale > 0) {
			t.mul = log2e
		}
		t.next = next
		t.few(mem, q[i*t.d*16:], wide, from, rows, w.a.Out.F32(), w.a.LSE.F32())
	}
}

// few is the attention of `rows` queries from `from`, none of which sees more than flashKeys; their numbers lie in q as panels of 16 columns and `wide` rows.
func (t *attnHead) few(mem, q []float32, wide, from, rows int, out, lse []float32) {
	p, sums := t.p, t.next
	if sums != nil && sums.scoresOnly {
		sums = nil
	}
	st := softStats{take(&mem, attnStrip), take(&mem, attnStrip), take(&mem, attnStrip)}
	s, buf := take(&mem, flashKeys(t.m, t.d)*attnStrip), mem
	for q0 := 0; q0 < rows; q0 += attnStrip {
		i, nq := from+q0, min(attnStrip, rows-q0)
		to := out[t.base+i*t.ldo:]
		all := t.visible(i+nq-1, 0, t.m)
		if all == 0 {
			t.none(to, lse, i, nq)
			continue
		}
		w, both, panel := round16(nq), all, q[q0*wide:]
		if t.causal && w > 16 {
			both = t.visible(i+15, 0, all)
		}
		t.scores(s, t.k, panel, 16*wide, both, w)
		if both < all {
			t.scores(s[both*attnStrip+16:], t.k[both*t.ld:], panel[16*wide:], 0, all-both, 16)
		}
		if !t.causal {
			t.cover(s, buf, i, nq, all)
			p.soft(s, attnStrip, w, all, all, t.mul, st)
			t.stats(st, lse, i, nq)
			p.attend(to, t.ldo, s, attnStrip, t.v, t.ld, st.inv, nq, all, t.d, sums)
			continue
		}
		for c := 0; c < nq; c += 16 {
			n := min(16, nq-c)
			seen := t.visible(i+c+n-1, 0, t.m)
			if seen == 0 {
				t.none(to[c*t.ldo:], lse, i+c, n)
				continue
			}
			t.cover(s[c:], buf, i+c, n, seen)
			whole := t.visible(i+c, 0, seen)
			if whole == 0 { // the first sees none, so that the others need not see one more each
				whole = t.blank(s, c, i+c, n, 0, seen)
			}
			p.soft(s[c:], attnStrip, 16, seen, whole, t.mul, st)
			t.stats(st, lse, i+c, n)
			for r := 0; r < n; r += causalRows {
				rows := min(causalRows, n-r)
				if k := t.visible(i+c+r+rows-1, 0, seen); k > 0 {
					p.attend(to[(c+r)*t.ldo:], t.ldo, s[c+r:], attnStrip, t.v, t.ld, st.inv[r:], rows, k, t.d, sums)
				} else {
					t.none(to[(c+r)*t.ldo:], nil, i+c+r, rows)
				}
			}
		}
	}
}

// scores multiplies so many keys with w queries, which lie in panels bo apart.
func (t *attnHead) scores(s, k, q []float32, bo, keys, w int) {
	switch {
	case keys == 0:
	case t.p.scores != nil:
		t.p.scores(s, attnStrip, k, t.ld, q, bo, keys, w, t.d, t.next)
	default:
		t.p.product(s, attnStrip, k, t.ld, 1, q, 16, bo, keys, w, t.d, false)
	}
}

// causalRows is how many causal queries are summed at once: the last of them decides over how many keys.
const causalRows = 8

// none writes the outputs of n queries from i that see no key.
func (t *attnHead) none(out, lse []float32, i, n int) {
	for r := range n {
		clear(out[r*t.ldo:][:t.d])
		if lse != nil {
			lse[t.lse0+i+r] = negInf
		}
	}
}

// cover adds the bias to scores of n queries from i and hides the keys that the mask drops.
func (t *attnHead) cover(s, buf []float32, i, n, rows int) {
	if t.bias == nil && t.mask == nil {
		return
	}
	for c := 0; c < n; c += 16 {
		if t.bias != nil {
			t.addBias(s[c:], buf, i+c, min(16, n-c), 0, rows)
		}
		t.drop(s[c:], 0, rows)
	}
}

// stats writes the LSE of n queries from i.
func (t *attnHead) stats(st softStats, lse []float32, i, n int) {
	if lse == nil {
		return
	}
	for c, x := range st.sum[:n] {
		lse[t.lse0+i+c] = float32(float64(st.top[c])*math.Ln2 + math.Log(float64(x)))
	}
}
