package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// bf16 writes the micro-kernels of products with bfloat16 operands, tile32br<rows> and tile16br<rows>, and the loops that round float32
// operands to pairs of bfloat16. A pair holds two neighbours along the depth in 32 bits, the first in the lower half, so that matrices of
// pairs are copied, transposed and read like matrices of float32 of half the depth.
//
// Neither avo nor the Go assembler knows AVX512_BF16: its instructions are written as bytes, with registers chosen here.
func bf16() {
	for vecs := 2; vecs >= 1; vecs-- {
		for rows := 1; rows <= 12; rows++ {
			pairTile(vecs, rows)
		}
	}
	roundRows()
	roundPairs()
	zipRows()
}

var zmm = []VecPhysical{Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
	Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31}

// EVEX prefixes (pp) of the two instructions used, both in map 0F38, W0, 512 bits.
const (
	prefixF3, prefixF2     = 2, 3
	opDPBF16, opCVTNE2BF16 = 0x52, 0x72
)

// evex writes opcode dst, src, rm of 512-bit registers, given by number, as Intel's manual orders them (volume 2, "EVEX prefix").
// It tells avo what is read and written.
func evex(prefix, opcode, dst, src, rm int, in ...Op) {
	not := func(x, bit int) int { return ^(x >> bit) & 1 }
	code := []int{
		0x62,
		not(dst, 3)<<7 | not(rm, 4)<<6 | not(rm, 3)<<5 | not(dst, 4)<<4 | 2, // map 0F38
		(^src&15)<<3 | 4 | prefix,
		2<<5 | not(src, 4)<<3, // 512 bits, no mask
		opcode,
		0xc0 | dst&7<<3 | rm&7,
	}
	whole := uint64(0)
	for i, b := range code {
		whole |= uint64(b) << (8 * i)
	}
	Instruction(&ir.Instruction{Opcode: "LONG", Operands: []Op{U32(uint32(whole))}, Inputs: in, Outputs: []Op{zmm[dst]}})
	Instruction(&ir.Instruction{Opcode: "WORD", Operands: []Op{U16(uint16(whole >> 32))}})
}

// dot adds to sum, in each lane, the two products of a pair of x and a pair of y.
func dot(sum, x, y int) { evex(prefixF3, opDPBF16, sum, x, y, zmm[sum], zmm[x], zmm[y]) }

// round writes 32 bfloat16 to dst: those of low, then those of high.
func round(dst, high, low int) { evex(prefixF2, opCVTNE2BF16, dst, high, low, zmm[high], zmm[low]) }

// pairTile writes a kernel of one or two vectors of columns. Up to 24 sums are registers 0..23, B 24 and 25, the broadcasts of A 26..31.
func pairTile(vecs, rows int) {
	name := fmt.Sprintf("tile%dbr%d", 16*vecs, rows)
	TEXT(name, NOSPLIT, "func(t uintptr)")
	Doc(fmt.Sprintf("%s computes a tile of %d rows and %d columns from pairs of bfloat16.", name, rows, 16*vecs))
	t := Load(Param("t"), GP64())
	field := func(off int) Mem { return Mem{Base: t, Disp: off} }
	load := func(off int) GPVirtual {
		r := GP64()
		MOVQ(field(off), r)
		return r
	}
	ars, acs, b, bs, k := load(offARS), load(offACS), load(offB), load(offBS), load(offK)
	out := fetchOut(rows, 64*vecs, k, load)
	ahead := fetchAhead(load)
	a, rowOf := rowPointers(rows, ars, load)
	sum := make([][]VecPhysical, rows)
	for i := range sum {
		sum[i] = zmm[i*vecs : (i+1)*vecs]
		for _, s := range sum[i] {
			VPXORD(s, s, s)
		}
	}
	TESTQ(k, k)
	JZ(LabelRef("sums"))
	Label("depth")
	for v := range vecs {
		VMOVUPS(Mem{Base: b, Disp: 64 * v}, zmm[24+v])
	}
	for i := range rows {
		x := 26 + i%6
		VBROADCASTSS(rowOf(i), zmm[x])
		for v := range vecs {
			dot(i*vecs+v, 24+v, x)
		}
	}
	ahead()
	for _, p := range a {
		ADDQ(acs, p)
	}
	ADDQ(bs, b)
	out.inLoop()
	DECQ(k)
	JNZ(LabelRef("depth"))
	Label("sums")
	tileEpilogue(512, sum, field, load)
	out.code()
}

