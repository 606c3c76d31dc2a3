package cpu

import "syntic/kernels"

func init() {
	addVector(kernels.Reduce, "float32 within a piece, float64 across", reduceRun)
	addVector(kernels.SumSquares, "float32 within a piece, float64 across", func(v *vector, a *kernels.SumSquaresArgs) {
		x, o := a.X.F32(), a.Out.F32()
		s := rowSum(len(x), func(lo, hi int) float32 { return v.dot(x[lo:hi], x[lo:hi]) })
		if a.Accumulate {
			s += float64(o[0])
		}
		o[0] = float32(s)
	})
}

// sumPiece is how many elements are added up in float32, on several lanes, before float64 takes over.
const sumPiece = 1 << 10

// rowSum adds up piece(lo, hi) over 0..n-1 in order.
func rowSum(n int, piece func(lo, hi int) float32) float64 {
	pieces := ceilDiv(n, sumPiece)
	sum := 0.0
	if pieces <= grain/sumPiece {
		for i := 0; i < n; i += sumPiece {
			sum += float64(piece(i, min(n, i+sumPiece)))
		}
		return sum
	}
	part := getScratch(pieces)
	defer part.put()
	Ranges(pieces, grain/sumPiece, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			part.f[i] = piece(i*sumPiece, min(n, (i+1)*sumPiece))
		}
	})
	for _, s := range part.f {
		sum += float64(s)
	}
	return sum
}

func reduceRun(v *vector, a *kernels.ReduceArgs) {
	dims, kept := fold3(a.X.Shape(), a.Out.Shape())
	x, o := a.X.F32(), a.Out.F32()
	put := func(at int, s float64) {
		s *= float64(a.Scale)
		if a.Accumulate {
			s += float64(o[at])
		}
		o[at] = float32(s)
	}
	n, m, c := dims[0], dims[1], dims[2]
	switch {
	case kept[2] && (m == 1 || kept[1]): // nothing to add up
		Ranges(c, grain, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				put(i, float64(x[i]))
			}
		})
	case kept[2]: // over the middle
		colSums(v, x, n, m, c, put)
	case n*m == 1:
		put(0, rowSum(c, func(lo, hi int) float32 { return v.sum(x[lo:hi]) }))
	default: // over rows, then over what comes before them
		Ranges(m, rowGrain(n*c), func(lo, hi int) {
			for j := lo; j < hi; j++ {
				s := 0.0
				for i := 0; i < n; i++ {
					for k := 0; k < c; k += sumPiece {
						at := (i*m + j) * c
						s += float64(v.sum(x[at+k : at+min(c, k+sumPiece)]))
					}
				}
				put(j, s)
			}
		})
	}
}

// colSums adds up the m rows of each of n matrices [m, c] and calls put(i·c+k, sum). Narrow rows are added several at a time.
func colSums(v *vector, x []float32, n, m, c int, put func(at int, s float64)) {
	const cut = 1 << 12 // columns of a piece
	wide := wideRow(m, c)
	step := min(64*(wide/c), m)
	pieces, blocks := ceilDiv(m, step), ceilDiv(c, cut)
	part := getScratch(n * pieces * c)
	defer part.put()
	Ranges(n*pieces*blocks, max(1, grain/(step*min(c, cut))), func(lo, hi int) {
		for u := lo; u < hi; u++ {
			p, from := u/blocks, u%blocks*cut
			to := min(c, from+cut)
			i, r := p/pieces, p%pieces*step
			end := min(m, r+step)
			if wide > c {
				v.sumWide(part.f[p*c:p*c+c], x[(i*m+r)*c:(i*m+end)*c], wide)
				continue
			}
			acc := part.f[p*c+from : p*c+to]
			copy(acc, x[(i*m+r)*c+from:])
			for r++; r < end; r++ {
				v.axpby(acc, acc, x[(i*m+r)*c+from:(i*m+r)*c+to], 1, 1)
			}
		}
	})
	Ranges(n*c, max(1, grain/pieces), func(lo, hi int) {
		for at := lo; at < hi; at++ {
			s := 0.0
			for p := 0; p < pieces; p++ {
				s += float64(part.f[(at/c*pieces+p)*c+at%c])
			}
			put(at, s)
		}
	})
}

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
