package cpu

import (
	"math"
	"unsafe"

	"syntic/kernels"
)

// Winograd's convolutions of operands that may be rounded. bfloat16 would not do: what the transforms make of a tile differs in sign and cancels in the
// result, so errors of its 8 digits arrive 5 times enlarged, beyond what the direct product of rounded operands errs. Whole numbers of 13 bits with one scale
// for the numbers of a block of channels cost the same (VPDPWSSD multiplies and adds two pairs, as VDPBF16PS does) and are 8 times finer at the block's largest number:
// results are nearer to float64 than those of the direct product of bfloat16.
//
// A row of a transformed tile, or a column of transformed weights, of K channels with the largest number top is q·top/limit, q whole, rounded to nearest, |q| ≤
// limit = ⌊√((2³¹−1)/K)⌋: no sum of K products leaves 32 bits, so sums of a block are exact. Each number is off by at most top/(2·limit), 2⁻¹³·top at K = 128.
// Blocks are added up in float32.

// fixedPoint is an instruction set's routines for them, with pairs along the depth in 32 bits.
type fixedPoint struct {
	// rows makes whole numbers of n rows of vecs vectors, ld bytes apart: rows step bytes apart, and what each must be multiplied by, next bytes apart.
	rows func(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld uintptr, scales unsafe.Pointer, next uintptr, limit float32, vecs, n uintptr)
	// panel makes, in place, pairs of n panels, step bytes apart, of 2·pairs rows of the micro-kernel's columns; and scales, so many for each panel.
	panel func(p unsafe.Pointer, step uintptr, scales unsafe.Pointer, limit float32, pairs, n uintptr)
	// run[r] does tiles of r rows: sums of products times scales of columns at tile.bias, and of rows at tile.res, one after the other.
	run []func(*tile)
}

// fixedLimit is the largest whole number for sums of k products.
func fixedLimit(k int) float32 { return float32(math.Floor(math.Sqrt(math.MaxInt32 / float64(k)))) }

var fixedGo = &fixedPoint{fixRowsGo, fixPanelGo, []func(*tile){nil, fixedTileGo(1), fixedTileGo(2), fixedTileGo(3), fixedTileGo(4)}}

const fixedTiny = 1e-30 // the largest number of a row of zeros

// fixed is x as a whole number. What is not finite makes the scale so, and needs no number.
func fixed(x, inverse float32) uint32 {
	if y := float64(x * inverse); math.Abs(y) < 1<<15 {
		return uint32(int32(math.RoundToEven(y))) & 0xffff
	}
	return 0
}

// most is the larger size of two numbers; NaN is larger than any.
func most(top, x float32) float32 {
	if x = float32(math.Abs(float64(x))); x > top || x != x {
		return x
	}
	return top
}

func fixRowsGo(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld uintptr, scales unsafe.Pointer, next uintptr, limit float32, vecs, n uintptr) {
	for i := range n {
		row, top := unsafe.Slice((*float32)(unsafe.Add(src, i*ld)), vecs), float32(fixedTiny)
		for _, x := range row {
			top = most(top, x)
		}
		*at32(scales, i*next) = top / limit
		to := unsafe.Slice((*uint16)(unsafe.Add(dst, i*step)), vecs)
		for j, x := range row {
			to[j] = uint16(fixed(x, limit/top))
		}
	}
}

func fixPanelGo(p unsafe.Pointer, step uintptr, scales unsafe.Pointer, limit float32, pairs, n uintptr) {
	const nr = 8
	for i := range n {
		x := unsafe.Slice((*float32)(unsafe.Add(p, i*step)), 2*nr*pairs)
		for j := range uintptr(nr) {
			top := float32(fixedTiny)
			for at := j; at < uintptr(len(x)); at += nr {
				top = most(top, x[at])
			}
			*at32(scales, 4*(i*nr+j)) = top / limit
			for k := range pairs {
				lo, hi := fixed(x[2*k*nr+j], limit/top), fixed(x[(2*k+1)*nr+j], limit/top)
				x[k*nr+j] = math.Float32frombits(lo | hi<<16)
			}
		}
	}
}

// fixedTileGo is the micro-kernel in Go.
func fixedTileGo(rows int) func(*tile) {
	return func(t *tile) {
		for i := range uintptr(rows) {
			for j := range uintptr(8) {
				a, b, sum := unsafe.Add(t.a, i*t.ars), unsafe.Add(t.b, 4*j), int32(0)
				for k := range uintptr(t.k) {
					x, y := *(*[2]int16)(unsafe.Add(a, k*t.acs)), *(*[2]int16)(unsafe.Add(b, k*t.bs))
					sum += int32(x[0])*int32(y[0]) + int32(x[1])*int32(y[1])
				}
				c, s := at32(t.c, i*t.cs+4*j), float64(float32(sum)**at32(t.bias, 4*j))*wide(t.res, 4*i)
				if t.acc != 0 {
					s += float64(*c)
				}
				*c = float32(s)
			}
		}
	}
}

// winogradFixed computes a convolution that fitsWinograd with such operands.
func (m *micro) winogradFixed(a *kernels.Conv2DArgs) { m.pairs.plain.winogradBy(a, m.pairs.fixed) }

// fixInput makes whole numbers of the 36 rows x, depth apart, of a tile's block of channels, vecs vectors of which are filled.
func (j *winogradJob) fixInput(x []float32, block, tile, vecs int) {
	at := (block*winogradPoints*j.step + tile*j.depth/2)
	j.fixed.rows(unsafe.Pointer(&j.v[at]), uintptr(4*j.step), unsafe.Pointer(&x[0]), uintptr(4*j.depth), unsafe.Pointer(&j.scales[block*winogradPoints*j.stage+tile]), uintptr(4*j.stage),
		fixedLimit(j.depth), uintptr(vecs), winogradPoints)
}

// multiplyFixed is multiply for such operands: u, panels of c channels, become whole numbers first, columns are their scales.
func (j *winogradJob) multiplyFixed(t *tile, k, c, t0, t1, c0 int, u, sums, columns []float32, ustep, mstep int) {
	nr, tiles, pairs := j.m.nr, t1-t0, ceilDiv(c, 2)
	rows := evenly(tiles, j.m.mr)
	j.fixed.panel(unsafe.Pointer(&u[0]), uintptr(4*ustep), unsafe.Pointer(&columns[0]), fixedLimit(j.depth), uintptr(pairs), winogradPoints)
	*t = tile{ars: uintptr(2 * j.depth), acs: 4, bs: uintptr(4 * nr), cs: uintptr(4 * nr), k: pairs, aheadStep: uintptr(2 * rows * j.depth / pairs)}
	if k > 0 {
		t.acc = 1
	}
	for p := range winogradPoints {
		at := k*winogradPoints + p
		v, scales := j.v[at*j.step+(t0-j.from)*j.depth/2:], j.scales[at*j.stage+t0-j.from:]
		t.b, t.bias = unsafe.Pointer(&u[p*ustep]), unsafe.Pointer(&columns[p*nr])
		j.fetchWeights(k, p, c0)
		for r := 0; r < tiles; r += rows {
			t.a, t.c, t.res = unsafe.Pointer(&v[r*j.depth/2]), unsafe.Pointer(&sums[p*mstep+r*nr]), unsafe.Pointer(&scales[r])
			t.ahead = uintptr(t.a) + uintptr(2*rows*j.depth) // the next rows
			if r+rows >= tiles {
				t.ahead = uintptr(unsafe.Pointer(&v[0])) + uintptr(4*j.step)
			}
			j.fixed.run[min(rows, tiles-r)](t)
		}
	}
}
