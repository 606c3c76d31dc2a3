package pixels

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// Colour types of PNG (third edition, 11.2.1).
const (
	pngGrey      = 0
	pngRGB       = 2
	pngPalette   = 3
	pngGreyAlpha = 4
	pngRGBA      = 6
)

// pngHeader is the IHDR chunk and what the chunks before the image data add.
type pngHeader struct {
	width, height    int
	depth, kind      int
	interlaced       bool
	palette          []byte // RGB triples
	transparent      []byte // tRNS as stored, nil without
	exif             []byte
	samples, perByte int // samples a pixel; bytes a pixel, at least 1: the distance of PNG's filters
}

var pngSamples = map[int]int{pngGrey: 1, pngRGB: 3, pngPalette: 1, pngGreyAlpha: 2, pngRGBA: 4}

func pngSize(data []byte) (int, int, error) {
	h, err := readIHDR(data)
	if err != nil {
		return 0, 0, err
	}
	return h.width, h.height, nil
}

func readIHDR(data []byte) (*pngHeader, error) {
	if len(data) < 8+25 || string(data[12:16]) != "IHDR" || binary.BigEndian.Uint32(data[8:]) != 13 {
		return nil, errors.New("byte 8: want an IHDR chunk of 13 bytes")
	}
	b := data[16:29]
	if crc32.ChecksumIEEE(data[12:29]) != binary.BigEndian.Uint32(data[29:]) {
		return nil, errors.New("byte 8: chunk IHDR does not match its checksum")
	}
	h := &pngHeader{width: int(binary.BigEndian.Uint32(b)), height: int(binary.BigEndian.Uint32(b[4:])), depth: int(b[8]), kind: int(b[9]),
		interlaced: b[12] != 0}
	h.samples = pngSamples[h.kind]
	ok := h.samples > 0 && b[10] == 0 && b[11] == 0 && b[12] <= 1
	switch h.depth {
	case 8:
	case 16:
		ok = ok && h.kind != pngPalette
	case 1, 2, 4:
		ok = ok && (h.kind == pngGrey || h.kind == pngPalette)
	default:
		ok = false
	}
	if !ok {
		return nil, fmt.Errorf("byte 24: colour type %d, depth %d, compression %d, filter %d, interlace %d: no such PNG", b[9], b[8], b[10], b[11], b[12])
	}
	h.perByte = max(1, h.samples*h.depth/8)
	return h, nil
}

// pngChunk takes the chunk at data[at:].
func pngChunk(data []byte, at int) (kind string, body []byte, next int, err error) {
	if len(data)-at < 8 {
		return "", nil, 0, fmt.Errorf("byte %d: the file is truncated: it ends before its image does", at)
	}
	n := int64(binary.BigEndian.Uint32(data[at:]))
	kind = string(data[at+4 : at+8])
	if n > int64(len(data)-at-8) {
		if kind == "IDAT" { // as much as there is
			return kind, data[at+8:], len(data), nil
		}
		return "", nil, 0, fmt.Errorf("byte %d: chunk %q of %d bytes goes beyond the end of the file", at, kind, n)
	}
	body = data[at+8 : at+8+int(n)]
	next = at + 8 + int(n) + 4
	if next > len(data) {
		if kind != "IDAT" && kind != "IEND" {
			return "", nil, 0, fmt.Errorf("byte %d: chunk %q goes beyond the end of the file", at, kind)
		}
		next = len(data)
	} else if kind != "IDAT" && crc32.ChecksumIEEE(data[at+4:next-4]) != binary.BigEndian.Uint32(data[next-4:]) { // image data has one of its own
		return "", nil, 0, fmt.Errorf("byte %d: chunk %q does not match its checksum", at, kind)
	}
	return kind, body, next, nil
}

func decodePNG(data []byte) (*Image, error) {
	h, err := readIHDR(data)
	if err != nil {
		return nil, err
	}
	at := 8
	var kind string
	var body []byte
	for {
		start := at
		if kind, body, at, err = pngChunk(data, at); err != nil {
			return nil, err
		}
		if kind == "IDAT" {
			at = start
			break
		}
		switch kind {
		case "PLTE":
			h.palette = body[:len(body)/3*3]
		case "tRNS":
			h.transparent = body
		case "eXIf":
			h.exif = body
		case "IEND":
			return nil, fmt.Errorf("byte %d: the file ends without image data", start)
		}
	}
	if h.kind == pngPalette && len(h.palette) == 0 {
		return nil, fmt.Errorf("byte %d: a palette image without a palette", at)
	}
	if raw := int64(h.width) * int64(h.height) * int64(h.samples*h.depth) / 8; raw > 1032*int64(len(data)) { // deflate's best
		return nil, fmt.Errorf("byte %d: %d bytes of pixels cannot be in %d: %w", at, raw, len(data), errCut)
	}
	parts := &pngData{data: data, at: at}
	z, err := zlib.NewReader(parts)
	if err != nil {
		return nil, fmt.Errorf("byte %d: image data: %w", at, ended(err))
	}
	raw, err := h.unfilter(z)
	if err == nil { // the checksum behind the data
		if _, more := z.Read(make([]byte, 1)); more != nil && more != io.EOF {
			err = more
		}
	}
	if err != nil {
		return nil, fmt.Errorf("byte %d: image data: %w", parts.at, ended(err))
	}
	return h.image(raw), nil
}

