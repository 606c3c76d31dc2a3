package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// bank writes the routines of memory banks: the dot products of one query with rows that lie one after the other, in float32, pairs of bfloat16 and
// bytes, a micro-kernel of bytes, and the rounding of rows that also measures them.
func bank() {
	bankDots("F32", 1, func(sum, x int, q Mem) { VFMADD231PS_BCST(q, zmm[x], zmm[sum]) })
	bankDots("BF16", 2, func(sum, x int, q Mem) {
		VBROADCASTSS(q, zmm[27])
		dot(sum, x, 27)
	})
	bankDots("I8", 2, func(sum, x int, q Mem) {
		VBROADCASTSS(q, zmm[27])
		dotBytes(sum, x, 27)
	})
	for rows := 12; rows >= 1; rows-- {
		byteTile(rows)
	}
	roundMeasured()
	bankWeave()
	bankBlends()
}

// opDPBUSD is VPDPBUSD, with the prefix 66.
const prefix66, opDPBUSD = 1, 0x50

// dotBytes adds to sum, in each lane, the four products of unsigned bytes of x with signed bytes of y.
func dotBytes(sum, x, y int) { evex(prefix66, opDPBUSD, sum, x, y, zmm[sum], zmm[x], zmm[y]) }

// bankDots writes bankDots<name>(dst, rows, ld, query, first, scales, lines, steps, ahead): steps times, the dot products of 16·groups rows, ld bytes apart and
// `lines` cache lines long, with a query. Every 16×16 numbers of 32 bits are transposed in registers, so that each lane sums a row of its own along
// its length, in the order in which the micro-kernels of many queries sum. first is where sums of bytes begin, scales what they are
// multiplied by. Two groups lie one after the other, and
// meanwhile as many bytes as a step reads are asked for from memory, `ahead` bytes after the rows: where the next ones will be. Of one group the rows of a
// step are ld bytes apart and those of the next step follow on each: 16 long streams, each of which is read ahead by itself.
func bankDots(name string, groups int, mul func(sum, x int, q Mem)) {
	TEXT("bankDots"+name, NOSPLIT, "func(dst, rows, ld, query, first, scales, lines, steps, ahead uintptr)")
	Doc("bankDots" + name + " computes the dot products of rows with one query.")
	dst, rows, ld, next := Load(Param("dst"), GP64()), Load(Param("rows"), GP64()), Load(Param("ld"), GP64()), Load(Param("ahead"), GP64())
	ADDQ(rows, next)
	ld3, ld16, q, l := GP64(), GP64(), GP64(), GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	MOVQ(ld, ld16)
	SHLQ(Imm(4), ld16)
	steps, err := Param("steps").Resolve() // counted down where it lies
	if err != nil {
		panic(err)
	}
	base := []Register{GP64(), GP64(), GP64(), GP64()}
	row := func(i int) Mem {
		m := Mem{Base: base[i/4]}
		switch i % 4 {
		case 1:
			m.Index, m.Scale = ld, 1
		case 2:
			m.Index, m.Scale = ld, 2
		case 3:
			m.Index, m.Scale = ld3, 1
		}
		return m
	}
	Label("step")
	for g := range groups {
		if name == "I8" {
			first, err := Param("first").Resolve()
			if err != nil {
				panic(err)
			}
			VPBROADCASTD(first.Addr, zmm[31-g])
		} else {
			VPXORD(zmm[31-g], zmm[31-g], zmm[31-g])
		}
	}
	MOVQ(rows, base[0])
	for i := 1; i < 4; i++ {
		LEAQ(Mem{Base: base[i-1], Index: ld, Scale: 4}, base[i])
	}
	Load(Param("query"), q)
	Load(Param("lines"), l)
	Label("line")
	for g := range groups {
		for i := range 16 {
			if m := row(i); groups == 1 {
				m.Disp = 512
				PREFETCHT1(m)
			} else {
				PREFETCHT1(Mem{Base: next, Disp: 64 * (16*g + i)})
			}
		}
		if g > 0 {
			for _, p := range base {
				ADDQ(ld16, p)
			}
		}
		transposed(row, func(c int, lanes Op, hi, lo VecVirtual) {
			VSHUFF32X4(lanes, hi, lo, zmm[28])
			mul(31-g, 28, Mem{Base: q, Disp: 4 * c})
		})
		if g > 0 {
			for _, p := range base {
				SUBQ(ld16, p)
			}
		}
	}
	ADDQ(U32(1024*groups), next)
	ADDQ(Imm(64), q)
	for _, p := range base {
		ADDQ(Imm(64), p)
	}
	DECQ(l)
	JNZ(LabelRef("line"))
	if name == "I8" {
		Load(Param("scales"), l)
		for g := range groups {
			VCVTDQ2PS(zmm[31-g], zmm[31-g])
			VMULPS(Mem{Base: l, Disp: 64 * g}, zmm[31-g], zmm[31-g])
		}
		ADDQ(Imm(uint64(64*groups)), l)
		scales, err := Param("scales").Resolve()
		if err != nil {
			panic(err)
		}
		MOVQ(l, scales.Addr)
	}
	for g := range groups {
		VMOVUPS(zmm[31-g], Mem{Base: dst, Disp: 64 * g})
		if groups == 1 {
			MOVQ(base[0], rows) // the row after
		} else {
			ADDQ(ld16, rows)
		}
	}
	ADDQ(Imm(uint64(64*groups)), dst)
	DECQ(steps.Addr)
	JNZ(LabelRef("step"))
	VZEROUPPER()
	RET()
}

