package pixels

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"

	"golang.org/x/image/webp"
)

// webpFile is a WebP container (RFC 9649): the parts of its first picture.
type webpFile struct {
	width, height int // of the canvas
	alpha         bool
	left, top     int // of the picture on it
	bits          []byte
	kind          string // of bits: "VP8 " (lossy) or "VP8L"
	alph, exif    []byte
	wide, high    int // of the picture
}

func webpSize(data []byte) (int, int, error) {
	f, err := readWebP(data)
	if err != nil {
		return 0, 0, err
	}
	return f.width, f.height, nil
}

func u24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// chunks calls fn for each chunk of b, which begins at byte base of the file, until it tells to stop.
func chunks(b []byte, base int, fn func(kind string, body []byte, at int) (more bool, err error)) error {
	for at := 0; at+8 <= len(b); {
		n := int64(binary.LittleEndian.Uint32(b[at+4:]))
		if n > int64(len(b)-at-8) {
			return fmt.Errorf("byte %d: chunk %q of %d bytes: %w", base+at, b[at:at+4], n, errCut)
		}
		more, err := fn(string(b[at:at+4]), b[at+8:at+8+int(n)], base+at)
		if err != nil || !more {
			return err
		}
		at += 8 + int(n+n&1)
	}
	return nil
}

func readWebP(data []byte) (*webpFile, error) {
	if len(data) < 20 {
		return nil, errors.New("byte 12: the file ends in its header")
	}
	end := 8 + int64(binary.LittleEndian.Uint32(data[4:]))
	if end > int64(len(data)) {
		return nil, fmt.Errorf("byte 4: %d bytes are announced, %d are there: %w", end, len(data), errCut)
	}
	switch kind := string(data[12:16]); kind {
	case "VP8 ", "VP8L", "VP8X":
	default:
		return nil, fmt.Errorf("byte 12: chunk %q: want VP8, VP8L or VP8X", kind)
	}
	f := &webpFile{}
	if err := chunks(data[min(12, end):end], 12, f.chunk); err != nil {
		return nil, err
	}
	if f.bits == nil {
		return nil, errors.New("byte 12: no picture in the file")
	}
	if f.width == 0 {
		f.width, f.height = f.wide, f.high
	}
	if f.left+f.wide > f.width || f.top+f.high > f.height {
		return nil, fmt.Errorf("a picture of %d×%d pixels at %d, %d on a canvas of %d×%d", f.wide, f.high, f.left, f.top, f.width, f.height)
	}
	return f, nil
}

func (f *webpFile) chunk(kind string, b []byte, at int) (more bool, err error) {
	short := fmt.Errorf("byte %d: chunk %q of %d bytes is too short", at, kind, len(b))
	switch kind {
	case "VP8X":
		if len(b) < 10 {
			return false, short
		}
		f.alpha, f.width, f.height = b[0]&0x10 != 0, u24(b[4:])+1, u24(b[7:])+1
	case "ANMF":
		if f.bits != nil {
			return false, nil
		}
		if len(b) < 16 {
			return false, short
		}
		f.left, f.top = 2*u24(b), 2*u24(b[3:])
		return true, chunks(b[16:], at+24, f.chunk)
	case "ALPH":
		if f.bits == nil {
			f.alph = b
		}
	case "EXIF":
		f.exif = bytes.TrimPrefix(b, []byte("Exif\x00\x00"))
	case "VP8 ":
		if f.bits != nil {
			return true, nil
		}
		if len(b) < 10 || b[3] != 0x9d || b[4] != 0x01 || b[5] != 0x2a {
			return false, fmt.Errorf("byte %d: chunk %q does not begin a picture", at, kind)
		}
		f.bits, f.kind = b, kind
		f.wide, f.high = int(binary.LittleEndian.Uint16(b[6:]))&0x3fff, int(binary.LittleEndian.Uint16(b[8:]))&0x3fff
	case "VP8L":
		if f.bits != nil {
			return true, nil
		}
		if len(b) < 5 || b[0] != 0x2f {
			return false, fmt.Errorf("byte %d: chunk %q does not begin a picture", at, kind)
		}
		f.bits, f.kind = b, kind
		v := binary.LittleEndian.Uint32(b[1:])
		f.wide, f.high = int(v&0x3fff)+1, int(v>>14&0x3fff)+1
		if f.width == 0 {
			f.alpha = v>>28&1 != 0
		}
	}
	return true, nil
}

