package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Attention over so few keys that all scores of a strip of queries lie side by side. Scores are a row for every key and a column for every query; the sums
// of values have a row for every query, as Out has, so that they are written where they belong.

// attention writes what attention alone uses.
func attention(v isa) {
	softCols(v, 2)
	softCols(v, 1)
	for r := 12; r >= 1; r-- {
		scores(v, r, 2)
		scores(v, r, 1)
	}
	addresses(v)
	for r := 12; r >= 1; r-- {
		attend(v, r, 2, false)
		attend(v, r, 1, false)
	}
	for r := 8; r >= 1; r-- {
		attend(v, r, 2, true)
	}
}

// softCols is the whole softmax of nv·16 columns, in place: src = 2^(mul·src − top), top = max(unseen, mul · every row), sum = Σ rows in order, and
// inv = 1/sum, or 0 where nothing is left. Column c of 16 ends c rows after the first, which has `whole` of the rows: what is below becomes 0.
func softCols(v isa, nv int) {
	v.text(fmt.Sprintf("panelSoftCols%d", nv), "src *float32, ld, rows, whole int, top, sum, inv *float32, mul, unseen float32")
	src, ld, rows, whole := Load(Param("src"), GP64()), Load(Param("ld"), GP64()), Load(Param("rows"), GP64()), Load(Param("whole"), GP64())
	mul, p, n, edge, mask := v.broadcast("mul"), GP64(), GP64(), GP32(), K()
	SHLQ(Imm(2), ld)
	SUBQ(whole, rows)
	at := func(p Register, i int) Mem { return Mem{Base: p, Disp: 64 * i} }
	// ends runs body for the rows that not every column has, with the columns that have them in mask.
	ends := func(name string, body func()) {
		if nv > 1 {
			return
		}
		MOVQ(rows, n)
		TESTQ(n, n)
		JZ(LabelRef(name + "Done"))
		MOVL(U32(0xfffe), edge)
		Label(name)
		KMOVW(edge, mask)
		body()
		ADDQ(ld, p)
		ADDL(edge, edge)
		DECQ(n)
		JNZ(LabelRef(name))
		Label(name + "Done")
	}
	const chains = 4
	t := make([]VecVirtual, chains) // the largest of columns i%nv, in chains/nv parts, so that one need not wait for the other
	for i := range t {
		t[i] = v.reg()
		VMOVUPS(constant(cNegInf), t[i])
	}
	MOVQ(src, p)
	MOVQ(whole, n)
	step := chains / nv
	Label("most")
	SUBQ(Imm(uint64(step)), n)
	JLT(LabelRef("mostLast"))
	for r := range step {
		for i := range nv {
			VMAXPS(at(p, i), t[r*nv+i], t[r*nv+i])
		}
		ADDQ(ld, p)
	}
	JMP(LabelRef("most"))
	Label("mostLast")
	ADDQ(Imm(uint64(step)), n)
	JZ(LabelRef("mostEnds"))
	Label("mostRow")
	for i := range nv {
		VMAXPS(at(p, i), t[i], t[i])
	}
	ADDQ(ld, p)
	DECQ(n)
	JNZ(LabelRef("mostRow"))
	Label("mostEnds")
	ends("mostEdge", func() { VMAXPS(at(p, 0), t[0], mask, t[0]) })
	top, sum := t[:nv], make([]VecVirtual, nv)
	out, unseen := Load(Param("top"), GP64()), v.broadcast("unseen")
	for i := range top {
		for r := 1; r < step; r++ {
			VMAXPS(t[r*nv+i], top[i], top[i])
		}
		VMULPS(mul, top[i], top[i])
		VMAXPS(unseen, top[i], top[i]) // unseen where the scores are NaN
		VMOVUPS(top[i], at(out, i))
		sum[i] = v.reg()
		v.zero(sum[i])
	}
	c := make([]VecVirtual, 6) // of the polynomial
	for i := range c {
		c[i] = v.reg()
		at := constant(cPoly + 6)
		if i < 5 {
			at = constant(cExp2 + i)
		}
		VMOVUPS(at, c[i])
	}
	exp := func(i int) VecVirtual {
		x, f, p2 := v.reg(), v.reg(), v.reg()
		VMOVUPS(at(p, i), x)
		VFMSUB213PS(top[i], mul, x)
		VREDUCEPS(Imm(9), x, f)
		VMOVAPS(c[0], p2)
		for _, a := range c[1:] {
			VFMADD213PS(a, f, p2)
		}
		VSCALEFPS(x, p2, x)
		return x
	}
	MOVQ(src, p)
	MOVQ(whole, n)
	TESTQ(n, n)
	JZ(LabelRef("expEnds"))
	Label("exp")
	for i := range nv {
		x := exp(i)
		VMOVUPS(x, at(p, i))
		VADDPS(x, sum[i], sum[i])
	}
	ADDQ(ld, p)
	DECQ(n)
	JNZ(LabelRef("exp"))
	Label("expEnds")
	ends("expEdge", func() {
		x := exp(0)
		VMOVAPS_Z(x, mask, x)
		VMOVUPS(x, at(p, 0))
		VADDPS(x, sum[0], sum[0])
	})
	sp, ip, zero := Load(Param("sum"), GP64()), Load(Param("inv"), GP64()), v.reg()
	v.zero(zero)
	for i, s := range sum {
		some, inv := K(), v.reg()
		VMOVUPS(s, at(sp, i))
		VCMPPS(Imm(6), zero, s, some) // not at most 0: NaN is something
		VDIVPS_Z(s, c[5], some, inv)
		VMOVUPS(inv, at(ip, i))
	}
	VZEROUPPER()
	RET()
}

