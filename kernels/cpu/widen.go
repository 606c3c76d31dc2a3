package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// widen writes numbers of 16 bits as float32, with the loops of the level of instructions or lower; exact, so the level does not show.
func widen(level isa, dst []float32, src []uint16, d kernels.DType) {
	n := widenASM(level, dst, src, d)
	kernels.Widen(dst[n:], src[n:len(dst)], d)
}

// widened is a weight as float32: its memory, or a copy in scratch of which the caller disposes.
func widened(level isa, w *kernels.View) ([]float32, *scratch) {
	if w.DType == kernels.F32 {
		return w.F32(), nil
	}
	s, half := getScratch(w.Len()), w.U16()
	widenPieces.ranges(len(half), grain, widenWork{level, s.f, half, w.DType})
	return s.f, s
}

// widenWork is dst = src in float32.
type widenWork struct {
	level isa
	dst   []float32
	src   []uint16
	dtype kernels.DType
}

var widenPieces = newSpread(func(w *widenWork, lo, hi int) { widen(w.level, w.dst[lo:hi], w.src[lo:hi], w.dtype) })

// weight is an operand in its stored format, a matrix of rows by depth k, deep or transposed. It is widened panel by panel while it is packed.
func weight(w *kernels.View, rows, k int, deep bool) operand {
	if w.DType == kernels.F32 {
		return matrix(w.F32(), rows, k, deep)
	}
	o := matrix(nil, rows, k, deep)
	o.half, o.dtype = w.U16(), w.DType
	return o
}

// isWeight tells that an operand has a format in which weights are stored.
func isWeight(w *kernels.View) bool {
	return w.DType == kernels.F32 || w.DType == kernels.BF16 || w.DType == kernels.F16
}

const widenDepth = 256 // of a block of a panel that is widened and packed at a time: both stay in the first-level cache

// packHalf is pack for an operand of 16 bits.
func (o *operand) packHalf(m *micro, dst []float32, width, r0, r1, k0, k1 int) {
	rows := r1 - r0
	if !o.deep {
		for k := k0; k < k1; k++ {
			widen(m.level, dst[(k-k0)*width:][:rows], o.half[k*o.ld+r0:], o.dtype)
		}
		return
	}
	if part := partASM(m.level, o.dtype); part != nil && o.ld%2 == 0 && width%16 == 0 && k1-k0 >= 2 {
		o.packPairs(m, dst, width, r0, r1, k0, k1, part)
		return
	}
	const ld = widenDepth + 16 // rows that lie a multiple of 4 KiB apart drive each other out of the cache
	block := getScratch(rows * ld)
	for k := k0; k < k1; k += widenDepth {
		n := min(widenDepth, k1-k)
		for r := range rows {
			widen(m.level, block.f[r*ld:][:n], o.half[(r0+r)*o.ld+k:], o.dtype)
		}
		part := operand{data: block.f, ld: ld, deep: true}
		part.packFloats(m, dst[(k-k0)*width:], width, 0, rows, 0, n)
	}
	block.put()
}

// packPairs transposes pairs of neighbours along the depth, which are as large as a float32, and then parts them.
func (o *operand) packPairs(m *micro, dst []float32, width, r0, r1, k0, k1 int, part partFunc) {
	block := getScratch(widenDepth / 2 * width)
	pairs := operand{data: unsafe.Slice((*float32)(unsafe.Pointer(&o.half[0])), len(o.half)/2), ld: o.ld / 2, deep: true}
	if k0%2 != 0 {
		pairs.data = unsafe.Slice((*float32)(unsafe.Pointer(&o.half[1])), (len(o.half)-1)/2)
	}
	for k := k0; k+1 < k1; k += widenDepth {
		n := min(widenDepth, k1-k) / 2
		pairs.packFloats(m, block.f, width, r0, r1, k/2, k/2+n)
		part(unsafe.Pointer(&dst[(k-k0)*width]), unsafe.Pointer(&block.f[0]), uintptr(width/16), uintptr(n))
	}
	if (k1-k0)%2 != 0 {
		for r := r0; r < r1; r++ {
			widen(m.level, dst[(k1-1-k0)*width+r-r0:][:1], o.half[r*o.ld+k1-1:], o.dtype)
		}
	}
	block.put()
}

// partFunc parts n rows of 16·vecs pairs into twice as many rows of float32.
type partFunc func(dst, src unsafe.Pointer, vecs, n uintptr)

// column copies row r of a deep operand, all k of its depth.
func (o *operand) column(m *micro, dst []float32, r int) {
	if o.half != nil {
		widen(m.level, dst, o.half[r*o.ld:], o.dtype)
		return
	}
	copy(dst, o.data[r*o.ld:])
}

// skipRaw leaves out the first n values.
func (o *operand) skipRaw(n int) {
	if o.half != nil {
		o.half = o.half[n:]
		return
	}
	o.data = o.data[n:]
}
