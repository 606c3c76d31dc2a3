package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// widen writes widen<format>x<bits>(dst, src, n): n numbers of 16 bits, a multiple of 8 or 16, become float32; exact.
func widen() {
	parted("F16")
	parted("BF16")
	for _, bits := range []int{512, 256} {
		for _, format := range []string{"F16", "BF16"} {
			TEXT(fmt.Sprintf("widen%sx%d", format, bits), NOSPLIT, "func(dst, src, n uintptr)")
			Doc("widens numbers of 16 bits to float32.")
			dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
			var x VecVirtual = ZMM()
			if bits == 256 {
				x = YMM()
			}
			Label("next")
			if format == "F16" {
				VCVTPH2PS(Mem{Base: src}, x)
			} else {
				VPMOVZXWD(Mem{Base: src}, x)
				VPSLLD(Imm(16), x, x)
			}
			VMOVUPS(x, Mem{Base: dst})
			ADDQ(Imm(uint64(bits/16)), src)
			ADDQ(Imm(uint64(bits/8)), dst)
			SUBQ(Imm(uint64(bits/32)), n)
			JNZ(LabelRef("next"))
			VZEROUPPER()
			RET()
		}
	}
}

// parted writes part<format>x512(dst, src, vecs, n): n rows of 16·vecs pairs of 16-bit numbers become twice as many rows of 16·vecs float32,
// the first of each pair above the second.
func parted(format string) {
	TEXT("part"+format+"x512", NOSPLIT, "func(dst, src, vecs, n uintptr)")
	Doc("parts pairs of numbers of 16 bits into rows of float32.")
	dst, src, vecs, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("vecs"), GP64()), Load(Param("n"), GP64())
	row := GP64() // bytes of a row
	MOVQ(vecs, row)
	SHLQ(Imm(6), row)
	x, y := ZMM(), ZMM()
	high := ZMM() // the upper halves
	if format == "BF16" {
		VPTERNLOGD(Imm(255), high, high, high)
		VPSLLD(Imm(16), high, high)
	}
	Label("row")
	left := GP64()
	MOVQ(vecs, left)
	Label("vec")
	VMOVDQU32(Mem{Base: src}, x)
	if format == "BF16" {
		VPANDD(high, x, y)
		VPSLLD(Imm(16), x, x)
	} else {
		VPSRLD(Imm(16), x, y)
		VPMOVDW(x, x.AsY())
		VPMOVDW(y, y.AsY())
		VCVTPH2PS(x.AsY(), x)
		VCVTPH2PS(y.AsY(), y)
	}
	VMOVUPS(x, Mem{Base: dst})
	VMOVUPS(y, Mem{Base: dst, Index: row, Scale: 1})
	ADDQ(Imm(64), src)
	ADDQ(Imm(64), dst)
	DECQ(left)
	JNZ(LabelRef("vec"))
	ADDQ(row, dst)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}