// transposed loads 16 rows of 16 numbers and hands out their columns in order, each as the last shuffle that makes it.
func transposed(row func(i int) Mem, column func(c int, lanes Op, hi, lo VecVirtual)) {
	stage := func() (x [16]VecVirtual) {
		for i := range x {
			x[i] = ZMM()
		}
		return x
	}
	y := stage()
	for i := 0; i < 16; i += 2 { // pairs of rows
		a, b := ZMM(), ZMM()
		VMOVUPS(row(i), a)
		VMOVUPS(row(i+1), b)
		VUNPCKLPS(b, a, y[i])
		VUNPCKHPS(b, a, y[i+1])
	}
	x := stage()
	for g := 0; g < 16; g += 4 { // x[g+c] has, in lane q, column 4q + c of rows g..g+3
		for c := range 4 {
			if c%2 == 0 {
				VUNPCKLPD(y[g+c/2+2], y[g+c/2], x[g+c])
			} else {
				VUNPCKHPD(y[g+c/2+2], y[g+c/2], x[g+c])
			}
		}
	}
	even, odd := Imm(0x88), Imm(0xdd) // lanes
	y = stage()
	for c := range 4 {
		for h := range 2 {
			VSHUFF32X4(even, x[8*h+4+c], x[8*h+c], y[8*h+c])
			VSHUFF32X4(odd, x[8*h+4+c], x[8*h+c], y[8*h+4+c])
		}
	}
	for q := range 4 {
		for c := range 4 {
			lanes := even
			if q >= 2 {
				lanes = odd
			}
			column(4*q+c, lanes, y[8+q%2*4+c], y[q%2*4+c])
		}
	}
}

// byteTile writes tile32i<rows>(t *tile): rows × 32 sums of products of unsigned bytes of A with signed bytes of B, four of either in 32 bits. They
// begin at the 32 whole numbers at t.bias; row i, as float32, is multiplied by the i-th number at t.res. alpha, acc and mask are not read.
func byteTile(rows int) {
	name := fmt.Sprintf("tile32i%d", rows)
	TEXT(name, NOSPLIT, "func(t uintptr)")
	Doc(fmt.Sprintf("%s computes a tile of %d rows and 32 columns from bytes.", name, rows))
	t := Load(Param("t"), GP64())
	load := func(off int) GPVirtual {
		r := GP64()
		MOVQ(Mem{Base: t, Disp: off}, r)
		return r
	}
	ars, acs, b, bs, k := load(offARS), load(offACS), load(offB), load(offBS), load(offK)
	a, rowOf := rowPointers(rows, ars, load)
	first := load(offBias)
	for i := range rows {
		for v := range 2 {
			VMOVUPS(Mem{Base: first, Disp: 64 * v}, zmm[2*i+v])
		}
	}
	Label("depth")
	for v := range 2 {
		VMOVUPS(Mem{Base: b, Disp: 64 * v}, zmm[24+v])
	}
	for i := range rows {
		x := 26 + i%6
		VBROADCASTSS(rowOf(i), zmm[x])
		for v := range 2 {
			dotBytes(2*i+v, x, 24+v)
		}
	}
	for _, p := range a {
		ADDQ(acs, p)
	}
	ADDQ(bs, b)
	DECQ(k)
	JNZ(LabelRef("depth"))
	c, cs, scale := load(offC), load(offCS), load(offRes)
	for i := range rows {
		for v := range 2 {
			s := zmm[2*i+v]
			VCVTDQ2PS(s, s)
			VMULPS_BCST(Mem{Base: scale, Disp: 4 * i}, s, s)
			VMOVUPS(s, Mem{Base: c, Disp: 64 * v})
		}
		if i+1 < rows {
			ADDQ(cs, c)
		}
	}
	VZEROUPPER()
	RET()
}

