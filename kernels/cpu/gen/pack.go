package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// pack writes the copies that fill panels: transpose256 (8 rows at a time), transpose512 (16) and strips512.
func pack() {
	transpose(256)
	transpose(512)
	strips()
}

// transpose writes transpose<bits>(dst, step, src, ld, n): n·4 values of each of 8 or 16 rows, ld bytes apart, become n·4 rows of 8 or
// 16 values, step bytes apart. Lane l of vector r is loaded with four values of row 4l + r; then four 4×4 transposes inside the lanes,
// one for all lanes at once, leave each column in order.
func transpose(bits int) {
	lanes := bits / 128
	name := map[int]string{256: "transpose256", 512: "transpose512"}[bits]
	TEXT(name, NOSPLIT, "func(dst, step, src, ld, n uintptr)")
	Doc(name + " writes 4n columns of rows of src as rows of dst.")
	dst, step, src, ld, n := Load(Param("dst"), GP64()), Load(Param("step"), GP64()), Load(Param("src"), GP64()), Load(Param("ld"), GP64()), Load(Param("n"), GP64())
	ld3 := GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	base := make([]Register, lanes) // of rows 4l
	base[0] = src
	for l := 1; l < lanes; l++ {
		p := GP64()
		LEAQ(Mem{Base: base[l-1], Index: ld, Scale: 4}, p)
		base[l] = p
	}
	row := func(l, r int) Mem {
		m := Mem{Base: base[l]}
		switch r {
		case 1:
			m.Index, m.Scale = ld, 1
		case 2:
			m.Index, m.Scale = ld, 2
		case 3:
			m.Index, m.Scale = ld3, 1
		}
		return m
	}
	if bits == 512 {
		wholeLines(row, base, dst, step, n)
	}
	Label("columns")
	var x, u [4]VecVirtual
	for r := range x {
		if bits == 256 {
			v := YMM()
			VMOVUPS(row(0, r), v.AsX())
			VINSERTF128(Imm(1), row(1, r), v, v)
			x[r] = v
			continue
		}
		v := ZMM()
		VMOVUPS(row(0, r), v.AsX())
		for l := 1; l < lanes; l++ {
			VINSERTF32X4(Imm(uint64(l)), row(l, r), v, v)
		}
		x[r] = v
	}
	fresh := func() VecVirtual {
		if bits == 256 {
			return YMM()
		}
		return ZMM()
	}
	for i := range u {
		u[i] = fresh()
	}
	VUNPCKLPS(x[1], x[0], u[0]) // 0a 1a 0b 1b
	VUNPCKHPS(x[1], x[0], u[1]) // 0c 1c 0d 1d
	VUNPCKLPS(x[3], x[2], u[2])
	VUNPCKHPS(x[3], x[2], u[3])
	for c := range 4 {
		v := fresh()
		if c%2 == 0 {
			VUNPCKLPD(u[c/2+2], u[c/2], v)
		} else {
			VUNPCKHPD(u[c/2+2], u[c/2], v)
		}
		VMOVUPS(v, Mem{Base: dst})
		ADDQ(step, dst)
	}
	for _, p := range base {
		ADDQ(Imm(16), p)
	}
	DECQ(n)
	JNZ(LabelRef("columns"))
	Label("end")
	VZEROUPPER()
	RET()
}

// wholeLines is transpose for as many times 16 columns as there are: a cache line of each of 16 rows, and four stages of 16 shuffles. It takes a third of
// the time of 4 columns at a time.
func wholeLines(row func(l, r int) Mem, base []Register, dst, step, n Register) {
	SUBQ(Imm(4), n)
	JLT(LabelRef("few"))
	Label("lines")
	stage := func() (x [16]VecVirtual) {
		for i := range x {
			x[i] = ZMM()
		}
		return x
	}
	x := stage()
	for i := range x {
		VMOVUPS(row(i/4, i%4), x[i])
	}
	y := stage()
	for i := 0; i < 16; i += 2 { // pairs of rows
		VUNPCKLPS(x[i+1], x[i], y[i])
		VUNPCKHPS(x[i+1], x[i], y[i+1])
	}
	x = stage()
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
			v := ZMM()
			VSHUFF32X4(lanes, y[8+q%2*4+c], y[q%2*4+c], v)
			VMOVUPS(v, Mem{Base: dst})
			ADDQ(step, dst)
		}
	}
	for _, p := range base {
		ADDQ(Imm(64), p)
	}
	SUBQ(Imm(4), n)
	JGE(LabelRef("lines"))
	Label("few")
	ADDQ(Imm(4), n)
	JZ(LabelRef("end"))
}

// strips writes strips512(dst, step, width, src, ld, rows, n): from n rows of src, ld bytes apart, the first `rows` values, followed by
// zeros up to `width` values (at most 32), to rows step bytes apart.
func strips() {
	TEXT("strips512", NOSPLIT, "func(dst, step, width, src, ld, rows, n uintptr)")
	Doc("strips512 copies strips of rows of src, filled up with zeros.")
	dst, step, src, ld, n := Load(Param("dst"), GP64()), Load(Param("step"), GP64()), Load(Param("src"), GP64()), Load(Param("ld"), GP64()), Load(Param("n"), GP64())
	masks := func(param string) (lo, hi OpmaskVirtual) {
		c, m := Load(Param(param), GP64()), GP64()
		MOVQ(I64(-1), m)
		BZHIQ(c, m, m)
		lo, hi = K(), K()
		KMOVW(m.As32(), lo)
		SHRQ(Imm(16), m)
		KMOVW(m.As32(), hi)
		return lo, hi
	}
	in0, in1 := masks("rows")
	out0, out1 := masks("width")
	x, y := ZMM(), ZMM()
	width := Load(Param("width"), GP64())
	CMPQ(width, Imm(16))
	JHI(LabelRef("wide"))
	Label("narrow")
	VMOVUPS_Z(Mem{Base: src}, in0, x)
	VMOVUPS(x, out0, Mem{Base: dst})
	ADDQ(ld, src)
	ADDQ(step, dst)
	DECQ(n)
	JNZ(LabelRef("narrow"))
	VZEROUPPER()
	RET()
	Label("wide")
	VMOVUPS_Z(Mem{Base: src}, in0, x)
	VMOVUPS_Z(Mem{Base: src, Disp: 64}, in1, y)
	VMOVUPS(x, out0, Mem{Base: dst})
	VMOVUPS(y, out1, Mem{Base: dst, Disp: 64})
	ADDQ(ld, src)
	ADDQ(step, dst)
	DECQ(n)
	JNZ(LabelRef("wide"))
	VZEROUPPER()
	RET()
}
