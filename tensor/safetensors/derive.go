package safetensors

import (
	"errors"
	"fmt"
	"slices"
)

// Derive makes a File of other tensors, such as renamed ones or parts of f's: Bytes must be set, is used and not copied, and may be memory
// of f. Closing the result closes f. The error names the tensor.
func (f *File) Derive(tensors []Tensor) (*File, error) {
	g := &File{path: f.path, entries: map[string]entry{}, meta: f.meta, unmap: []func() error{f.Close}}
	for _, t := range tensors {
		n, err := byteCount(t.DType, t.Shape)
		if err == nil && (t.DType.Size() == 0 || n != int64(len(t.Bytes))) {
			err = fmt.Errorf("%s%v needs %d bytes, given are %d", t.DType, t.Shape, n, len(t.Bytes))
		}
		if _, twice := g.entries[t.Name]; err == nil && twice {
			err = errors.New("two tensors come to have this name")
		}
		if err != nil {
			return nil, fmt.Errorf("safetensors: %s: tensor %q: %w", f.path, t.Name, err)
		}
		g.entries[t.Name] = entry{Info{DType: t.DType, Shape: slices.Clone(t.Shape), Bytes: n}, t.Bytes, f.path, t.origin, t.mapped}
		g.names = append(g.names, t.Name)
	}
	return g, nil
}

// Origin is the name that a tensor has in the checkpoint itself, where Derive gave it another.
func (f *File) Origin(name string) string {
	if e := f.entries[name]; e.origin != "" {
		return e.origin
	}
	return name
}

// As is a tensor of the file under another name, its memory not copied.
func (f *File) As(name, other string) (Tensor, error) {
	b, err := f.Bytes(name)
	if err != nil {
		return Tensor{}, err
	}
	e := f.entries[name]
	return Tensor{Name: other, DType: e.DType, Shape: slices.Clone(e.Shape), Bytes: b, origin: f.Origin(name), mapped: e.mapped}, nil
}

// Rows takes a tensor apart along its first dimension, which must be a multiple of the number of names: equal parts of these names, in order,
// their memory not copied.
func (f *File) Rows(name string, names ...string) ([]Tensor, error) {
	whole, err := f.As(name, "")
	if err != nil {
		return nil, err
	}
	n := len(names)
	if len(whole.Shape) == 0 || whole.Shape[0]%n != 0 {
		return nil, fmt.Errorf("safetensors: %s: tensor %q: %v holds no %d equal parts: want [%d·C, …]", f.path, name, whole.Shape, n, n)
	}
	whole.Shape[0] /= n
	size := len(whole.Bytes) / n
	parts := make([]Tensor, n)
	for i, part := range names {
		parts[i] = Tensor{Name: part, DType: whole.DType, Shape: slices.Clone(whole.Shape), Bytes: whole.Bytes[i*size : (i+1)*size : (i+1)*size], origin: whole.origin, mapped: whole.mapped}
	}
	return parts, nil
}

// Transposed is a matrix [A, B] of the file as [B, A], in new memory, under another name.
func (f *File) Transposed(name, other string) (Tensor, error) {
	t, err := f.As(name, other)
	if err != nil {
		return Tensor{}, err
	}
	if len(t.Shape) != 2 {
		return Tensor{}, fmt.Errorf("safetensors: %s: tensor %q: found %v, want a matrix", f.path, name, t.Shape)
	}
	a, b, size := t.Shape[0], t.Shape[1], t.DType.Size()
	y := make([]byte, len(t.Bytes))
	for i := range a {
		for j := range b {
			copy(y[(j*a+i)*size:][:size], t.Bytes[(i*b+j)*size:][:size])
		}
	}
	t.Shape[0], t.Shape[1], t.Bytes, t.mapped = b, a, y, false
	return t, nil
}
