package pickle

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"syntic/tensor/safetensors"
)

// maxRank is safetensors' bound too.
const maxRank = 64

// Tensor is a view of a storage. Its numbers are read when Bytes is called.
type Tensor struct {
	DType safetensors.DType
	Shape []int

	store   *storage
	at      int64 // of the first element, in the storage's elements
	strides []int64
}

// blob is bytes of a file.
type blob struct {
	file     *File
	name     string
	at, size int64
	element  int // bytes of an element, in legacy files

	sum             uint32 // CRC-32 of the whole, if summed
	summed, checked bool
}

// check compares the whole of the bytes with the archive's checksum, once.
func (b *blob) check(data []byte) error {
	if b.summed && !b.checked {
		if sum := crc32.ChecksumIEEE(data); sum != b.sum {
			return fmt.Errorf("%.100s: its checksum is %08x, the archive says %08x: damaged", b.name, sum, b.sum)
		}
	}
	b.checked = true
	return nil
}

// read gives n bytes from offset from. The first read of a blob looks at its checksum, for which it reads it whole.
func (b *blob) read(from, n int64) ([]byte, error) {
	if b.summed && !b.checked && (from != 0 || n != b.size) {
		h := crc32.NewIEEE()
		if _, err := io.Copy(h, io.NewSectionReader(b.file.f, b.at, b.size)); err != nil {
			return nil, fmt.Errorf("%.100s: %w", b.name, err)
		}
		if h.Sum32() != b.sum {
			return nil, fmt.Errorf("%.100s: its checksum is %08x, the archive says %08x: damaged", b.name, h.Sum32(), b.sum)
		}
		b.checked = true
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(b.file.f, b.at+from, n), data); err != nil {
		return nil, fmt.Errorf("%.100s: %w", b.name, err)
	}
	return data, b.check(data)
}

// rebuildTensor is torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks).
func rebuildTensor(m *machine, args tuple) (value, error) {
	if len(args) < 6 || len(args) > 7 {
		return nil, wrongArgs("torch._utils._rebuild_tensor_v2", args)
	}
	s, ok1 := args[0].(*storage)
	at, ok2 := args[1].(int64)
	shape, ok3 := args[2].(tuple)
	strides, ok4 := args[3].(tuple)
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(strides) || len(shape) > maxRank {
		return nil, wrongArgs("torch._utils._rebuild_tensor_v2", args)
	}
	t := &Tensor{DType: s.dtype, Shape: make([]int, len(shape)), strides: make([]int64, len(shape)), store: s, at: at}
	last, empty := at, false // the furthest element
	if at < 0 || at > s.n {
		return nil, fmt.Errorf("a tensor from element %d of a storage of %d", at, s.n)
	}
	for i := range shape {
		n, ok1 := shape[i].(int64)
		step, ok2 := strides[i].(int64)
		if !ok1 || !ok2 || n < 0 || step < 0 || n > maxElements || step > maxElements {
			return nil, fmt.Errorf("a tensor of size %s, stride %s: want integers of 0 or more", kindOf(shape[i]), kindOf(strides[i]))
		}
		t.Shape[i], t.strides[i] = int(n), step
		empty = empty || n == 0
		if n > 1 && step > 0 {
			if n-1 > maxElements/step {
				return nil, fmt.Errorf("a tensor of size %d, stride %d: beyond its storage of %d elements", n, step, s.n)
			}
			if last += (n - 1) * step; last > maxElements {
				return nil, fmt.Errorf("a tensor beyond its storage of %d elements", s.n)
			}
		}
	}
	if !empty && last >= s.n {
		return nil, fmt.Errorf("a tensor %v whose last element is the %d. of a storage of %d", t.Shape, last+1, s.n)
	}
	if _, err := t.size(); err != nil {
		return nil, err
	}
	return t, nil
}

var errHuge = errors.New("the number of elements overflows")

// size is the number of bytes of the tensor made contiguous.
func (t *Tensor) size() (int64, error) {
	n := int64(t.DType.Size())
	if slices.Contains(t.Shape, 0) {
		return 0, nil
	}
	for _, d := range t.Shape {
		if n > maxElements/int64(d) {
			return 0, errHuge
		}
		n *= int64(d)
	}
	return n, nil
}

// contiguous tells whether the elements lie one after the other in row-major order.
func (t *Tensor) contiguous() bool {
	want := int64(1)
	for i := len(t.Shape) - 1; i >= 0; i-- {
		if t.Shape[i] != 1 && t.strides[i] != want {
			return false
		}
		want *= int64(t.Shape[i])
	}
	return true
}

// Bytes reads the tensor: little endian, row-major, contiguous whatever its strides are. The caller owns the slice.
func (t *Tensor) Bytes() ([]byte, error) {
	b, err := t.bytes()
	if err != nil {
		return nil, fmt.Errorf("pickle: %s: %w", t.store.blob.file.path, err)
	}
	return b, nil
}

func (t *Tensor) bytes() ([]byte, error) {
	size, err := t.size()
	if err != nil || size == 0 {
		return []byte{}, err
	}
	e := int64(t.DType.Size())
	from := (t.store.from + t.at) * e
	if t.contiguous() {
		return t.store.blob.read(from, size)
	}
	span := int64(1)
	for i, n := range t.Shape {
		span += int64(n-1) * t.strides[i]
	}
	src, err := t.store.blob.read(from, span*e)
	if err != nil {
		return nil, err
	}
	return t.gather(make([]byte, 0, size), src, 0, 0, e), nil
}

// gather appends the elements from dimension d on, src[at] being the first.
func (t *Tensor) gather(dst, src []byte, d int, at, e int64) []byte {
	if d == len(t.Shape) {
		return append(dst, src[at*e:(at+1)*e]...)
	}
	for range t.Shape[d] {
		dst = t.gather(dst, src, d+1, at, e)
		at += t.strides[d]
	}
	return dst
}
