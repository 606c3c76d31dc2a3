//go:build amd64 && !purego

package cpu

import "unsafe"

//go:generate go run ./gen -routine winograd -out winograd_amd64.s

// winogradASM are the transforms of a level of instructions; nil: Go's.
func winogradASM(level isa) *winograd {
	switch level {
	case isaAVX512:
		return winograd512
	case isaAVX2:
		return winograd256
	}
	return nil
}

var (
	winograd512 = &winograd{16, winogradInput512, winogradWeight512, winogradOutput512}
	winograd256 = &winograd{8, winogradInput256, winogradWeight256, winogradOutput256}
)

// fixed512 makes whole numbers, and multiplies pairs of them (AVX512_VNNI).
var fixed512 = &fixedPoint{fixRows512, fixPanel512,
	[]func(*tile){nil, tile32w1, tile32w2, tile32w3, tile32w4, tile32w5, tile32w6, tile32w7, tile32w8, tile32w9, tile32w10, tile32w11, tile32w12}}

//go:noescape
func winogradInput512(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, line, pixel uintptr, tmp unsafe.Pointer, n uintptr)

//go:noescape
func winogradInput256(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, line, pixel uintptr, tmp unsafe.Pointer, n uintptr)

//go:noescape
func winogradWeight512(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, tap uintptr, tmp unsafe.Pointer, n uintptr)

//go:noescape
func winogradWeight256(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, tap uintptr, tmp unsafe.Pointer, n uintptr)

//go:noescape
func winogradOutput512(dst unsafe.Pointer, line, pixel uintptr, src unsafe.Pointer, step uintptr, bias, res, tmp unsafe.Pointer, n uintptr, floor float32)

//go:noescape
func winogradOutput256(dst unsafe.Pointer, line, pixel uintptr, src unsafe.Pointer, step uintptr, bias, res, tmp unsafe.Pointer, n uintptr, floor float32)

// fetchRows asks for cache lines of rows, ld bytes apart, that will soon be read. p is no pointer: it may lead anywhere.
//
//go:noescape
func fetchRows(p, ld, lines, rows uintptr)

//go:noescape
func fixRows512(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, ld uintptr, scales unsafe.Pointer, next uintptr, limit float32, vecs, n uintptr)

//go:noescape
func fixPanel512(p unsafe.Pointer, step uintptr, scales unsafe.Pointer, limit float32, pairs, n uintptr)

//go:noescape
func tile32w1(t *tile)

//go:noescape
func tile32w2(t *tile)

//go:noescape
func tile32w3(t *tile)

//go:noescape
func tile32w4(t *tile)

//go:noescape
func tile32w5(t *tile)

//go:noescape
func tile32w6(t *tile)

//go:noescape
func tile32w7(t *tile)

//go:noescape
func tile32w8(t *tile)

//go:noescape
func tile32w9(t *tile)

//go:noescape
func tile32w10(t *tile)

//go:noescape
func tile32w11(t *tile)

//go:noescape
func tile32w12(t *tile)
