package cpu

import (
	"math"
	"unsafe"

	"syntic/kernels"
)

// Products with bfloat16 operands. Operands lie in memory as float32; before the product they are rounded to the nearest bfloat16, ties to
// even, two neighbours along the depth to a pair of 32 bits. A matrix of pairs is then read, copied, gathered and transposed by the same
// code as one of float32 with half the depth, and only the micro-kernel knows: it multiplies two and two, and adds in float32. Bias,
// activation and residual are those of float32. An odd depth is filled up with a zero.
//
// The variants are taken only by name: a result differs from that of float32 operands by about 2⁻⁸ of the size of the terms of its sum.

// rounding is an instruction set's loops that round operands.
type rounding struct {
	have  func() bool // whether the CPU has the instructions; nil: the level says so
	plain *micro      // the same with float32 operands: products of up to narrowN columns, where a tile of pairs would be nearly empty
	// rows rounds n rows of width float32, ld bytes apart, to rows of bfloat16, step bytes apart; an odd width is filled up with a zero.
	rows func(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, width, n uintptr)
	// pairs rounds n rows x and n rows y, of width float32 and ld bytes apart, to n rows of pairs (x, y), step bytes apart.
	pairs func(dst unsafe.Pointer, step uintptr, x, y unsafe.Pointer, ld, width, n uintptr)
	// zip makes n times, of two neighbouring rows of bfloat16, ld bytes apart, a row of pairs, step bytes apart; width is a multiple of 16.
	zip func(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, width, n uintptr)
	// fixed are the routines of Winograd's convolutions.
	fixed *fixedPoint
}

const roundGrain = 1 << 14 // pairs of a piece of work

func init() {
	for i, m := range bf16Micros {
		kernels.GEMM.Add(kernels.Variant[kernels.GEMMArgs]{Name: m.name, Device: kernels.CPU, Rank: i, Operands: kernels.BF16, Note: m.note, Available: m.available,
			Usable: gemmUsable, Run: func(_ *kernels.Stream, a *kernels.GEMMArgs) error { m.gemm(a); return nil }})
		m.addConvolutions(i, kernels.BF16, m.available)
	}
}

// available tells whether this machine can run the micro-kernel.
func (m *micro) available() bool {
	return haveISA() >= m.level && (m.pairs == nil || m.pairs.have == nil || m.pairs.have())
}

// bf16Micros are the micro-kernels with bfloat16 operands, worst first.
var bf16Micros = append([]*micro{microGoBF16}, bf16ASM()...)

var microGoBF16 = &micro{name: "bf16_go", note: "bfloat16 operands, in Go; only by name", level: isaGo, mr: 4, nr: 8,
	run: []func(*tile){nil, tilePairsGo(1), tilePairsGo(2), tilePairsGo(3), tilePairsGo(4)}, pairs: &rounding{plain: microGo, rows: roundRowsGo, pairs: roundPairsGo, zip: zipRowsGo, fixed: fixedGo}}

// matrices rounds a batch of matrices of rows by depth k, deep or transposed, to matrices of the same form and half the depth.
func (f *rounding) matrices(data []float32, rows, k int, deep bool) *scratch {
	if deep {
		return f.along(data, len(data)/k, k)
	}
	return f.across(data, len(data)/(rows*k), k, rows)
}

// weight is matrices for an operand in its stored format, and the scratch they lie in, if they are not that operand itself.
func (f *rounding) weight(level isa, w *kernels.View, rows, k int, deep bool) ([]float32, *scratch) {
	if w.DType == kernels.BF16 && deep && k%2 == 0 && uintptr(w.Ptr())%4 == 0 { // these are the pairs
		return unsafe.Slice((*float32)(w.Ptr()), w.Len()/2), nil
	}
	if w.DType != kernels.F32 && deep && k%2 == 0 {
		s := f.reround(level, w)
		return s.f, s
	}
	data, own := widened(level, w)
	defer own.put()
	s := f.matrices(data, rows, k, deep)
	return s.f, s
}

// reround rounds all numbers of a weight of 16 bits to bfloat16, in order, without a whole copy in float32 between.
func (f *rounding) reround(level isa, w *kernels.View) *scratch {
	half, dst := w.U16(), getScratch(w.Len()/2)
	reroundPieces.ranges(len(half), 2*roundGrain, reroundWork{f, widenWork{level, dst.f, half, w.DType}})
	return dst
}

// reroundWork is dst = src, rounded: pairs of numbers of another format.
type reroundWork struct {
	f *rounding
	widenWork
}

