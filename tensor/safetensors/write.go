package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"syntic/kernels"
	"syntic/tensor/wholefile"
)

// Tensor is one tensor to write. Exactly one of Bytes, Floats, Ints and Make holds its elements, row-major.
type Tensor struct {
	Name   string
	DType  DType
	Shape  []int
	Bytes  []byte    // little endian, for any DType
	Floats []float32 // for F64, F32, F16, BF16; the halves round to nearest even
	Ints   []int64   // for I64, I32, I16, I8, U8, BOOL; a value that does not fit is an error

	// Make gives what Bytes would hold when its turn to be written comes, so that not all tensors are in memory at once.
	Make func() ([]byte, error)

	origin string // of a tensor taken from a File: its name there
	mapped bool   // Bytes is a part of a mapped file
}

// Write stores the tensors in a new file at path. The bytes depend on the arguments alone: tensors lie by element type, wider ones
// first, then by name, as the original library lays them out; the header is padded with spaces to a multiple of 8.
// The file appears whole or not at all: it is written beside path under another name, synced, and renamed; an error leaves what was
// at path untouched.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	ts := slices.Clone(tensors)
	slices.SortFunc(ts, func(a, b Tensor) int {
		if d := layoutOrder[b.DType] - layoutOrder[a.DType]; d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	head, err := encodeHeader(ts, metadata)
	if err != nil {
		return fmt.Errorf("safetensors: write %s: %w", path, err)
	}
	if err := wholefile.Write(path, func(w io.Writer) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		for i := range ts {
			if err := ts[i].encode(w); err != nil {
				return fmt.Errorf("tensor %q: %w", ts[i].Name, err)
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("safetensors: write %s: %w", path, err)
	}
	return nil
}

// encodeHeader checks the tensors (already in file order) and makes the length and the padded JSON.
func encodeHeader(ts []Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		for k, v := range maps.All(metadata) {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, fmt.Errorf("metadata key %q: not valid UTF-8", k)
			}
		}
		b.WriteString(`"` + metaKey + `":` + quoteJSON(metadata)) // map keys come out sorted
	}
	seen := map[string]bool{metaKey: true}
	var at int64
	for i := range ts {
		t := &ts[i]
		n, err := t.check()
		if err == nil && (seen[t.Name] || !utf8.ValidString(t.Name)) {
			err = errors.New("name is used twice, reserved or not valid UTF-8")
		}
		if err == nil && at > math.MaxInt64-n {
			err = errors.New("the file's size overflows")
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		seen[t.Name] = true
		if b.Len() > 9 {
			b.WriteByte(',')
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		fmt.Fprintf(&b, `%s:{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, quoteJSON(t.Name), t.DType, quoteJSON(shape), at, at+n)
		at += n
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len()-8 > maxHeader {
		return nil, fmt.Errorf("header of %d bytes, want at most %d", b.Len()-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(b.Len()-8))
	return b.Bytes(), nil
}

// quoteJSON encodes strings, maps of strings and slices of ints, none of which can fail; &, < and > stay as they are.
func quoteJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n")
}

// check compares the elements given with dtype and shape and returns the size in bytes.
func (t *Tensor) check() (int64, error) {
	size := t.DType.Size()
	if size == 0 {
		return 0, fmt.Errorf("unknown dtype %q", t.DType)
	}
	if len(t.Shape) > maxRank {
		return 0, fmt.Errorf("%d dimensions, want at most %d", len(t.Shape), maxRank)
	}
	n, err := byteCount(t.DType, t.Shape)
	if err != nil {
		return 0, err
	}
	given := 0
	for _, set := range []bool{t.Bytes != nil, t.Floats != nil, t.Ints != nil} {
		if set {
			given++
		}
	}
	have := int64(len(t.Bytes)) + int64(len(t.Floats)+len(t.Ints))*int64(size)
	if t.Make != nil && given == 0 {
		return n, nil // its length is looked at when it is made
	}
	if given > 1 || have != n || t.Make != nil {
		return 0, fmt.Errorf("%s%v needs %d bytes, given are %d: want exactly one of Bytes, Floats, Ints of that size", t.DType, t.Shape, n, have)
	}
	_, isFloat := floatPutters[t.DType]
	_, isInt := intRanges[t.DType]
	if t.Floats != nil && !isFloat || t.Ints != nil && !isInt {
		return 0, fmt.Errorf("elements given do not go with dtype %s", t.DType)
	}
	if r := intRanges[t.DType]; t.Ints != nil {
		for i, v := range t.Ints {
			if v < r[0] || v > r[1] {
				return 0, fmt.Errorf("element %d is %d, %s holds %d to %d", i, v, t.DType, r[0], r[1])
			}
		}
	}
	return n, nil
}

var floatPutters = map[DType]func(b []byte, f float32){
	F64:  func(b []byte, f float32) { binary.LittleEndian.PutUint64(b, math.Float64bits(float64(f))) },
	F32:  func(b []byte, f float32) { binary.LittleEndian.PutUint32(b, math.Float32bits(f)) },
	F16:  func(b []byte, f float32) { binary.LittleEndian.PutUint16(b, kernels.F32ToF16(f)) },
	BF16: func(b []byte, f float32) { binary.LittleEndian.PutUint16(b, kernels.F32ToBF16(f)) },
}

// Pack is x as elements of a type of floating point, little endian, the halves rounded to nearest even: what [Float32s] reads. It panics if d is none.
func Pack(d DType, x []float32) []byte {
	put := floatPutters[d]
	if put == nil {
		panic(fmt.Sprintf("safetensors: pack as %q: want F64, F32, F16 or BF16", d))
	}
	size := d.Size()
	out := make([]byte, len(x)*size)
	for i, v := range x {
		put(out[i*size:], v)
	}
	return out
}

var intRanges = map[DType][2]int64{
	I64: {math.MinInt64, math.MaxInt64}, I32: {math.MinInt32, math.MaxInt32}, I16: {math.MinInt16, math.MaxInt16},
	I8: {math.MinInt8, math.MaxInt8}, U8: {0, math.MaxUint8}, BOOL: {0, 1},
}

// encode writes the elements, converted in blocks so that a large tensor is never held twice.
func (t *Tensor) encode(w io.Writer) error {
	if t.Bytes != nil {
		_, err := w.Write(t.Bytes)
		return err
	}
	if t.Make != nil {
		b, err := t.Make()
		if err != nil {
			return err
		}
		if n, err := byteCount(t.DType, t.Shape); err != nil || n != int64(len(b)) {
			return fmt.Errorf("%s%v needs %d bytes, made were %d", t.DType, t.Shape, n, len(b))
		}
		_, err = w.Write(b)
		return err
	}
	const block = 8192
	var word [8]byte
	size := t.DType.Size()
	buf := make([]byte, 0, block*size)
	put := floatPutters[t.DType]
	for i, n := 0, len(t.Floats)+len(t.Ints); i < n; i++ {
		if t.Floats != nil {
			put(word[:], t.Floats[i])
		} else {
			binary.LittleEndian.PutUint64(word[:], uint64(t.Ints[i])) // the low bytes of two's complement
		}
		if buf = append(buf, word[:size]...); len(buf) == cap(buf) || i == n-1 {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}
