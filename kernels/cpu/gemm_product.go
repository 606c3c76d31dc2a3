package cpu

import (
	"sync"
	"unsafe"

	"syntic/kernels"
)

// product is one matrix product with its epilogue: what GEMM, Conv2D and their gradients all become.
//
//	out = act(alpha · A·B + bias + res (+ out if accumulate)),   A m×k, B k×n, out and res m×n with rows n apart
type product struct {
	m, n, k        int
	a, b           operand
	out, bias, res []float32
	alpha          float32
	accumulate     bool
	act            kernels.Act
}

// Sizes of the blocks. They decide the order of sums (maxKC alone does) and the pieces of parallel work; both depend on the operands only, never
// on the number of processors, and the order of sums on the depth only.
const (
	maxKC      = 1024    // depth of a block: a slice of a B panel and one of A's rows stay in the second-level cache
	maxPacked  = 1 << 20 // packed values of B at a time: they stay in the last-level cache
	maxColumns = 1024    // of B packed at a time
	maxGroup   = 96      // panels of a task: its rows of A, fetched once, serve for all of them
	taskFLOPs  = 1 << 20 // a piece of parallel work worth a goroutine
)

// job is the work space of one product; jobs are pooled and hold their own function values, so that a product allocates nothing.
type job struct {
	product
	kernel *micro

	kc, rows, mc int  // depth of a block, rows of a tile, rows of a task
	group        int  // panels of a task
	byColumns    bool // tasks go along the columns first: their rows are few, and B is read once
	parts        []piece
	crew         int  // workers
	staged       bool // B is packed before the tasks, for all of them; otherwise tasks read it where it lies or pack a panel themselves
	packed       []float32
	j0, j1       int      // columns of this stage
	k0, k1       int      // depth of this stage
	ld           int      // of packed rows of a gathered B
	grain        int      // pixels of one gathering task
	copied       *scratch // A, where it was rounded as a whole
	copyGrain    int      // rows of one piece of that
	ldA          int      // values from one row of it to the next
	packFn       func(int)
	copyFn       func(int)
	taskFn       func(int)
}

var jobs = sync.Pool{New: func() any {
	j := new(job)
	j.packFn, j.copyFn, j.taskFn = j.packPiece, j.copyPiece, j.task
	return j
}}

// worker is the work space of one task.
type worker struct {
	tile tile
	edge [maxTile]float32
	a, b []float32 // copied rows of A, one packed panel of B
	then uintptr   // the first slice of B of the task after
}

var workers = sync.Pool{New: func() any { return new(worker) }}

// multiply computes a product with a micro-kernel, on all processors if it is worth it; serial keeps it on the caller's.
func (m *micro) multiply(p *product, serial bool) {
	if p.m == 0 || p.n == 0 {
		return
	}
	if m.narrow(p) {
		m.multiplyNarrow(*p, serial)
		return
	}
	if !serial && m.deepAndSmall(p) {
		m.multiplySplit(*p)
		return
	}
	j := jobs.Get().(*job)
	j.product, j.kernel = *p, m
	j.plan()
	j.shareA(serial)
	j.run(serial)
	j.copied.put()
	j.product, j.copied = product{}, nil // keeps no operand alive
	jobs.Put(j)
}