var reroundPieces = newSpread(func(w *reroundWork, lo, hi int) {
	const most = 4096 // numbers that stay in the first-level cache
	wide := getScratch(most)
	for i := lo; i < hi; i += most {
		n := min(most, hi-i)
		widen(w.level, wide.f[:n], w.src[i:], w.dtype)
		w.f.rows(unsafe.Pointer(&w.dst[i/2]), 0, unsafe.Pointer(&wide.f[0]), 0, uintptr(n), 1)
	}
	wide.put()
})

// along rounds rows of k values, pairs being neighbours within a row: [rows, k] becomes [rows, (k+1)/2].
func (f *rounding) along(src []float32, rows, k int) *scratch {
	half := ceilDiv(k, 2)
	dst := getScratch(rows * half)
	if k%2 == 0 { // one long row
		n := rows * half
		roundPieces.ranges(n, roundGrain, roundWork{f, dst.f, src})
		return dst
	}
	oddPieces.ranges(rows, ceilDiv(roundGrain, half), oddWork{roundWork{f, dst.f, src}, k})
	return dst
}

// oddWork is rows of k values, of which each begins a pair.
type oddWork struct {
	roundWork
	k int
}

var oddPieces = newSpread(func(w *oddWork, lo, hi int) {
	half := ceilDiv(w.k, 2)
	w.f.rows(unsafe.Pointer(&w.dst[lo*half]), uintptr(4*half), unsafe.Pointer(&w.src[lo*w.k]), uintptr(4*w.k), uintptr(w.k), uintptr(hi-lo))
})

// roundWork is dst = src, rounded.
type roundWork struct {
	f        *rounding
	dst, src []float32
}

var roundPieces = newSpread(func(w *roundWork, lo, hi int) {
	w.f.rows(unsafe.Pointer(&w.dst[lo]), 0, unsafe.Pointer(&w.src[2*lo]), 0, uintptr(2*(hi-lo)), 1)
})

// across rounds blocks of k rows, pairs being neighbours across the rows of a block: [blocks, k, width] becomes [blocks, (k+1)/2, width].
func (f *rounding) across(src []float32, blocks, k, width int) *scratch {
	if k%2 == 0 {
		blocks, k = 1, blocks*k
	}
	half := ceilDiv(k, 2)
	dst := getScratch(blocks * half * width)
	w := acrossWork{roundWork{f, dst.f, src}, k, width}
	if blocks == 1 {
		acrossRows.ranges(half, max(1, roundGrain/width), w)
	} else {
		acrossBlocks.ranges(blocks, max(1, roundGrain/(half*width)), w)
	}
	return dst
}

// acrossWork is blocks of k rows of width values.
type acrossWork struct {
	roundWork
	k, width int
}

var (
	acrossRows = newSpread(func(w *acrossWork, lo, hi int) {
		w.f.rowPairs(w.dst[lo*w.width:hi*w.width], w.src[2*lo*w.width:], w.width, min(w.k, 2*hi)-2*lo, w.width)
	})
	acrossBlocks = newSpread(func(w *acrossWork, lo, hi int) {
		for b, size := lo, ceilDiv(w.k, 2)*w.width; b < hi; b++ {
			w.f.rowPairs(w.dst[b*size:(b+1)*size], w.src[b*w.k*w.width:], w.width, w.k, w.width)
		}
	})
)

// rowPairs rounds k rows of src, ld values apart, to (k+1)/2 rows of dst, each of width pairs.
func (f *rounding) rowPairs(dst, src []float32, ld, k, width int) {
	f.pairsOf(dst, width, src, ld, k, width)
}

// pairsOf rounds k rows of src, ld values apart, to (k+1)/2 rows of width pairs, step pairs apart.
func (f *rounding) pairsOf(dst []float32, step int, src []float32, ld, k, width int) {
	if k > 1 {
		f.pairs(unsafe.Pointer(&dst[0]), uintptr(4*step), unsafe.Pointer(&src[0]), unsafe.Pointer(&src[ld]), uintptr(8*ld), uintptr(width), uintptr(k/2))
	}
	if k%2 == 1 {
		f.lone(dst[k/2*step:][:width], src[(k-1)*ld:], true)
	}
}

var zeros [1 << 12]float32

// lone rounds values of src to pairs in which they are the first or the second, and the other is zero.
func (f *rounding) lone(dst, src []float32, first bool) {
	for i := 0; i < len(dst); i += len(zeros) {
		x, y := unsafe.Pointer(&src[i]), unsafe.Pointer(&zeros)
		if !first {
			x, y = y, x
		}
		f.pairs(unsafe.Pointer(&dst[i]), 0, x, y, 0, uintptr(min(len(dst)-i, len(zeros))), 1)
	}
}

