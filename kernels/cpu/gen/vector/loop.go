package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// isa is what differs between the instruction sets: the ending of routines' names and the bytes of a register.
type isa struct {
	name string
	size int
}

func (v isa) wide() bool { return v.size == 64 }

func (v isa) reg() VecVirtual {
	if v.wide() {
		return ZMM()
	}
	return YMM()
}

func (v isa) zero() VecVirtual {
	r := v.reg()
	if v.wide() {
		VPXORD(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
	return r
}

// param is a float32 parameter in all lanes.
func (v isa) param(name string) VecVirtual {
	r := v.reg()
	m, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(m.Addr, r)
	return r
}

// loop is one routine over slices of the same length: the body is written for unroll registers at a time, for one, and for a masked rest.
type loop struct {
	isa
	ptr    map[string]Register
	at     Register   // byte offset into every slice
	part   int        // which of the unrolled registers, for separate sums
	masked bool       // whether the body is the rest's
	mask   VecVirtual // AVX2
	k      Register   // AVX-512
}

// routine begins a function over the slices named; the first gives the length. setup runs before the loop and its result is the body.
func (v isa) routine(name, signature string, slices []string, unroll int, setup func(l *loop) func(), finish func(l *loop)) {
	TEXT(name+v.name, NOSPLIT, signature)
	Pragma("noescape")
	l := &loop{isa: v, ptr: map[string]Register{}, at: GP64()}
	n := Load(Param(slices[0]).Len(), GP64())
	for _, s := range slices {
		l.ptr[s] = Load(Param(s).Base(), GP64())
	}
	XORQ(l.at, l.at)
	body := setup(l)
	for _, u := range []int{unroll, 1} {
		begin, end := label(), label()
		Label(begin)
		CMPQ(n, U32(u*v.size/4))
		JL(LabelRef(end))
		for l.part = 0; l.part < u; l.part++ {
			body()
		}
		ADDQ(U32(u*v.size), l.at)
		SUBQ(U32(u*v.size/4), n)
		JMP(LabelRef(begin))
		Label(end)
		if u == 1 {
			break
		}
	}
	done := label()
	TESTQ(n, n)
	JZ(LabelRef(done))
	l.part, l.masked = 0, true
	if v.wide() {
		t, k := GP64(), K()
		MOVQ(U32(1), t)
		SHLXQ(n, t, t)
		DECQ(t)
		KMOVW(t.As32(), k)
		l.k = k
	} else {
		t, u := GP64(), GP64()
		LEAQ(maskTable, t)
		MOVQ(U32(8), u)
		SUBQ(n, u)
		l.mask = YMM()
		VMOVUPS(Mem{Base: t, Index: u, Scale: 4}, l.mask)
	}
	body()
	Label(done)
	if finish != nil {
		finish(l)
	}
	VZEROUPPER()
	RET()
}

var labels int

func label() string {
	labels++
	return "l" + string(rune('a'+labels/26/26%26)) + string(rune('a'+labels/26%26)) + string(rune('a'+labels%26))
}

func (l *loop) mem(slice string) Mem {
	return Mem{Base: l.ptr[slice], Index: l.at, Scale: 1, Disp: l.part * l.size}
}

// load reads a register; lanes beyond the end are 0.
func (l *loop) load(slice string) VecVirtual {
	r := l.reg()
	switch {
	case !l.masked:
		VMOVUPS(l.mem(slice), r)
	case l.wide():
		VMOVUPS_Z(l.mem(slice), l.k, r)
	default:
		VMASKMOVPS(l.mem(slice), l.mask, r)
	}
	return r
}

func (l *loop) store(r VecVirtual, slice string) {
	switch {
	case !l.masked:
		VMOVUPS(r, l.mem(slice))
	case l.wide():
		VMOVUPS(r, l.k, l.mem(slice))
	default:
		VMASKMOVPS(r, l.mask, l.mem(slice))
	}
}

// drop sets lanes beyond the end to 0, before a sum.
func (l *loop) drop(r VecVirtual) {
	switch {
	case !l.masked:
	case l.wide():
		VMOVAPS_Z(r, l.k, r)
	default:
		VANDPS(l.mask, r, r)
	}
}

func (v isa) copyOf(r Op) VecVirtual {
	t := v.reg()
	if v, ok := r.(VecVirtual); ok {
		VMOVAPS(v, t)
	} else {
		VMOVUPS(r, t)
	}
	return t
}

// total folds the sums of all parts into the function's result, always in the same order.
func (l *loop) total(acc []VecVirtual, op func(a, b, dst Op)) {
	for n := len(acc) / 2; n > 0; n /= 2 {
		for i := 0; i < n; i++ {
			op(acc[i+n], acc[i], acc[i])
		}
	}
	r := acc[0]
	y, t, x := r.AsY(), YMM(), XMM()
	if l.wide() {
		VEXTRACTF64X4(Imm(1), r, t)
		op(t, y, y)
	}
	VEXTRACTF128(Imm(1), y, x)
	op(x, r.AsX(), x)
	s := XMM()
	VPERMILPS(Imm(0x4e), x, s)
	op(s, x, x)
	VPERMILPS(Imm(0xb1), x, s)
	op(s, x, x)
	Store(x, ReturnIndex(0))
}
