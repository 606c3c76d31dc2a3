package cpu

import (
	"sync"
	"unsafe"
)

// A head's tokens lie H·D numbers apart, a few cache lines each, and no prefetcher of the CPU finds the next head among them: of short sequences, waiting for
// operands took as long as all else. So work is dealt out several pieces at a time, and while one is computed the operands of the next are asked for, a few
// rows between every two routines.

// ahead is what a piece of attention will need.
type ahead struct {
	ld    [4]int // values from one row to the next
	lines int    // of a row, at most
	each  int    // rows asked for at a time
	at    [4][]float32
	rows  [4]int
	i, r  int // next row
}

var aheads = sync.Pool{New: func() any { return new(ahead) }}

// aheadKeys is the largest number of keys of a sequence short enough: of more, a piece takes long beside fetching its queries, and the keys are near already.
const aheadKeys = 256

// attnGrain is how many pieces of attention are dealt out at a time.
func attnGrain(pieces int) int {
	switch {
	case pieces >= 256:
		return 8
	case pieces >= 64:
		return 4
	}
	return 1
}

// after fills in what piece u needs that the one before it does not.
func (w *attnWork) after(u int, f *ahead) {
	_, _, m, h, d := w.a.Sizes()
	if m > aheadKeys {
		return
	}
	head, from, rows := w.part(u)
	t := attnHeadOf(w.p, w.a, head)
	heads := min(w.heads, h-head%h)
	*f = ahead{ld: [4]int{t.ld, t.ldo, t.ld, t.ld}, lines: ceilDiv(4*heads*d+align-4, align)}
	f.at[0], f.rows[0] = t.q[from*t.ld:], rows
	f.at[1], f.rows[1] = w.a.Out.F32()[t.base+from*t.ldo:], rows
	if from == 0 {
		f.at[2], f.rows[2] = t.k, t.m
		f.at[3], f.rows[3] = t.v, t.m
	}
	f.each = ceilDiv(f.rows[0]+f.rows[1]+f.rows[2]+f.rows[3], 3*heads*ceilDiv(rows, attnStrip)) // each strip of queries has three turns at least
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
