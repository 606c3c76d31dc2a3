package cpu

import (
	"slices"
	"sync"
	"unsafe"
)

// A head's tokens lie H·D numbers apart, a few cache lines each, and no prefetcher of the CPU finds the next head among them: of short sequences, waiting for
// operands took as long as all else. So a worker takes a piece before it computes another, and while that is computed the operands of the next are asked for: a line
// for every step of a product where there are few keys, for many at once wait for each other; a few rows between every two routines elsewhere.

// ahead is what a piece of attention will need, as rows or as a list of cache lines.
type ahead struct {
	ld    [4]int // values from one row to the next
	lines int    // of a row, at most
	each  int    // rows asked for at a time
	at    [4][]float32
	rows  [4]int
	i, r  int // next row

	list          []uintptr // of addresses; from n on none that matters
	n, next, used int       // next: not asked for yet; used: what may be others than nowhere
	scoresOnly    bool      // the products of queries and keys have steps enough
	in, out       lineOffsets
}

// lineOffsets are the bytes from the beginning of the first of some rows to the lines of all.
type lineOffsets struct {
	ld, lines int
	at        []uintptr
}

// of is those of rows, filled up to a multiple of 8.
func (o *lineOffsets) of(ld, lines, rows int) []uintptr {
	n := (rows*lines + 7) &^ 7
	if o.ld != ld || o.lines != lines || len(o.at) < n {
		*o = lineOffsets{ld, lines, o.at[:0]}
		for i := range n {
			o.at = append(o.at, uintptr(i/lines*4*ld+i%lines*align))
		}
	}
	return o.at[:n]
}

var aheads = sync.Pool{New: func() any { return new(ahead) }}

const (
	aheadKeys  = 256  // the largest number of keys of a sequence short enough: of more, a piece takes long beside fetching its queries, and the keys are near already
	aheadSteps = 4096 // the largest number of steps of a call that asks for lines
)

// ahead fills in what piece v needs that u, which comes before, does not.
func (w *attnWork) ahead(u, v int, f *ahead) {
	_, n, m, _, d := w.a.Sizes()
	f.i, f.next, f.n = len(f.at), 0, 0
	if v >= w.pieces || m > aheadKeys {
		return
	}
	before, _, _ := w.part(u)
	head, from, rows := w.part(v)
	t := attnHeadOf(w.p, w.a, head)
	heads := w.headsFrom(head)
	out := w.a.Out.F32()[t.base+from*t.ldo:]
	if w.few {
		if w.p.scores != nil {
			f.enlist(&t, out, from, rows, heads, head != before)
			f.scoresOnly = heads*ceilDiv(min(n, w.piece), attnStrip)*ceilDiv(t.m, 12)*d >= f.n
		}
		return
	}
	f.ld, f.lines = [4]int{t.ld, t.ldo, t.ld, t.ld}, ceilDiv(4*heads*d+align-4, align)
	f.at, f.rows = [4][]float32{t.q[from*t.ld:], out}, [4]int{rows, rows}
	if head != before {
		f.at[2], f.rows[2] = t.k, t.m
		f.at[3], f.rows[3] = t.v, t.m
	}
	f.i, f.r = 0, 0
	f.each = ceilDiv(f.rows[0]+f.rows[1]+f.rows[2]+f.rows[3], 4*ceilDiv(rows, attnStrip)) // each strip of queries has four turns
}

// enlist makes the list for `rows` queries of some heads from t's on, and for their keys and values if keys says so.
func (f *ahead) enlist(t *attnHead, out []float32, from, rows, heads int, keys bool) {
	lines := func(x []float32, ld int) int { // of a row
		before := align - 4
		if 4*ld%align == 0 {
			before = int(uintptr(unsafe.Pointer(unsafe.SliceData(x))) % align)
		}
		return ceilDiv(before+4*heads*t.d, align)
	}
	li, lo := lines(t.q, t.ld), lines(out, t.ldo)
	if most := 2*(rows+t.m)*max(li, lo) + 4*8 + aheadSteps; len(f.list) < most {
		f.list, f.used = slices.Repeat([]uintptr{uintptr(unsafe.Pointer(&nowhere))}, most), 0
	}
	f.add(&f.in, t.q[from*t.ld:], t.ld, li, rows)
	if keys {
		f.add(&f.in, t.k, t.ld, li, t.m)
		f.add(&f.in, t.v, t.ld, li, t.m)
	}
	f.add(&f.out, out, t.ldo, lo, rows)
	for i := f.n; i < f.used; i++ {
		f.list[i] = uintptr(unsafe.Pointer(&nowhere))
	}
	f.used = f.n + 8
}

// add appends the lines of some rows to the list.
func (f *ahead) add(o *lineOffsets, x []float32, ld, lines, rows int) {
	if rows > 0 {
		offsets := o.of(ld, lines, rows)
		addresses(f.list[f.n:], offsets, uintptr(unsafe.Pointer(unsafe.SliceData(x)))&^(align-1))
		f.n += rows * lines
	}
}

// feed is where the list stands, and how far an address is from the next, for a product of so many steps.
func (f *ahead) feed(steps int) (list *uintptr, step int) {
	if f == nil || f.next >= f.n || steps > aheadSteps {
		return &nowhere, 0
	}
	list = &f.list[f.next]
	f.next += steps
	return list, 8
}

// nowhere is a list of one address that does not matter.
var nowhere uintptr

// drop keeps no operand alive.
func (f *ahead) drop() {
	f.at, f.n = [4][]float32{}, 0
}

// turn asks for a few rows; zero is nothing.
func (f *ahead) turn() {
	if f == nil { // backward passes have none
		return
	}
	for left := f.each; left > 0 && f.i < len(f.at); {
		n := min(left, f.rows[f.i]-f.r)
		if n > 0 {
			fetchRows(uintptr(unsafe.Pointer(&f.at[f.i][f.r*f.ld[f.i]])), uintptr(4*f.ld[f.i]), uintptr(f.lines), uintptr(n))
		}
		f.r += n
		if left -= n; f.r == f.rows[f.i] {
			f.i, f.r = f.i+1, 0
		}
	}
}