// window is a window on pairs of neighbouring output pixels: it reads an image in which each pixel has the values of its own and of the
// pixel one stride to the right, zeros outside. An odd last pixel has a neighbour that the other operand must hold zeros for.
func (f *rounding) window(v window, batch int) (*scratch, window) {
	st, lines := v.sx, batch*v.h
	if v.kh == 1 && v.kw == 1 && st == 1 && v.top == 0 && v.left == 0 && v.oh == v.h && v.ow == v.w { // pixels are their own windows
		x := f.across(v.x, lines, v.w, v.c)
		v.x, v.w, v.ow, v.sx = x.f, ceilDiv(v.w, 2), ceilDiv(v.ow, 2), 1
		return x, v
	}
	line, edge := v.w*v.c, min(st, v.w)*v.c // values of a line; of its first and of its last st pixels
	wide := (v.w + st) * v.c                // pairs of a line, the first of which begins st pixels before the image
	img := getScratch(lines * wide)
	windowLines.ranges(lines, max(1, roundGrain/wide), windowLineWork{roundWork{f, img.f, v.x}, line, edge, wide})
	v.x, v.w, v.left, v.sx, v.ow = img.f, v.w+st, v.left-st, 2*st, ceilDiv(v.ow, 2)
	return img, v
}

// windowLineWork is lines of wide pairs of values that lie apart by the first `edge` of those of a line.
type windowLineWork struct {
	roundWork
	line, edge, wide int
}

var windowLines = newSpread(func(w *windowLineWork, lo, hi int) {
	f, line, edge, wide := w.f, w.line, w.edge, w.wide
	for l := lo; l < hi; l++ {
		dst, src := w.dst[l*wide:(l+1)*wide], w.src[l*line:(l+1)*line]
		gap := wide - line - edge // of an image narrower than the stride, which no two pixels share
		f.lone(dst[:edge], src[:edge], false)
		clear(dst[edge : edge+gap])
		if line > edge {
			f.pairs(unsafe.Pointer(&dst[edge]), 0, unsafe.Pointer(&src[0]), unsafe.Pointer(&src[edge]), 0, uintptr(line-edge), 1)
		}
		f.lone(dst[wide-edge:], src[line-edge:], true)
	}
})

func roundRowsGo(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, width, n uintptr) {
	for i := range n {
		to, from := unsafe.Slice((*uint16)(unsafe.Add(dst, i*step)), (width+1)&^1), unsafe.Slice((*float32)(unsafe.Add(src, i*ld)), width)
		to[len(to)-1] = 0
		for j, x := range from {
			to[j] = kernels.F32ToBF16(x)
		}
	}
}

func roundPairsGo(dst unsafe.Pointer, step uintptr, x, y unsafe.Pointer, ld, width, n uintptr) {
	for i := range n {
		to := unsafe.Slice((*uint32)(unsafe.Add(dst, i*step)), width)
		r, s := unsafe.Slice((*float32)(unsafe.Add(x, i*ld)), width), unsafe.Slice((*float32)(unsafe.Add(y, i*ld)), width)
		for j, v := range r {
			to[j] = uint32(kernels.F32ToBF16(v)) | uint32(kernels.F32ToBF16(s[j]))<<16
		}
	}
}

func zipRowsGo(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, width, n uintptr) {
	for i := range n {
		to := unsafe.Slice((*uint32)(unsafe.Add(dst, i*step)), width)
		x, y := unsafe.Slice((*uint16)(unsafe.Add(src, 2*i*ld)), width), unsafe.Slice((*uint16)(unsafe.Add(src, (2*i+1)*ld)), width)
		for j, v := range x {
			to[j] = uint32(v) | uint32(y[j])<<16
		}
	}
}

// tilePairsGo is the micro-kernel in Go.
func tilePairsGo(rows int) func(*tile) {
	return func(t *tile) {
		for i := range rows {
			for j := 0; j < 8; j += 4 {
				a, b := unsafe.Add(t.a, uintptr(i)*t.ars), unsafe.Add(t.b, 4*j)
				var s [4]float32
				for k := t.k; k > 0; k-- {
					x := *(*uint32)(a)
					x0, x1 := math.Float32frombits(x<<16), math.Float32frombits(x&0xffff0000)
					for l, y := range (*[4]uint32)(b) {
						s[l] += x0 * math.Float32frombits(y<<16)
						s[l] += x1 * math.Float32frombits(y&0xffff0000)
					}
					if k > 1 { // never form a pointer past the operands
						a, b = unsafe.Add(a, t.acs), unsafe.Add(b, t.bs)
					}
				}
				t.finish(i, j, s[:])
			}
		}
	}
}
