package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// winograd writes the transforms of Winograd's convolutions F(4×4, 3×3) with the points 0, ±1/√2, ±√2, ∞ (kernels/cpu/winograd.go has the
// matrices): each is a transform along the lines of a small square, then one along its columns, on a vector of channels at a time. What lies
// between is kept in tmp.
func winograd() {
	fetchRows()
	winogradFixed()
	for _, v := range []lanes{{"512", 64}, {"256", 32}} {
		v.winogradInput()
		v.winogradWeight()
		v.winogradOutput()
	}
}

// lanes is a width of vectors: the ending of routines' names and the bytes of a register.
type lanes struct {
	name string
	size int
}

func (v lanes) reg() VecVirtual {
	if v.size == 64 {
		return ZMM()
	}
	return YMM()
}

func (v lanes) load(m Mem) VecVirtual {
	r := v.reg()
	VMOVUPS(m, r)
	return r
}

func (v lanes) copyOf(r VecVirtual) VecVirtual {
	t := v.reg()
	VMOVAPS(r, t)
	return t
}

// constant is x in all lanes.
func (v lanes) constant(x float64) VecVirtual {
	t, s, r := GP32(), XMM(), v.reg()
	MOVL(U32(math.Float32bits(float32(x))), t)
	VMOVD(t, s)
	VBROADCASTSS(s, r)
	return r
}

// multiples addresses base + i·stride for i of 0..5.
type multiples struct{ one, three, five GPVirtual }

func multiplesOf(stride GPVirtual, most int) multiples {
	m := multiples{one: stride}
	if most >= 3 {
		m.three = GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, m.three)
	}
	if most >= 5 {
		m.five = GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 4}, m.five)
	}
	return m
}

func (m multiples) at(base GPVirtual, i int) Mem {
	switch i {
	case 0:
		return Mem{Base: base}
	case 3:
		return Mem{Base: base, Index: m.three, Scale: 1}
	case 5:
		return Mem{Base: base, Index: m.five, Scale: 1}
	}
	return Mem{Base: base, Index: m.one, Scale: uint8(i)}
}

func (v lanes) tmp(base GPVirtual, i int) Mem { return Mem{Base: base, Disp: i * v.size} }

