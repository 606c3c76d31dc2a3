package cpu

import (
	"unsafe"

	"syntic/kernels"
)

func init() {
	addGo(kernels.Permute, "rows copied, or tiles transposed", permuteRun)
	addVector(kernels.CopyBlock, "", copyBlockRun)
	addGo(kernels.Embedding, "", func(a *kernels.EmbeddingArgs) {
		c, w := a.Table.Dim(1), embeddingWork{c: a.Table.Dim(1), ids: a.IDs.I32(), out: a.Out.F32(), format: a.Table.DType}
		if w.format == kernels.F32 {
			w.table = a.Table.F32()
		} else {
			w.half = a.Table.U16()
		}
		embeddingRows.ranges(len(w.ids), rowGrain(c), w)
	})
	addVector(kernels.EmbeddingGrad, "by blocks of columns, ids in order", func(v *vector, a *kernels.EmbeddingGradArgs) {
		c, table, ids, d := a.DTable.Dim(1), a.DTable.F32(), a.IDs.I32(), a.DOut.F32()
		if !a.Accumulate {
			clearing.ranges(len(table), 4*grain, table)
		}
		embeddingGradColumns.ranges(c, 64, embeddingGradWork{v, c, ids, table, d})
	})
}

var clearing = newSpread(func(x *[]float32, lo, hi int) { clear((*x)[lo:hi]) })

// embeddingGradWork adds rows d of c numbers to those of a table.
type embeddingGradWork struct {
	v        *vector
	c        int
	ids      []int32
	table, d []float32
}

var embeddingGradColumns = newSpread(func(w *embeddingGradWork, lo, hi int) {
	for i, id := range w.ids {
		row := w.table[int(id)*w.c+lo : int(id)*w.c+hi]
		w.v.axpby(row, row, w.d[i*w.c+lo:i*w.c+hi], 1, 1)
	}
})

// embeddingWork is rows of a table by their numbers.
type embeddingWork struct {
	c          int
	ids        []int32
	table, out []float32
	half       []uint16 // instead of table
	format     kernels.DType
}

var embeddingRows = newSpread(func(w *embeddingWork, lo, hi int) {
	c := w.c
	for i := lo; i < hi; i++ {
		if at := int(w.ids[i]) * c; w.half != nil {
			widen(haveISA(), w.out[i*c:i*c+c], w.half[at:], w.format)
		} else {
			copy(w.out[i*c:i*c+c], w.table[at:at+c])
		}
	}
})

func copyBlockRun(v *vector, a *kernels.CopyBlockArgs) {
	n, s, d, w := a.Src.Dim(0), a.Src.Dim(1), a.Dst.Dim(1), a.Width
	x, y := unsafe.Slice((*float32)(a.Src.Ptr()), n*s), unsafe.Slice((*float32)(a.Dst.Ptr()), n*d) // int32 is copied as it is
	from, to, add := a.SrcAt, a.DstAt, a.Accumulate
	piece := min(w, grain) // one long row is cut too
	cuts := ceilDiv(w, piece)
	blockPieces.ranges(n*cuts, max(1, grain/piece), blockWork{v, x, y, s, d, w, from, to, piece, cuts, add})
}

// blockWork is a block of w columns that is copied or added, a piece of a row at a time.
type blockWork struct {
	v                              *vector
	x, y                           []float32
	s, d, w, from, to, piece, cuts int
	add                            bool
}

var blockPieces = newSpread(func(b *blockWork, lo, hi int) {
	for u := lo; u < hi; u++ {
		i, j := u/b.cuts, u%b.cuts*b.piece
		m := min(b.piece, b.w-j)
		p, q := b.x[i*b.s+b.from+j:][:m], b.y[i*b.d+b.to+j:][:m]
		if b.add {
			b.v.axpby(q, q, p, 1, 1)
		} else {
			copy(q, p)
		}
	}
})