// plan cuts the product into tiles, blocks and tasks of equal sizes, enough tasks for many processors.
func (j *job) plan() {
	m := j.kernel
	j.kc = blockDepth(j.k)
	j.rows = evenly(j.m, m.mr)
	panels, tiles := ceilDiv(j.n, m.nr), ceilDiv(j.m, j.rows)
	want := min(32, ceilDiv(2*j.m*j.n*j.k, taskFLOPs))
	switch {
	case j.b.panels != nil:
		j.staged = false
	case j.b.win.x != nil:
		j.staged = true
	case j.b.deep:
		j.staged = j.m > 256 || j.a.win.x != nil || panels < min(want, 8)
	default: // rows of B can be read where they lie, as long as few rows of A come by
		j.staged = j.m > 96 || j.m > 24 && j.b.ld > 2048
	}
	tall := evenly(tiles, max(1, 132/j.rows)) // tiles of rows whose slice of A stays in the second-level cache
	if j.byColumns = !j.staged && (j.b.panels == nil || j.m <= 132 || j.m <= 264 && j.a.win.x == nil); j.byColumns {
		if j.b.panels == nil || j.m <= 132 { // all rows in a task, so that each panel of B is read, and packed, in one task alone
			tall = tiles
		}
		j.mc = tall * j.rows
		j.group = max(1, panels*ceilDiv(tiles, tall)/want)
		return
	}
	// Split rows first (B is packed already, and a task gathers or rounds its own rows of A), then columns.
	if j.staged {
		panels = min(panels, maxColumns/m.nr)
	}
	j.group = evenly(panels, maxGroup)
	for want = want * 3 / 4; ceilDiv(tiles, tall)*ceilDiv(panels, j.group) < want; {
		switch {
		case tall > 4:
			tall = (tall + 1) / 2
		case j.group > 1:
			j.group = (j.group + 1) / 2
		case tall > 1:
			tall = (tall + 1) / 2
		default:
			want = 0
		}
	}
	j.mc = tall * j.rows
}

// piece is the rows and columns of a task.
type piece struct{ i0, i1, c0, c1 int }

// cut makes the tasks of the columns of this stage. The last ones, an eighth of the work or two large tasks, are a quarter as large, so that no processor waits
// long for the one that took the last.
func (j *job) cut() {
	j.parts = j.parts[:0]
	columns := j.group * j.kernel.nr
	if j.byColumns {
		fine := j.lastFrom(j.j1-j.j0, columns)
		for c := j.j0; c < j.j1; {
			next := min(j.j1, c+columns)
			if c-j.j0 >= fine {
				next = min(j.j1, c+max(1, j.group/4)*j.kernel.nr)
			}
			for i := 0; i < j.m; i += j.mc {
				j.parts = append(j.parts, piece{i, min(j.m, i+j.mc), c, next})
			}
			c = next
		}
		return
	}
	fine := j.lastFrom(j.m, j.mc)
	for i := 0; i < j.m; {
		next := min(j.m, i+j.mc)
		if i >= fine {
			next = min(j.m, i+max(1, j.mc/j.rows/4)*j.rows)
		}
		for c := j.j0; c < j.j1; c += columns {
			j.parts = append(j.parts, piece{i, next, c, min(j.j1, c+columns)})
		}
		i = next
	}
}

// lastFrom is where the small pieces of n rows or columns begin, which are cut into pieces of each.
func (j *job) lastFrom(n, each int) int { return max(0, n-max(2*each, n/8)) / each * each }

// blockDepth is into which blocks the depth k is cut: each is summed from zero, and they are added up in order. It depends on k alone, so a
// row of out has the same bits however many rows there are.
func blockDepth(k int) int { return min(k, (evenly(k, maxKC)+15)&^15) } // whole vectors for the packing

