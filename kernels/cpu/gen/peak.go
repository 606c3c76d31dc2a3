package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// peak writes peakFMA512(n), peakFMA256(n) and peakDot512(n): n times 24 (12) multiply-adds, or products of pairs of bfloat16 with their sums, that do not wait for each
// other and touch no memory. Their rate is the processor's limit.
func peak() {
	loop := func(name string, sums int, one func(), step func(sum int)) {
		TEXT(name, NOSPLIT, "func(n uintptr)")
		Doc(fmt.Sprintf("%s does n times %d operations on registers.", name, sums))
		n := Load(Param("n"), GP64())
		one()
		Label("again")
		for i := range sums {
			step(i)
		}
		DECQ(n)
		JNZ(LabelRef("again"))
		VZEROUPPER()
		RET()
	}
	bits := func(r, whole Op, pattern uint32) { // a register of equal numbers
		x := GP32()
		MOVL(U32(pattern), x)
		VMOVD(x, r)
		VPBROADCASTD(r, whole)
	}
	loop("peakFMA512", 24, func() {
		bits(X31, Z31, 0x3f800000)
		for i := range 24 {
			VMOVAPS(Z31, zmm[i])
		}
	}, func(sum int) { VFMADD231PS(Z31, Z31, zmm[sum]) })
	loop("peakDot512", 24, func() {
		bits(X31, Z31, 0x3f803f80)
		for i := range 24 {
			VPXORD(zmm[i], zmm[i], zmm[i])
		}
	}, func(sum int) { dot(sum, 31, 31) })
	ymm := []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11}
	loop("peakFMA256", 12, func() {
		bits(X15, Y15, 0x3f800000)
		for _, y := range ymm {
			VMOVAPS(Y15, y)
		}
	}, func(sum int) { VFMADD231PS(Y15, Y15, ymm[sum]) })
}