// roundMeasured writes bankRound(dst, src, width, n, norms): n rows of `width` float32, one after the other, become rows of bfloat16, an odd width
// filled up with one zero; for each, norms gets the sum of the squares of its numbers and that of the squares of what rounding changed.
func roundMeasured() {
	TEXT("bankRound", NOSPLIT, "func(dst, src, width, n, norms uintptr)")
	Doc("bankRound rounds rows of src to bfloat16 and measures them.")
	dst, src, n, norms := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64()), Load(Param("norms"), GP64())
	width := Load(Param("width"), GP64())
	rest, half, ones := GP64(), GP64(), GP64()
	MOVQ(width, rest)
	ANDQ(Imm(31), rest)
	LEAQ(Mem{Base: rest, Disp: 1}, half)
	SHRQ(Imm(1), half)
	MOVQ(I64(-1), ones)
	BZHIQ(half, ones, ones)
	out := K()
	KMOVW(ones.As32(), out)
	MOVQ(I64(-1), ones)
	BZHIQ(rest, ones, ones)
	lo, hi := K(), K()
	KMOVW(ones.As32(), lo)
	SHRQ(Imm(16), ones)
	KMOVW(ones.As32(), hi)
	left := GP64()
	measure := func() { // of Z0, Z1 and what they became, Z2
		round(2, 1, 0)
		VEXTRACTI64X4(Imm(1), Z2, Y4)
		VPMOVZXWD(Y2, Z3)
		VPMOVZXWD(Y4, Z4)
		VPSLLD(Imm(16), Z3, Z3)
		VPSLLD(Imm(16), Z4, Z4)
		VSUBPS(Z3, Z0, Z3)
		VSUBPS(Z4, Z1, Z4)
		VFMADD231PS(Z0, Z0, Z5)
		VFMADD231PS(Z1, Z1, Z6)
		VFMADD231PS(Z3, Z3, Z7)
		VFMADD231PS(Z4, Z4, Z8)
	}
	fold := func(a, b VecPhysical, to Mem) {
		VADDPS(b, a, a)
		VEXTRACTF64X4(Imm(1), a, Y9)
		VADDPS(Y9, a.AsY(), a.AsY())
		VEXTRACTF128(Imm(1), a.AsY(), X9)
		VADDPS(X9, a.AsX(), a.AsX())
		VPERMILPS(Imm(0x4e), a.AsX(), X9)
		VADDPS(X9, a.AsX(), a.AsX())
		VPERMILPS(Imm(0xb1), a.AsX(), X9)
		VADDPS(X9, a.AsX(), a.AsX())
		VMOVSS(a.AsX(), to)
	}
	Label("row")
	for _, r := range []VecPhysical{Z5, Z6, Z7, Z8} {
		VPXORD(r, r, r)
	}
	MOVQ(width, left)
	SUBQ(Imm(32), left)
	JLT(LabelRef("tail"))
	Label("whole")
	VMOVUPS(Mem{Base: src}, Z0)
	VMOVUPS(Mem{Base: src, Disp: 64}, Z1)
	measure()
	VMOVUPS(Z2, Mem{Base: dst})
	ADDQ(Imm(128), src)
	ADDQ(Imm(64), dst)
	SUBQ(Imm(32), left)
	JGE(LabelRef("whole"))
	Label("tail")
	TESTQ(rest, rest)
	JZ(LabelRef("next"))
	VMOVUPS_Z(Mem{Base: src}, lo, Z0)
	VMOVUPS_Z(Mem{Base: src, Disp: 64}, hi, Z1)
	measure()
	VMOVUPS(Z2, out, Mem{Base: dst})
	LEAQ(Mem{Base: src, Index: rest, Scale: 4}, src)
	LEAQ(Mem{Base: dst, Index: half, Scale: 4}, dst)
	Label("next")
	fold(Z5, Z6, Mem{Base: norms})
	fold(Z7, Z8, Mem{Base: norms, Disp: 4})
	ADDQ(Imm(8), norms)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// bankWeave writes bankWeave(dst, rows, width, n, panel): 2n rows of `width` bfloat16, a multiple of 32, become n rows of pairs of neighbours across the rows,