func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}

// pngData reads the bodies of the IDAT chunks from the one at data[at:] on.
type pngData struct {
	data []byte
	at   int
	body []byte
}

func (p *pngData) Read(b []byte) (int, error) {
	for len(p.body) == 0 {
		kind, body, next, err := pngChunk(p.data, p.at)
		if err != nil || kind != "IDAT" {
			return 0, io.ErrUnexpectedEOF
		}
		p.body, p.at = body, next
	}
	n := copy(b, p.body)
	p.body = p.body[n:]
	return n, nil
}

// ReadByte makes the decompressor use p itself, without a buffer between.
func (p *pngData) ReadByte() (byte, error) {
	if len(p.body) == 0 {
		var one [1]byte
		_, err := p.Read(one[:])
		return one[0], err
	}
	v := p.body[0]
	p.body = p.body[1:]
	return v, nil
}

// adam7 is the first pixel of each pass of an interlaced image and its steps: x, y, dx, dy (8.2).
var adam7 = [7][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}

// unfilter gives the samples' bytes, rows of stride bytes, in the image's order.
func (h *pngHeader) unfilter(r io.Reader) ([]byte, error) {
	bitsPer := h.samples * h.depth
	stride := (h.width*bitsPer + 7) / 8
	if !h.interlaced {
		return unfilterPass(r, stride, h.height, h.perByte)
	}
	out := make([]byte, stride*h.height)
	for _, p := range adam7 {
		w, n := (h.width-p[0]+p[2]-1)/p[2], (h.height-p[1]+p[3]-1)/p[3]
		if w <= 0 || n <= 0 {
			continue
		}
		length := (w*bitsPer + 7) / 8
		rows, err := unfilterPass(r, length, n, h.perByte)
		if err != nil {
			return nil, err
		}
		for y := range n {
			from, to := rows[y*length:(y+1)*length], out[(p[1]+y*p[3])*stride:][:stride]
			for x := range w {
				if at := p[0] + x*p[2]; bitsPer >= 8 {
					copy(to[at*h.perByte:(at+1)*h.perByte], from[x*h.perByte:])
				} else {
					v := from[x*bitsPer/8] >> (8 - bitsPer - x*bitsPer%8) & (1<<bitsPer - 1)
					to[at*bitsPer/8] |= v << (8 - bitsPer - at*bitsPer%8)
				}
			}
		}
	}
	return out, nil
}

// unfilterPass reads n rows of length bytes, each behind its filter's number, and undoes the filters (9.2).
func unfilterPass(r io.Reader, length, n, perByte int) ([]byte, error) {
	var kind [1]byte
	var out []byte
	above := make([]byte, length)
	for y := range n {
		if _, err := io.ReadFull(r, kind[:]); err != nil {
			return nil, err
		}
		if cap(out)-len(out) < length { // grows with the data, so that few bytes cannot claim much memory
			grown := make([]byte, len(out), min(n*length, max(2*cap(out), len(out)+max(length, 1<<20))))
			copy(grown, out)
			out = grown
		}
		row := out[len(out) : len(out)+length]
		out = out[:len(out)+length]
		if _, err := io.ReadFull(r, row); err != nil {
			return nil, err
		}
		if err := unfilterRow(kind[0], row, above, perByte); err != nil {
			return nil, fmt.Errorf("row %d: %w", y, err)
		}
		above = row
	}
	return out, nil
}

func unfilterRow(kind byte, row, above []byte, d int) error {
	above = above[:len(row)]
	switch kind {
	case 0:
	case 1:
		for i := d; i < len(row); i++ {
			row[i] += row[i-d]
		}
	case 2:
		for i, v := range above {
			row[i] += v
		}
	case 3:
		for i := range min(d, len(row)) {
			row[i] += above[i] / 2
		}
		for i := d; i < len(row); i++ {
			row[i] += uint8((int(row[i-d]) + int(above[i])) / 2)
		}
	case 4:
		for first := range min(d, len(row)) { // a sample of the pixel after the other, so that what lies left stays in registers
			left, corner := 0, 0
			for i := first; i < len(row); i += d {
				up := int(above[i])
				left = int(row[i] + paeth(left, up, corner))
				row[i], corner = uint8(left), up
			}
		}
	default:
		return fmt.Errorf("filter %d: want 0 to 4", kind)
	}
	return nil
}

