package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
)

// ErrClosed is returned by the methods of a File after Close.
var ErrClosed = errors.New("file is closed")

// File is an open checkpoint: one file, the shards of one, or tensors derived from another's. Its methods may be used by several
// goroutines at once, except Close.
type File struct {
	path    string
	names   []string // by file, offset, name
	entries map[string]entry
	meta    map[string]string
	closed  bool
	unmap   []func() error
}

// entry is a tensor, its memory and the file that holds it.
type entry struct {
	Info
	data   []byte
	file   string
	origin string // the name in file, if another
	mapped bool   // data is a part of a mapped file
}

// Open maps the file into memory and checks its header; tensor bytes are read only when touched. A path that ends in .json is the index of a
// sharded checkpoint (model.safetensors.index.json), which opens as one File.
// The file must not be shortened or rewritten in place while it is open: Write replaces files by renaming, which is safe.
// The error names the file and, where there is one, the tensor and the byte offset.
func Open(path string) (*File, error) {
	f := &File{path: path, entries: map[string]entry{}}
	var err error
	if strings.HasSuffix(path, ".json") {
		err = f.addShards(path)
	} else {
		f.meta, err = f.add(path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("safetensors: %w", err), f.Close())
	}
	return f, nil
}

// add maps a file and adds its tensors; its metadata is the result. The error names the file.
func (f *File) add(path string) (map[string]string, error) {
	fd, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer fd.Close() // a map outlives its descriptor
	st, err := fd.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if st.Size() < 8 || st.Size() > math.MaxInt {
		return nil, fmt.Errorf("%s: %d bytes: not a safetensors file, or truncated", path, st.Size())
	}
	data, unmap, err := mapFile(fd, int(st.Size()))
	if err != nil {
		return nil, fmt.Errorf("%s: map %d bytes: %w", path, st.Size(), err)
	}
	f.unmap = append(f.unmap, unmap)
	h, err := parseHeader(data)
	if err != nil {
		if bytes.HasPrefix(data, []byte("PK\x03\x04")) || bytes.HasPrefix(data, []byte("\x80\x02")) {
			err = errors.New("a file of torch.save, and not of safetensors: syntic convert makes one of it")
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return h.meta, f.take(path, h, data, true)
}

// take adds the tensors of a header; a name that is there already is an error.
func (f *File) take(path string, h *header, data []byte, mapped bool) error {
	for _, name := range h.names {
		if other, twice := f.entries[name]; twice {
			return fmt.Errorf("tensor %q is in %s and in %s: want it once", name, other.file, path)
		}
		i := h.infos[name]
		f.entries[name] = entry{i, data[i.Offset : i.Offset+i.Bytes : i.Offset+i.Bytes], path, "", mapped}
	}
	f.names = append(f.names, h.names...)
	return nil
}

// OpenBytes reads a checkpoint that is already in memory, such as embedded weights. The bytes are used, not copied, and must not change.
func OpenBytes(data []byte) (*File, error) {
	h, err := parseHeader(data)
	if err != nil {
		return nil, fmt.Errorf("safetensors: in memory: %w", err)
	}
	f := &File{path: "in memory", entries: map[string]entry{}, meta: h.meta}
	return f, f.take(f.path, h, data, false)
}

// Close gives the maps back. Slices returned by Bytes must not be used afterwards: touching them is a fault that ends the process.
func (f *File) Close() error {
	var err error
	for _, unmap := range f.unmap {
		err = errors.Join(err, unmap())
	}
	f.unmap, f.closed = nil, true
	return err
}

// Path is the file, or the index of the shards.
func (f *File) Path() string { return f.path }

// Where is the file that holds a tensor: one of the shards, or Path.
func (f *File) Where(name string) string {
	if e, ok := f.entries[name]; ok {
		return e.file
	}
	return f.path
}

// Names lists the tensors in the order their bytes lie in the file, those of shards in the order of the shards' names. The caller owns the slice.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Info describes a tensor; false if the file does not have it. The caller owns the shape.
func (f *File) Info(name string) (Info, bool) {
	e, ok := f.entries[name]
	e.Shape = slices.Clone(e.Shape)
	return e.Info, ok
}

// Metadata is the file's table of strings, empty if it has none; of shards, that of the first. The caller owns the map.
func (f *File) Metadata() map[string]string { return maps.Clone(f.meta) }

// Bytes is the tensor's memory in the file, little endian and row-major, not copied: read-only and valid until Close.
// It is aligned to the element size in files of Write and of the original library, but not in every valid file.
func (f *File) Bytes(name string) ([]byte, error) {
	e, ok := f.entries[name]
	if f.closed {
		return nil, fmt.Errorf("safetensors: %s: tensor %q: %w", f.path, name, ErrClosed)
	}
	if !ok {
		return nil, fmt.Errorf("safetensors: %s: no tensor %q among %d", f.path, name, len(f.names))
	}
	return e.data, nil
}

// Forget tells the system that a tensor's memory will not soon be read again, for one that has been copied: its pages need not stay in the
// process. The memory may be used all the same.
func (f *File) Forget(name string) {
	if e := f.entries[name]; e.mapped && !f.closed {
		forget(e.data)
	}
}

// Float32s converts a tensor of any type to float32, in a new slice: halves exactly, F64 and integers rounded to nearest even,
// BOOL to 0 and 1.
func (f *File) Float32s(name string) ([]float32, error) {
	b, err := f.Bytes(name)
	if err != nil {
		return nil, err
	}
	return Float32s(f.entries[name].DType, b), nil
}

// Int64s converts a tensor of integers or BOOL to int64, in a new slice. Floats, and U64 values above 2^63-1, are an error.
func (f *File) Int64s(name string) ([]int64, error) {
	b, err := f.Bytes(name)
	if err != nil {
		return nil, err
	}
	info := f.entries[name]
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
