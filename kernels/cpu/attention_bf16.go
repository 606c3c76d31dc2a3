package cpu

import (
	"math"
	"unsafe"

	"syntic/kernels"
)

// Attention with bfloat16 operands: queries, keys, values and exp(scores − top) are rounded to pairs (bf16.go), scores, their largest and their sum
// stay float32. Blocks, order of sums and treatment of masks are those of attention.go.
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
	b, n, keys, h, d := a.Sizes()
	piece := 256 // queries for which keys are packed once
	if b*h < 16 {
		piece = attnQueries
	}
	pieces, dp, half, kb := ceilDiv(n, piece), round16(d), ceilDiv(d, 2), min(keys, attnKeys)
	out, lse := a.Out.F32(), a.LSE.F32()
	Parallel(b*h*pieces, func(u int) {
		t := attnHeadOf(p, a, u/pieces)
		from := u % pieces * piece
		rows := min(piece, n-from)
		ls := round16(kb) + 16
		sc := getScratch(rows*(half+dp+2) + kb*half + ceilDiv(kb, m.nr)*m.nr*half + ceilDiv(kb, 2)*dp + m.nr + attnQueries*(ls+ls/2))
		defer sc.put()
		mem := sc.f
		o := take(&mem, rows*dp)
		top, sum := take(&mem, rows), take(&mem, rows)
		m.attentionRows(&t, mem, from, o, top, sum)
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

// attentionRows is attnHead.forward for len(top) queries.
func (m *micro) attentionRows(t *attnHead, mem []float32, from int, o, top, sum []float32) {
	rows, d, dp, half, ls, f := len(top), t.d, round16(t.d), ceilDiv(t.d, 2), round16(min(t.m, attnKeys))+16, m.pairs
	q := take(&mem, rows*half)
	f.rows(unsafe.Pointer(&q[0]), uintptr(4*half), unsafe.Pointer(&t.q[from*t.ld]), uintptr(4*t.ld), uintptr(d), uintptr(rows))
	for i := range rows {
		top[i], sum[i] = negInf, 0
	}
	clear(o)
	w := workers.Get().(*worker)
	for j0 := 0; j0 < t.m; j0 += attnKeys {
		j1, buf := min(j0+attnKeys, t.m), mem
		n := j1 - j0
		kr, kt := take(&buf, n*half), take(&buf, ceilDiv(n, m.nr)*m.nr*half)
		f.rows(unsafe.Pointer(&kr[0]), uintptr(4*half), unsafe.Pointer(&t.k[j0*t.ld]), uintptr(4*t.ld), uintptr(d), uintptr(n))
		packed := operand{data: kr, ld: half, deep: true}
		for j := 0; j < n; j += m.nr {
			packed.pack(m, kt[j*half:], m.nr, j, min(n, j+m.nr), 0, half)
		}
		v := take(&buf, ceilDiv(n, 2)*dp+m.nr) // a kernel may read beyond the last row
		f.pairsOf(v, dp, t.v[j0*t.ld:], t.ld, n, d)
		s, pr := take(&buf, attnQueries*ls), take(&buf, attnQueries*ls/2)
		for i0 := 0; i0 < rows; i0 += attnQueries {
			nq := min(attnQueries, rows-i0)
			all := t.visible(from+i0+nq-1, j0, j1)
			if all == 0 {
				continue
			}
			m.tiles(w, tilesArgs{c: s, ldc: ls, a: q[i0*half:], lda: half, b: kt, ldb: m.nr, panel: m.nr * half, rows: nq, cols: all, k: half, alpha: t.scale})
			for i := range nq {
				t.softmaxRow(s[i*ls:][:round16(all)], from+i0+i, j0, j1, o[(i0+i)*dp:][:dp], &top[i0+i], &sum[i0+i])
			}
			f.rows(unsafe.Pointer(&pr[0]), uintptr(2*ls), unsafe.Pointer(&s[0]), uintptr(4*ls), uintptr(round16(all)), uintptr(nq))
			m.tiles(w, tilesArgs{c: o[i0*dp:], ldc: dp, a: pr, lda: ls / 2, b: v, ldb: dp, panel: m.nr, rows: nq, cols: d, k: ceilDiv(all, 2), alpha: 1, add: true})
		}
	}
	w.tile = tile{}
	workers.Put(w)
}

// tilesArgs are a small product in scratch, C (+)= alpha·A·B: A's element (i, l) at a[i·lda + l], B's (l, j) at b[j/nr·panel + l·ldb + j%nr], where
// whole panels of nr must be readable, C's (i, j) at c[i·ldc + j].
type tilesArgs struct {
	c, a, b              []float32
	ldc, lda, ldb, panel int
	rows, cols, k        int
	alpha                float32
	add                  bool
}

func (m *micro) tiles(w *worker, x tilesArgs) {
	t, step := &w.tile, evenly(x.rows, m.mr)
	*t = tile{ars: uintptr(4 * x.lda), acs: 4, bs: uintptr(4 * x.ldb), cs: uintptr(4 * x.ldc), k: x.k, alpha: x.alpha}
	if x.add {
		t.acc = 1
	}
	for j := 0; j < x.cols; j += m.nr {
		cols := min(m.nr, x.cols-j)
		run, whole := m.run, m.masked || cols == m.nr
		if m.half != nil && cols <= m.nr/2 {
			run = m.half
		}
		t.b, t.mask = unsafe.Pointer(&x.b[j/m.nr*x.panel]), uint32(1<<cols-1)
		for i := 0; i < x.rows; i += step {
			rows := min(step, x.rows-i)
			t.a, t.c = unsafe.Pointer(&x.a[i*x.lda]), unsafe.Pointer(&x.c[i*x.ldc+j])
			if whole {
				run[rows](t)
			} else {
				m.ragged(t, run[rows], rows, cols, &w.edge)
			}
		}
	}
}
