package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// Weights that nobody writes to are packed once and for all: at the first product of few enough rows, in which packing is a part that counts, their
// panels are laid beside them (kernels.Kept). Every later product reads the panels in one stream. Panels hold what is packed at each call
// otherwise, so results are the same bits.

// keptRows is the largest number of rows of a product for which the panels of its weight are kept: more than the tokens of 32 images or 64 captions of CLIP.
// Of more rows, packing is less than a hundredth of the product, and the panels are not worth their memory.
const keptRows = 5120

// keptPixels is the same for convolutions: the 49 patches of one image, but not the smallest maps of Stable Diffusion, whose filters are a quarter of the model.
const keptPixels = 63

// keptWindows is that for pairs of bfloat16, of one image: a weight stored so takes as much memory as its panels, which are then all that is read of it. Filters of
// single pixels are weights of a product like any other.
const keptWindows = 256

// kept is where the panels of a constant weight are, n columns of depth k, one after the other; nil if there are none. Operands that are rounded to pairs are filled
// up with a zero after every unit of the depth, if that is odd.
func (m *micro) kept(w *kernels.View, n, k, unit int, deep bool) []float32 {
	if w.Kept() == nil || n <= narrowN {
		return nil
	}
	key := kernels.FormKey{By: m, Rows: n, Depth: k, Unit: unit, Deep: deep}
	if p := w.Kept().Find(key); p != nil {
		return p
	}
	return m.keep(w, key)
}

// keep packs all panels of a weight.
func (m *micro) keep(w *kernels.View, key kernels.FormKey) []float32 {
	panels, k := ceilDiv(key.Rows, m.nr), key.Depth
	if m.pairs != nil {
		k = key.Depth / key.Unit * ceilDiv(key.Unit, 2)
	}
	return w.Kept().Make(key, panels*k*m.nr, func(dst []float32) {
		b := weight(w, key.Rows, key.Depth, key.Deep)
		if m.pairs != nil {
			y, own := m.pairs.weight(m.level, w, key.Rows*(key.Depth/key.Unit), key.Unit, key.Deep)
			defer own.put()
			b = matrix(y, key.Rows, k, key.Deep)
		}
		Parallel(panels, func(i int) {
			r := i * m.nr
			b.pack(m, dst[r*k:(r+m.nr)*k], m.nr, r, min(key.Rows, r+m.nr), 0, k)
		})
	})
}

// after is where the slice of B lies that a worker reads after columns c.. of depth k0..k1-1 of a task; 0 if it is not packed.
func (j *job) after(w *worker, c, c0, c1, k0, k1 int) uintptr {
	if c += j.kernel.nr; c >= c1 {
		c, k0 = c0, k1
	}
	if k0 >= j.k1 {
		return w.then
	}
	return j.slice(c, k0)
}

// slice is where the slice of B of columns c.. from depth k0 lies; 0 if it is not packed.
func (j *job) slice(c, k0 int) uintptr {
	nr := j.kernel.nr
	i := (c - j.j0) / nr
	switch {
	case j.b.panels != nil:
		return uintptr(unsafe.Pointer(&j.b.panels[i*nr*j.b.whole+k0*nr]))
	case j.staged && j.b.win.x == nil:
		return uintptr(unsafe.Pointer(&j.packed[i*nr*(j.k1-j.k0)+(k0-j.k0)*nr]))
	}
	return 0
}

// fetch tells the kernel what to fetch while it works on tile number i of so many: a share of the `bytes` of B at next. 0 is nothing.
func (t *tile) fetch(next uintptr, bytes, i, tiles int) {
	share := ceilDiv(bytes, tiles)
	t.ahead, t.aheadStep = next+uintptr(i*share), uintptr(ceilDiv(share, t.k))
	if next == 0 {
		t.ahead, t.aheadStep = uintptr(t.b), 0
	}
}

// shareA rounds A as a whole, where tasks would have to do it for their rows and many have the same rows.
func (j *job) shareA(serial bool) {
	a := &j.a
	if a.round == nil || ceilDiv(ceilDiv(j.n, j.kernel.nr), j.group) <= 2 {
		return
	}
	ld := (j.k + 15) &^ 15 // whole cache lines
	if ld%1024 == 0 {
		ld += 16
	}
	j.copied, j.copyGrain = getScratch(j.m*ld), max(1, roundGrain/ld)
	j.ldA = ld
	each(ceilDiv(j.m, j.copyGrain), serial, j.copyFn)
	*a = operand{data: j.copied.f, ld: ld, deep: true}
}

// copyPiece does some rows of that.
func (j *job) copyPiece(i int) {
	r0, r1 := i*j.copyGrain, min(j.m, (i+1)*j.copyGrain)
	j.a.rounded(j.copied.f[r0*j.ldA:], j.ldA, r0, r1, 0, j.k)
}

// rounded writes rows r0..r1-1 of an operand still to be rounded, pairs k0..k1-1, to rows of dst, ld apart.
func (o *operand) rounded(dst []float32, ld, r0, r1, k0, k1 int) {
	o.round.rows(unsafe.Pointer(&dst[0]), uintptr(4*ld), unsafe.Pointer(&o.data[r0*o.ld+2*k0]), uintptr(4*o.ld), uintptr(min(2*(k1-k0), o.whole-2*k0)), uintptr(r1-r0))
}