// asking loads the parameters ahead, a list of addresses, and step, and returns what asks for the cache line at the next of them: the operands of the next
// head, one line for every step of a product, because many at once wait for each other and what is multiplied waits for them.
func asking() func() {
	list, step, at := Load(Param("ahead"), GP64()), Load(Param("step"), GP64()), GP64()
	return func() {
		MOVQ(Mem{Base: list}, at)
		PREFETCHT1(Mem{Base: at})
		ADDQ(step, list)
	}
}

// addresses is dst = offsets + base, n of them, a multiple of 8.
func addresses(v isa) {
	v.text("panelAddresses", "dst *uintptr, offsets *uintptr, base uintptr, n int")
	dst, from, n, base := Load(Param("dst"), GP64()), Load(Param("offsets"), GP64()), Load(Param("n"), GP64()), v.reg()
	VPBROADCASTQ(Load(Param("base"), GP64()), base)
	Label("next")
	x := v.reg()
	VPADDQ(Mem{Base: from}, base, x)
	VMOVDQU64(x, Mem{Base: dst})
	ADDQ(Imm(64), from)
	ADDQ(Imm(64), dst)
	SUBQ(Imm(8), n)
	JNZ(LabelRef("next"))
	VZEROUPPER()
	RET()
}

// scores is C[rows, nv registers] = A · B for mb blocks of rows, as product has it, with rows of A, ars apart, and panels of B, bo apart.
func scores(v isa, rows, nv int) {
	v.text(fmt.Sprintf("panelScores%dx%d", rows, nv), "c *float32, ldc int, a *float32, ars int, b *float32, bo, k, mb int, ahead *uintptr, step int")
	c, a, ars, b := Load(Param("c"), GP64()), Load(Param("a"), GP64()), Load(Param("ars"), GP64()), Load(Param("b"), GP64())
	blocks, err := Param("mb").Resolve() // counted down where it lies: registers are short
	if err != nil {
		panic(err)
	}
	SHLQ(Imm(2), ars)
	ask, bo, ars3 := asking(), Load(Param("bo"), GP64()), GP64()
	SHLQ(Imm(2), bo)
	LEAQ(Mem{Base: ars, Index: ars, Scale: 2}, ars3)
	ap := make([]Register, (rows+3)/4) // one for every four rows
	for i := range ap {
		ap[i] = GP64()
	}
	acc := make([][]VecVirtual, rows)
	for i := range acc {
		for range nv {
			acc[i] = append(acc[i], v.reg())
		}
	}
	at := func(i int) Mem {
		m := Mem{Base: ap[i/4]}
		switch i % 4 {
		case 1:
			m.Index, m.Scale = ars, 1
		case 2:
			m.Index, m.Scale = ars, 2
		case 3:
			m.Index, m.Scale = ars3, 1
		}
		return m
	}
	bp, l := GP64(), GP64()
	Label("block")
	for _, row := range acc {
		for _, r := range row {
			v.zero(r)
		}
	}
	for i := range ap {
		if i == 0 {
			MOVQ(a, ap[0])
		} else {
			LEAQ(Mem{Base: ap[i-1], Index: ars, Scale: 4}, ap[i])
		}
	}
	MOVQ(b, bp)
	Load(Param("k"), l)
	Label("inner")
	ask()
	bv := make([]VecVirtual, nv)
	for j := range bv {
		bv[j] = v.reg()
		if j == 0 {
			VMOVUPS(Mem{Base: bp}, bv[j])
		} else {
			VMOVUPS(Mem{Base: bp, Index: bo, Scale: 1}, bv[j])
		}
	}
	for i, row := range acc {
		if nv == 1 {
			VFMADD231PS_BCST(at(i), bv[0], row[0])
			continue
		}
		one := v.reg()
		VBROADCASTSS(at(i), one)
		for j, r := range row {
			VFMADD231PS(one, bv[j], r)
		}
	}
	for _, p := range ap {
		ADDQ(Imm(4), p)
	}
	ADDQ(Imm(64), bp)
	DECQ(l)
	JNZ(LabelRef("inner"))
	ldc := l
	Load(Param("ldc"), ldc)
	SHLQ(Imm(2), ldc)
	for _, row := range acc {
		for j, r := range row {
			VMOVUPS(r, Mem{Base: c, Disp: 64 * j})
		}
		ADDQ(ldc, c)
	}
	for left := rows; left > 0; {
		step := 1
		for step < 8 && 2*step <= left {
			step *= 2
		}
		LEAQ(Mem{Base: a, Index: ars, Scale: uint8(step)}, a)
		left -= step
	}
	DECQ(blocks.Addr)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// attend is C[i] = f[i] · Σ_l p[l·ldp + i] · V[l] for mb blocks of rows: V's rows are nv registers, ldv apart, and with nv = 1 the numbers in mask; with half
// there are 8 numbers more, those of two rows of C in one register. Sums run along l in order from zero.
func attend(v isa, rows, nv int, half bool) {
	name := fmt.Sprintf("panelAttend%dx%d", rows, nv)
	if half {
		name += "half"
	}
	v.text(name, "c *float32, ldc int, p *float32, ldp int, x *float32, ldx int, f *float32, k, mb, mask int, ahead *uintptr, step int")
	c, ldc, p, ldp := Load(Param("c"), GP64()), Load(Param("ldc"), GP64()), Load(Param("p"), GP64()), Load(Param("ldp"), GP64())
	x, ldx, f, blocks := Load(Param("x"), GP64()), Load(Param("ldx"), GP64()), Load(Param("f"), GP64()), Load(Param("mb"), GP64())
	for _, r := range []Register{ldc, ldp, ldx} {
		SHLQ(Imm(2), r)
	}
	ask := asking()
	mask, high := K(), K()
	if nv == 1 {
		Load(Param("mask"), mask)
	}
	if half {
		g := GP32()
		MOVL(U32(0xff00), g)
		KMOVW(g, high)
	}
	acc, pairs := make([][]VecVirtual, rows), make([]VecVirtual, (rows+1)/2)
	for i := range acc {
		for range nv {
			acc[i] = append(acc[i], v.reg())
		}
	}
	Label("block")
	for _, row := range acc {
		for _, r := range row {
			v.zero(r)
		}
	}
	if half {
		for i := range pairs {
			pairs[i] = v.reg()
			v.zero(pairs[i])
		}
	}
	pp, xp, l := GP64(), GP64(), GP64()
	MOVQ(p, pp)
	MOVQ(x, xp)
	Load(Param("k"), l)
	Label("inner")
	ask()
	b := make([]VecVirtual, nv)
	for j := range b {
		b[j] = v.reg()
		if nv == 1 {
			VMOVUPS_Z(Mem{Base: xp}, mask, b[j])
		} else {
			VMOVUPS(Mem{Base: xp, Disp: 64 * j}, b[j])
		}
	}
	var both VecVirtual
	if half {
		both = v.reg()
		VBROADCASTF64X4(Mem{Base: xp, Disp: 64 * nv}, both)
	}
	ones := make([]VecVirtual, 2)
	for i, row := range acc {
		if nv == 1 {
			VFMADD231PS_BCST(Mem{Base: pp, Disp: 4 * i}, b[0], row[0])
			continue
		}
		one := v.reg()
		ones[i%2] = one
		VBROADCASTSS(Mem{Base: pp, Disp: 4 * i}, one)
		for j, r := range row {
			VFMADD231PS(one, b[j], r)
		}
		if half && (i%2 == 1 || i == rows-1) {
			if i%2 == 1 {
				VMOVAPS(one, high, ones[0])
			}
			VFMADD231PS(ones[0], both, pairs[i/2])
		}
	}
	ADDQ(ldp, pp)
	ADDQ(ldx, xp)
	DECQ(l)
	JNZ(LabelRef("inner"))
	for i, row := range acc {
		one := v.reg()
		ones[i%2] = one
		VBROADCASTSS(Mem{Base: f, Disp: 4 * i}, one)
		for j, r := range row {
			VMULPS(one, r, r)
			if nv == 1 {
				VMOVUPS(r, mask, Mem{Base: c})
			} else {
				VMOVUPS(r, Mem{Base: c, Disp: 64 * j})
			}
		}
		if half && (i%2 == 1 || i == rows-1) {
			last := Mem{Base: c, Disp: 64 * nv}
			if i%2 == 0 {
				VMULPS(one, pairs[i/2], pairs[i/2])
				VMOVUPS(pairs[i/2].AsY(), last)
			} else {
				VMOVAPS(one, high, ones[0])
				VMULPS(ones[0], pairs[i/2], pairs[i/2])
				before := GP64()
				MOVQ(c, before)
				SUBQ(ldc, before)
				VMOVUPS(pairs[i/2].AsY(), Mem{Base: before, Disp: 64 * nv})
				VEXTRACTF64X4(Imm(1), pairs[i/2], last)
			}
		}
		ADDQ(ldc, c)
	}
	ADDQ(Imm(uint64(4*rows)), p)
	ADDQ(Imm(uint64(4*rows)), f)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}
