package cpu

import "unsafe"

// tilesArgs are a small product in scratch, C (+)= alpha·A·B: A's element (i, l) at a[i·ars + l·aks], B's (l, j) at b[j/nr·panel + l·ldb + j%nr], where
// whole panels of nr must be readable, C's (i, j) at c[i·ldc + j].
type tilesArgs struct {
	c, a, b                   []float32
	ldc, ars, aks, ldb, panel int
	rows, cols, k             int
	alpha                     float32
	add                       bool

	// What is asked for meanwhile: so many bytes of memory from next on, 0 is nothing; and, with far, while a panel is computed, the panel of B after it.
	next  uintptr
	bytes int
	far   bool
}

// products is tiles with a work space of its own.
func (m *micro) products(x tilesArgs) {
	w := workers.Get().(*worker)
	m.tiles(w, x)
	w.tile = tile{}
	workers.Put(w)
}

func (m *micro) tiles(w *worker, x tilesArgs) {
	t, step := &w.tile, evenly(x.rows, m.mr)
	*t = tile{ars: uintptr(4 * x.ars), acs: uintptr(4 * x.aks), bs: uintptr(4 * x.ldb), cs: uintptr(4 * x.ldc), k: x.k, alpha: x.alpha}
	if x.add {
		t.acc = 1
	}
	down, across := ceilDiv(x.rows, step), ceilDiv(x.cols, m.nr)
	for j := 0; j < x.cols; j += m.nr {
		cols := min(m.nr, x.cols-j)
		run, whole := m.run, m.masked || cols == m.nr
		if m.half != nil && cols <= m.nr/2 {
			run = m.half
		}
		t.b, t.mask = unsafe.Pointer(&x.b[j/m.nr*x.panel]), uint32(1<<cols-1)
		for i := 0; i < x.rows; i += step {
			rows := min(step, x.rows-i)
			t.a, t.c = unsafe.Pointer(&x.a[i*x.ars]), unsafe.Pointer(&x.c[i*x.ldc+j])
			if r := i / step; x.far && r%2 == 0 {
				t.fetchPanel(m.nr, &x, j, r/2, ceilDiv(down, 2))
			} else {
				t.fetch(x.next, x.bytes, j/m.nr*down+r, across*down)
			}
			if whole {
				run[rows](t)
			} else {
				m.ragged(t, run[rows], rows, cols, &w.edge)
			}
		}
	}
}

// fetchPanel is fetch of a share of the panel of B after that of column j: of the next one, or, after the last, of the first of the rows below.
func (t *tile) fetchPanel(nr int, x *tilesArgs, j, i, tiles int) {
	next := uintptr(t.b) + uintptr(4*x.panel)
	if j+nr >= x.cols {
		next = uintptr(unsafe.Pointer(&x.b[0])) + uintptr(4*x.k*x.ldb)
	}
	if x.ldb == nr {
		t.fetch(next, 4*nr*x.k, i, tiles)
		return
	}
	if t.ahead, t.aheadStep = next+uintptr(64*i), uintptr(4*x.ldb); 16*i >= nr { // a line of each row at a time
		t.ahead, t.aheadStep = uintptr(t.b), 0
	}
}