// still is the picture alone, as a file that package webp decodes.
func (f *webpFile) still() []byte {
	var b []byte
	add := func(kind string, body []byte) {
		b = append(binary.LittleEndian.AppendUint32(append(b, kind...), uint32(len(body))), body...)
		if len(body)%2 != 0 {
			b = append(b, 0)
		}
	}
	if f.alph != nil && f.kind == "VP8 " {
		x := make([]byte, 10)
		x[0] = 0x10
		for i := range 3 {
			x[4+i], x[7+i] = byte((f.wide-1)>>(8*i)), byte((f.high-1)>>(8*i))
		}
		add("VP8X", x)
		add("ALPH", f.alph)
	}
	add(f.kind, f.bits)
	head := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(b)+4))
	return append(append(head, "WEBP"...), b...)
}

// decodeWebP decodes a still image or the first picture of a moving one, on a transparent black canvas. The picture comes from
// golang.org/x/image; lossy ones are turned from YCbCr to RGB here, as libwebp does it.
func decodeWebP(data []byte) (*Image, error) {
	f, err := readWebP(data)
	if err != nil {
		return nil, err
	}
	src, err := webp.Decode(bytes.NewReader(f.still()))
	if err != nil {
		return nil, fmt.Errorf("chunk %q: %w", f.kind, ended(err))
	}
	pic := NewImage(f.wide, f.high, 4)
	switch s := src.(type) {
	case *image.NRGBA:
		for y := range f.high {
			copy(pic.Pix[4*y*f.wide:4*(y+1)*f.wide], s.Pix[y*s.Stride:])
		}
	case *image.YCbCr:
		webpRGB(s, pic)
	case *image.NYCbCrA:
		webpRGB(&s.YCbCr, pic)
		for y := range f.high {
			for x, a := range s.A[y*s.AStride:][:f.wide] {
				pic.Pix[4*(y*f.wide+x)+3] = a
			}
		}
	default:
		return nil, fmt.Errorf("chunk %q: a picture of type %T", f.kind, src)
	}
	im := pic
	if f.wide < f.width || f.high < f.height {
		im = NewImage(f.width, f.height, 4)
		for y := range f.high {
			copy(im.Pix[4*((f.top+y)*f.width+f.left):][:4*f.wide], pic.Pix[4*y*f.wide:])
		}
	}
	if !f.alpha {
		im = im.RGB()
	}
	im.Orientation = orientation(f.exif)
	return im, nil
}

// webpRGB fills out [H, W, 4], opaque, from planes whose colour has half the width and height: each pixel takes 9/16 of the nearest colour sample,
// 3/16 of the next in each direction and 1/16 of the one across (libwebp's fancy upsampling), in its two steps of rounding.
func webpRGB(in *image.YCbCr, out *Image) {
	w, h := out.Width, out.Height
	half, rows := (w+1)/2, (h+1)/2
	chroma := func(y int) (cb, cr []uint8) {
		at := min(rows-1, max(0, y)) * in.CStride
		return in.Cb[at:][:half], in.Cr[at:][:half]
	}
	line := make([]uint8, 2*w)
	u, v := line[:w], line[w:]
	for y := range h {
		near, far := y>>1, y>>1+y&1*2-1
		nu, nv := chroma(near)
		fu, fv := chroma(far)
		webpLine(u, nu, fu)
		webpLine(v, nv, fv)
		webpRow(out.Pix[4*y*w:][:4*w], in.Y[y*in.YStride:][:w], u, v)
	}
}

// webpLine makes a row of colour samples of the image's width from the near and the far row of half of it.
func webpLine(out, near, far []uint8) {
	w := len(out)
	first := func(a, b uint8) uint8 { return uint8((3*int(a) + int(b) + 2) >> 2) }
	out[0] = first(near[0], far[0])
	for i := 1; i < (w+1)/2; i++ {
		a, b, c, d := int(near[i-1]), int(near[i]), int(far[i-1]), int(far[i])
		sum := a + b + c + d + 8
		ad, bc := (sum+2*(a+d))>>3, (sum+2*(b+c))>>3
		out[2*i-1], out[2*i] = uint8((bc+a)>>1), uint8((ad+b)>>1)
	}
	if w%2 == 0 {
		out[w-1] = first(near[w/2-1], far[w/2-1])
	}
}

// webpRow is libwebp's BT.601 conversion with 14 bits, of which 8 go before the sum.
func webpRow(out, luma, u, v []uint8) {
	for x, l := range luma {
		y, cb, cr := int32(l)*19077>>8, int32(u[x]), int32(v[x])
		p := out[4*x : 4*x+4 : 4*x+4]
		p[0] = webpByte(y + cr*26149>>8 - 14234)
		p[1] = webpByte(y - cb*6419>>8 - cr*13320>>8 + 8708)
		p[2] = webpByte(y + cb*33050>>8 - 17685)
		p[3] = 255
	}
}

func webpByte(v int32) uint8 { return uint8(min(255, max(0, v>>6))) }
