package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
)

// ErrClosed is returned by the methods of a File after Close.
var ErrClosed = errors.New("file is closed")

// File is an open checkpoint. Its methods may be used by several goroutines at once, except Close.
type File struct {
	path  string
	data  []byte // the whole file, nil once closed
	h     *header
	unmap func() error
}

// Open maps the file into memory and checks its header; tensor bytes are read only when touched.
// The file must not be shortened or rewritten in place while it is open: Write replaces files by renaming, which is safe.
// The error names the file and, where there is one, the tensor and the byte offset.
func Open(path string) (*File, error) {
	fd, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	defer fd.Close() // a map outlives its descriptor
	st, err := fd.Stat()
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("safetensors: %s: not a regular file", path)
	}
	if st.Size() < 8 || st.Size() > math.MaxInt {
		return nil, fmt.Errorf("safetensors: %s: %d bytes: not a safetensors file, or truncated", path, st.Size())
	}
	data, unmap, err := mapFile(fd, int(st.Size()))
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: map %d bytes: %w", path, st.Size(), err)
	}
	h, err := parseHeader(data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("safetensors: %s: %w", path, err), unmap())
	}
	return &File{path: path, data: data, h: h, unmap: unmap}, nil
}

// OpenBytes reads a checkpoint that is already in memory, such as embedded weights. The bytes are used, not copied, and must not change.
func OpenBytes(data []byte) (*File, error) {
	h, err := parseHeader(data)
	if err != nil {
		return nil, fmt.Errorf("safetensors: in memory: %w", err)
	}
	return &File{path: "in memory", data: data, h: h, unmap: func() error { return nil }}, nil
}

// Close gives the map back. Slices returned by Bytes must not be used afterwards: touching them is a fault that ends the process.
func (f *File) Close() error {
	if f.data == nil {
		return nil
	}
	f.data = nil
	return f.unmap()
}

// Names lists the tensors in the order their bytes lie in the file. The caller owns the slice.
func (f *File) Names() []string { return slices.Clone(f.h.names) }

// Info describes a tensor; false if the file does not have it. The caller owns the shape.
func (f *File) Info(name string) (Info, bool) {
	i, ok := f.h.infos[name]
	i.Shape = slices.Clone(i.Shape)
	return i, ok
}

// Metadata is the file's table of strings, empty if it has none. The caller owns the map.
func (f *File) Metadata() map[string]string { return maps.Clone(f.h.meta) }

// Bytes is the tensor's memory in the file, little endian and row-major, not copied: read-only and valid until Close.
// It is aligned to the element size in files of Write and of the original library, but not in every valid file.
func (f *File) Bytes(name string) ([]byte, error) {
	i, ok := f.h.infos[name]
	if f.data == nil {
		return nil, fmt.Errorf("safetensors: %s: tensor %q: %w", f.path, name, ErrClosed)
	}
	if !ok {
		return nil, fmt.Errorf("safetensors: %s: no tensor %q among %d", f.path, name, len(f.h.names))
	}
	return f.data[i.Offset : i.Offset+i.Bytes : i.Offset+i.Bytes], nil
}

// Float32s converts a tensor of any type to float32, in a new slice: halves exactly, F64 and integers rounded to nearest even,
// BOOL to 0 and 1.
func (f *File) Float32s(name string) ([]float32, error) {
	b, err := f.Bytes(name)
	if err != nil {
		return nil, err
	}
	d := f.h.infos[name].DType
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
			out[i] = f16ToF32(le.Uint16(b[2*i:]))
		}
	case BF16:
		for i := range out {
			out[i] = bf16ToF32(le.Uint16(b[2*i:]))
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
	return out, nil
}

// Int64s converts a tensor of integers or BOOL to int64, in a new slice. Floats, and U64 values above 2^63-1, are an error.
func (f *File) Int64s(name string) ([]int64, error) {
	b, err := f.Bytes(name)
	if err != nil {
		return nil, err
	}
	info := f.h.infos[name]
	switch info.DType {
	case F64, F32, F16, BF16:
		return nil, fmt.Errorf("safetensors: %s: tensor %q: is %s%v, want integers", f.path, name, info.DType, info.Shape)
	}
	out := make([]int64, len(b)/info.DType.Size())
	for i := range out {
		if out[i] = intAt(info.DType, b, i); info.DType == U64 && out[i] < 0 {
			return nil, fmt.Errorf("safetensors: %s: tensor %q: offset %d: %d does not fit int64", f.path, name, info.Offset+int64(8*i), uint64(out[i]))
		}
	}
	return out, nil
}

// intAt is element i of an integer tensor; U64 comes back with its bits unchanged.
func intAt(d DType, b []byte, i int) int64 {
	le := binary.LittleEndian
	switch d {
	case BOOL:
		if b[i] != 0 {
			return 1
		}
		return 0
	case U8:
		return int64(b[i])
	case I8:
		return int64(int8(b[i]))
	case I16:
		return int64(int16(le.Uint16(b[2*i:])))
	case U16:
		return int64(le.Uint16(b[2*i:]))
	case I32:
		return int64(int32(le.Uint32(b[4*i:])))
	case U32:
		return int64(le.Uint32(b[4*i:]))
	}
	return int64(le.Uint64(b[8*i:])) // I64, U64
}
