package safetensors

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
