package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// winogradFixed writes what Winograd's convolutions need whose transformed operands are whole numbers of 16 bits with a scale for each row of channels
// (kernels/cpu/winograd_fixed.go): routines that make them, and the micro-kernels tile32w<rows>. A pair of numbers lies in 32 bits, as in bf16.go.
func winogradFixed() {
	fixRows()
	fixPanel()
	for rows := 1; rows <= 12; rows++ {
		fixedTile(rows)
	}
}

const opDPWSSD = 0x52 // with prefix66

// dotWords adds to sum, in each lane, the two products of signed words of x and y.
func dotWords(sum, x, y int) { evex(prefix66, opDPWSSD, sum, x, y, zmm[sum], zmm[x], zmm[y]) }

// The least scale, times the largest whole number: a row of zeros divides by it.
const tiny = 0x0da24260 // 1e-30

// bits is the same 32 bits in all lanes.
func bits(x uint32) VecVirtual {
	t, r := GP32(), ZMM()
	MOVL(U32(x), t)
	VPBROADCASTD(t, r)
	return r
}

// mostOf makes the larger sizes of top and x, as whole numbers, which order floats without their sign, infinity and NaN above all others.
func mostOf(top, x, noSign VecVirtual) {
	VPANDD(noSign, x, x)
	VPMAXUD(x, top, top)
}