// permuteRun merges dimensions that stay neighbours, then copies runs if the last dimension stays last, else transposes tiles of the plane
// spanned by the last dimensions of X and Out.
func permuteRun(a *kernels.PermuteArgs) {
	var size, stride [kernels.MaxRank]int // of Out's merged dimensions: sizes, and steps in X
	n := 0
	var steps [kernels.MaxRank]int
	for i, s := a.X.Rank()-1, 1; i >= 0; i-- {
		steps[i] = s
		s *= a.X.Dim(i)
	}
	for i := 0; i < a.X.Rank(); i++ {
		d, s := a.Out.Dim(i), steps[a.Perm[i]]
		if d == 1 {
			continue
		}
		if n > 0 && stride[n-1] == d*s {
			size[n-1], stride[n-1] = size[n-1]*d, s
			continue
		}
		size[n], stride[n] = d, s
		n++
	}
	xv, ov := kernels.NewView(kernels.F32, a.X.Ptr(), a.X.Len()), kernels.NewView(kernels.F32, a.Out.Ptr(), a.X.Len())
	x, o := xv.F32(), ov.F32()
	if n == 0 || (n == 1 && stride[0] == 1) {
		permuteCopies.ranges(len(x), grain, permuteWork{x: x, o: o})
		return
	}
	last := n - 1
	if stride[last] == 1 {
		c := size[last]
		permuteRows.ranges(len(o)/c, rowGrain(c), permuteWork{x: x, o: o, cols: c, m: last, size: size, stride: stride})
		return
	}
	t := 0 // the dimension of Out that is X's last
	for stride[t] != 1 {
		t++
	}
	inner := 1 // step in Out of dimension t
	for i := t + 1; i < n; i++ {
		inner *= size[i]
	}
	rows, cols, step := size[t], size[last], stride[last]
	w := permuteWork{x: x, o: o, rows: rows, cols: cols, step: step, inner: inner, tr: ceilDiv(rows, permuteTile)}
	s := 1
	for i := n - 1; i >= 0; i-- {
		if i != t && i != last {
			w.size[w.m], w.stride[w.m], w.out[w.m] = size[i], stride[i], s
			w.m++
		}
		s *= size[i]
	}
	outer := len(o) / (rows * cols)
	permuteTiles.ranges(outer*w.tr, max(1, grain/(permuteTile*cols)), w)
}

const permuteTile = 32

// permuteWork is a permutation: of rows of cols numbers, or of tiles of planes of rows and cols whose numbers lie step apart in x, their rows inner apart in o.
// The m other dimensions have sizes, steps in x and, for planes, in o.
type permuteWork struct {
	x, o                        []float32
	rows, cols, step, inner, tr int
	m                           int
	size, stride, out           [kernels.MaxRank]int
}

var permuteCopies = newSpread(func(w *permuteWork, lo, hi int) { copy(w.o[lo:hi], w.x[lo:hi]) })

var permuteRows = newSpread(func(w *permuteWork, lo, hi int) {
	c := w.cols
	for r := lo; r < hi; r++ {
		at := offset(r, w.size[:w.m], w.stride[:w.m])
		copy(w.o[r*c:r*c+c], w.x[at:at+c])
	}
})

var permuteTiles = newSpread(func(w *permuteWork, lo, hi int) {
	x, rows, cols, step, tr := w.x, w.rows, w.cols, w.step, w.tr
	for u := lo; u < hi; u++ {
		from, to := offset(u/tr, w.size[:w.m], w.stride[:w.m]), offset(u/tr, w.size[:w.m], w.out[:w.m])
		for c0 := 0; c0 < cols; c0 += permuteTile {
			for r := u % tr * permuteTile; r < min(rows, u%tr*permuteTile+permuteTile); r++ {
				dst := w.o[to+r*w.inner+c0:]
				for k, at := c0, from+r+c0*step; k < min(cols, c0+permuteTile); k, at = k+1, at+step {
					dst[k-c0] = x[at]
				}
			}
		}
	}
})

// offset is Σ index·stride for number r of the places of a shape.
func offset(r int, size, stride []int) (at int) {
	for i := len(size) - 1; i >= 0; i-- {
		at += r % size[i] * stride[i]
		r /= size[i]
	}
	return at
}
