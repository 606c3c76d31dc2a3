package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// philox writes uniforms: Philox-4x32-10, a block a lane, four numbers in (0, 1) a block. c holds the number of the first block, the three
// other words of the counter and the two of the key. The length of dst is a multiple of the numbers of all lanes.
func philox(v isa) {
	TEXT("uniforms"+v.name, NOSPLIT, "func(dst []float32, c *uint32)")
	Pragma("noescape")
	n, dst, c0 := Load(Param("dst").Len(), GP64()), Load(Param("dst").Base(), GP64()), Load(Param("c"), GP64())
	word := func(i int) VecVirtual {
		r := v.reg()
		VPBROADCASTD(Mem{Base: c0, Disp: 4 * i}, r)
		return r
	}
	block := word(0)
	VPADDD(c("block"+v.name), block, block)
	var odd Register
	if v.wide() {
		t := GP64()
		MOVQ(U32(0xaaaa), t)
		odd = K()
		KMOVW(t.As32(), odd)
	}
	begin, end := label(), label()
	Label(begin)
	CMPQ(n, U32(v.size))
	JL(LabelRef(end))
	x := [4]VecVirtual{v.copyOf(block), word(1), word(2), word(3)}
	k0, k1 := word(4), word(5)
	for round := range 10 {
		if round > 0 {
			VPADDD(c("w0"), k0, k0)
			VPADDD(c("w1"), k1, k1)
		}
		h0, l0 := v.mulWide(x[0], "m0", odd)
		h1, l1 := v.mulWide(x[2], "m1", odd)
		v.xor(x[1], h1)
		v.xor(k0, h1)
		v.xor(x[3], h0)
		v.xor(k1, h0)
		x = [4]VecVirtual{h1, l1, h0, l0}
	}
	for _, r := range x { // the middle of one of 2^24 intervals, rounded to float32
		VPSRLD(Imm(8), r, r)
		VCVTDQ2PS(r, r)
		VADDPS(c("half"), r, r)
		VMULPS(c("2^-24"), r, r)
	}
	// Lane 4q+r is block (lanes/4)·r + q, so that the transposed registers are stored in order.
	t := [4]VecVirtual{v.reg(), v.reg(), v.reg(), v.reg()}
	VUNPCKLPS(x[1], x[0], t[0])
	VUNPCKLPS(x[3], x[2], t[1])
	VUNPCKHPS(x[1], x[0], t[2])
	VUNPCKHPS(x[3], x[2], t[3])
	for i := range 4 {
		a, b := t[i/2*2], t[i/2*2+1]
		if i%2 == 0 {
			VUNPCKLPD(b, a, x[i])
		} else {
			VUNPCKHPD(b, a, x[i])
		}
		VMOVUPS(x[i], Mem{Base: dst, Disp: i * v.size})
	}
	VPADDD(c("lanes"+v.name), block, block)
	ADDQ(U32(4*v.size), dst)
	SUBQ(U32(v.size), n)
	JMP(LabelRef(begin))
	Label(end)
	VZEROUPPER()
	RET()
}

func (v isa) xor(a, dst VecVirtual) {
	if v.wide() {
		VPXORD(a, dst, dst)
	} else {
		VPXOR(a, dst, dst)
	}
}

// mulWide is the high and low words of x times a constant, lane by lane; x is lost.
func (v isa) mulWide(x VecVirtual, m string, odd Register) (hi, lo VecVirtual) {
	hi, lo = v.reg(), v.reg()
	VPMULUDQ(c(m), x, hi)
	VPMULLD(c(m), x, lo)
	VPSRLQ(Imm(32), x, x)
	VPMULUDQ(c(m), x, x)
	VPSRLQ(Imm(32), hi, hi)
	if v.wide() {
		VMOVDQA32(x, odd, hi)
	} else {
		VPBLENDD(Imm(0xaa), x, hi, hi)
	}
	return hi, lo
}

// keep writes dst = x·scale where u ≥ p, else 0.
func keep(v isa) {
	const atLeast = 29 // ordered, quiet
	v.routine("keep", "func(dst, x, u []float32, p, scale float32)", []string{"dst", "x", "u"}, 1, func(l *loop) func() {
		p, scale := v.param("p"), v.param("scale")
		return func() {
			x, u := l.load("x"), l.load("u")
			VMULPS(scale, x, x)
			if v.wide() {
				k := K()
				VCMPPS(Imm(atLeast), p, u, k)
				VMOVAPS_Z(x, k, x)
			} else {
				VCMPPS(Imm(atLeast), p, u, u)
				VANDPS(u, x, x)
			}
			l.store(x, "dst")
		}
	}, nil)
}