// fixRows writes fixRows512(dst, step, src, ld, scales, next, limit, vecs, n): n rows of vecs vectors, ld bytes apart, become whole numbers of 16 bits up to
// limit, a number for each row, step bytes apart; what each of a row must be multiplied by goes to scales, next bytes apart.
func fixRows() {
	TEXT("fixRows512", NOSPLIT, "func(dst, step, src, ld, scales, next uintptr, limit float32, vecs, n uintptr)")
	Doc("fixRows512 makes whole numbers of rows.")
	dst, step, src, ld, scales, next := param("dst"), param("step"), param("src"), param("ld"), param("scales"), param("next")
	vecs, n := param("vecs"), param("n")
	limit := broadcastParam("limit")
	noSign, least := bits(0x7fffffff), bits(tiny)
	Label("row")
	p, left, top := begin(src), begin(vecs), ZMM()
	VMOVAPS(least, top)
	Label("most")
	x := ZMM()
	VMOVUPS(Mem{Base: p}, x)
	mostOf(top, x, noSign)
	ADDQ(Imm(64), p)
	DECQ(left)
	JNZ(LabelRef("most"))
	for _, lanes := range []uint64{0x4e, 0xb1} { // the largest of all lanes in all lanes
		y := ZMM()
		VSHUFF32X4(Imm(lanes), top, top, y)
		VPMAXUD(y, top, top)
	}
	for _, order := range []uint64{0x4e, 0xb1} {
		y := ZMM()
		VPERMILPS(Imm(order), top, y)
		VPMAXUD(y, top, top)
	}
	scale, inverse := ZMM(), ZMM()
	VDIVPS(limit, top, scale)
	VDIVPS(top, limit, inverse)
	VMOVSS(scale.AsX(), Mem{Base: scales})
	q := begin(dst)
	MOVQ(src, p)
	MOVQ(vecs, left)
	Label("fix")
	y := ZMM()
	VMULPS(Mem{Base: p}, inverse, y)
	VCVTPS2DQ(y, y)
	VPMOVDW(y, Mem{Base: q})
	ADDQ(Imm(64), p)
	ADDQ(Imm(32), q)
	DECQ(left)
	JNZ(LabelRef("fix"))
	ADDQ(ld, src)
	ADDQ(step, dst)
	ADDQ(next, scales)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

func broadcastParam(name string) VecVirtual {
	r := ZMM()
	m, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(m.Addr, r)
	return r
}

// fixPanel writes fixPanel512(p, step, scales, limit, pairs, n): n panels, step bytes apart, of 2·pairs rows of 32 columns become, in place, rows of pairs of whole
// numbers up to limit, a row of 128 bytes for every two; what the numbers of each column must be multiplied by goes to scales, 32 for a panel.
func fixPanel() {
	TEXT("fixPanel512", NOSPLIT, "func(p, step, scales uintptr, limit float32, pairs, n uintptr)")
	Doc("fixPanel512 makes whole numbers of panels.")
	panel, step, scales, pairs, n := param("p"), param("step"), param("scales"), param("pairs"), param("n")
	limit := broadcastParam("limit")
	noSign, least, low := bits(0x7fffffff), bits(tiny), bits(0xffff)
	Label("panel")
	p, left := begin(panel), begin(pairs)
	var top [4]VecVirtual
	for i := range top {
		top[i] = ZMM()
		VMOVAPS(least, top[i])
	}
	Label("most")
	for i := range top {
		x := ZMM()
		VMOVUPS(Mem{Base: p, Disp: 64 * i}, x)
		mostOf(top[i], x, noSign)
	}
	ADDQ(U32(256), p)
	DECQ(left)
	JNZ(LabelRef("most"))
	var inverse [2]VecVirtual
	for i := range inverse {
		VPMAXUD(top[2+i], top[i], top[i])
		scale := ZMM()
		VDIVPS(limit, top[i], scale)
		VMOVUPS(scale, Mem{Base: scales, Disp: 64 * i})
		inverse[i] = ZMM()
		VDIVPS(top[i], limit, inverse[i])
	}
	MOVQ(panel, p)
	MOVQ(pairs, left)
	q := begin(panel)
	Label("fix")
	for i := range inverse {
		x, y := ZMM(), ZMM()
		VMULPS(Mem{Base: p, Disp: 64 * i}, inverse[i], x)
		VMULPS(Mem{Base: p, Disp: 128 + 64*i}, inverse[i], y)
		VCVTPS2DQ(x, x)
		VCVTPS2DQ(y, y)
		VPANDD(low, x, x)
		VPSLLD(Imm(16), y, y)
		VPORD(y, x, x)
		if i == 0 { // not before the second half of the first row is read
			top[0] = x
		} else {
			VMOVUPS(top[0], Mem{Base: q})
			VMOVUPS(x, Mem{Base: q, Disp: 64})
		}
	}
	ADDQ(U32(256), p)
	ADDQ(U32(128), q)
	DECQ(left)
	JNZ(LabelRef("fix"))
	ADDQ(step, panel)
	ADDQ(U32(128), scales)
	DECQ(n)
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

// fixedTile writes tile32w<rows>(t *tile): rows × 32 sums of products of pairs of words, times the 32 scales of columns at t.bias and the scales of rows at t.res,
// one after the other; t.acc tells to add them to Out. alpha and mask are not read.
func fixedTile(rows int) {
	name := fmt.Sprintf("tile32w%d", rows)
	TEXT(name, NOSPLIT, "func(t uintptr)")
	Doc(fmt.Sprintf("%s computes a tile of %d rows and 32 columns from pairs of words.", name, rows))
	t := Load(Param("t"), GP64())
	load := func(off int) GPVirtual {
		r := GP64()
		MOVQ(Mem{Base: t, Disp: off}, r)
		return r
	}
	ars, acs, b, bs, k := load(offARS), load(offACS), load(offB), load(offBS), load(offK)
	c, cs := load(offC), load(offCS)
	for i := range rows {
		PREFETCHT0(Mem{Base: c})
		PREFETCHT0(Mem{Base: c, Disp: 64})
		if i+1 < rows {
			ADDQ(cs, c)
		}
	}
	ahead := fetchAhead(load)
	a, rowOf := rowPointers(rows, ars, load)
	for i := range 2 * rows {
		VPXORD(zmm[i], zmm[i], zmm[i])
	}
	Label("depth")
	for v := range 2 {
		VMOVUPS(Mem{Base: b, Disp: 64 * v}, zmm[24+v])
	}
	for i := range rows {
		x := 26 + i%6
		VBROADCASTSS(rowOf(i), zmm[x])
		for v := range 2 {
			dotWords(2*i+v, 24+v, x)
		}
	}
	ahead()
	for _, p := range a {
		ADDQ(acs, p)
	}
	ADDQ(bs, b)
	DECQ(k)
	JNZ(LabelRef("depth"))
	columns, scale := load(offBias), load(offRes)
	for v := range 2 {
		VMOVUPS(Mem{Base: columns, Disp: 64 * v}, zmm[24+v])
	}
	finish := func(add bool) {
		c := load(offC)
		for i := range rows {
			VBROADCASTSS(Mem{Base: scale, Disp: 4 * i}, zmm[26])
			for v := range 2 {
				s := zmm[2*i+v]
				VCVTDQ2PS(s, s)
				VMULPS(zmm[24+v], s, s)
				if add {
					VFMADD213PS(Mem{Base: c, Disp: 64 * v}, zmm[26], s)
				} else {
					VMULPS(zmm[26], s, s)
				}
				VMOVUPS(s, Mem{Base: c, Disp: 64 * v})
			}
			if i+1 < rows {
				ADDQ(cs, c)
			}
		}
		VZEROUPPER()
		RET()
	}
	CMPL(Mem{Base: t, Disp: offAcc}, Imm(0))
	JEQ(LabelRef("first"))
	finish(true)
	Label("first")
	finish(false)
}
