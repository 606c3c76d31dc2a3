package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// dotRows is how few rows of A make packing B a waste: each value of B would be copied to be used that often.
const dotRows = 4

// dotProduct computes a product of few rows with a B whose rows are contiguous in depth (a decoder's step through a linear layer): B is read
// once, where it lies. It is false if the product is of another kind.
func (m *micro) dotProduct(p *product, serial bool) bool {
	if m.dots == nil || p.m > dotRows || !p.a.deep || !p.b.deep || p.k < m.step {
		return false
	}
	const grain = 64 // columns
	if serial || p.n <= grain {
		m.dotColumns(p, 0, p.n)
		return true
	}
	m.dotParallel(*p, grain)
	return true
}

func (m *micro) dotParallel(p product, grain int) {
	Ranges(p.n, grain, func(lo, hi int) { m.dotColumns(&p, lo, hi) })
}

// dotColumns computes the columns lo..hi-1.
func (m *micro) dotColumns(p *product, lo, hi int) {
	w := workers.Get().(*worker)
	t, most := &w.tile, len(m.dots)-1
	whole := p.k / m.step * m.step
	for j := lo; j < hi; j += 4 {
		cols := min(4, hi-j)
		for i := 0; i < p.m; i += most {
			rows := min(most, p.m-i)
			*t = tile{a: unsafe.Pointer(&p.a.data[i*p.a.ld]), ars: uintptr(4 * p.a.ld), k: whole, b: unsafe.Pointer(&p.b.data[j*p.b.ld]), bs: uintptr(4 * p.b.ld),
				c: unsafe.Pointer(&w.edge), cs: 16}
			if cols < 4 { // the last columns one by one, each as if it were four
				for c := range cols {
					t.b, t.bs, t.c = unsafe.Pointer(&p.b.data[(j+c)*p.b.ld]), 0, unsafe.Pointer(&w.edge[16*c])
					m.dots[rows](t)
				}
				for r := range rows {
					for c := range cols {
						w.edge[64+4*r+c] = w.edge[16*c+4*r]
					}
				}
				copy(w.edge[:16], w.edge[64:80])
			} else {
				m.dots[rows](t)
			}
			t.c, t.cs, t.alpha = unsafe.Pointer(&p.out[i*p.n+j]), uintptr(4*p.n), p.alpha
			if p.accumulate {
				t.acc = 1
			}
			if p.bias != nil {
				t.bias = unsafe.Pointer(&p.bias[j])
			}
			if p.res != nil {
				t.res = unsafe.Pointer(&p.res[i*p.n+j])
			}
			for r := range rows {
				sum := w.edge[4*r : 4*r+cols]
				for c := range sum {
					x, y := p.a.data[(i+r)*p.a.ld+whole:][:p.k-whole], p.b.data[(j+c)*p.b.ld+whole:]
					for k, v := range x {
						sum[c] += v * y[k]
					}
				}
				t.finish(r, 0, sum)
			}
		}
	}
	*t = tile{}
	workers.Put(w)
	if p.act != kernels.ActNone {
		for i := range p.m {
			m.activate(p.act, p.out[i*p.n+lo:i*p.n+hi])
		}
	}
}
