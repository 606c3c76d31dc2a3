package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

var (
	table     Mem // every constant, 16 times
	maskTable Mem // eight of all ones, eight of zeros
	places    = map[string]int{}
)

// values are those of kernels/cpu/vector_math.go; a test holds the results together.
var values = []struct {
	name string
	x    float64
}{
	{"one", 1}, {"half-", -0.5}, {"two", 2},
	{"log2e", 1.44269504088896341}, {"magic", 12582912}, {"ln2Hi", 0.693359375}, {"ln2Lo", -2.12194440e-4}, {"lo", -105}, {"hi", 88.8},
	{"e2", 5.0000001201e-1}, {"e3", 1.6666665459e-1}, {"e4", 4.1665795894e-2}, {"e5", 8.3334519073e-3}, {"e6", 1.3981999507e-3}, {"e7", 1.9875691500e-4},
	{"p0", 0.10772209305868263}, {"p1", 0.10751860326349785}, {"p2", 0.10198036699451263}, {"p3", 0.07140606257653694}, {"p4", 0.10927720639663152},
	{"p5", -0.07121391689808543}, {"p6", 0.171444687312039}, {"p7", -0.12724211984035344}, {"p8", 0.029107028208447006},
	{"phiP", 0.27}, {"density", 0.3989422804014327}, {"quick", 1.702}, {"quick-", -1.702},
	{"gA", 2 * 0.7978845608028654}, {"gB", 2 * 0.7978845608028654 * 0.044715}, {"gA-", -2 * 0.7978845608028654}, {"gB-", -2 * 0.7978845608028654 * 0.044715},
	{"gB3", 3 * 2 * 0.7978845608028654 * 0.044715}, {"inf-", math.Inf(-1)}, {"far", 80},
}

func constants() {
	table = GLOBL("vectorConst", RODATA|NOPTR)
	at := 0
	put := func(name string, bits uint32) {
		places[name] = at
		for range 16 {
			DATA(at, U32(bits))
			at += 4
		}
	}
	for _, c := range values {
		put(c.name, math.Float32bits(float32(c.x)))
	}
	put("abs", 0x7fffffff)
	put("sign", 0x80000000)
	put("bias", 127)
	put("m0", 0xD2511F53) // Philox's multipliers and the steps of its key
	put("m1", 0xCD9E8D57)
	put("w0", 0x9E3779B9)
	put("w1", 0xBB67AE85)
	put("half", math.Float32bits(0.5))
	put("2^-24", math.Float32bits(1.0/(1<<24)))
	for _, lanes := range []int{16, 8} {
		name := map[int]string{16: "512", 8: "256"}[lanes]
		put("lanes"+name, uint32(lanes))
		places["block"+name] = at
		for p := range 16 {
			DATA(at, U32(p%4*(lanes/4)+p/4%(lanes/4)))
			at += 4
		}
	}
	maskTable = GLOBL("vectorMask", RODATA|NOPTR)
	for i := range 16 {
		bits := uint32(0)
		if i < 8 {
			bits = 0xffffffff
		}
		DATA(4*i, U32(bits))
	}
}

func c(name string) Mem {
	at, ok := places[name]
	if !ok {
		panic("no constant " + name)
	}
	return table.Offset(at)
}

// exp turns x into e^x, as exp32 in Go: reduction by ln 2 in two parts, polynomial, scaling.
func (v isa) exp(x VecVirtual) {
	t := v.copyOf(c("hi"))
	VMINPS(x, t, x) // x second: NaN stays
	VMOVUPS(c("lo"), t)
	VMAXPS(x, t, x)
	n := v.copyOf(c("log2e"))
	VFMADD213PS(c("magic"), x, n)
	VSUBPS(c("magic"), n, n)
	VFNMADD231PS(c("ln2Hi"), n, x)
	VFNMADD231PS(c("ln2Lo"), n, x)
	p := v.copyOf(c("e7"))
	for _, e := range []string{"e6", "e5", "e4", "e3", "e2"} {
		VFMADD213PS(c(e), x, p)
	}
	VMULPS(x, x, t)
	VFMADD213PS(x, t, p) // p·x² + x
	VADDPS(c("one"), p, x)
	if v.wide() {
		VSCALEFPS(n, x, x)
		return
	}
	i, h := YMM(), YMM()
	VCVTPS2DQ(n, i)
	VPSRAD(Imm(1), i, h) // in two steps, because 2^128 and 2^-140 have no float32
	VPSUBD(h, i, i)
	for _, r := range []VecVirtual{h, i} {
		VPADDD(c("bias"), r, r)
		VPSLLD(Imm(23), r, r)
		VMULPS(r, x, x)
	}
}

// phi is Φ(x) and exp(−x²/2), as phi32 in Go.
func (v isa) phi(x VecVirtual) (p, e VecVirtual) {
	e = v.reg()
	VMULPS(c("half-"), x, e)
	VMULPS(x, e, e)
	v.exp(e)
	a, k := v.reg(), v.copyOf(c("one"))
	VANDPS(c("abs"), x, a)
	VMULPS(c("phiP"), a, a)
	VADDPS(k, a, a)
	VDIVPS(a, k, k)
	p = v.copyOf(c("p8"))
	for _, n := range []string{"p7", "p6", "p5", "p4", "p3", "p2", "p1", "p0"} {
		VFMADD213PS(c(n), k, p)
	}
	VMULPS(k, p, p)
	VMULPS(e, p, p)
	VMOVUPS(c("one"), a)
	VSUBPS(p, a, a) // for x > 0
	if v.wide() {
		neg := K()
		VPMOVD2M(x, neg)
		VBLENDMPS(p, a, neg, p)
	} else {
		VBLENDVPS(x, p, a, p)
	}
	return p, e
}

// over1pExp is num / (1 + e^z); z is lost.
func (v isa) over1pExp(num, z VecVirtual) VecVirtual {
	v.exp(z)
	VADDPS(c("one"), z, z)
	VDIVPS(z, num, z)
	return z
}