// paeth is the one of left, above and corner nearest to left + above - corner.
func paeth(a, b, c int) uint8 {
	pa, pb := b-c, a-c
	pc := abs(pa + pb)
	pa, pb = abs(pa), abs(pb)
	if pa <= pb && pa <= pc {
		return uint8(a)
	}
	if pb <= pc {
		return uint8(b)
	}
	return uint8(c)
}

func abs(v int) int { return max(v, -v) }

// image makes RGB or RGBA of the samples as Pillow does: 16 bits keep their upper byte, but a grey image of 16 bits keeps its values, all above
// 255 cut to it; fewer bits are spread over 0..255; palettes are looked up, black beyond their end; tRNS becomes alpha, a transparent colour
// compared by the lower bytes of its values, not spread,
// but for one bit.
func (h *pngHeader) image(raw []byte) *Image {
	im := NewImage(h.width, h.height, 3)
	im.Orientation = orientation(h.exif)
	im.Indexed = h.kind == pngPalette || h.kind == pngGrey && h.depth == 1
	alpha := h.kind == pngGreyAlpha || h.kind == pngRGBA
	key := !alpha && (h.kind == pngRGB && len(h.transparent) >= 6 || h.kind == pngGrey && h.depth < 16 && len(h.transparent) >= 2)
	if alpha || key || h.kind == pngPalette && h.transparent != nil {
		im.Channels, im.Pix = 4, make([]uint8, 4*h.width*h.height)
	}
	stride := (h.width*h.samples*h.depth + 7) / 8
	for y := range h.height {
		in, out := raw[y*stride:][:stride], im.Pix[y*h.width*im.Channels:][:h.width*im.Channels]
		switch {
		case h.kind == pngPalette:
			h.paletteRow(in, out, im.Channels)
		case h.depth < 8 || h.kind == pngGrey && h.depth == 8:
			h.greyRow(in, out, im.Channels)
		case h.depth == 16 && h.kind == pngGrey:
			for x := range h.width {
				v := uint8(min(255, binary.BigEndian.Uint16(in[2*x:])))
				out[3*x], out[3*x+1], out[3*x+2] = v, v, v
			}
		default:
			h.wideRow(in, out, im.Channels)
		}
	}
	if key {
		h.keyed(im)
	}
	return im
}

func (h *pngHeader) bitsAt(in []byte, x int) uint8 {
	if h.depth == 8 {
		return in[x]
	}
	return in[x*h.depth/8] >> (8 - h.depth - x*h.depth%8) & (1<<h.depth - 1)
}

func (h *pngHeader) paletteRow(in, out []byte, channels int) {
	for x := range h.width {
		i, p := int(h.bitsAt(in, x)), out[x*channels:][:channels]
		if 3*i < len(h.palette) {
			copy(p[:3], h.palette[3*i:])
		}
		if channels == 4 {
			if p[3] = 255; i < len(h.transparent) {
				p[3] = h.transparent[i]
			}
		}
	}
}

func (h *pngHeader) greyRow(in, out []byte, channels int) {
	if h.depth == 8 && channels == 3 {
		for x, v := range in {
			p := out[3*x : 3*x+3 : 3*x+3]
			p[0], p[1], p[2] = v, v, v
		}
		return
	}
	spread := uint8(255 / (1<<h.depth - 1))
	for x := range h.width {
		v := h.bitsAt(in, x) * spread
		p := out[x*channels:][:channels]
		p[0], p[1], p[2] = v, v, v
	}
}

// wideRow is RGB, grey with alpha or RGBA of 8 or 16 bits.
func (h *pngHeader) wideRow(in, out []byte, channels int) {
	size := h.depth / 8
	step := h.samples * size
	if size == 1 && channels == h.samples {
		copy(out, in)
		return
	}
	for x := range h.width {
		s, p := in[x*step:][:step], out[x*channels:][:channels]
		switch h.samples {
		case 2:
			p[0], p[1], p[2], p[3] = s[0], s[0], s[0], s[size]
		default:
			for c := range h.samples {
				p[c] = s[c*size]
			}
		}
	}
}

// keyed gives every pixel alpha 255, those of the transparent colour 0.
func (h *pngHeader) keyed(im *Image) {
	var key [3]uint8
	for c := range key {
		switch key[c] = h.transparent[1]; {
		case h.kind == pngRGB:
			key[c] = h.transparent[2*c+1]
		case h.depth == 1 && h.transparent[0]|h.transparent[1] != 0:
			key[c] = 255
		}
	}
	for i := 0; i < len(im.Pix); i += 4 {
		if p := im.Pix[i : i+4]; !bytes.Equal(p[:3], key[:]) {
			p[3] = 255
		}
	}
}
