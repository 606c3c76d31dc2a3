package cpu

import "syntic/kernels"

func init() {
	addVector(kernels.Reduce, "float32 within a piece, float64 across", reduceRun)
	addVector(kernels.SumSquares, "float32 within a piece, float64 across", func(v *vector, a *kernels.SumSquaresArgs) {
		x, o := a.X.F32(), a.Out.F32()
		s := rowSum(v, x, true)
		if a.Accumulate {
			s += float64(o[0])
		}
		o[0] = float32(s)
	})
}

// sumPiece is how many elements are added up in float32, on several lanes, before float64 takes over.
const sumPiece = 1 << 10

// rowSum adds up x, or the squares of its numbers, in order.
func rowSum(v *vector, x []float32, squares bool) float64 {
	n := len(x)
	w, pieces, sum := sumWork{v, x, nil, squares}, ceilDiv(n, sumPiece), 0.0
	if pieces <= grain/sumPiece {
		for i := range pieces {
			sum += float64(w.piece(i))
		}
		return sum
	}
	part := getScratch(pieces)
	w.part = part.f
	sumPieces.ranges(pieces, grain/sumPiece, w)
	for _, s := range part.f {
		sum += float64(s)
	}
	part.put()
	return sum
}

// sumWork is sums of pieces of x.
type sumWork struct {
	v       *vector
	x, part []float32
	squares bool
}

func (w *sumWork) piece(i int) float32 {
	x := w.x[i*sumPiece : min(len(w.x), (i+1)*sumPiece)]
	if w.squares {
		return w.v.dot(x, x)
	}
	return w.v.sum(x)
}

var sumPieces = newSpread(func(w *sumWork, lo, hi int) {
	for i := lo; i < hi; i++ {
		w.part[i] = w.piece(i)
	}
})

// sumsOut is where sums go: o = scale·sum (+ o).
type sumsOut struct {
	o          []float32
	scale      float64
	accumulate bool
}

func (t *sumsOut) put(at int, s float64) {
	s *= t.scale
	if t.accumulate {
		s += float64(t.o[at])
	}
	t.o[at] = float32(s)
}

func reduceRun(v *vector, a *kernels.ReduceArgs) {
	dims, kept := fold3(a.X.Shape(), a.Out.Shape())
	w := reduceWork{sumsOut{a.Out.F32(), float64(a.Scale), a.Accumulate}, v, a.X.F32(), dims[0], dims[1], dims[2]}
	n, m, c := w.n, w.m, w.c
	switch {
	case kept[2] && (m == 1 || kept[1]): // nothing to add up
		reduceNothing.ranges(c, grain, w)
	case kept[2]: // over the middle
		colSums(w)
	case n*m == 1:
		w.put(0, rowSum(v, w.x, false))
	default: // over rows, then over what comes before them
		reduceRows.ranges(m, rowGrain(n*c), w)
	}
}

// reduceWork is sums of numbers of x [n, m, c].
type reduceWork struct {
	sumsOut
	v       *vector
	x       []float32
	n, m, c int
}

var reduceNothing = newSpread(func(w *reduceWork, lo, hi int) {
	for i := lo; i < hi; i++ {
		w.put(i, float64(w.x[i]))
	}
})

var reduceRows = newSpread(func(w *reduceWork, lo, hi int) {
	for j := lo; j < hi; j++ {
		s := 0.0
		for i := range w.n {
			for k := 0; k < w.c; k += sumPiece {
				at := (i*w.m + j) * w.c
				s += float64(w.v.sum(w.x[at+k : at+min(w.c, k+sumPiece)]))
			}
		}
		w.put(j, s)
	}
})

// colSums adds up the m rows of each of n matrices [m, c]: sum number i·c+k is column k of matrix i. Narrow rows are added several at a time.
func colSums(r reduceWork) {
	const cut = 1 << 12 // columns of a piece
	w := colWork{reduceWork: r, cut: cut, wide: wideRow(r.m, r.c)}
	w.step = min(64*(w.wide/w.c), w.m)
	w.pieces, w.blocks = ceilDiv(w.m, w.step), ceilDiv(w.c, cut)
	part := getScratch(w.n * w.pieces * w.c)
	w.part = part.f
	colPieces.ranges(w.n*w.pieces*w.blocks, max(1, grain/(w.step*min(w.c, cut))), w)
	colEnds.ranges(w.n*w.c, max(1, grain/w.pieces), w)
	part.put()
}

// colWork is such a sum in progress: of step rows and cut columns at a time, in parts.
type colWork struct {
	reduceWork
	part                            []float32
	cut, wide, step, pieces, blocks int
}

var colPieces = newSpread(func(w *colWork, lo, hi int) {
	m, c := w.m, w.c
	for u := lo; u < hi; u++ {
		p, from := u/w.blocks, u%w.blocks*w.cut
		to := min(c, from+w.cut)
		i, r := p/w.pieces, p%w.pieces*w.step
		end := min(m, r+w.step)
		if w.wide > c {
			w.v.sumWide(w.part[p*c:p*c+c], w.x[(i*m+r)*c:(i*m+end)*c], w.wide)
			continue
		}
		acc := w.part[p*c+from : p*c+to]
		copy(acc, w.x[(i*m+r)*c+from:])
		for r++; r < end; r++ {
			w.v.axpby(acc, acc, w.x[(i*m+r)*c+from:(i*m+r)*c+to], 1, 1)
		}
	}
})

var colEnds = newSpread(func(w *colWork, lo, hi int) {
	for at := lo; at < hi; at++ {
		s := 0.0
		for p := range w.pieces {
			s += float64(w.part[(at/w.c*w.pieces+p)*w.c+at%w.c])
		}
		w.put(at, s)
	}
})

// sumWide is the sum of the rows of len(dst) numbers that x is made of, taken wide numbers at a time (see wideRow).
func (v *vector) sumWide(dst, x []float32, wide int) {
	acc := getScratch(wide)
	n := copy(acc.f, x)
	clear(acc.f[n:])
	for at := n; at < len(x); at += wide {
		n := min(wide, len(x)-at)
		v.axpby(acc.f[:n], acc.f[:n], x[at:at+n], 1, 1)
	}
	v.foldWide(dst, acc.f)
	acc.put()
}
