package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// widen writes widen<format>x<bits>(dst, src, n): n numbers of 16 bits, a multiple of 8 or 16, become float32; exact.
func widen() {
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