// roundRows writes roundRows512(dst, step, src, ld, width, n): n rows of src, ld bytes apart, of which `width` float32 are rounded to
// bfloat16, to rows step bytes apart. An odd width is filled up with one zero.
func roundRows() {
	TEXT("roundRows512", NOSPLIT, "func(dst, step, src, ld, width, n uintptr)")
	Doc("roundRows512 rounds rows of src to bfloat16.")
	dst, step, src, ld, n := Load(Param("dst"), GP64()), Load(Param("step"), GP64()), Load(Param("src"), GP64()), Load(Param("ld"), GP64()), Load(Param("n"), GP64())
	width := Load(Param("width"), GP64())
	rest, half, ones := GP64(), GP64(), GP64()
	MOVQ(width, rest)
	ANDQ(Imm(31), rest)
	LEAQ(Mem{Base: rest, Disp: 1}, half)
	SHRQ(Imm(1), half)
	MOVQ(I64(-1), ones)
	BZHIQ(half, ones, half)
	out := K()
	KMOVW(half.As32(), out)
	BZHIQ(rest, ones, ones)
	lo, hi := K(), K()
	KMOVW(ones.As32(), lo)
	SHRQ(Imm(16), ones)
	KMOVW(ones.As32(), hi)
	Label("row")
	p, q, left := GP64(), GP64(), GP64()
	MOVQ(src, p)
	MOVQ(dst, q)
	MOVQ(width, left)
	SUBQ(Imm(32), left)
	JLT(LabelRef("tail"))
	Label("whole")
	VMOVUPS(Mem{Base: p}, Z0)
	VMOVUPS(Mem{Base: p, Disp: 64}, Z1)
	round(2, 1, 0)
	VMOVUPS(Z2, Mem{Base: q})
	ADDQ(Imm(128), p)
	ADDQ(Imm(64), q)
	SUBQ(Imm(32), left)
	JGE(LabelRef("whole"))
	Label("tail")
	TESTQ(rest, rest)
	JZ(LabelRef("next"))
	VMOVUPS_Z(Mem{Base: p}, lo, Z0)
	VMOVUPS_Z(Mem{Base: p, Disp: 64}, hi, Z1)
	round(2, 1, 0)
	VMOVUPS(Z2, out, Mem{Base: q})
	Label("next")
	ADDQ(ld, src)
	ADDQ(step, dst)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// roundPairs writes roundPairs512(dst, step, x, y, ld, width, n): n times, rows x and y of `width` float32, rounded to bfloat16, become a
// row of pairs with x in the lower halves. Rows of x and of y are ld bytes apart, those of dst step bytes.
func roundPairs() {
	order := GLOBL("interleaved", RODATA|NOPTR) // of words: 0, 16, 1, 17, …
	for i := range 16 {
		DATA(4*i, U32(uint32(i|(i+16)<<16)))
	}
	TEXT("roundPairs512", NOSPLIT, "func(dst, step, x, y, ld, width, n uintptr)")
	Doc("roundPairs512 rounds two sets of rows to rows of pairs of bfloat16.")
	dst, step, x, y, ld, n := Load(Param("dst"), GP64()), Load(Param("step"), GP64()), Load(Param("x"), GP64()), Load(Param("y"), GP64()), Load(Param("ld"), GP64()), Load(Param("n"), GP64())
	width := Load(Param("width"), GP64())
	VMOVUPS(order, Z3)
	rest, ones := GP64(), GP64()
	MOVQ(width, rest)
	ANDQ(Imm(15), rest)
	MOVQ(I64(-1), ones)
	BZHIQ(rest, ones, ones)
	mask := K()
	KMOVW(ones.As32(), mask)
	Label("row")
	px, py, q, left := GP64(), GP64(), GP64(), GP64()
	MOVQ(x, px)
	MOVQ(y, py)
	MOVQ(dst, q)
	MOVQ(width, left)
	SUBQ(Imm(16), left)
	JLT(LabelRef("tail"))
	Label("whole")
	VMOVUPS(Mem{Base: px}, Z0)
	VMOVUPS(Mem{Base: py}, Z1)
	round(2, 1, 0)
	VPERMW(Z2, Z3, Z2)
	VMOVUPS(Z2, Mem{Base: q})
	for _, p := range []GPVirtual{px, py, q} {
		ADDQ(Imm(64), p)
	}
	SUBQ(Imm(16), left)
	JGE(LabelRef("whole"))
	Label("tail")
	TESTQ(rest, rest)
	JZ(LabelRef("next"))
	VMOVUPS_Z(Mem{Base: px}, mask, Z0)
	VMOVUPS_Z(Mem{Base: py}, mask, Z1)
	round(2, 1, 0)
	VPERMW(Z2, Z3, Z2)
	VMOVUPS(Z2, mask, Mem{Base: q})
	Label("next")
	ADDQ(ld, x)
	ADDQ(ld, y)
	ADDQ(step, dst)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// zipRows writes zipRows512(dst, step, src, ld, width, n): n times, two neighbouring rows of bfloat16, ld bytes apart, become a row of pairs with the first
// row in the lower halves. Rows have a multiple of 16 numbers, those of dst are step bytes apart.
func zipRows() {
	TEXT("zipRows512", NOSPLIT, "func(dst, step, src, ld, width, n uintptr)")
	Doc("zipRows512 makes rows of pairs of rows of bfloat16.")
	dst, step, src, ld, n := Load(Param("dst"), GP64()), Load(Param("step"), GP64()), Load(Param("src"), GP64()), Load(Param("ld"), GP64()), Load(Param("n"), GP64())
	width := Load(Param("width"), GP64())
	Label("row")
	p, q, left := GP64(), GP64(), GP64()
	MOVQ(src, p)
	MOVQ(dst, q)
	MOVQ(width, left)
	Label("sixteen")
	VPMOVZXWD(Mem{Base: p}, Z0)
	VPMOVZXWD(Mem{Base: p, Index: ld, Scale: 1}, Z1)
	VPSLLD(Imm(16), Z1, Z1)
	VPORD(Z0, Z1, Z0)
	VMOVUPS(Z0, Mem{Base: q})
	ADDQ(Imm(32), p)
	ADDQ(Imm(64), q)
	SUBQ(Imm(16), left)
	JNZ(LabelRef("sixteen"))
	LEAQ(Mem{Base: src, Index: ld, Scale: 2}, src)
	ADDQ(step, dst)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}
