package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxHeader = 100_000_000 // the original library's limit, in bytes
	maxRank   = 64          // far above any real tensor; bounds what a hostile header can make us hold
	metaKey   = "__metadata__"
)

// Info describes one stored tensor.
type Info struct {
	DType  DType
	Shape  []int // a scalar has the empty shape
	Offset int64 // of the first byte, from the start of the file
	Bytes  int64 // product of Shape times the element size
}

// header is what the JSON says, checked.
type header struct {
	names []string // by offset, then name
	infos map[string]Info
	meta  map[string]string
}

// parseHeader reads and checks the header of a whole file's bytes.
func parseHeader(file []byte) (*header, error) {
	if len(file) < 8 {
		return nil, fmt.Errorf("%d bytes: too short for a safetensors file, which starts with 8 bytes of header length", len(file))
	}
	n := binary.LittleEndian.Uint64(file)
	if n > maxHeader {
		return nil, fmt.Errorf("offset 0: header of %d bytes: want at most %d (is this a safetensors file?)", n, maxHeader)
	}
	if n > uint64(len(file)-8) {
		return nil, fmt.Errorf("offset 0: header of %d bytes, but only %d bytes follow: file is truncated", n, len(file)-8)
	}
	text := file[8 : 8+n]
	if len(text) == 0 || text[0] != '{' {
		return nil, fmt.Errorf("offset 8: header does not begin with '{'")
	}
	if i := invalidUTF8(text); i >= 0 {
		return nil, fmt.Errorf("offset %d: header is not valid UTF-8", 8+i)
	}
	p := headerParser{dec: json.NewDecoder(bytes.NewReader(text)), h: &header{infos: map[string]Info{}, meta: map[string]string{}}}
	p.dec.UseNumber()
	if err := p.parse(8 + int64(n)); err != nil {
		return nil, err
	}
	return p.h, p.h.checkLayout(8+int64(n), int64(len(file)))
}

// invalidUTF8 is the index of the first byte that is not UTF-8, or -1.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// headerParser walks the header token by token: duplicate keys and the offset of a fault are lost on a decoded map.
type headerParser struct {
	dec *json.Decoder
	h   *header
}

func (p *headerParser) at() int64 { return 8 + p.dec.InputOffset() }

func (p *headerParser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("offset %d: header is not valid JSON: %w", p.at(), err)
	}
	return t, nil
}

// delim reads one wanted bracket.
func (p *headerParser) delim(want json.Delim, what string) error {
	t, err := p.token()
	if err == nil && t != want {
		err = fmt.Errorf("offset %d: %s: found %v, want %q", p.at(), what, t, want.String())
	}
	return err
}

// parse reads the outer object; data is the file offset where the tensors' bytes start.
func (p *headerParser) parse(data int64) error {
	if err := p.delim('{', "header"); err != nil {
		return err
	}
	sawMeta := false
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		name, at := t.(string), p.at() // inside an object the decoder yields only string keys
		if _, twice := p.h.infos[name]; twice || name == metaKey && sawMeta {
			return fmt.Errorf("offset %d: tensor %q: listed twice", at, name)
		}
		if name == metaKey {
			sawMeta = true
			if err := p.metadata(); err != nil {
				return err
			}
			continue
		}
		info, err := p.tensor(data)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		p.h.infos[name] = info
		p.h.names = append(p.h.names, name)
	}
	if err := p.delim('}', "header"); err != nil {
		return err
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return fmt.Errorf("offset %d: header has something after its closing bracket: want spaces only", p.at())
	}
	return nil
}

// metadata reads the object of strings below __metadata__.
func (p *headerParser) metadata() error {
	if err := p.delim('{', metaKey); err != nil {
		return err
	}
	for p.dec.More() {
		k, err := p.token()
		if err != nil {
			return err
		}
		at := p.at()
		v, err := p.token()
		if err != nil {
			return err
		}
		s, ok := v.(string)
		if _, twice := p.h.meta[k.(string)]; twice || !ok {
			return fmt.Errorf("offset %d: %s key %q: want one string", at, metaKey, k)
		}
		p.h.meta[k.(string)] = s
	}
	return p.delim('}', metaKey)
}

