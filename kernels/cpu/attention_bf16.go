package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// Attention with bfloat16 operands: queries, keys, values and exp(scores − top) are rounded to pairs (bf16.go), scores, their largest and their sum
// stay float32. Blocks, order of sums and treatment of masks are those of attention.go. Of few keys (attention_few.go) nothing is rounded with AVX-512.
func init() {
	for i, m := range bf16Micros {
		kernels.Attention.Add(kernels.Variant[kernels.AttentionArgs]{Name: m.name, Device: kernels.CPU, Rank: i, Operands: kernels.BF16, Within: true, Note: m.note, Available: m.available,
			Usable: func(a *kernels.AttentionArgs) bool { return areF32(&a.Q, &a.K, &a.V, &a.Out) },
			Run:    func(_ *kernels.Stream, a *kernels.AttentionArgs) error { m.attention(a); return nil }})
	}
}

func (m *micro) attention(a *kernels.AttentionArgs) {
	p := panels[len(panels)-1]
	if m.level >= isaAVX512 {
		p = panels[0]
	}
	attnWork{p: p, m: m, a: a}.compute()
}

// rounded computes piece u with bfloat16 operands.
func (w *attnWork) rounded(u int, next *ahead) {
	head, from, rows := w.part(u)
	t := attnHeadOf(w.p, w.a, head)
	if few := w.fewOf(&t, from, rows); few > 0 {
		w.exactFew(head, 1, from, few, next)
		if from, rows = from+few, rows-few; rows == 0 {
			return
		}
	}
	t.next = next
	t.mul = log2e // the products take the scale
	d, half := t.d, ceilDiv(t.d, 2)
	sc := getScratch(ceilDiv(rows, attnStrip)*(attnSumsSize(d)+attnStrip*half) + rows*half + (w.kb+1)*(half+d+2*attnStrip+16))
	defer sc.put()
	w.m.attentionRows(&t, sc.f, from, rows, w.a.Out.F32(), w.a.LSE.F32())
}

// fewOf is how many of `rows` queries from `from` see few keys. Theirs stay float32, for rounding them takes longer than it saves; and so do those of the
// first queries of a long causal sequence, whose bits must not depend on how many follow.
func (w *attnWork) fewOf(t *attnHead, from, rows int) int {
	switch {
	case w.p.scores == nil:
		return 0
	case t.m <= w.kb:
		return rows
	case t.causal:
		return min(rows, max(0, w.kb-t.offset+1-from))
	}
	return 0
}

// attentionRows is attnHead.forward.
func (m *micro) attentionRows(t *attnHead, mem []float32, from, rows int, out, lse []float32) {
	var sums [attnPiece / attnStrip]attnSums
	strips, kb, d, half, f := ceilDiv(rows, attnStrip), flashKeys(t.m, t.d), t.d, ceilDiv(t.d, 2), m.pairs
	for i := range strips {
		if sums[i] = newAttnSums(&mem, d); t.m == 0 {
			clear(sums[i].o)
		}
	}
	q, qr := take(&mem, strips*attnStrip*half), take(&mem, rows*half)
	f.rows(unsafe.Pointer(&qr[0]), uintptr(4*half), unsafe.Pointer(&t.q[from*t.ld]), uintptr(4*t.ld), uintptr(d), uintptr(rows))
	packed := operand{data: qr, ld: half, deep: true}
	for j := 0; j < rows; j += m.nr {
		packed.pack(m, q[j*half:], m.nr, j, min(rows, j+m.nr), 0, half)
	}
	w := workers.Get().(*worker)
	k, v := take(&mem, (kb+1)*half), take(&mem, (kb+1)/2*d)
	s, pr := take(&mem, (kb+1)*attnStrip), take(&mem, (kb+1)/2*attnStrip)
	for j0 := 0; j0 < t.m; j0 += kb {
		n := min(kb, t.m-j0)
		f.rows(unsafe.Pointer(&k[0]), uintptr(4*half), unsafe.Pointer(&t.k[j0*t.ld]), uintptr(4*t.ld), uintptr(d), uintptr(n))
		f.pairsOf(v, d, t.v[j0*t.ld:], t.ld, n, d)
		for i := range strips {
			q0 := i * attnStrip
			nq := min(attnStrip, rows-q0)
			all := t.visible(from+q0+nq-1, j0, j0+n)
			if all == 0 {
				if j0 == 0 {
					clear(sums[i].o)
				}
				continue
			}
			cols := round16(nq)
			m.tiles(w, tilesArgs{c: s, ldc: attnStrip, a: k, ars: half, aks: 1, b: q[q0*half:], ldb: m.nr, panel: m.nr * half, rows: all, cols: cols, k: half, alpha: t.scale})
			t.next.turn()
			t.softmax(&sums[i], s, mem, from+q0, nq, j0, all)
			t.next.turn()
			f.pairsOf(pr, attnStrip, s, attnStrip, all, cols)
			t.next.turn()
			m.tiles(w, tilesArgs{c: sums[i].o, ldc: attnStrip, a: v, ars: 1, aks: d, b: pr, ldb: attnStrip, panel: m.nr, rows: d, cols: cols, k: ceilDiv(all, 2), alpha: 1, add: j0 > 0})
			t.next.turn()
		}
	}
	w.tile = tile{}
	workers.Put(w)
	for i := range strips {
		q0 := i * attnStrip
		t.finish(&sums[i], out, lse, from+q0, min(attnStrip, rows-q0))
	}
}
