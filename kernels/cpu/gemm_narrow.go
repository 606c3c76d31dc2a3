package cpu

import (
	"unsafe"

	"syntic/kernels"
)

const (
	narrowN    = 4       // columns that the dot-product routines take at once
	narrowSize = 1 << 14 // gathered values of A in a piece of work
)

// narrow tells whether a product has so few columns that lanes along the depth are better used than lanes along the columns: a convolution
// to the three channels of an image. It depends on the columns, the depth and how the operands lie, never on the number of rows.
func (m *micro) narrow(p *product) bool {
	return m.narrowFits(p.n, p.k) && p.b.deep && (p.a.deep || p.a.win.x != nil)
}

func (m *micro) narrowFits(n, k int) bool { return m.dots != nil && n <= narrowN && k >= 2*m.step }

// multiplyNarrow computes such a product by dot products of rows of A with the columns of B, both filled up with zeros to whole vectors.
func (m *micro) multiplyNarrow(all product, serial bool) {
	p := &all
	ld := ceilDiv(p.k, m.step) * m.step
	b := getScratch(narrowN * ld)
	clear(b.f)
	for j := range p.n {
		p.b.column(m, b.f[j*ld:][:p.k], j)
	}
	rows := max(4, narrowSize/ld&^3)
	w := narrowWork{m, *p, b.f, ld}
	if serial {
		for i := 0; i < p.m; i += rows {
			w.rows(i, min(p.m, i+rows))
		}
	} else {
		narrowPieces.ranges(p.m, rows, w)
	}
	b.put()
}

// narrowWork is such a product, with the columns of B ld values apart.
type narrowWork struct {
	m  *micro
	p  product
	b  []float32
	ld int
}

var narrowPieces = newSpread((*narrowWork).rows)

// rows computes the rows lo..hi-1.
func (x *narrowWork) rows(lo, hi int) {
	m, p, b, ld := x.m, &x.p, x.b, x.ld
	w := workers.Get().(*worker)
	t, most := &w.tile, len(m.dots)-1
	a, lda := p.a.data, p.a.ld
	switch {
	case p.a.win.x != nil || p.k < ld:
		w.a = grown(w.a, (hi-lo)*ld)
		a, lda = w.a, ld
		if p.a.win.x != nil {
			p.a.win.gather(m, a, ld, lo, hi, 0, p.k)
		} else {
			for r := lo; r < hi; r++ {
				copy(a[(r-lo)*ld:], p.a.data[r*p.a.ld:][:p.k])
			}
		}
		for r := range hi - lo {
			clear(a[r*ld+p.k : (r+1)*ld])
		}
	default:
		a = a[lo*lda:]
	}
	for r := lo; r < hi; r += most {
		rows := min(most, hi-r)
		*t = tile{a: unsafe.Pointer(&a[(r-lo)*lda]), ars: uintptr(4 * lda), b: unsafe.Pointer(&b[0]), bs: uintptr(4 * ld), c: unsafe.Pointer(&w.edge), cs: 4 * narrowN, k: ld}
		m.dots[rows](t)
		for i := range rows {
			at := (r + i) * p.n
			out := p.out[at : at+p.n]
			for j, s := range w.edge[narrowN*i:][:p.n] {
				s *= p.alpha
				if p.bias != nil {
					s += p.bias[j]
				}
				if p.res != nil {
					s += p.res[at+j]
				}
				if p.accumulate {
					s += out[j]
				}
				out[j] = s
			}
		}
	}
	if p.act != kernels.ActNone {
		m.activate(p.act, p.out[lo*p.n:hi*p.n])
	}
	w.tile = tile{}
	workers.Put(w)
}