// tensor reads one tensor's object: dtype, shape, data_offsets, each once.
func (p *headerParser) tensor(data int64) (Info, error) {
	var info Info
	var offs []int
	seen := map[string]bool{}
	if err := p.delim('{', "entry"); err != nil {
		return info, err
	}
	for p.dec.More() {
		k, err := p.token()
		if err != nil {
			return info, err
		}
		key, at := k.(string), p.at()
		if seen[key] {
			return info, fmt.Errorf("offset %d: key %q twice", at, key)
		}
		seen[key] = true
		switch key {
		case "dtype":
			t, e := p.token()
			s, _ := t.(string)
			if info.DType, err = DType(s), e; e == nil && info.DType.Size() == 0 {
				err = fmt.Errorf("offset %d: unknown dtype %v", at, t)
			}
		case "shape":
			info.Shape, err = p.ints("shape", maxRank)
		case "data_offsets":
			if offs, err = p.ints("data_offsets", 2); err == nil && len(offs) != 2 {
				err = fmt.Errorf("offset %d: data_offsets has %d numbers, want 2", at, len(offs))
			}
		default:
			err = fmt.Errorf("offset %d: unknown key %q, want dtype, shape, data_offsets", at, key)
		}
		if err != nil {
			return info, err
		}
	}
	if err := p.delim('}', "entry"); err != nil {
		return info, err
	}
	if len(seen) != 3 {
		return info, fmt.Errorf("offset %d: want the keys dtype, shape and data_offsets, found %d of them", p.at(), len(seen))
	}
	return info, info.place(int64(offs[0]), int64(offs[1]), data, p.at())
}

// place turns the header's offsets into a position in the file and compares their distance with the shape.
func (i *Info) place(begin, end, data, at int64) error {
	want, err := byteCount(i.DType, i.Shape)
	if err != nil {
		return fmt.Errorf("offset %d: %w", at, err)
	}
	if end < begin || end > math.MaxInt64-data {
		return fmt.Errorf("offset %d: data_offsets [%d, %d]: want begin ≤ end", at, begin, end)
	}
	if end-begin != want {
		return fmt.Errorf("offset %d: %s%v needs %d bytes, data_offsets [%d, %d] hold %d", at, i.DType, i.Shape, want, begin, end, end-begin)
	}
	i.Offset, i.Bytes = data+begin, want
	return nil
}

// byteCount is the size of a tensor in bytes. Sizes whose product does not fit are an error even beside a 0.
func byteCount(d DType, shape []int) (int64, error) {
	n, zero := int64(d.Size()), false
	for _, s := range shape {
		if s < 0 {
			return 0, fmt.Errorf("shape %v has a negative size", shape)
		}
		if s == 0 {
			zero = true
			continue
		}
		if n > math.MaxInt64/int64(s) {
			return 0, fmt.Errorf("%s%v: the number of bytes overflows", d, shape)
		}
		n *= int64(s)
	}
	if zero {
		return 0, nil
	}
	return n, nil
}

// ints reads an array of at most limit non-negative integers.
func (p *headerParser) ints(what string, limit int) ([]int, error) {
	if err := p.delim('[', what); err != nil {
		return nil, err
	}
	out := []int{}
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		num, ok := t.(json.Number)
		v, perr := strconv.ParseInt(num.String(), 10, strconv.IntSize)
		if !ok || perr != nil || v < 0 {
			return nil, fmt.Errorf("offset %d: %s: found %v, want an integer of 0 or more", p.at(), what, t)
		}
		if len(out) == limit {
			return nil, fmt.Errorf("offset %d: %s: more than %d numbers", p.at(), what, limit)
		}
		out = append(out, int(v))
	}
	return out, p.delim(']', what)
}

// checkLayout demands that the tensors fill the rest of the file exactly: no overlap, no hole, nothing missing.
func (h *header) checkLayout(data, size int64) error {
	slices.SortFunc(h.names, func(a, b string) int {
		x, y := h.infos[a], h.infos[b]
		if x.Offset != y.Offset {
			return int(min(1, max(-1, x.Offset-y.Offset)))
		}
		if x.Bytes != y.Bytes { // an empty tensor comes before the one that starts where it lies
			return int(min(1, max(-1, x.Bytes-y.Bytes)))
		}
		return strings.Compare(a, b)
	})
	at := data
	for _, name := range h.names {
		i := h.infos[name]
		switch {
		case i.Offset < at:
			return fmt.Errorf("tensor %q: offset %d: overlaps the tensor before it, which ends at %d", name, i.Offset, at)
		case i.Offset > at:
			return fmt.Errorf("tensor %q: offset %d: hole of %d bytes before it", name, i.Offset, i.Offset-at)
		case i.Offset+i.Bytes > size:
			return fmt.Errorf("tensor %q: offset %d: %d bytes end at %d, but the file ends at %d: file is truncated", name, i.Offset, i.Bytes, i.Offset+i.Bytes, size)
		}
		at += i.Bytes
	}
	if at != size {
		return fmt.Errorf("offset %d: %d bytes after the last tensor", at, size-at)
	}
	return nil
}
