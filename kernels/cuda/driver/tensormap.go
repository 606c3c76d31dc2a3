//go:build cuda

package driver

// #include "drv.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// TensorMap tells the tensor memory accelerator of a tensor in global memory and of the box that one copy moves.
type TensorMap struct{ opaque [128]byte }

// Element is the number format of a tensor map (CUtensorMapDataType).
type Element int

// The formats in use.
const (
	MapU8   Element = 0
	MapF16  Element = 6
	MapF32  Element = 7
	MapBF16 Element = 9
)

// Size is the bytes of an element.
func (e Element) Size() int {
	return map[Element]int{MapU8: 1, MapF16: 2, MapF32: 4, MapBF16: 2}[e]
}

// Swizzle is the pattern in which a box lies in shared memory (CUtensorMapSwizzle).
type Swizzle int

// The patterns: 16-byte pieces of rows of 32, 64 or 128 bytes are exchanged.
const (
	NoSwizzle Swizzle = iota
	Swizzle32
	Swizzle64
	Swizzle128
)

// NewTensorMap describes a tensor at base, innermost dimension first: dims in elements, strides in bytes of all dimensions but the innermost,
// box in elements. Places outside the tensor read as zero. Base must be 16-byte aligned, strides multiples of 16.
func NewTensorMap(e Element, base unsafe.Pointer, dims, strides []int, box []int, sw Swizzle) (*TensorMap, error) {
	n := len(dims)
	if n < 1 || n > 5 || len(strides) != n-1 || len(box) != n {
		return nil, fmt.Errorf("tensor map: dims %v, strides %v, box %v: want 1 to 5 dims, one stride fewer, a box of as many", dims, strides, box)
	}
	var d, s [5]C.uint64_t
	var b, one [5]C.uint32_t
	for i := range dims {
		d[i], b[i], one[i] = C.uint64_t(dims[i]), C.uint32_t(box[i]), 1
		if i < n-1 {
			s[i] = C.uint64_t(strides[i])
		}
	}
	// the driver wants the map aligned to 64 bytes
	buf := make([]byte, 128+64)
	at := -uintptr(unsafe.Pointer(&buf[0])) & 63
	if err := failure(fmt.Sprintf("tensor map of dims %v, strides %v, box %v", dims, strides, box),
		C.drv_tensor_map(unsafe.Pointer(&buf[at]), C.int(e), C.int(n), base, &d[0], &s[0], &b[0], &one[0], 0, C.int(sw), 2 /* L2: 128 bytes */, 0)); err != nil {
		return nil, err
	}
	m := new(TensorMap)
	copy(m.opaque[:], buf[at:])
	return m, nil
}
