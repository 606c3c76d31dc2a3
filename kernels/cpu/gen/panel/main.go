// Command panel writes panel_amd64.s: small matrix products over panels and the exponentials of softmax, for attention, InfoNCE,
// cross entropy and the memory projection. Run by go generate in kernels/cpu.
package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// isa is what differs between the two instruction sets: the name, the bytes of a register and how to get one.
type isa struct {
	name string
	size int
}

var (
	avx512 = isa{"AVX512", 64}
	avx2   = isa{"AVX2", 32}
)

func (v isa) reg() VecVirtual {
	if v.size == 64 {
		return ZMM()
	}
	return YMM()
}

func (v isa) zero(r VecVirtual) {
	if v.size == 64 {
		VPXORD(r, r, r)
		return
	}
	VXORPS(r, r, r)
}

// wide is how many registers hold 16 numbers.
func (v isa) wide() int { return 64 / v.size }

func main() {
	ConstraintExpr("amd64")
	ConstraintExpr("!purego")
	for r := 12; r >= 1; r-- {
		product(avx512, r, 2)
		product(avx512, r, 1)
	}
	for r := 3; r >= 1; r-- {
		product(avx512, r, 8)
	}
	for r := 6; r >= 1; r-- {
		product(avx2, r, 2)
	}
	constants()
	for _, v := range []isa{avx512, avx2} {
		maxRow(v)
		expRow(v)
		expPair(v)
		maxCols(v)
		expCols(v)
		mulSub(v)
		scaleAdd(v)
		dotRow(v)
		topCols(v)
		exp2Cols(v)
		mulCols(v)
		notBelow(v)
	}
	attention(avx512)
	Generate()
}

