//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

// arena lays out the work space of an op call: the sizes first, one allocation, then the addresses.
type arena struct {
	bytes int
	space space
}

// part is a piece of an arena by its offset; negative: not needed.
type part int

// take reserves bytes; none for 0.
func (a *arena) take(bytes int) part {
	if bytes == 0 {
		return -1
	}
	p := part(a.bytes)
	a.bytes += (bytes + 255) &^ 255
	return p
}

func (a *arena) alloc(s *kernels.Stream) (err error) {
	a.space, err = workspace(s, a.bytes)
	return err
}

// at is the address of byte off of a part, nil if it was not needed.
func (a *arena) at(p part, off int) unsafe.Pointer {
	if p < 0 {
		return nil
	}
	return unsafe.Add(a.space.ptr, int(p)+off)
}

// offset is the address of element i of a View, nil if it is absent.
func offset(v *kernels.View, i int) unsafe.Pointer {
	if v.Absent() {
		return nil
	}
	return unsafe.Add(v.Ptr(), i*v.DType.Size())
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
