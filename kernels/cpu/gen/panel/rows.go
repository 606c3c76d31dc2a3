package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Routines over rows and columns of scores: largest, exponentials, sums.

func maxRow(v isa) {
	v.text("panelMaxRow", "x *float32, n int) (top float32")
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	top := v.reg()
	VBROADCASTSS(Mem{Base: x}, top)
	v.loop(n, []Register{x}, func(d int) { VMAXPS(Mem{Base: x, Disp: d}, top, top) })
	v.fold(top, vmax)
	VZEROUPPER()
	RET()
}

// expRow is dst = exp(src − sub), and the sum.
func expRow(v isa) {
	v.text("panelExpRow", "dst, src *float32, n int, sub float32) (sum float32")
	dst, src, n, sub := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64()), v.broadcast("sub")
	sum := v.reg()
	v.zero(sum)
	v.loop(n, []Register{dst, src}, func(d int) {
		x := v.reg()
		VMOVUPS(Mem{Base: src, Disp: d}, x)
		VSUBPS(sub, x, x)
		v.exp(x)
		VMOVUPS(x, Mem{Base: dst, Disp: d})
		VADDPS(x, sum, sum)
	})
	v.fold(sum, vadd)
	VZEROUPPER()
	RET()
}

// expPair is dst = scale · exp(src − sub) + colScale · exp(src − colSub).
func expPair(v isa) {
	v.text("panelExpPair", "dst, src, colSub, colScale *float32, n int, sub, scale float32")
	dst, src, cols, weights := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("colSub"), GP64()), Load(Param("colScale"), GP64())
	n, sub, scale := Load(Param("n"), GP64()), v.broadcast("sub"), v.broadcast("scale")
	v.loop(n, []Register{dst, src, cols, weights}, func(d int) {
		x, y := v.reg(), v.reg()
		VMOVUPS(Mem{Base: src, Disp: d}, x)
		VSUBPS(Mem{Base: cols, Disp: d}, x, y)
		VSUBPS(sub, x, x)
		v.exp(x)
		v.exp(y)
		VMULPS(scale, x, x)
		VFMADD231PS(Mem{Base: weights, Disp: d}, y, x)
		VMOVUPS(x, Mem{Base: dst, Disp: d})
	})
	VZEROUPPER()
	RET()
}

// down runs body for each of the rows of 16 columns.
func (v isa) down(rows, ld Register, ptrs []Register, body func(i int)) {
	SHLQ(Imm(2), ld)
	Label("next")
	for i := range v.wide() {
		body(i)
	}
	for _, p := range ptrs {
		ADDQ(ld, p)
	}
	DECQ(rows)
	JNZ(LabelRef("next"))
}

func (v isa) load16(p Register) []VecVirtual {
	var l []VecVirtual
	for i := range v.wide() {
		l = append(l, v.reg())
		VMOVUPS(Mem{Base: p, Disp: i * v.size}, l[i])
	}
	return l
}

func (v isa) store16(p Register, l []VecVirtual) {
	for i, r := range l {
		VMOVUPS(r, Mem{Base: p, Disp: i * v.size})
	}
}

// maxCols is top = max(top, every row) for 16 columns.
func maxCols(v isa) {
	v.text("panelMaxCols", "top, src *float32, ld, rows int")
	tp, src, ld, rows := Load(Param("top"), GP64()), Load(Param("src"), GP64()), Load(Param("ld"), GP64()), Load(Param("rows"), GP64())
	top := v.load16(tp)
	v.down(rows, ld, []Register{src}, func(i int) { VMAXPS(Mem{Base: src, Disp: i * v.size}, top[i], top[i]) })
	v.store16(tp, top)
	VZEROUPPER()
	RET()
}

// expCols is dst = exp(src − top), sum += every row, for 16 columns.
func expCols(v isa) {
	v.text("panelExpCols", "dst, sum, src, top *float32, ld, rows int")
	dst, sp, src, tp := Load(Param("dst"), GP64()), Load(Param("sum"), GP64()), Load(Param("src"), GP64()), Load(Param("top"), GP64())
	ld, rows := Load(Param("ld"), GP64()), Load(Param("rows"), GP64())
	top, sum := v.load16(tp), v.load16(sp)
	v.down(rows, ld, []Register{dst, src}, func(i int) {
		x := v.reg()
		VMOVUPS(Mem{Base: src, Disp: i * v.size}, x)
		VSUBPS(top[i], x, x)
		v.exp(x)
		VMOVUPS(x, Mem{Base: dst, Disp: i * v.size})
		VADDPS(x, sum[i], sum[i])
	})
	v.store16(sp, sum)
	VZEROUPPER()
	RET()
}

// mulSub is dst = p · (x − sub).
func mulSub(v isa) {
	v.text("panelMulSub", "dst, p, x *float32, n int, sub float32")
	dst, p, x, n := Load(Param("dst"), GP64()), Load(Param("p"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	sub := v.broadcast("sub")
	v.loop(n, []Register{dst, p, x}, func(d int) {
		r := v.reg()
		VMOVUPS(Mem{Base: x, Disp: d}, r)
		VSUBPS(sub, r, r)
		VMULPS(Mem{Base: p, Disp: d}, r, r)
		VMOVUPS(r, Mem{Base: dst, Disp: d})
	})
	VZEROUPPER()
	RET()
}

// scaleAdd is x = a·x + b.
func scaleAdd(v isa) {
	v.text("panelScaleAdd", "x *float32, n int, a, b float32")
	x, n, a, b := Load(Param("x"), GP64()), Load(Param("n"), GP64()), v.broadcast("a"), v.broadcast("b")
	v.loop(n, []Register{x}, func(d int) {
		r := v.reg()
		VMOVUPS(Mem{Base: x, Disp: d}, r)
		VFMADD213PS(b, a, r)
		VMOVUPS(r, Mem{Base: x, Disp: d})
	})
	VZEROUPPER()
	RET()
}

// dotRow is the sum of x·y.
func dotRow(v isa) {
	v.text("panelDotRow", "x, y *float32, n int) (sum float32")
	x, y, n, sum := Load(Param("x"), GP64()), Load(Param("y"), GP64()), Load(Param("n"), GP64()), v.reg()
	v.zero(sum)
	v.loop(n, []Register{x, y}, func(d int) {
		r := v.reg()
		VMOVUPS(Mem{Base: x, Disp: d}, r)
		VFMADD231PS(Mem{Base: y, Disp: d}, r, sum)
	})
	v.fold(sum, vadd)
	VZEROUPPER()
	RET()
}
