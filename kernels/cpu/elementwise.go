package cpu

import "syntic/kernels"

func init() {
	addVector(kernels.Binary, "rows, broadcasts folded", binaryRun)
	addVector(kernels.Affine, "", affineRun)
	addVector(kernels.Lerp, "", func(v *vector, a *kernels.LerpArgs) {
		x := a.X.F32()
		lerpPieces.ranges(len(x), grain, lerpWork{v, x, a.Y.F32(), a.T})
	})
}

// fold3 merges neighbouring dimensions that are all kept or all broadcast (size 1 in small), so that rows become long. The result is
// right-aligned; kept tells which of its dimensions small has.
func fold3(full, small []int) (dims [3]int, kept [3]bool) {
	dims = [3]int{1, 1, 1}
	g := 3
	for i := 2; i >= 0; i-- {
		if full[i] == 1 {
			continue
		}
		if k := small[i] == full[i]; g == 3 || kept[g] != k {
			g--
			kept[g] = k
		}
		dims[g] *= full[i]
	}
	return dims, kept
}

func binaryRun(v *vector, a *kernels.BinaryArgs) {
	dims, kept := fold3(a.A.Shape(), a.B.Shape())
	n, m, c := dims[0], dims[1], dims[2]
	x, y, o := a.A.F32(), a.B.F32(), a.Out.F32()
	if n*m == 1 && kept[2] { // one long row
		binaryPieces.ranges(c, grain, binaryWork{v, a.Kind, o, x, y, a.Alpha, a.Beta})
		return
	}
	var sn, sm, sc, step int // steps of B
	if step = 1; kept[2] {
		sc, step = 1, c
	}
	if kept[1] {
		sm, step = step, step*m
	}
	if kept[0] {
		sn = step
	}
	piece := min(c, grain) // rows are cut too
	cuts := ceilDiv(c, piece)
	binaryRows.ranges(n*m*cuts, max(1, grain/piece), binaryRowsWork{binaryWork{v, a.Kind, o, x, y, a.Alpha, a.Beta}, m, c, sn, sm, sc, piece, cuts})
}

// binaryRowsWork is binaryWork for rows of c numbers, m to a group, a piece of a row at a time. Steps of y are sn from group to group, sm from row to row,
// sc within one.
type binaryRowsWork struct {
	binaryWork
	m, c, sn, sm, sc, piece, cuts int
}

var binaryRows = newSpread(func(w *binaryRowsWork, lo, hi int) {
	for u := lo; u < hi; u++ {
		row, from := u/w.cuts, u%w.cuts*w.piece
		to := min(w.c, from+w.piece)
		b, o, x := w.y[row/w.m*w.sn+row%w.m*w.sm:], w.o[row*w.c+from:row*w.c+to], w.x[row*w.c+from:row*w.c+to]
		if w.sc == 1 {
			binaryRow(w.v, w.kind, o, x, b[from:to], w.p, w.q)
		} else {
			binaryScalar(w.v, w.kind, o, x, b[0], w.p, w.q)
		}
	}
})

// binaryWork is o = p·x op q·y for one long row.
type binaryWork struct {
	v       *vector
	kind    kernels.BinaryKind
	o, x, y []float32
	p, q    float32
}

var binaryPieces = newSpread(func(w *binaryWork, lo, hi int) { binaryRow(w.v, w.kind, w.o[lo:hi], w.x[lo:hi], w.y[lo:hi], w.p, w.q) })

func binaryRow(v *vector, kind kernels.BinaryKind, o, x, y []float32, p, q float32) {
	switch kind {
	case kernels.Add:
		v.axpby(o, x, y, p, q)
	case kernels.Sub:
		v.axpby(o, x, y, p, -q)
	case kernels.Mul:
		v.mul(o, x, y, p*q)
	case kernels.Div:
		for i, x := range x {
			o[i] = p * x / (q * y[i])
		}
	}
}

func binaryScalar(v *vector, kind kernels.BinaryKind, o, x []float32, y, p, q float32) {
	switch kind {
	case kernels.Add:
		v.affine(o, x, p, q*y)
	case kernels.Sub:
		v.affine(o, x, p, -q*y)
	case kernels.Mul:
		v.affine(o, x, p*(q*y), 0)
	case kernels.Div:
		for i, x := range x {
			o[i] = p * x / (q * y)
		}
	}
}

func affineRun(v *vector, a *kernels.AffineArgs) {
	x := a.X.F32()
	affinePieces.ranges(len(x), grain, affineWork{v, a.Out.F32(), x, a.A, a.B, a.Lo, a.Hi})
}

// affineWork is o = p·x + q, kept within l..h unless they are the same.
type affineWork struct {
	v          *vector
	o, x       []float32
	p, q, l, h float32
}

var affinePieces = newSpread(func(w *affineWork, lo, hi int) {
	o := w.o[lo:hi]
	w.v.affine(o, w.x[lo:hi], w.p, w.q)
	if w.l != w.h {
		for i, y := range o {
			o[i] = min(max(y, w.l), w.h)
		}
	}
})

type lerpWork struct {
	v    *vector
	x, y []float32
	t    float32
}

var lerpPieces = newSpread(func(w *lerpWork, lo, hi int) { w.v.lerp(w.x[lo:hi], w.y[lo:hi], w.t) })
