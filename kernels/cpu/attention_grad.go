package cpu

import "syntic/kernels"

// Sizes of the tile of scores of the backward pass: 64 queries by up to 512 keys (128 KiB at most, within L2).
const (
	attnQueries = 64
	attnKeys    = 512
)

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

func (p *panel) attentionGrad(a *kernels.AttentionGradArgs) {
	f := a.Forward()
	b, n, m, h, d := f.Sizes()
	dp, kb := round16(d), min(m, attnKeys)
	attnGradHeads.ranges(b*h, 1, attnGradWork{p, a, f, n, m, d, dp, kb})
}

type attnGradWork struct {
	p               *panel
	a               *kernels.AttentionGradArgs
	f               kernels.AttentionArgs
	n, m, d, dp, kb int
}

var attnGradHeads = newSpread(func(w *attnGradWork, lo, hi int) {
	for u := lo; u < hi; u++ {
		w.head(u)
	}
})

// head does one head of a batch item.
func (w *attnGradWork) head(u int) {
	a, n, m, d, dp, kb := w.a, w.n, w.m, w.d, w.dp, w.kb
	t := attnHeadOf(w.p, &w.f, u)
	sc := getScratch(n*(3*dp+1) + m*2*dp + kb*2*dp + 2*round16(kb)*d + 2*attnQueries*(round16(kb)+16))
	defer sc.put()
	mem := sc.f
	dq, dk, dv := take(&mem, n*dp), take(&mem, m*dp), take(&mem, m*dp)
	clear(dq)
	clear(dk)
	clear(dv)
	t.backward(mem, a.Out.F32()[t.base:], a.DOut.F32()[t.base:], a.LSE.F32()[t.lse0:][:n], dq, dk, dv)
	toQ, toK, toV, _ := a.GradRows()
	unpackRows(toQ[t.q0:], t.ld, dq, n, d, a.Scale)
	unpackRows(toK[t.key0:], t.ld, dk, m, d, 1)
	unpackRows(toV[t.key0:], t.ld, dv, m, d, 1)
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
		s, g := float32(0), dout[i*t.ldo:][:d]
		for l, x := range out[i*t.ldo:][:d] {
			s += x * g[l]
		}
		delta[i] = s
	}
	do, ldo := rowsOf(&mem, dout, t.ldo, t.n, d)
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
			p.product(g, ls, dout[i0*t.ldo:], t.ldo, 1, vt, 16, d*16, nq, w, d, false)
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
