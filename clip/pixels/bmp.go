package pixels

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// bmp is the header of a BMP file (BITMAPCOREHEADER, BITMAPINFOHEADER and its longer versions).
type bmp struct {
	width, height int
	topDown       bool
	bits          int
	packing       uint32 // one of bmpPlain to bmpFields
	masks         [4]uint32
	palette       []byte // entries of perColour bytes: blue, green, red
	perColour     int
	colours       int
	start         int // of the pixels
}

const (
	bmpPlain  = 0
	bmpRLE8   = 1
	bmpRLE4   = 2
	bmpFields = 3
)

func bmpSize(data []byte) (int, int, error) {
	h, err := readBMPHeader(data)
	if err != nil {
		return 0, 0, err
	}
	return h.width, h.height, nil
}

func readBMPHeader(data []byte) (*bmp, error) {
	le := binary.LittleEndian
	if len(data) < 18 {
		return nil, errors.New("byte 14: the file ends in its header")
	}
	size := int64(le.Uint32(data[14:]))
	h := &bmp{start: int(le.Uint32(data[10:])), perColour: 4}
	switch size {
	case 12, 40, 52, 56, 64, 108, 124:
	default:
		return nil, fmt.Errorf("byte 14: header of %d bytes: want 12, 40, 52, 56, 64, 108 or 124", size)
	}
	if int64(len(data)) < 14+size {
		return nil, errors.New("byte 14: the file ends in its header")
	}
	b := data[14 : 14+size]
	at := 14 + int(size)
	if size == 12 {
		h.width, h.height, h.bits, h.perColour = int(le.Uint16(b[4:])), int(le.Uint16(b[6:])), int(le.Uint16(b[10:])), 3
	} else {
		h.width, h.height, h.bits, h.packing, h.colours = int(le.Uint32(b[4:])), int(le.Uint32(b[8:])), int(le.Uint16(b[14:])), le.Uint32(b[16:]), int(le.Uint32(b[32:]))
		if h.topDown = b[11] == 0xff; h.topDown {
			h.height = 1<<32 - h.height
		}
		if h.packing == bmpFields {
			masks := b[min(40, len(b)):]
			if size == 40 {
				masks = data[at:]
				at += 12
			}
			n := 3
			if size >= 56 {
				n = 4
			}
			if len(masks) < 4*n {
				return nil, fmt.Errorf("byte %d: the file ends in its header", at)
			}
			for i := range n {
				h.masks[i] = le.Uint32(masks[4*i:])
			}
		}
	}
	if h.bits > 8 {
		if h.start == 0 {
			h.start = at
		}
		return h, nil
	}
	return h, h.readPalette(data, at, int(size))
}

func (h *bmp) readPalette(data []byte, at, size int) error {
	if h.colours == 0 {
		h.colours = 1 << h.bits
	}
	if h.colours > 1<<16 {
		return fmt.Errorf("byte 46: %d colours: want at most 65536", h.colours)
	}
	n := h.colours * h.perColour
	h.palette = data[min(at, len(data)):min(at+n, len(data))]
	if h.start == 14+size { // files that count the palette to the pixels
		h.start += n
	}
	if h.start == 0 {
		h.start = at + n
	}
	return nil
}

// grey tells whether the palette is the greys in order: then the indexes themselves are the pixels, even those beyond it.
func (h *bmp) grey() bool {
	for i := range h.colours {
		v := uint8(i)
		if h.colours == 2 {
			v *= 255
		}
		if i > 255 || len(h.palette) < i*h.perColour+3 {
			return false
		}
		if p := h.palette[i*h.perColour:]; p[0] != v || p[1] != v || p[2] != v {
			return false
		}
	}
	return true
}

