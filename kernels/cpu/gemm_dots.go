package cpu

import (
	"unsafe"

	"syntic/kernels"
)

const dotGrain = 64 // columns of a piece of work

// few tells whether a product has so few rows, and a B whose rows are contiguous in depth, that packing B costs more than it saves: a decoder's
// step through a linear layer. Sums over short rows cost more to finish, so fewer rows of A are taken for them.
func (m *micro) few(p *product) bool {
	return m.dots != nil && p.a.deep && p.b.deep && p.a.win.x == nil && p.k >= m.step && (p.m <= 4 || p.m <= 12 && p.k >= 256)
}

// dotProduct computes such a product by dot products, reading B once, where it lies.
func (m *micro) dotProduct(p *product, serial bool) {
	if !serial && p.n > dotGrain {
		m.dotParallel(*p)
		return
	}
	for j := 0; j < p.n; j += dotGrain {
		m.dotColumns(p, j, min(p.n, j+dotGrain))
	}
}

func (m *micro) dotParallel(p product) {
	Ranges(p.n, dotGrain, func(lo, hi int) { m.dotColumns(&p, lo, hi) })
}

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
