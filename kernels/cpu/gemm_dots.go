package cpu

import (
	"unsafe"

	"syntic/kernels"
)

const dotGrain = 64 // columns of a piece of work

// The dot-product variants read B once, where it lies, for products of few rows: a decoder's step through a linear layer. Their sums run
// in another order than those of tiles, so a row would change its last bits with the number of rows: they are taken only by name.
func init() {
	for _, m := range micros {
		if m.dots == nil {
			continue
		}
		kernels.GEMM.Add(kernels.Variant[kernels.GEMMArgs]{
			Name: m.name + "_dots", Device: kernels.CPU, Rank: 1, Note: "dot products, up to 12 rows with B transposed; other sums than " + m.name, Available: needs(m.level),
			Usable: m.dotUsable, Run: func(_ *kernels.Stream, a *kernels.GEMMArgs) error { m.dotGEMM(a); return nil },
		})
	}
}

func (m *micro) dotUsable(a *kernels.GEMMArgs) bool {
	batch, mm, _, k := a.Sizes()
	return gemmF32(a) && batch == 1 && mm <= 12 && k >= m.step && !a.TransA && a.TransB
}

// dotGEMM computes such a product.
func (m *micro) dotGEMM(a *kernels.GEMMArgs) {
	_, mm, n, k := a.Sizes()
	p := product{m: mm, n: n, k: k, alpha: a.Alpha, accumulate: a.Accumulate, act: a.Act, bias: a.Bias.F32(), res: a.Residual.F32(), out: a.Out.F32()}
	p.a, p.b = operand{data: a.A.F32(), ld: k, deep: true}, operand{data: a.B.F32(), ld: k, deep: true}
	dotPieces.ranges(n, dotGrain, dotWork{m, p})
}

type dotWork struct {
	m *micro
	p product
}

var dotPieces = newSpread(func(w *dotWork, lo, hi int) { w.m.dotColumns(&w.p, lo, hi) })

// dotColumns computes the columns lo..hi-1, at most dotGrain of them, of all rows.
func (m *micro) dotColumns(p *product, lo, hi int) {
	w := workers.Get().(*worker)
	t, most, n := &w.tile, len(m.dots)-1, hi-lo
	whole := p.k / m.step * m.step
	for i := 0; i < p.m; i += most {
		rows := min(most, p.m-i)
		*t = tile{a: unsafe.Pointer(&p.a.data[i*p.a.ld]), ars: uintptr(4 * p.a.ld), k: whole, bs: uintptr(4 * p.b.ld), cs: 4 * dotGrain}
		for j := 0; j < n; j += 4 {
			t.b, t.c = unsafe.Pointer(&p.b.data[(lo+j)*p.b.ld]), unsafe.Pointer(&w.edge[j])
			if j+4 > n { // each of the last columns as if it were four
				m.dotTail(w, p, rows, lo, j, n)
				break
			}
			m.dots[rows](t)
		}
		*t = tile{c: unsafe.Pointer(&p.out[i*p.n+lo]), cs: uintptr(4 * p.n), alpha: p.alpha}
		if p.accumulate {
			t.acc = 1
		}
		if p.bias != nil {
			t.bias = unsafe.Pointer(&p.bias[lo])
		}
		if p.res != nil {
			t.res = unsafe.Pointer(&p.res[i*p.n+lo])
		}
		for r := range rows {
			sum := w.edge[dotGrain*r:][:n]
			for k := whole; k < p.k; k++ { // what is left of the depth
				x := p.a.data[(i+r)*p.a.ld+k]
				for c := range sum {
					sum[c] += x * p.b.data[(lo+c)*p.b.ld+k]
				}
			}
			t.finish(r, 0, sum)
			if p.act != kernels.ActNone {
				m.activate(p.act, p.out[(i+r)*p.n+lo:][:n])
			}
		}
	}
	*t = tile{}
	workers.Put(w)
}

func (m *micro) dotTail(w *worker, p *product, rows, lo, j, n int) {
	const side = 4 * dotGrain // of edge, beyond the sums
	t := &w.tile
	t.bs, t.cs, t.c = 0, 16, unsafe.Pointer(&w.edge[side])
	for ; j < n; j++ {
		t.b = unsafe.Pointer(&p.b.data[(lo+j)*p.b.ld])
		m.dots[rows](t)
		for r := range rows {
			w.edge[r*dotGrain+j] = w.edge[side+4*r]
		}
	}
}
