package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// tile is one call of a micro-kernel: rows × nr values of Out,
//
//	Out(i, j) = alpha · Σ_k A(i, k)·B(k, j) (+ bias[j]) (+ Res(i, j)) (+ Out(i, j) if acc)
//
// All strides are in bytes. B always has nr readable values in a row; mask tells which columns of Out exist (bit j), and only kernels
// that are `masked` look at it. The assembly reads this struct by its field names (gen/gemm.go), so both sides change together.
type tile struct {
	a        unsafe.Pointer // A(i, k) at a + i·ars + k·acs
	ars, acs uintptr
	b        unsafe.Pointer // B(k, j) at b + k·bs + 4j
	bs       uintptr
	c        unsafe.Pointer // Out(i, j) at c + i·cs + 4j
	cs       uintptr
	bias     unsafe.Pointer // nr values, or nil
	res      unsafe.Pointer // Res(i, j) at res + i·cs + 4j, or nil
	k        int
	alpha    float32
	acc      uint32
	mask     uint32

	ahead, aheadStep uintptr // for every k a cache line here, and a step on, is fetched into the second-level cache; no pointer, it may lead anywhere
}

// micro is an instruction set's micro-kernel: run[r] does tiles of r rows, 1 ≤ r ≤ mr.
type micro struct {
	name   string
	note   string
	mr, nr int
	masked bool // stores only the columns of tile.mask, and reads only those of bias, Res and Out
	run    []func(*tile)
	// half does tiles of nr/2 columns, for operands and last panels that are no wider; nil: run does
	half []func(*tile)
	// dots[r] computes dot products of r rows of A with 4 rows of B, for k a multiple of step; nil: none (dot.go)
	dots []func(*tile)
	step int
	// transposes copy panels of a B whose rows are contiguous in depth, the widest first; none: a Go loop
	transposes []transpose
	// strips copies the first `rows` values of n rows of src, ld bytes apart, each filled up with zeros to width ≤ 32 values, to rows of dst
	// step bytes apart; nil: a Go loop
	strips func(dst unsafe.Pointer, step, width uintptr, src unsafe.Pointer, ld, rows, n uintptr)
	level  isa
	pairs  *rounding // operands are rounded to pairs of bfloat16 first, and k counts pairs (bf16.go); nil: they are float32
}

// micros are the micro-kernels of this build, worst first; the assembly's are added in gemm_amd64.go.
var micros = append([]*micro{microGo}, microsASM()...)

// activate applies f in place with the vector loops of the micro-kernel's instruction set.
func (m *micro) activate(f kernels.Act, x []float32) { m.loops().act[f](x, x) }

// loops are the vector loops of the micro-kernel's instruction set.
func (m *micro) loops() *vector {
	i := len(vectors) - 1
	for i > 0 && vectors[i].level > m.level {
		i--
	}
	return vectors[i]
}

// transpose writes, of `lanes` rows of src that lie ld bytes apart, the first 4n columns as rows of dst, step bytes apart.
type transpose struct {
	lanes int
	run   func(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld, n uintptr)
}

const maxTile = 12 * 32 // values of the largest tile

var microGo = &micro{name: "go", note: "blocked, 4×8 tiles", level: isaGo, mr: 4, nr: 8, run: []func(*tile){nil, tileGo(1), tileGo(2), tileGo(3), tileGo(4)}}

// tileGo is the micro-kernel in Go: 2×4 sums at a time stay in registers of any machine.
func tileGo(rows int) func(*tile) {
	return func(t *tile) {
		for i := 0; i < rows; i += 2 {
			second := t.ars
			if i+1 == rows {
				second = 0 // the last of an odd number of rows is computed twice
			}
			for j := uintptr(0); j < 8; j += 4 {
				s := tile2x4(unsafe.Add(t.a, uintptr(i)*t.ars), second, t.acs, unsafe.Add(t.b, 4*j), t.bs, t.k)
				t.finish(i, int(j), s[:4])
				if second != 0 {
					t.finish(i+1, int(j), s[4:])
				}
			}
		}
	}
}

func tile2x4(a unsafe.Pointer, ars, acs uintptr, b unsafe.Pointer, bs uintptr, k int) (s [8]float32) {
	var c00, c01, c02, c03, c10, c11, c12, c13 float32
	for ; k > 0; k-- {
		a0, a1 := *(*float32)(a), *(*float32)(unsafe.Add(a, ars))
		r := (*[4]float32)(b)
		b0, b1, b2, b3 := r[0], r[1], r[2], r[3]
		c00 += a0 * b0
		c01 += a0 * b1
		c02 += a0 * b2
		c03 += a0 * b3
		c10 += a1 * b0
		c11 += a1 * b1
		c12 += a1 * b2
		c13 += a1 * b3
		if k > 1 { // never form a pointer past the operands
			a, b = unsafe.Add(a, acs), unsafe.Add(b, bs)
		}
	}
	return [8]float32{c00, c01, c02, c03, c10, c11, c12, c13}
}

// finish stores a piece of a row of sums at (i, j) with the linear part of the epilogue.
func (t *tile) finish(i, j int, sum []float32) {
	at := uintptr(i)*t.cs + 4*uintptr(j)
	out := unsafe.Slice((*float32)(unsafe.Add(t.c, at)), len(sum))
	for l := range sum {
		sum[l] *= t.alpha
	}
	if t.bias != nil {
		for l, v := range unsafe.Slice((*float32)(unsafe.Add(t.bias, 4*j)), len(sum)) {
			sum[l] += v
		}
	}
	if t.res != nil {
		for l, v := range unsafe.Slice((*float32)(unsafe.Add(t.res, at)), len(sum)) {
			sum[l] += v
		}
	}
	if t.acc != 0 {
		for l, v := range out {
			sum[l] += v
		}
	}
	copy(out, sum)
}

// ragged runs a kernel that cannot mask on a tile with only `cols` of its columns: into edge, then Go finishes the row pieces.
func (m *micro) ragged(t *tile, run func(*tile), rows, cols int, edge *[maxTile]float32) {
	u := *t
	t.c, t.cs, t.bias, t.res, t.acc, t.alpha = unsafe.Pointer(edge), uintptr(4*m.nr), nil, nil, 0, 1
	run(t)
	*t = u
	for i := range rows {
		t.finish(i, 0, edge[i*m.nr:i*m.nr+cols])
	}
}
