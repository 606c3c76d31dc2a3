package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The softmax of attention runs down columns: 16 queries at a time, a row for every key, so that nothing is summed across lanes. It works in
// powers of two, because 2^x is cheaper than e^x: the score times mul = log₂e is taken inside the subtraction of the largest.

// exp2 replaces x ≤ 127 by 2^x; −Inf gives 0, NaN stays. 2^f for f in 0..1 is a polynomial of degree 5 with 1 exactly at 0, relative error 8.3e-8
// before rounding (weighted least squares, iterated to equal ripples). AVX2 gives 0 below −126.
func (v isa) exp2(x VecVirtual) {
	f, p := v.reg(), v.reg()
	var n, gone VecVirtual
	if v.size == 64 {
		VREDUCEPS(Imm(9), x, f) // x − ⌊x⌋; 0 for −Inf
	} else {
		n, gone = v.reg(), v.reg()
		lo := v.reg()
		VMOVUPS(constant(cMinus126), lo)
		VCMPPS(Imm(1), lo, x, gone)
		VMAXPS(x, lo, x)
		VROUNDPS(Imm(9), x, n)
		VSUBPS(n, x, f)
	}
	VMOVUPS(constant(cExp2), p)
	for i := 1; i < 5; i++ {
		VFMADD213PS(constant(cExp2+i), f, p)
	}
	VFMADD213PS(constant(cPoly+6), f, p)
	if v.size == 64 {
		VSCALEFPS(x, p, x) // p·2^⌊x⌋
		return
	}
	VCVTPS2DQ(n, n)
	VPSLLD(Imm(23), n, n)
	VPADDD(n, p, p)
	VANDNPS(p, gone, x)
}

// topCols is top = max(top, mul · every row) for 16 columns, keep = 2^(old top − top), sum = sum · keep, and whether any top is new.
func topCols(v isa) {
	v.text("panelTopCols", "top, keep, sum, src *float32, ld, rows int, mul float32) (moved int")
	tp, kp, sp, src := Load(Param("top"), GP64()), Load(Param("keep"), GP64()), Load(Param("sum"), GP64()), Load(Param("src"), GP64())
	ld, rows, mul := Load(Param("ld"), GP64()), Load(Param("rows"), GP64()), v.broadcast("mul")
	top := v.load16(src)
	v.down(rows, ld, []Register{src}, func(i int) { VMAXPS(Mem{Base: src, Disp: i * v.size}, top[i], top[i]) })
	moved, some := GP32(), GP32()
	XORL(moved, moved)
	for i, t := range top {
		at := func(p Register) Mem { return Mem{Base: p, Disp: i * v.size} }
		old := v.reg()
		VMOVUPS(at(tp), old)
		VMULPS(mul, t, t)
		VMAXPS(old, t, t) // old where the scores are NaN
		VMOVUPS(t, at(tp))
		if v.size == 64 {
			m := K()
			VCMPPS(Imm(4), old, t, m)
			KMOVW(m, some)
		} else {
			m := v.reg()
			VCMPPS(Imm(4), old, t, m)
			VMOVMSKPS(m, some)
		}
		ORL(some, moved)
		VSUBPS(t, old, old)
		v.exp2(old)
		VMOVUPS(old, at(kp))
		VMULPS(at(sp), old, old)
		VMOVUPS(old, at(sp))
	}
	wide := GP64()
	MOVL(moved, wide.As32())
	Store(wide, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// exp2Cols is dst = 2^(mul·src − top), sum += every row, for 16 columns.
func exp2Cols(v isa) {
	v.text("panelExp2Cols", "dst, sum, src, top *float32, ld, rows int, mul float32")
	dst, sp, src, tp := Load(Param("dst"), GP64()), Load(Param("sum"), GP64()), Load(Param("src"), GP64()), Load(Param("top"), GP64())
	ld, rows, mul := Load(Param("ld"), GP64()), Load(Param("rows"), GP64()), v.broadcast("mul")
	top, sum := v.load16(tp), v.load16(sp)
	v.down(rows, ld, []Register{dst, src}, func(i int) {
		x := v.reg()
		VMOVUPS(Mem{Base: src, Disp: i * v.size}, x)
		VFMSUB213PS(top[i], mul, x)
		v.exp2(x)
		VMOVUPS(x, Mem{Base: dst, Disp: i * v.size})
		VADDPS(x, sum[i], sum[i])
	})
	v.store16(sp, sum)
	VZEROUPPER()
	RET()
}

// mulCols is every row of x times f, for 16 columns.
func mulCols(v isa) {
	v.text("panelMulCols", "x, f *float32, ld, rows int")
	x, fp, ld, rows := Load(Param("x"), GP64()), Load(Param("f"), GP64()), Load(Param("ld"), GP64()), Load(Param("rows"), GP64())
	f := v.load16(fp)
	v.down(rows, ld, []Register{x}, func(i int) {
		r := v.reg()
		VMULPS(Mem{Base: x, Disp: i * v.size}, f[i], r)
		VMOVUPS(r, Mem{Base: x, Disp: i * v.size})
	})
	VZEROUPPER()
	RET()
}

// notBelow writes, for each row, the bits of those of 16 columns that are not less than the column's `least`.
func notBelow(v isa) {
	v.text("panelNotBelow", "hits *uint32, src, least *float32, ld, rows int")
	hp, src, lp := Load(Param("hits"), GP64()), Load(Param("src"), GP64()), Load(Param("least"), GP64())
	ld, rows := Load(Param("ld"), GP64()), Load(Param("rows"), GP64())
	least := v.load16(lp)
	low := GP32()
	v.down(rows, ld, []Register{src}, func(i int) {
		x := v.reg()
		VMOVUPS(Mem{Base: src, Disp: i * v.size}, x)
		if v.size == 64 {
			m, r := K(), GP32()
			VCMPPS(Imm(5), least[0], x, m)
			KMOVW(m, r)
			MOVL(r, Mem{Base: hp})
			ADDQ(Imm(4), hp)
			return
		}
		VCMPPS(Imm(5), least[i], x, x)
		if i == 0 {
			VMOVMSKPS(x, low)
			return
		}
		high := GP32()
		VMOVMSKPS(x, high)
		SHLL(Imm(8), high)
		ORL(low, high)
		MOVL(high, Mem{Base: hp})
		ADDQ(Imm(4), hp)
	})
	VZEROUPPER()
	RET()
}
