package kernels

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

// MaxRank is the largest number of dimensions of a View.
const MaxRank = 6

// View is dtype, shape and memory of an operand: contiguous and row-major. The zero View is an absent optional operand.
type View struct {
	DType DType
	rank  uint8
	shape [MaxRank]int
	ptr   unsafe.Pointer
	kept  *Kept // nil unless nobody writes to the memory
}

// NewView describes memory at ptr, on the host or on a device. It panics if there are more than MaxRank dimensions.
func NewView(d DType, ptr unsafe.Pointer, shape ...int) View {
	if len(shape) > MaxRank {
		panic(fmt.Sprintf("kernels: shape %v has more than %d dimensions", slices.Clone(shape), MaxRank)) // a clone, so that no caller's shape goes to the heap
	}
	v := View{DType: d, rank: uint8(len(shape)), ptr: ptr}
	copy(v.shape[:], shape)
	return v
}

// Of wraps host memory.
func Of[T float32 | int32 | uint16 | uint8 | int8](data []T, shape ...int) View {
	var d DType
	switch any(data).(type) {
	case []int32:
		d = I32
	case []uint16:
		d = BF16
	case []uint8:
		d = U8
	case []int8:
		d = I8
	}
	v := NewView(d, unsafe.Pointer(unsafe.SliceData(data)), shape...)
	if v.Len() != len(data) {
		panic(fmt.Sprintf("kernels: %d values for shape %v", len(data), shape))
	}
	return v
}

// Absent tells whether the operand was left out.
func (v *View) Absent() bool { return v.ptr == nil }

// Rank is the number of dimensions, Dim one of them, Len the number of elements.
func (v *View) Rank() int     { return int(v.rank) }
func (v *View) Dim(i int) int { return v.shape[i] }

// Len is the number of elements.
func (v *View) Len() int {
	n := 1
	for _, d := range v.shape[:v.rank] {
		n *= d
	}
	return n
}

// Bytes is the size of the memory.
func (v *View) Bytes() int { return v.Len() * v.DType.Size() }

// Shape is the dimensions; the slice points into the View.
func (v *View) Shape() []int { return v.shape[:v.rank] }

// Ptr is the address of the first element.
func (v *View) Ptr() unsafe.Pointer { return v.ptr }

// F32 is the memory as float32; nil if absent. Only for views in host memory.
func (v *View) F32() []float32 { return unsafe.Slice((*float32)(v.ptr), v.lenAs(F32)) }

// I32 is the memory as int32; nil if absent. Only for views in host memory.
func (v *View) I32() []int32 { return unsafe.Slice((*int32)(v.ptr), v.lenAs(I32)) }

// U8 is the memory as bytes; nil if absent. Only for views in host memory.
func (v *View) U8() []uint8 { return unsafe.Slice((*uint8)(v.ptr), v.lenAs(U8)) }

// U16 is the memory of a BF16 or F16 view; nil if absent. Only for views in host memory.
func (v *View) U16() []uint16 {
	if v.DType == F16 {
		return unsafe.Slice((*uint16)(v.ptr), v.lenAs(F16))
	}
	return unsafe.Slice((*uint16)(v.ptr), v.lenAs(BF16))
}

// I8 is the memory as int8; nil if absent. Only for views in host memory.
func (v *View) I8() []int8 { return unsafe.Slice((*int8)(v.ptr), v.lenAs(I8)) }

// Floats is the memory of a float32 view, or a copy of a BF16, F16 or I8 view as float32; nil if absent. Only for views in host memory.
func (v *View) Floats() []float32 {
	if v.ptr == nil || v.DType == F32 {
		return v.F32()
	}
	f := make([]float32, v.Len())
	if v.DType == I8 {
		for i, x := range v.I8() {
			f[i] = float32(x)
		}
		return f
	}
	Widen(f, v.U16(), v.DType)
	return f
}

func (v *View) lenAs(d DType) int {
	if v.ptr == nil {
		return 0
	}
	if v.DType != d {
		panic(fmt.Sprintf("kernels: view %v read as %v", v.String(), d)) // the text, so that no view goes to the heap
	}
	return v.Len()
}

// Constant is a view of memory that nobody writes to as long as k is there, which holds what ops make of it.
func (v View) Constant(k *Kept) View {
	v.kept = k
	return v
}

// Kept is what holds other forms of the memory; nil unless nobody writes to it.
func (v *View) Kept() *Kept { return v.kept }

// As is the same memory in another shape; the number of elements must be the same.
func (v View) As(shape ...int) View {
	w := NewView(v.DType, v.ptr, shape...)
	w.kept = v.kept
	if w.Len() != v.Len() {
		panic(fmt.Sprintf("kernels: %v has %d elements, shape %v has %d", v.String(), v.Len(), slices.Clone(shape), w.Len()))
	}
	return w
}

// Bind names the sizes of a shape: a size still 0 is set, any other must agree. It is false for another rank or an absent view.
func (v *View) Bind(dims ...*int) bool {
	if v.ptr == nil || int(v.rank) != len(dims) {
		return false
	}
	for i, d := range dims {
		if *d == 0 {
			*d = v.shape[i]
		}
		if *d != v.shape[i] || *d == 0 {
			return false
		}
	}
	return true
}

// BindOpt is Bind, or true if the operand is absent.
func (v *View) BindOpt(dims ...*int) bool { return v.ptr == nil || v.Bind(dims...) }

// Is tells whether the shape is exactly this.
func (v *View) Is(shape ...int) bool {
	if v.ptr == nil || int(v.rank) != len(shape) {
		return false
	}
	for i, d := range shape {
		if v.shape[i] != d {
			return false
		}
	}
	return true
}

// IsOpt is Is, or true if the operand is absent.
func (v *View) IsOpt(shape ...int) bool { return v.ptr == nil || v.Is(shape...) }

func (v View) String() string {
	if v.ptr == nil && v.rank == 0 {
		return "none"
	}
	return v.DType.String() + strings.ReplaceAll(fmt.Sprint(v.shape[:v.rank]), ",", "")
}