func decodeBMP(data []byte) (*Image, error) {
	h, err := readBMPHeader(data)
	if err != nil {
		return nil, err
	}
	if h.start > len(data) {
		return nil, fmt.Errorf("byte %d, where the pixels begin, is beyond the end of the file", h.start)
	}
	order := "BGR"
	switch h.bits {
	case 1, 4, 8, 24:
	case 16:
		order = "555"
	case 32:
		order = "BGRX"
	default:
		return nil, fmt.Errorf("byte 28: %d bits a pixel: want 1, 4, 8, 16, 24 or 32", h.bits)
	}
	switch h.packing {
	case bmpPlain:
	case bmpRLE8, bmpRLE4:
		if h.bits > 8 {
			return nil, fmt.Errorf("byte 30: run lengths with %d bits a pixel", h.bits)
		}
		return h.runLengths(data)
	case bmpFields:
		if order = bmpOrders[bmpLayout{h.bits, h.masks}]; order == "" {
			return nil, fmt.Errorf("byte 54: %d bits a pixel with masks %08x: no layout that is known", h.bits, h.masks)
		}
	default:
		return nil, fmt.Errorf("byte 30: compression %d: want 0 to 3", h.packing)
	}
	stride := (h.width*h.bits + 31) / 32 * 4
	// The last row may lack its padding.
	if need := int64(stride)*int64(h.height-1) + int64((h.width*h.bits+7)/8); int64(len(data)-h.start) < need {
		return nil, fmt.Errorf("byte %d: %w", len(data), errCut)
	}
	im := NewImage(h.width, h.height, 3)
	if len(order) == 4 && order != "BGRX" && (order[0] == 'A' || order[2] == 'A' || order[3] == 'A') {
		im = NewImage(h.width, h.height, 4)
	}
	table := h.table()
	im.Indexed = h.bits <= 8 && (!h.grey() || h.colours == 2)
	for y := range h.height {
		in, out := data[h.start+y*stride:], im.Pix[h.row(y)*h.width*im.Channels:][:h.width*im.Channels]
		if h.bits > 8 {
			bmpRow(in, out, order, im.Channels)
			continue
		}
		for x := range h.width {
			v := in[x*h.bits/8] >> (8 - h.bits - x*h.bits%8) & (1<<h.bits - 1)
			copy(out[3*x:3*x+3], table[v][:])
		}
	}
	return im, nil
}

// row is where stored row y goes.
func (h *bmp) row(y int) int {
	if h.topDown {
		return y
	}
	return h.height - 1 - y
}

// table is the colour of each index.
func (h *bmp) table() (t [256][3]uint8) {
	if h.bits > 8 {
		return t
	}
	grey := h.grey()
	for i := range t {
		if grey && h.colours > 2 {
			t[i] = [3]uint8{uint8(i), uint8(i), uint8(i)}
		} else if p := i * h.perColour; i < h.colours && p+3 <= len(h.palette) {
			t[i] = [3]uint8{h.palette[p+2], h.palette[p+1], h.palette[p]}
		}
	}
	return t
}

// bmpLayout is how channels lie in a pixel; bmpOrders names the bytes of those that Pillow knows.
type bmpLayout struct {
	bits  int
	masks [4]uint32
}

var bmpOrders = map[bmpLayout]string{
	{32, [4]uint32{0xff0000, 0xff00, 0xff, 0}}:          "BGRX",
	{32, [4]uint32{0xff000000, 0xff0000, 0xff00, 0}}:    "XBGR",
	{32, [4]uint32{0xff000000, 0xff00, 0xff, 0}}:        "BGXR",
	{32, [4]uint32{0xff000000, 0xff0000, 0xff00, 0xff}}: "ABGR",
	{32, [4]uint32{0xff, 0xff00, 0xff0000, 0xff000000}}: "RGBA",
	{32, [4]uint32{0xff0000, 0xff00, 0xff, 0xff000000}}: "BGRA",
	{32, [4]uint32{0xff000000, 0xff00, 0xff, 0xff0000}}: "BGAR",
	{32, [4]uint32{}}:                       "BGRA",
	{24, [4]uint32{0xff0000, 0xff00, 0xff}}: "BGR",
	{16, [4]uint32{0xf800, 0x7e0, 0x1f}}:    "565",
	{16, [4]uint32{0x7c00, 0x3e0, 0x1f}}:    "555",
}