// product is C[rows, nv registers] (+)= A · B for mb blocks of rows: element (i, l) of A lies at a[i·ars + l·aks], row l of B at b[l·ldb] with its
// second register bo further, row i of C at c[i·ldc]. Sums run along l in order from zero, and are then stored or added to C.
func product(v isa, rows, nv int) {
	TEXT(fmt.Sprintf("panelProduct%dx%d%s", rows, nv, v.name), NOSPLIT, "func(c *float32, ldc int, a *float32, ars, aks int, b *float32, ldb, bo, k, mb, add int)")
	Pragma("noescape")
	c, ldc := Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
	a, ars, aks := Load(Param("a"), GP64()), Load(Param("ars"), GP64()), Load(Param("aks"), GP64())
	b, ldb := Load(Param("b"), GP64()), Load(Param("ldb"), GP64())
	blocks, err := Param("mb").Resolve() // counted down where it lies: registers are short
	if err != nil {
		panic(err)
	}
	for _, r := range []Register{ldc, ars, aks, ldb} {
		SHLQ(Imm(2), r)
	}
	bp, l := GP64(), GP64()
	var bo, bo3, bp4 Register
	if nv >= 2 {
		bo = Load(Param("bo"), GP64())
		SHLQ(Imm(2), bo)
	}
	if nv == 8 {
		bo3, bp4 = GP64(), GP64()
		LEAQ(Mem{Base: bo, Index: bo, Scale: 2}, bo3)
	}
	var ars3 Register
	if rows > 3 {
		ars3 = GP64()
		LEAQ(Mem{Base: ars, Index: ars, Scale: 2}, ars3)
	}
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
	b1 := func(j int) Mem { // register j of a row of B
		m := Mem{Base: bp}
		if j >= 4 {
			m.Base = bp4
		}
		switch j % 4 {
		case 1:
			m.Index, m.Scale = bo, 1
		case 2:
			m.Index, m.Scale = bo, 2
		case 3:
			m.Index, m.Scale = bo3, 1
		}
		return m
	}
	at := func(i int) Mem {
		m := Mem{Base: ap[i/4]}
		switch i % 4 {
		case 1:
			m.Index, m.Scale = ars, 1
		case 2:
			m.Index, m.Scale = ars, 2
		case 3:
			if rows > 3 {
				m.Index, m.Scale = ars3, 1
			}
		}
		return m
	}
	Label("block")
	for _, row := range acc {
		for _, r := range row {
			v.zero(r)
		}
	}
	MOVQ(a, ap[0])
	for i := 1; i < len(ap); i++ {
		LEAQ(Mem{Base: ap[i-1], Index: ars, Scale: 4}, ap[i])
	}
	MOVQ(b, bp)
	if nv == 8 {
		LEAQ(Mem{Base: b, Index: bo, Scale: 4}, bp4)
	}
	if nv <= 2 { // what is added to is fetched ahead: it comes from further away than the rest
		Load(Param("add"), l)
		TESTQ(l, l)
		JZ(LabelRef("sums"))
		MOVQ(c, l)
		for i := range rows {
			for j := 0; j < nv*v.size; j += 64 {
				PREFETCHT0(Mem{Base: l, Disp: j})
			}
			if i+1 < rows {
				ADDQ(ldc, l)
			}
		}
		Label("sums")
	}
	Load(Param("k"), l)
	Label("inner")
	if nv == 8 {
		ones := make([]VecVirtual, rows)
		for i := range ones {
			ones[i] = v.reg()
			VBROADCASTSS(at(i), ones[i])
		}
		for j := range nv {
			x := v.reg()
			VMOVUPS(b1(j), x)
			for i, one := range ones {
				VFMADD231PS(one, x, acc[i][j])
			}
		}
		ADDQ(ldb, bp4)
	} else {
		bv := make([]VecVirtual, nv)
		for j := range bv {
			bv[j] = v.reg()
			VMOVUPS(b1(j), bv[j])
		}
		for i, row := range acc {
			if v.size == 64 && nv == 1 { // used once, so the multiply itself broadcasts
				VFMADD231PS_BCST(at(i), bv[0], row[0])
				continue
			}
			one := v.reg()
			VBROADCASTSS(at(i), one)
			for j, r := range row {
				VFMADD231PS(one, bv[j], r)
			}
		}
	}
	for _, p := range ap {
		ADDQ(aks, p)
	}
	ADDQ(ldb, bp)
	DECQ(l)
	JNZ(LabelRef("inner"))
	add := l
	Load(Param("add"), add)
	TESTQ(add, add)
	JZ(LabelRef("store"))
	MOVQ(c, bp)
	for _, row := range acc {
		for j, r := range row {
			VADDPS(Mem{Base: bp, Disp: j * v.size}, r, r)
		}
		ADDQ(ldc, bp)
	}
	Label("store")
	for _, row := range acc {
		for j, r := range row {
			VMOVUPS(r, Mem{Base: c, Disp: j * v.size})
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

// the coefficients of exp: Cephes Math Library, expf.c (Moshier)
var table = []float32{
	-104, -87.33654, 88.37626, // where exp becomes 0; the least and largest argument of the AVX2 form
	1.44269504088896341, 0.693359375, -2.12194440e-4, // 1/ln 2, ln 2 in two parts
	1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1,
	1.8671300700622284e-3, 9.017030321935585e-3, 5.5799913104227855e-2, 0.24016445015489593, 0.6931513118046273, -126, // 2^f; the least argument of its AVX2 form
	float32(math.Inf(-1)),
}

const (
	cZero = iota
	cLo
	cHi
	cLog2E
	cLn2Hi
	cLn2Lo
	cPoly
	cExp2     = cPoly + 7
	cMinus126 = cExp2 + 5
	cNegInf   = cMinus126 + 1
)

var data Mem

func constants() {
	data = GLOBL("panelConstants", RODATA|NOPTR)
	for i, x := range table {
		for j := range 16 {
			DATA((i*16+j)*4, U32(math.Float32bits(x)))
		}
	}
}

func constant(i int) Mem { return data.Offset(i * 64) }

// exp replaces x by exp(x), within about 1 ulp; arguments below -104 (AVX2: -87.3) give 0, NaN stays.
func (v isa) exp(x VecVirtual) {
	n, p, r2, gone := v.reg(), v.reg(), v.reg(), v.reg()
	lo := v.reg()
	if v.size == 64 {
		VMOVUPS(constant(cZero), lo)
		VMAXPS(x, lo, x)
		VMULPS(constant(cLog2E), x, n)
		VRNDSCALEPS(Imm(8), n, n)
	} else {
		VMOVUPS(constant(cLo), lo)
		VCMPPS(Imm(1), lo, x, gone) // x < lo
		VMAXPS(x, lo, x)
		VMOVUPS(constant(cHi), lo)
		VMINPS(x, lo, x)
		VMULPS(constant(cLog2E), x, n)
		VROUNDPS(Imm(8), n, n)
	}
	VFNMADD231PS(constant(cLn2Hi), n, x)
	VFNMADD231PS(constant(cLn2Lo), n, x)
	VMOVUPS(constant(cPoly), p)
	for i := 1; i < 6; i++ {
		VFMADD213PS(constant(cPoly+i), x, p)
	}
	VMULPS(x, x, r2)
	VFMADD213PS(x, r2, p)
	VADDPS(constant(cPoly+6), p, p)
	if v.size == 64 {
		VSCALEFPS(n, p, x)
		return
	}
	VCVTPS2DQ(n, n)
	VPSLLD(Imm(23), n, n)
	VPADDD(n, p, p)
	VANDNPS(p, gone, x)
}

// fold reduces a register to its first number and returns it as the result.
func (v isa) fold(r VecVirtual, op func(...Op)) {
	y := r.AsY()
	t := YMM()
	if v.size == 64 {
		VEXTRACTF64X4(Imm(1), r, t)
		op(t, y, y)
	}
	x, u := r.AsX(), XMM()
	VEXTRACTF128(Imm(1), y, u)
	op(u, x, x)
	VPERMILPS(Imm(0x4e), x, u)
	op(u, x, x)
	VPERMILPS(Imm(0xb1), x, u)
	op(u, x, x)
	Store(x, ReturnIndex(0))
}

func (v isa) text(name, args string) {
	TEXT(name+v.name, NOSPLIT, "func("+args+")")
	Pragma("noescape")
}

func (v isa) broadcast(param string) VecVirtual {
	r := v.reg()
	m, err := Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(m.Addr, r)
	return r
}

// loop runs body for each 16 numbers; body gets the byte offset of one register within them. The pointers move on.
func (v isa) loop(n Register, ptrs []Register, body func(disp int)) {
	Label("next")
	for i := range v.wide() {
		body(i * v.size)
	}
	for _, p := range ptrs {
		ADDQ(Imm(64), p)
	}
	SUBQ(Imm(16), n)
	JNZ(LabelRef("next"))
}

func vmax(ops ...Op) { VMAXPS(ops...) }
func vadd(ops ...Op) { VADDPS(ops...) }
