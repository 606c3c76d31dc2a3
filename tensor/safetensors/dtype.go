package safetensors

import (
	"encoding/binary"
	"math"

	"syntic/kernels"
)

// DType is the element type of a stored tensor, spelt as in the file's header.
type DType string

// The element types this package knows. BOOL is one byte, 0 or 1.
const (
	BOOL DType = "BOOL"
	U8   DType = "U8"
	I8   DType = "I8"
	I16  DType = "I16"
	U16  DType = "U16"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I32  DType = "I32"
	U32  DType = "U32"
	F32  DType = "F32"
	F64  DType = "F64"
	I64  DType = "I64"
	U64  DType = "U64"
)

// layoutOrder ranks the types as the original library does when it lays out a file: later ones come first, so that
// every tensor starts at a multiple of its element size.
var layoutOrder = map[DType]int{BOOL: 0, U8: 1, I8: 2, I16: 3, U16: 4, F16: 5, BF16: 6, I32: 7, U32: 8, F32: 9, F64: 10, I64: 11, U64: 12}

// Size is the number of bytes of one element, or 0 for a type this package does not know.
func (d DType) Size() int {
	switch d {
	case BOOL, U8, I8:
		return 1
	case I16, U16, F16, BF16:
		return 2
	case I32, U32, F32:
		return 4
	case F64, I64, U64:
		return 8
	}
	return 0
}

// IsFloat tells the floating-point types from integers and BOOL.
func (d DType) IsFloat() bool { return d == F64 || d == F32 || d == F16 || d == BF16 }

// Float32s converts elements of any type, little endian, to float32, in a new slice: halves exactly, F64 and integers rounded to nearest even,
// BOOL to 0 and 1.
func Float32s(d DType, b []byte) []float32 {
	out := make([]float32, len(b)/d.Size())
	le := binary.LittleEndian
	switch d {
	case F32:
		for i := range out {
			out[i] = math.Float32frombits(le.Uint32(b[4*i:]))
		}
	case F64:
		for i := range out {
			out[i] = float32(math.Float64frombits(le.Uint64(b[8*i:])))
		}
	case F16:
		for i := range out {
			out[i] = kernels.F16ToF32(le.Uint16(b[2*i:]))
		}
	case BF16:
		for i := range out {
			out[i] = kernels.BF16ToF32(le.Uint16(b[2*i:]))
		}
	case U64:
		for i := range out {
			out[i] = float32(le.Uint64(b[8*i:]))
		}
	default:
		for i := range out {
			out[i] = float32(intAt(d, b, i))
		}
	}
	return out
}

// Recode turns elements of one floating-point type into another's, by way of float32 as torch does, in a new slice unless the types are the same.
func Recode(from DType, b []byte, to DType) []byte {
	if from == to {
		return b
	}
	x, size, put := Float32s(from, b), to.Size(), floatPutters[to]
	out := make([]byte, len(x)*size)
	for i, v := range x {
		put(out[i*size:], v)
	}
	return out
}
