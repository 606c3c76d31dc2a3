package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// goScan is the scan in Go, which no panel takes unasked: it is there for the tests, and to be read.
var goScan = &scanner{name: "go", half: microGoBF16, round: bankRoundGo, pairs: bankPairsGo, bytes: bankBytesGo, tiles: byteTilesGo()}

func bankRoundGo(dst, src unsafe.Pointer, width, n uintptr, norms unsafe.Pointer) {
	half, x, to := int(width+1)&^1, unsafe.Slice((*float32)(src), width*n), unsafe.Slice((*[2]float32)(norms), n)
	for r := range int(n) {
		y := unsafe.Slice((*uint16)(unsafe.Add(dst, 2*r*half)), half)
		y[half-1] = 0
		to[r] = [2]float32{}
		for i, v := range x[r*int(width):][:width] {
			y[i] = kernels.F32ToBF16(v)
			e := v - kernels.BF16ToF32(y[i])
			to[r][0] += v * v
			to[r][1] += e * e
		}
	}
}

func bankPairsGo(dst, rows unsafe.Pointer, ld uintptr, query unsafe.Pointer, _ uintptr, _ unsafe.Pointer, lines, steps, _ uintptr) {
	n := 32 * lines
	q := unsafe.Slice((*uint16)(query), n)
	out := unsafe.Slice((*float32)(dst), 32*steps)
	for r := range out {
		sum := float32(0)
		for i, v := range unsafe.Slice((*uint16)(unsafe.Add(rows, uintptr(r)*ld)), n) {
			sum += kernels.BF16ToF32(v) * kernels.BF16ToF32(q[i])
		}
		out[r] = sum
	}
}

func bankBytesGo(dst, rows unsafe.Pointer, ld uintptr, query unsafe.Pointer, first uintptr, scales unsafe.Pointer, lines, steps, _ uintptr) {
	n := 64 * lines
	q, out := unsafe.Slice((*int8)(query), n), unsafe.Slice((*float32)(dst), 32*steps)
	for r := range out {
		sum := int32(uint32(first))
		for i, v := range unsafe.Slice((*uint8)(unsafe.Add(rows, uintptr(r)*ld)), n) {
			sum += int32(v) * int32(q[i])
		}
		out[r] = float32(sum) * unsafe.Slice((*float32)(scales), len(out))[r]
	}
}

// byteTilesGo is the micro-kernels of bytes in Go.
func byteTilesGo() (tiles []func(*tile)) {
	for rows := range 5 {
		tiles = append(tiles, func(t *tile) {
			first, scale := (*[byteColumns]int32)(t.bias), unsafe.Slice((*float32)(t.res), rows)
			for i := range rows {
				sum := *first
				for k := range t.k {
					a, b := (*[4]uint8)(unsafe.Add(t.a, uintptr(i)*t.ars+uintptr(k)*t.acs)), (*[byteColumns][4]int8)(unsafe.Add(t.b, uintptr(k)*t.bs))
					for j := range sum {
						for c, v := range a {
							sum[j] += int32(v) * int32(b[j][c])
						}
					}
				}
				for j, v := range sum {
					(*[byteColumns]float32)(unsafe.Add(t.c, uintptr(i)*t.cs))[j] = float32(v) * scale[i]
				}
			}
		})
	}
	return tiles
}