// evenly is the smallest piece that cuts n into as few pieces as pieces of most do.
func evenly(n, most int) int { return max(1, ceilDiv(n, ceilDiv(n, most))) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func (j *job) run(serial bool) {
	nr, columns := j.kernel.nr, j.n
	if j.staged {
		columns = maxColumns
	}
	for j.j0 = 0; j.j0 < j.n; j.j0 = j.j1 {
		j.j1 = min(j.n, j.j0+columns)
		panels := ceilDiv(j.j1-j.j0, nr)
		j.ld = panels * nr
		chunk := j.k
		if j.staged {
			chunk = max(1, maxPacked/j.ld/j.kc) * j.kc
		}
		j.cut()
		if j.crew = 1; !serial {
			j.crew = crewFor(len(j.parts))
		}
		for j.k0 = 0; j.k0 < j.k; j.k0 = j.k1 {
			j.k1 = min(j.k, j.k0+chunk)
			if j.staged {
				j.stage(panels, serial)
			}
			each(len(j.parts), serial, j.taskFn)
		}
	}
}

// stage packs the panels of B of this stage, for all tasks.
func (j *job) stage(panels int, serial bool) {
	depth := j.k1 - j.k0
	pieces := panels
	if j.b.win.x != nil {
		j.grain = max(1, min(depth, ceilDiv(1<<14, j.ld)))
		pieces = ceilDiv(depth, j.grain)
	}
	j.packed = grown(j.packed, depth*j.ld)
	each(pieces, serial || depth*j.ld < 1<<16, j.packFn)
}

func each(n int, serial bool, fn func(int)) {
	if !serial {
		Parallel(n, fn)
		return
	}
	for i := range n {
		fn(i)
	}
}

// packPiece packs one panel of B, or gathers the windows of some pixels.
func (j *job) packPiece(i int) {
	nr, depth := j.kernel.nr, j.k1-j.k0
	if j.b.win.x != nil {
		p0, p1 := i*j.grain, min(depth, (i+1)*j.grain)
		j.b.win.gather(j.kernel, j.packed[p0*j.ld:], j.ld, j.k0+p0, j.k0+p1, j.j0, j.j1)
		return
	}
	r0 := j.j0 + i*nr
	j.b.pack(j.kernel, j.packed[i*nr*depth:(i+1)*nr*depth], nr, r0, min(j.n, r0+nr), j.k0, j.k1)
}

// panel is where the B panel of columns from col begins at depth k0, and the bytes between its rows.
func (j *job) panel(w *worker, col, k0, k1 int) (b unsafe.Pointer, bs uintptr) {
	nr, i := j.kernel.nr, (col-j.j0)/j.kernel.nr
	switch {
	case j.b.panels != nil:
		return unsafe.Pointer(&j.b.panels[i*nr*j.b.whole+k0*nr]), uintptr(4 * nr)
	case j.b.win.x != nil:
		return unsafe.Pointer(&j.packed[(k0-j.k0)*j.ld+i*nr]), uintptr(4 * j.ld)
	case j.staged:
		return unsafe.Pointer(&j.packed[i*nr*(j.k1-j.k0)+(k0-j.k0)*nr]), uintptr(4 * nr)
	case !j.b.deep && j.b.half == nil && col+nr <= j.n:
		return unsafe.Pointer(&j.b.data[k0*j.b.ld+col]), uintptr(4 * j.b.ld)
	}
	w.b = grown(w.b, (k1-k0)*nr)
	j.b.pack(j.kernel, w.b, nr, col, min(j.n, col+nr), k0, k1)
	return unsafe.Pointer(&w.b[0]), uintptr(4 * nr)
}

// task computes the rows and columns of one task over the depth of this stage.
func (j *job) task(i int) {
	p := &j.parts[i]
	i0, i1, c0, c1 := p.i0, p.i1, p.c0, p.c1
	w := workers.Get().(*worker)
	if w.then = 0; i+j.crew < len(j.parts) { // of the task that this worker takes next, if all are as quick
		w.then = j.slice(j.parts[i+j.crew].c0, j.k0)
	}
	for k := j.k0; k < j.k1; k += j.kc {
		j.block(w, i0, i1, c0, c1, k, min(j.k1, k+j.kc))
	}
	w.tile = tile{} // keeps no operand alive
	workers.Put(w)
	if j.act != kernels.ActNone && j.k1 == j.k {
		for r := i0; r < i1; r++ {
			j.kernel.activate(j.act, j.out[r*j.n+c0:r*j.n+c1])
		}
	}
}

// block adds the products of depth k0..k1-1 to the rows i0..i1-1 and columns c0..c1-1 of out.
func (j *job) block(w *worker, i0, i1, c0, c1, k0, k1 int) {
	m, t, depth := j.kernel, &w.tile, k1-k0
	t.k, t.alpha, t.cs = depth, j.alpha, uintptr(4*j.n)
	t.acc = 0
	if k0 > 0 || j.accumulate {
		t.acc = 1
	}
	first, step := j.readA(w, i0, i1, k0, k1)
	for c := c0; c < c1; c += m.nr {
		t.b, t.bs = j.panel(w, c, k0, k1)
		next := j.after(w, c, c0, c1, k0, k1)
		cols := min(c1-c, m.nr)
		t.mask = uint32(1<<cols - 1)
		run := m.run
		if m.half != nil && cols <= m.nr/2 {
			run = m.half
		}
		whole := m.masked || cols == m.nr || (cols == m.nr/2 && m.half != nil)
		t.bias, t.res = nil, nil
		if k0 == 0 && j.bias != nil {
			t.bias = unsafe.Pointer(&j.bias[c])
		}
		t.a = first
		for r := i0; r < i1; r += j.rows {
			at := r*j.n + c
			t.c = unsafe.Pointer(&j.out[at])
			t.fetch(next, 4*depth*m.nr, (r-i0)/j.rows, ceilDiv(i1-i0, j.rows))
			if k0 == 0 && j.res != nil {
				t.res = unsafe.Pointer(&j.res[at])
			}
			rows := min(i1-r, j.rows)
			if whole {
				run[rows](t)
			} else {
				m.ragged(t, run[rows], rows, cols, &w.edge)
			}
			if r+j.rows < i1 {
				t.a = unsafe.Add(t.a, step)
			}
		}
	}
}

// readA sets the strides with which w.tile reads rows i0..i1-1 of A at depth k0..k1-1, and returns where the first tile begins and the bytes to
// the next. A kernel reads A wherever it lies, so A is copied only if it must be gathered or rounded, or its columns fall on each other in the caches.
func (j *job) readA(w *worker, i0, i1, k0, k1 int) (first unsafe.Pointer, step uintptr) {
	a, t, depth := &j.a, &w.tile, k1-k0
	far := a.ld > 1024 // a page apart
	switch {
	case a.round != nil:
		ld := depth + 16
		w.a = grown(w.a, (i1-i0)*ld)
		a.rounded(w.a, ld, i0, i1, k0, k1)
		t.ars, t.acs = uintptr(4*ld), 4
	case a.win.x != nil:
		w.a = grown(w.a, (i1-i0)*depth)
		a.win.gather(j.kernel, w.a, depth, i0, i1, k0, k1)
		t.ars, t.acs = uintptr(4*depth), 4
	case !a.deep && far:
		w.a = grown(w.a, ceilDiv(i1-i0, j.rows)*j.rows*depth)
		for r := i0; r < i1; r += j.rows {
			a.pack(j.kernel, w.a[(r-i0)*depth:], j.rows, r, min(i1, r+j.rows), k0, k1)
		}
		t.ars, t.acs = 4, uintptr(4*j.rows)
		return unsafe.Pointer(&w.a[0]), uintptr(4 * depth * j.rows)
	case !a.deep:
		t.ars, t.acs = 4, uintptr(4*a.ld)
		return unsafe.Pointer(&a.data[k0*a.ld+i0]), uintptr(4 * j.rows)
	default:
		t.ars, t.acs = uintptr(4*a.ld), 4
		return unsafe.Pointer(&a.data[i0*a.ld+k0]), t.ars * uintptr(j.rows)
	}
	return unsafe.Pointer(&w.a[0]), t.ars * uintptr(j.rows)
}

// grown is buf, or new memory, with n values of which nothing is known.
func grown(buf []float32, n int) []float32 {
	if cap(buf) < n {
		buf = alignedFloats(n + n/4)
	}
	return buf[:n]
}
