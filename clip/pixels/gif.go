package pixels

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

func gifSize(data []byte) (int, int, error) {
	if len(data) < 13 {
		return 0, 0, errors.New("byte 6: the file ends in its header")
	}
	return int(binary.LittleEndian.Uint16(data[6:])), int(binary.LittleEndian.Uint16(data[8:])), nil
}

// gif reads a GIF file (version 89a) from start to end.
type gif struct {
	data        []byte
	at          int
	transparent int // index of a graphic control extension, -1 without one
}

var errCut = errors.New("the file is truncated: it ends before its image does")

// take is the next n bytes.
func (g *gif) take(n int) ([]byte, error) {
	if n > len(g.data)-g.at {
		return nil, errCut
	}
	b := g.data[g.at : g.at+n]
	g.at += n
	return b, nil
}

// block is the next sub-block, nil after the last.
func (g *gif) block() ([]byte, error) {
	n, err := g.take(1)
	if err != nil || n[0] == 0 {
		return nil, err
	}
	return g.take(int(n[0]))
}

// decodeGIF decodes the first picture, on a canvas that is its transparent colour or else colour 0.
func decodeGIF(data []byte) (*Image, error) {
	g := &gif{data: data, at: 13, transparent: -1}
	im, err := g.decode()
	if err != nil {
		return nil, fmt.Errorf("byte %d: %w", g.at, err)
	}
	return im, nil
}

func (g *gif) decode() (*Image, error) {
	w, h, err := gifSize(g.data)
	if err != nil {
		return nil, err
	}
	var palette []byte
	if f := g.data[10]; f&0x80 != 0 {
		if palette, err = g.take(3 << (f&7 + 1)); err != nil {
			return nil, err
		}
	}
	for {
		kind, err := g.take(1)
		if err != nil {
			return nil, err
		}
		switch kind[0] {
		case '!':
			if err := g.extension(); err != nil {
				return nil, err
			}
		case ';':
			return nil, errors.New("no picture in the file")
		case ',':
			return g.picture(w, h, palette)
		}
	}
}

func (g *gif) extension() error {
	label, err := g.take(1)
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		b, err := g.block()
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		if first && label[0] == 0xf9 && len(b) >= 4 {
			if g.transparent = -1; b[0]&1 != 0 {
				g.transparent = int(b[3])
			}
		}
	}
}

func (g *gif) picture(w, h int, palette []byte) (*Image, error) {
	b, err := g.take(9)
	if err != nil {
		return nil, err
	}
	u16 := func(i int) int { return int(binary.LittleEndian.Uint16(b[i:])) }
	left, top, pw, ph := u16(0), u16(2), u16(4), u16(6)
	if w, h = max(w, left+pw), max(h, top+ph); int64(w)*int64(h) > MaxPixels {
		return nil, fmt.Errorf("%d×%d pixels with the first picture: want 1 to %d", w, h, MaxPixels)
	}
	if b[8]&0x80 != 0 {
		if palette, err = g.take(3 << (b[8]&7 + 1)); err != nil {
			return nil, err
		}
	}
	index, err := g.indexes(pw, ph, b[8]&0x40 != 0)
	if err != nil {
		return nil, err
	}
	table := gifColours(palette, g.transparent)
	im := NewImage(w, h, 3)
	im.Indexed = !greyRamp(palette)
	ground := 0
	if g.transparent >= 0 {
		im.Channels, im.Pix = 4, make([]uint8, 4*w*h)
		ground = g.transparent
	}
	c := im.Channels
	if pw < w || ph < h {
		for i := 0; i < len(im.Pix); i += c {
			copy(im.Pix[i:i+c], table[ground][:])
		}
	}
	for y := range ph {
		row := im.Pix[((top+y)*w+left)*c:]
		for x, v := range index[y*pw:][:pw] {
			copy(row[x*c:x*c+c], table[v][:])
		}
	}
	return im, nil
}

// greyRamp tells whether a colour table, or none, is 0, 1, 2 and so on: such an image is grey to Pillow.
func greyRamp(palette []byte) bool {
	for i, v := range palette {
		if int(v) != i/3 {
			return false
		}
	}
	return true
}

// gifColours is RGBA by index.
func gifColours(palette []byte, transparent int) (t [256][4]uint8) {
	grey := greyRamp(palette)
	for i := range t {
		if t[i] = [4]uint8{0, 0, 0, 255}; grey {
			t[i] = [4]uint8{uint8(i), uint8(i), uint8(i), 255}
		} else if 3*i < len(palette) {
			copy(t[i][:3], palette[3*i:])
		}
	}
	if transparent >= 0 {
		t[transparent][3] = 0
	}
	return t
}

// gifPasses is the first row and the step of each pass of an interlaced picture (appendix E).
var gifPasses = [4][2]int{{0, 8}, {4, 8}, {2, 4}, {1, 2}}

// indexes decompresses a picture.
func (g *gif) indexes(w, h int, interlaced bool) ([]byte, error) {
	bits, err := g.take(1)
	if err != nil {
		return nil, err
	}
	if bits[0] < 2 || bits[0] > 8 {
		return nil, fmt.Errorf("codes of %d bits: want 2 to 8", bits[0])
	}
	if w == 0 || h == 0 {
		return nil, fmt.Errorf("a picture of %d×%d pixels", w, h)
	}
	if w*h > 4096*(len(g.data)-g.at) { // a code stands for at most 4096 pixels
		return nil, errCut
	}
	out := make([]byte, w*h)
	if _, err := io.ReadFull(lzw.NewReader(gifBlocks{g, new(bytes.Reader)}, lzw.LSB, int(bits[0])), out); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errCut
		}
		return nil, err
	}
	if !interlaced {
		return out, nil
	}
	sorted, from := make([]byte, w*h), 0
	for _, p := range gifPasses {
		for y := p[0]; y < h; y += p[1] {
			copy(sorted[y*w:(y+1)*w], out[from:])
			from += w
		}
	}
	return sorted, nil
}

// gifBlocks reads the bytes of sub-blocks as one stream; being a ByteReader it keeps the decompressor from reading ahead.
type gifBlocks struct {
	g   *gif
	now *bytes.Reader
}

func (b gifBlocks) ReadByte() (byte, error) {
	for b.now.Len() == 0 {
		next, err := b.g.block()
		if err == nil && next == nil {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		b.now.Reset(next)
	}
	return b.now.ReadByte()
}

func (b gifBlocks) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	v, err := b.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = v
	return 1, nil
}