// bmpRow turns a row of more than 8 bits a pixel. 5 and 6 bits are spread over 0..255, rounded down.
func bmpRow(in, out []byte, order string, channels int) {
	n := len(out) / channels
	if order == "555" || order == "565" {
		green := uint16(order[1]-'0') - 5 // bits beyond five
		for x := range n {
			v, p := binary.LittleEndian.Uint16(in[2*x:]), out[3*x:3*x+3]
			most := uint16(32)<<green - 1
			p[0], p[1], p[2] = uint8(v>>(10+green)&31*255/31), uint8(v>>5&most*255/most), uint8(v&31*255/31)
		}
		return
	}
	var at [4]int // of red, green, blue, alpha
	for i, c := range []byte("RGBA") {
		for k := range order {
			if order[k] == c {
				at[i] = k
			}
		}
	}
	for x := range n {
		s, p := in[x*len(order):][:len(order)], out[x*channels:][:channels]
		for c := range p {
			p[c] = s[at[c]]
		}
	}
}

// runLengths decodes RLE8 and RLE4. A run ends at its row's end; what is left out is colour 0; a file that ends before its picture is an error.
func (h *bmp) runLengths(data []byte) (*Image, error) {
	total := h.width * h.height
	if total > 255*(len(data)-h.start)+1<<16 { // at most 255 pixels a byte, but for skips
		return nil, fmt.Errorf("byte %d: %w", len(data), errCut)
	}
	index := make([]byte, 0, total)
	at, x := h.start, 0
	skip := func(n int) {
		n = min(n, total-len(index))
		index = index[:len(index)+n] // zeros from the start
	}
	for len(index) < total {
		if at+2 > len(data) {
			return nil, fmt.Errorf("byte %d: %w", len(data), errCut)
		}
		n, v := int(data[at]), data[at+1]
		at += 2
		switch {
		case n > 0:
			n = min(n, max(0, h.width-x), total-len(index))
			for i := range n {
				index = append(index, h.nibble(v, i))
			}
			x += n
		case v == 0:
			if over := len(index) % h.width; over > 0 {
				skip(h.width - over)
			}
			x = 0
		case v == 1:
			return nil, fmt.Errorf("byte %d: %d of %d pixels before the end of the picture", at, len(index), total)
		case v == 2:
			if at+2 > len(data) {
				return nil, fmt.Errorf("byte %d: %w", len(data), errCut)
			}
			skip(int(data[at]) + int(data[at+1])*h.width)
			at, x = at+2, len(index)%h.width
		default:
			n := min(int(v), total-len(index))
			size := n
			if h.packing == bmpRLE4 {
				size = (n + 1) / 2
			}
			if at+size > len(data) {
				return nil, fmt.Errorf("byte %d: %w", len(data), errCut)
			}
			for i := range n {
				if h.packing == bmpRLE4 {
					index = append(index, h.nibble(data[at+i/2], i))
				} else {
					index = append(index, data[at+i])
				}
			}
			at, x = at+size, x+int(v)
			at += at % 2
		}
	}
	im, table := NewImage(h.width, h.height, 3), h.table()
	im.Indexed = !h.grey()
	for y := range h.height {
		out := im.Pix[h.row(y)*h.width*3:]
		for x, v := range index[y*h.width:][:h.width] {
			copy(out[3*x:3*x+3], table[v][:])
		}
	}
	return im, nil
}

// nibble is v, or with RLE4 its upper and lower half in turn.
func (h *bmp) nibble(v byte, i int) byte {
	switch {
	case h.packing != bmpRLE4:
		return v
	case i%2 == 0:
		return v >> 4
	}
	return v & 15
}
