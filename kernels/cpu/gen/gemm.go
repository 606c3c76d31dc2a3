package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of cpu.tile; TestTileLayout there holds them together.
const (
	offA, offARS, offACS, offB, offBS, offC, offCS = 0, 8, 16, 24, 32, 40, 48
	offBias, offRes, offK, offAlpha, offAcc        = 56, 64, 72, 80, 84
	offMask                                        = 88
)

// gemm writes the micro-kernels: for each number of rows, two vectors of columns are kept in registers and every element of A is
// broadcast from memory. AVX-512: up to 12×32 (24 sums, 2 of B, 6 broadcasts in flight); AVX2: up to 6×16 (12 sums, 2 of B, 2 broadcasts).
func gemm() {
	for rows := 1; rows <= 12; rows++ {
		tileKernel(512, rows)
	}
	for rows := 1; rows <= 6; rows++ {
		tileKernel(256, rows)
	}
}

// tileKernel writes tile<bits>r<rows>(t *tile).
func tileKernel(bits, rows int) {
	vec := func() VecVirtual {
		if bits == 512 {
			return ZMM()
		}
		return YMM()
	}
	width := bits / 8 // bytes of a vector
	TEXT(fmt.Sprintf("tile%dr%d", bits, rows), NOSPLIT, "func(t uintptr)")
	Doc(fmt.Sprintf("tile%dr%d computes a tile of %d rows and %d columns.", bits, rows, rows, width/2))
	t := Load(Param("t"), GP64())
	field := func(off int) Mem { return Mem{Base: t, Disp: off} }
	load := func(off int) GPVirtual {
		r := GP64()
		MOVQ(field(off), r)
		return r
	}
	ars, acs, b, bs, k := load(offARS), load(offACS), load(offB), load(offBS), load(offK)
	// Four rows share a pointer: r, r+ars, r+2·ars, r+3·ars.
	var a []GPVirtual
	ars3 := ars
	if rows > 3 {
		ars3 = GP64()
		LEAQ(Mem{Base: ars, Index: ars, Scale: 2}, ars3)
	}
	for r := 0; r < rows; r += 4 {
		p := load(offA)
		if r > 0 {
			LEAQ(Mem{Base: a[len(a)-1], Index: ars, Scale: 4}, p)
		}
		a = append(a, p)
	}
	rowOf := func(i int) Mem {
		m := Mem{Base: a[i/4]}
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
	sum := make([][2]VecVirtual, rows)
	for i := range sum {
		for v := range 2 {
			sum[i][v] = vec()
			if bits == 512 {
				VPXORD(sum[i][v], sum[i][v], sum[i][v])
			} else {
				VXORPS(sum[i][v], sum[i][v], sum[i][v])
			}
		}
	}
	b0, b1 := vec(), vec()
	label := "depth"
	TESTQ(k, k)
	JZ(LabelRef("sums"))
	Label(label)
	VMOVUPS(Mem{Base: b}, b0)
	VMOVUPS(Mem{Base: b, Disp: width}, b1)
	for i := range rows {
		x := vec()
		VBROADCASTSS(rowOf(i), x)
		VFMADD231PS(b0, x, sum[i][0])
		VFMADD231PS(b1, x, sum[i][1])
	}
	for _, p := range a {
		ADDQ(acs, p)
	}
	ADDQ(bs, b)
	DECQ(k)
	JNZ(LabelRef(label))
	Label("sums")
	tileEpilogue(bits, sum, field, load)
}

// tileEpilogue writes out = alpha·sum (+ bias) (+ res) (+ out).
func tileEpilogue(bits int, sum [][2]VecVirtual, field func(int) Mem, load func(int) GPVirtual) {
	width := bits / 8
	wide := bits == 512
	var masks [2]OpmaskVirtual
	if wide {
		m := GP32()
		MOVL(field(offMask), m)
		for v := range masks {
			masks[v] = K()
			KMOVW(m, masks[v])
			SHRL(Imm(16), m)
		}
	}
	fresh := func() VecVirtual {
		if wide {
			return ZMM()
		}
		return YMM()
	}
	add := func(m Mem, v int, to VecVirtual) { // the columns that exist
		if wide {
			VADDPS(m, to, masks[v], to)
		} else {
			VADDPS(m, to, to)
		}
	}
	alpha := fresh()
	VBROADCASTSS(field(offAlpha), alpha)
	for i := range sum {
		for v := range 2 {
			VMULPS(alpha, sum[i][v], sum[i][v])
		}
	}
	bias := load(offBias)
	TESTQ(bias, bias)
	JZ(LabelRef("nobias"))
	for v := range 2 {
		x := fresh()
		m := Mem{Base: bias, Disp: v * width}
		if wide {
			VMOVUPS_Z(m, masks[v], x)
		} else {
			VMOVUPS(m, x)
		}
		for i := range sum {
			VADDPS(x, sum[i][v], sum[i][v])
		}
	}
	Label("nobias")
	cs := load(offCS)
	rows := func(off int, each func(i, v int, m Mem)) {
		p := load(off)
		for i := range sum {
			for v := range 2 {
				each(i, v, Mem{Base: p, Disp: v * width})
			}
			if i+1 < len(sum) {
				ADDQ(cs, p)
			}
		}
	}
	CMPQ(field(offRes), Imm(0))
	JEQ(LabelRef("nores"))
	rows(offRes, func(i, v int, m Mem) { add(m, v, sum[i][v]) })
	Label("nores")
	CMPL(field(offAcc), Imm(0))
	JEQ(LabelRef("store"))
	rows(offC, func(i, v int, m Mem) { add(m, v, sum[i][v]) })
	Label("store")
	rows(offC, func(i, v int, m Mem) {
		if wide {
			VMOVUPS(sum[i][v], masks[v], m)
		} else {
			VMOVUPS(sum[i][v], m)
		}
	})
	VZEROUPPER()
	RET()
}
