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
	offMask, offAhead, offAheadStep                = 88, 96, 104
)

// gemm writes the micro-kernels: for each number of rows, two vectors of columns are kept in registers and every element of A is
// broadcast from memory. AVX-512: up to 12×32 (24 sums, 2 of B, 6 broadcasts in flight); AVX2: up to 6×16 (12 sums, 2 of B, 2 broadcasts).
// The same with one vector of columns serves narrow operands and last panels. Every kernel adds in the same order with fused multiply-adds.
func gemm() {
	for vecs := 2; vecs >= 1; vecs-- {
		for rows := 1; rows <= 12; rows++ {
			tileKernel(512, vecs, rows)
		}
		for rows := 1; rows <= 6; rows++ {
			tileKernel(256, vecs, rows)
		}
	}
	for rows := 1; rows <= 4; rows++ {
		dots(512, rows)
	}
	for rows := 1; rows <= 2; rows++ {
		dots(256, rows)
	}
}

// tileKernel writes tile<columns>r<rows>(t *tile) of one or two vectors; for 16 columns 512-bit code is called tile16zr<rows>.
func tileKernel(bits, vecs, rows int) {
	vec := func() VecVirtual {
		if bits == 512 {
			return ZMM()
		}
		return YMM()
	}
	width := bits / 8 // bytes of a vector
	name := tileName(bits, vecs, rows)
	TEXT(name, NOSPLIT, "func(t uintptr)")
	Doc(fmt.Sprintf("%s computes a tile of %d rows and %d columns.", name, rows, vecs*width/4))
	t := Load(Param("t"), GP64())
	field := func(off int) Mem { return Mem{Base: t, Disp: off} }
	load := func(off int) GPVirtual {
		r := GP64()
		MOVQ(field(off), r)
		return r
	}
	ars, acs, b, bs, k := load(offARS), load(offACS), load(offB), load(offBS), load(offK)
	out := fetchOut(rows, vecs*width, k, load)
	ahead := fetchAhead(load)
	a, rowOf := rowPointers(rows, ars, load)
	sum := make([][]VecVirtual, rows)
	for i := range sum {
		sum[i] = make([]VecVirtual, vecs)
		for v := range vecs {
			sum[i][v] = vec()
			if bits == 512 {
				VPXORD(sum[i][v], sum[i][v], sum[i][v])
			} else {
				VXORPS(sum[i][v], sum[i][v], sum[i][v])
			}
		}
	}
	column := make([]VecVirtual, vecs)
	label := "depth"
	TESTQ(k, k)
	JZ(LabelRef("sums"))
	Label(label)
	for v := range column {
		column[v] = vec()
		VMOVUPS(Mem{Base: b, Disp: v * width}, column[v])
	}
	for i := range rows {
		if bits == 512 && vecs == 1 { // used once, so the multiply itself broadcasts: Zen 4 runs this at its peak, separate loads at 0.7 of it
			VFMADD231PS_BCST(rowOf(i), column[0], sum[i][0])
			continue
		}
		x := vec()
		VBROADCASTSS(rowOf(i), x)
		for v := range column {
			VFMADD231PS(column[v], x, sum[i][v])
		}
	}
	ahead()
	for _, p := range a {
		ADDQ(acs, p)
	}
	ADDQ(bs, b)
	out.inLoop()
	DECQ(k)
	JNZ(LabelRef(label))
	Label("sums")
	tileEpilogue(bits, sum, field, load)
	out.code()
}

// outFetch asks for the rows of Out, and of Res, which the epilogue reads and writes: they lie a row of the whole matrix apart, and no prefetcher of the CPU
// knows where the next tile's are. It does so when fetchSteps of the depth are left: earlier, A and B drive them out of the first-level cache again.
type outFetch struct {
	k    GPVirtual
	each func(after string) // asks for all, then goes on at a label
}

// fetchSteps of 12 rows take about 200 ns, as long as memory.
const fetchSteps = 64

// fetchOut begins with it where the depth is less.
func fetchOut(rows, bytes int, k GPVirtual, load func(int) GPVirtual) outFetch {
	CMPQ(k, Imm(fetchSteps))
	JL(LabelRef("shallow"))
	Label("begin")
	return outFetch{k, func(after string) { fetchRowsOfOut(rows, bytes, load, after) }}
}

// inLoop belongs to every step of the depth.
func (f outFetch) inLoop() {
	CMPQ(f.k, Imm(fetchSteps))
	JEQ(LabelRef("near"))
	Label("on")
}

// code comes after the kernel's return.
func (f outFetch) code() {
	Label("shallow")
	f.each("begin")
	Label("near")
	f.each("on")
}

func fetchRowsOfOut(rows, bytes int, load func(int) GPVirtual, after string) {
	cs := load(offCS)
	fetch := func(p GPVirtual) {
		for i := range rows {
			for at := 0; at < bytes; at += 64 {
				PREFETCHT0(Mem{Base: p, Disp: at})
			}
			if i+1 < rows {
				ADDQ(cs, p)
			}
		}
	}
	fetch(load(offC))
	res := load(offRes)
	TESTQ(res, res)
	JZ(LabelRef(after))
	fetch(res)
	JMP(LabelRef(after))
}