// in panels of 32 columns, panel bytes from one to the next.
func bankWeave() {
	order := GLOBL("woven", RODATA|NOPTR) // of words of two registers: 0, 32, 1, 33, …
	for i := range 32 {
		DATA(4*i, U32(uint32(i|(i+32)<<16)))
	}
	TEXT("bankWeave", NOSPLIT, "func(dst, rows, width, n, panel uintptr)")
	Doc("bankWeave pairs neighbouring rows of bfloat16.")
	dst, x, width, n := Load(Param("dst"), GP64()), Load(Param("rows"), GP64()), Load(Param("width"), GP64()), Load(Param("n"), GP64())
	first, second := ZMM(), ZMM()
	VMOVUPS(order, first)
	VMOVUPS(order.Offset(64), second)
	y, left, to, panel := GP64(), GP64(), GP64(), Load(Param("panel"), GP64())
	Label("rows")
	LEAQ(Mem{Base: x, Index: width, Scale: 2}, y)
	MOVQ(width, left)
	MOVQ(dst, to)
	Label("columns")
	a, b, c := ZMM(), ZMM(), ZMM()
	VMOVUPS(Mem{Base: x}, a)
	VMOVUPS(Mem{Base: y}, c)
	VMOVAPS(a, b)
	VPERMT2W(c, first, a)
	VPERMT2W(c, second, b)
	VMOVUPS(a, Mem{Base: to})
	VMOVUPS(b, Mem{Base: to, Disp: 64})
	ADDQ(panel, to)
	ADDQ(Imm(64), x)
	ADDQ(Imm(64), y)
	SUBQ(Imm(32), left)
	JNZ(LabelRef("columns"))
	MOVQ(y, x)
	ADDQ(Imm(128), dst)
	DECQ(n)
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
}

// blendLoop writes a blend of rows for one query: for each of `blocks` times some columns, the sum over n rows of weights times rows, added to acc.
// Meanwhile memory `ahead` bytes after the rows is asked for, `lines` cache lines a row and block. body gets the pointers and does a row; finish adds up.
func blendLoop(name string, rowScale, columnBytes, accBytes, lines int, zero []VecPhysical, body func(x, ld, w Register), finish func(acc Register)) {
	TEXT(name, NOSPLIT, "func(acc, rows, ld, weights, n, blocks, ahead uintptr)")
	Doc(name + " adds weighted rows to the sums of one query.")
	acc, rows, ld, blocks, next := Load(Param("acc"), GP64()), Load(Param("rows"), GP64()), Load(Param("ld"), GP64()), Load(Param("blocks"), GP64()), Load(Param("ahead"), GP64())
	ADDQ(rows, next)
	step, x, w, n := GP64(), GP64(), GP64(), GP64()
	MOVQ(ld, step)
	if rowScale == 2 {
		ADDQ(ld, step)
	}
	Label("block")
	for _, r := range zero {
		VPXORD(r, r, r)
	}
	MOVQ(rows, x)
	Load(Param("weights"), w)
	Load(Param("n"), n)
	Label("row")
	for i := range lines {
		PREFETCHT1(Mem{Base: next, Disp: 64 * i})
	}
	ADDQ(U32(64*lines), next)
	body(x, ld, w)
	ADDQ(step, x)
	ADDQ(Imm(4), w)
	DECQ(n)
	JNZ(LabelRef("row"))
	finish(acc)
	ADDQ(U32(columnBytes), rows)
	ADDQ(U32(accBytes), acc)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

func bankBlends() {
	blendLoop("bankBlendF32", 1, 1024, 1024, 2, zmm[:16], func(x, _, w Register) {
		VBROADCASTSS(Mem{Base: w}, zmm[16])
		for i := range 16 {
			VFMADD231PS(Mem{Base: x, Disp: 64 * i}, zmm[16], zmm[i])
		}
	}, func(acc Register) {
		for i := range 16 {
			VADDPS(Mem{Base: acc, Disp: 64 * i}, zmm[i], zmm[i])
			VMOVUPS(zmm[i], Mem{Base: acc, Disp: 64 * i})
		}
	})
	// Pairs of rows are woven within 128 bits, so that sums 2i and 2i + 1 hold every other four of 32 columns.
	blendLoop("bankBlendBF16", 2, 512, 1024, 4, zmm[:16], func(x, ld, w Register) {
		VBROADCASTSS(Mem{Base: w}, zmm[27])
		for i := range 8 {
			VMOVUPS(Mem{Base: x, Disp: 64 * i}, zmm[16])
			VPUNPCKLWD(Mem{Base: x, Index: ld, Scale: 1, Disp: 64 * i}, zmm[16], zmm[17])
			VPUNPCKHWD(Mem{Base: x, Index: ld, Scale: 1, Disp: 64 * i}, zmm[16], zmm[18])
			dot(2*i, 17, 27)
			dot(2*i+1, 18, 27)
		}
	}, func(acc Register) {
		for i := range 8 {
			for h, lanes := range []uint64{0x44, 0xee} {
				VSHUFF32X4(Imm(lanes), zmm[2*i+1], zmm[2*i], zmm[16])
				VSHUFF32X4(Imm(0xd8), zmm[16], zmm[16], zmm[16])
				m := Mem{Base: acc, Disp: 128*i + 64*h}
				VADDPS(m, zmm[16], zmm[16])
				VMOVUPS(zmm[16], m)
			}
		}
	})
}
