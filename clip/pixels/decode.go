package pixels

import (
	"errors"
	"fmt"
	"io"
	"os"

	"syntic/clip/pixels/jpeg"
)

// MaxPixels is the largest image Decode accepts: Pillow's limit, above which it suspects a decompression bomb.
const MaxPixels = 178_956_970

// maxBytes is the largest file Decode reads: more than any format needs for MaxPixels.
const maxBytes = 1 << 31

// Image holds bytes [Height, Width, Channels]; Channels is 3 (RGB) or 4 (RGBA, alpha not multiplied in).
type Image struct {
	Width, Height, Channels int
	Pix                     []uint8

	Indexed     bool // the file has a palette or one bit a pixel: Pillow resizes such an image, unless converted first, to the nearest pixel
	Orientation int  // EXIF's, 1 to 8, as the file states it; 0 if it states none. See Upright
}

// NewImage makes a black image.
func NewImage(width, height, channels int) *Image {
	return &Image{Width: width, Height: height, Channels: channels, Pix: make([]uint8, width*height*channels)}
}

// Floats holds numbers [Height, Width, 3].
type Floats struct {
	Width, Height int
	Pix           []float32
}

// wanted ends the messages about files that are no images.
const wanted = "want a JPEG or PNG image, or WebP, GIF, BMP"

// Open reads an image file, see [Decode]. The error names the file.
func Open(path string) (*Image, error) {
	fd, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	defer fd.Close()
	if info, err := fd.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("image %s: is a folder: %s", path, wanted)
	}
	im, err := Decode(fd)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", path, err)
	}
	return im, nil
}

// Decode reads a JPEG, PNG, WebP, GIF (first picture) or BMP image to its end. The bytes are those of Pillow 13: what is not RGB becomes it by the
// rules of its convert("RGB"); an image with transparency keeps it as a fourth channel, which [Image.RGB] drops as convert("RGB") does.
// The pixels lie as the file has them, whatever its EXIF orientation says, as in Pillow's Image.open; [Image.Upright] turns them.
// It looks at the size first and allocates nothing for an image of more than MaxPixels. The error of a broken image says where it breaks.
func Decode(r io.Reader) (*Image, error) {
	head := make([]byte, 16)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	f := formatOf(head[:n])
	if f == nil {
		return nil, fmt.Errorf("unknown format: %s", wanted)
	}
	data, err := readAll(r, head[:n])
	if err != nil {
		return nil, err
	}
	w, h, err := f.size(data)
	if err != nil {
		return nil, fmt.Errorf("%s: broken or cut off: %w", f.name, err)
	}
	if w <= 0 || h <= 0 || int64(w) > MaxPixels/int64(h) {
		return nil, fmt.Errorf("%s of %d×%d pixels: want 1 to %d", f.name, w, h, MaxPixels)
	}
	im, err := f.decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s of %d×%d pixels: broken or cut off: %w", f.name, w, h, err)
	}
	return im, nil
}

// readAll is head and the rest of r.
func readAll(r io.Reader, head []byte) ([]byte, error) {
	size := 0
	if s, ok := r.(interface{ Stat() (os.FileInfo, error) }); ok {
		if info, err := s.Stat(); err == nil && info.Mode().IsRegular() {
			if info.Size() > maxBytes {
				return nil, fmt.Errorf("a file of %d bytes: want at most %d", info.Size(), maxBytes)
			}
			size = int(info.Size())
		}
	}
	data := append(make([]byte, 0, max(size, len(head))+512), head...)
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) > maxBytes {
			return nil, fmt.Errorf("more than %d bytes", maxBytes)
		}
	}
}

// format is a kind of file: how it begins, its size without decoding it, the whole of it.
type format struct {
	name   string
	begins string // a ? is any byte
	size   func(data []byte) (width, height int, err error)
	decode func(data []byte) (*Image, error)
}

var formats = []format{
	{"jpeg", "\xff\xd8\xff", jpeg.Size, decodeJPEG},
	{"png", pngSignature, pngSize, decodePNG},
	{"webp", "RIFF????WEBP", webpSize, decodeWebP},
	{"gif", "GIF8?a", gifSize, decodeGIF},
	{"bmp", "BM", bmpSize, decodeBMP},
}

func formatOf(head []byte) *format {
	for i, f := range formats {
		ok := len(head) >= len(f.begins)
		for k := 0; ok && k < len(f.begins); k++ {
			ok = f.begins[k] == '?' || f.begins[k] == head[k]
		}
		if ok {
			return &formats[i]
		}
	}
	return nil
}

// decodeJPEG takes CMYK as Pillow does: stored inverted, whatever the markers say.
func decodeJPEG(data []byte) (*Image, error) {
	j, err := jpeg.Decode(data, MaxPixels)
	if err != nil {
		return nil, err
	}
	im := &Image{Width: j.Width, Height: j.Height, Channels: 3, Pix: j.Pix, Orientation: orientation(j.Exif)}
	switch j.Channels {
	case 1:
		im.Pix = make([]uint8, 3*len(j.Pix))
		for i, v := range j.Pix {
			p := im.Pix[3*i : 3*i+3 : 3*i+3]
			p[0], p[1], p[2] = v, v, v
		}
	case 4:
		im.Pix = make([]uint8, len(j.Pix)/4*3)
		for i := range len(j.Pix) / 4 {
			ink, p := j.Pix[4*i:4*i+4:4*i+4], im.Pix[3*i:3*i+3:3*i+3]
			n := ink[3]
			p[0], p[1], p[2] = n-mulDiv255(255-ink[0], n), n-mulDiv255(255-ink[1], n), n-mulDiv255(255-ink[2], n)
		}
	}
	return im, nil
}

// mulDiv255 is a·b/255, rounded, as Pillow computes it.
func mulDiv255(a, b uint8) uint8 {
	t := int(a)*int(b) + 128
	return uint8((t>>8 + t) >> 8)
}

// RGB drops the alpha channel, as Pillow's convert("RGB") does; an image without one is returned as it is.
func (im *Image) RGB() *Image {
	if im.Channels == 3 {
		return im
	}
	out := NewImage(im.Width, im.Height, 3)
	for i := range im.Width * im.Height {
		copy(out.Pix[3*i:3*i+3], im.Pix[4*i:])
	}
	return out
}

// OverWhite lays the image on a white background, by the integer rule of Pillow's alpha_composite; an image without alpha is
// returned as it is.
func (im *Image) OverWhite() *Image {
	if im.Channels == 3 {
		return im
	}
	out := NewImage(im.Width, im.Height, 3)
	for i := range im.Width * im.Height {
		p := im.Pix[4*i : 4*i+4]
		front := uint32(p[3]) << 7 // weights with 7 more bits
		for c := range 3 {
			t := uint32(p[c])*front + 255*(255<<7-front) + 0x80<<7
			out.Pix[3*i+c] = uint8((t>>8 + t) >> 8 >> 7)
		}
	}
	return out
}