func param(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

// begin copies a pointer, so that it can go on while the original stays.
func begin(p GPVirtual) GPVirtual {
	q := GP64()
	MOVQ(p, q)
	return q
}

// winogradInput writes winogradInput<bits>(dst, step, src, line, pixel, tmp, n): for n vectors of channels, a square of 6×6 pixels, line bytes
// and pixel bytes apart, becomes 36 vectors, step bytes apart.
func (v lanes) winogradInput() {
	TEXT("winogradInput"+v.name, NOSPLIT, "func(dst, step, src, line, pixel, tmp, n uintptr)")
	Doc("winogradInput" + v.name + " transforms a square of 6×6 pixels.")
	dst, src, tmp, n := param("dst"), param("src"), param("tmp"), param("n")
	lines, pixel := multiplesOf(param("line"), 5), param("pixel")
	steps := multiplesOf(param("step"), 5)
	a, b := v.constant(math.Sqrt2/2), v.constant(math.Sqrt2)
	half, two, middle := v.constant(0.5), v.constant(2), v.constant(2.5)
	along := func(from func(i int) Mem, to func(i int) Mem) {
		var d [6]VecVirtual
		for i := range d {
			d[i] = v.load(from(i))
		}
		e1, e2, o1, o2 := v.copyOf(d[4]), v.copyOf(d[4]), v.copyOf(d[3]), v.copyOf(d[3])
		VADDPS(d[4], d[0], d[0])
		VADDPS(d[1], d[5], d[5])
		VFNMADD231PS(middle, d[2], d[0])
		VFNMADD231PS(middle, d[3], d[5])
		VFNMADD231PS(two, d[2], e1)
		VFNMADD231PS(half, d[2], e2)
		VFNMADD231PS(two, d[1], o1)
		VFNMADD231PS(half, d[1], o2)
		p1, p2 := v.copyOf(e1), v.copyOf(e2)
		VFMADD231PS(a, o1, p1)
		VFNMADD231PS(a, o1, e1)
		VFMADD231PS(b, o2, p2)
		VFNMADD231PS(b, o2, e2)
		for i, r := range []VecVirtual{d[0], p1, e1, p2, e2, d[5]} {
			VMOVUPS(r, to(i))
		}
	}
	Label("channels")
	column := begin(src)
	for x := range 6 {
		along(func(i int) Mem { return lines.at(column, i) }, func(i int) Mem { return v.tmp(tmp, 6*i+x) })
		if x < 5 {
			ADDQ(pixel, column)
		}
	}
	row := begin(dst)
	for y := range 6 {
		along(func(i int) Mem { return v.tmp(tmp, 6*y+i) }, func(i int) Mem { return steps.at(row, i) })
		if y < 5 {
			ADDQ(steps.three, row)
			ADDQ(steps.three, row)
		}
	}
	ADDQ(Imm(uint64(v.size)), src)
	ADDQ(Imm(uint64(v.size)), dst)
	DECQ(n)
	JNZ(LabelRef("channels"))
	VZEROUPPER()
	RET()
}

// winogradWeight writes winogradWeight<bits>(dst, step, src, tap, tmp, n): for n vectors, nine taps, tap bytes apart, become 36 vectors, step
// bytes apart.
func (v lanes) winogradWeight() {
	TEXT("winogradWeight"+v.name, NOSPLIT, "func(dst, step, src, tap, tmp, n uintptr)")
	Doc("winogradWeight" + v.name + " transforms the taps of a window of 3×3.")
	dst, src, tmp, n := param("dst"), param("src"), param("tmp"), param("n")
	tap, steps := multiplesOf(param("tap"), 3), multiplesOf(param("step"), 5)
	a0, a1, a2 := v.constant(-2.0/3), v.constant(-math.Sqrt2/3), v.constant(-1.0/3)
	b0, b1, b2 := v.constant(1.0/6), v.constant(math.Sqrt2/6), v.constant(1.0/3)
	along := func(from func(i int) Mem, to func(i int) Mem) {
		g0, g1, g2 := v.load(from(0)), v.load(from(1)), v.load(from(2))
		e1, e2 := v.reg(), v.reg()
		VMULPS(a0, g0, e1)
		VMULPS(b0, g0, e2)
		VFMADD231PS(a2, g2, e1)
		VFMADD231PS(b2, g2, e2)
		p1, p2 := v.copyOf(e1), v.copyOf(e2)
		VFMADD231PS(a1, g1, p1)
		VFNMADD231PS(a1, g1, e1)
		VFMADD231PS(b1, g1, p2)
		VFNMADD231PS(b1, g1, e2)
		for i, r := range []VecVirtual{g0, p1, e1, p2, e2, g2} {
			VMOVUPS(r, to(i))
		}
	}
	Label("vectors")
	column := begin(src)
	for x := range 3 {
		along(func(i int) Mem {
			if i == 0 {
				return Mem{Base: column}
			}
			return Mem{Base: column, Index: tap.three, Scale: uint8(i)}
		}, func(i int) Mem { return v.tmp(tmp, 3*i+x) })
		if x < 2 {
			ADDQ(tap.one, column)
		}
	}
	row := begin(dst)
	for y := range 6 {
		along(func(i int) Mem { return v.tmp(tmp, 3*y+i) }, func(i int) Mem { return steps.at(row, i) })
		if y < 5 {
			ADDQ(steps.three, row)
			ADDQ(steps.three, row)
		}
	}
	ADDQ(Imm(uint64(v.size)), src)
	ADDQ(Imm(uint64(v.size)), dst)
	DECQ(n)
	JNZ(LabelRef("vectors"))
	VZEROUPPER()
	RET()
}

// winogradOutput writes winogradOutput<bits>(dst, line, pixel, src, step, bias, res, tmp, n, floor): for n vectors of channels, 36 vectors, step
// bytes apart, become 4×4 pixels, line bytes and pixel bytes apart: max(floor, sum + bias + res), res lying as dst does, or nil.
func (v lanes) winogradOutput() {
	TEXT("winogradOutput"+v.name, NOSPLIT, "func(dst, line, pixel, src, step, bias, res, tmp, n uintptr, floor float32)")
	Doc("winogradOutput" + v.name + " makes 4×4 pixels.")
	src, step, tmp := param("src"), param("step"), param("tmp")
	a, b, half, two := v.constant(math.Sqrt2/2), v.constant(math.Sqrt2), v.constant(0.5), v.constant(2)
	a3, b3 := v.constant(math.Sqrt2/4), v.constant(2*math.Sqrt2)
	along := func(from func(i int) Mem, to func(i int, r VecVirtual)) {
		var m [6]VecVirtual
		for i := range m {
			m[i] = v.load(from(i))
		}
		s1, s2 := v.reg(), v.reg()
		VADDPS(m[2], m[1], s1)
		VSUBPS(m[2], m[1], m[1])
		VADDPS(m[4], m[3], s2)
		VSUBPS(m[4], m[3], m[3])
		VADDPS(s1, m[0], m[0])
		VADDPS(s2, m[0], m[0])
		to(0, m[0])
		VMULPS(a, m[1], m[2])
		VFMADD231PS(b, m[3], m[2])
		to(1, m[2])
		VMULPS(half, s1, s1)
		VFMADD231PS(two, s2, s1)
		to(2, s1)
		VFMADD231PS(a3, m[1], m[5])
		VFMADD231PS(b3, m[3], m[5])
		to(3, m[5])
	}
	Label("channels")
	six := GP64()
	LEAQ(Mem{Base: step, Index: step, Scale: 2}, six)
	ADDQ(six, six)
	lines := multiplesOf(six, 5)
	column := begin(src)
	for x := range 6 {
		along(func(i int) Mem { return lines.at(column, i) }, func(i int, r VecVirtual) { VMOVUPS(r, v.tmp(tmp, 6*i+x)) })
		if x < 5 {
			ADDQ(step, column)
		}
	}
	line, pixels := param("line"), multiplesOf(param("pixel"), 3)
	offset := v.load(Mem{Base: param("bias")})
	floor := v.reg()
	m, err := Param("floor").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(m.Addr, floor)
	row, res := param("dst"), param("res")
	finish := func(withRes bool) {
		for y := range 4 {
			along(func(i int) Mem { return v.tmp(tmp, 6*y+i) }, func(i int, r VecVirtual) {
				VADDPS(offset, r, r)
				if withRes {
					VADDPS(pixels.at(res, i), r, r)
				}
				VMAXPS(r, floor, r) // the sum second, as the instruction has it: NaN stays
				VMOVUPS(r, pixels.at(row, i))
			})
			if y < 3 {
				ADDQ(line, row)
				if withRes {
					ADDQ(line, res)
				}
			}
		}
	}
	TESTQ(res, res)
	JZ(LabelRef("alone"))
	finish(true)
	res = param("res")
	ADDQ(Imm(uint64(v.size)), res)
	Store(res, Param("res"))
	JMP(LabelRef("next"))
	Label("alone")
	row = param("dst")
	finish(false)
	Label("next")
	for _, name := range []string{"dst", "bias"} {
		p := param(name)
		ADDQ(Imm(uint64(v.size)), p)
		Store(p, Param(name))
	}
	ADDQ(Imm(uint64(v.size)), src)
	n := param("n")
	DECQ(n)
	Store(n, Param("n"))
	JNZ(LabelRef("channels"))
	VZEROUPPER()
	RET()
}

// fetchRows writes fetchRows(p, ld, lines, rows): asks for so many cache lines of each of some rows, ld bytes apart.
func fetchRows() {
	TEXT("fetchRows", NOSPLIT, "func(p, ld, lines, rows uintptr)")
	Doc("fetchRows asks for lines of rows ahead of their use.")
	p, ld, lines, rows := param("p"), param("ld"), param("lines"), param("rows")
	Label("row")
	q, n := begin(p), begin(lines)
	Label("line")
	PREFETCHT1(Mem{Base: q})
	ADDQ(Imm(64), q)
	DECQ(n)
	JNZ(LabelRef("line"))
	ADDQ(ld, p)
	DECQ(rows)
	JNZ(LabelRef("row"))
	RET()
}