// fetchAhead asks for one line of the slice of B that comes next; what it returns is called once for every k.
func fetchAhead(load func(int) GPVirtual) func() {
	p, step := load(offAhead), load(offAheadStep)
	return func() {
		PREFETCHT1(Mem{Base: p})
		ADDQ(step, p)
	}
}

// rowPointers loads pointers to rows of A, one for every four of them, and tells where each row's element lies.
func rowPointers(rows int, ars GPVirtual, load func(int) GPVirtual) (a []GPVirtual, rowOf func(int) Mem) {
	// Four rows share a pointer: r, r+ars, r+2·ars, r+3·ars.
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
	return a, func(i int) Mem {
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
}

func tileName(bits, vecs, rows int) string {
	if bits == 512 && vecs == 1 {
		return fmt.Sprintf("tile16zr%d", rows)
	}
	return fmt.Sprintf("tile%dr%d", vecs*bits/32, rows)
}

// tileEpilogue writes out = alpha·sum (+ bias) (+ res) (+ out).
func tileEpilogue[V Op](bits int, sum [][]V, field func(int) Mem, load func(int) GPVirtual) {
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
	add := func(m Mem, v int, to Op) { // the columns that exist
		if wide {
			VADDPS(m, to, masks[v], to)
		} else {
			VADDPS(m, to, to)
		}
	}
	alpha := fresh()
	VBROADCASTSS(field(offAlpha), alpha)
	for i := range sum {
		for v := range sum[0] {
			VMULPS(alpha, sum[i][v], sum[i][v])
		}
	}
	bias := load(offBias)
	TESTQ(bias, bias)
	JZ(LabelRef("nobias"))
	for v := range sum[0] {
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
			for v := range sum[0] {
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

// dots writes dots<bits>r<rows>(t *tile): the dot products of `rows` rows of A, ars bytes apart, with 4 rows of B, bs bytes apart, all of
// k contiguous values, k a multiple of the vector. Row i of Out is four sums; only a, ars, b, bs, c, cs and k of the tile are read.
func dots(bits, rows int) {
	width := bits / 8
	name := fmt.Sprintf("dots%dr%d", bits, rows)
	TEXT(name, NOSPLIT, "func(t uintptr)")
	Doc(fmt.Sprintf("%s computes the dot products of %d rows with 4.", name, rows))
	t := Load(Param("t"), GP64())
	load := func(off int) GPVirtual {
		r := GP64()
		MOVQ(Mem{Base: t, Disp: off}, r)
		return r
	}
	a, ars, b, bs, k := load(offA), load(offARS), load(offB), load(offBS), load(offK)
	third := func(s GPVirtual) GPVirtual {
		r := GP64()
		LEAQ(Mem{Base: s, Index: s, Scale: 2}, r)
		return r
	}
	ars3, bs3 := third(ars), third(bs)
	at := func(p, s, s3 GPVirtual, i int) Mem {
		return []Mem{{Base: p}, {Base: p, Index: s, Scale: 1}, {Base: p, Index: s, Scale: 2}, {Base: p, Index: s3, Scale: 1}}[i]
	}
	// Sums live in the upper half of the registers, everything else in the lower one, which the horizontal adds can name.
	all := []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15}
	if bits == 512 {
		all = []VecPhysical{Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
			Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31}
	}
	low, sum := all[:len(all)/2], all[len(all)/2:]
	for _, s := range sum[:4*rows] {
		if bits == 512 {
			VPXORD(s, s, s)
		} else {
			VXORPS(s, s, s)
		}
	}
	Label("depth")
	x, y := low[:rows], low[rows]
	for i := range x {
		VMOVUPS(at(a, ars, ars3, i), x[i])
	}
	for j := range 4 {
		VMOVUPS(at(b, bs, bs3, j), y)
		for i := range x {
			VFMADD231PS(y, x[i], sum[4*i+j])
		}
	}
	ADDQ(Imm(uint64(width)), a)
	ADDQ(Imm(uint64(width)), b)
	SUBQ(Imm(uint64(width/4)), k)
	JNZ(LabelRef("depth"))
	c, cs := load(offC), load(offCS)
	for i := range rows {
		for j := range 4 {
			s, h, q := sum[4*i+j], low[4], low[j]
			if bits == 512 {
				VEXTRACTF64X4(Imm(1), s, h.AsY())
				VADDPS(h.AsY(), s.AsY(), h.AsY())
				s = h
			}
			VEXTRACTF128(Imm(1), s.AsY(), q.AsX())
			VADDPS(s.AsX(), q.AsX(), q.AsX())
		}
		VHADDPS(low[1].AsX(), low[0].AsX(), low[0].AsX())
		VHADDPS(low[3].AsX(), low[2].AsX(), low[2].AsX())
		VHADDPS(low[2].AsX(), low[0].AsX(), low[0].AsX())
		VMOVUPS(low[0].AsX(), Mem{Base: c})
		if i+1 < rows {
			ADDQ(cs, c)
		}
	}
	VZEROUPPER()
	RET()
}
