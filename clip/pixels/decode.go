package pixels

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // the two formats Decode reads
	_ "image/png"
	"io"
	"os"
)

// MaxPixels is the largest image Decode accepts: Pillow's limit, above which it suspects a decompression bomb.
const MaxPixels = 178_956_970

// Image holds bytes [Height, Width, Channels]; Channels is 3 (RGB) or 4 (RGBA, alpha not multiplied in).
type Image struct {
	Width, Height, Channels int
	Pix                     []uint8
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

// Open reads a JPEG or PNG file. Transparent images keep their alpha; RGB drops it. EXIF orientation is ignored.
// The error names the file and, for one with too many pixels, its size.
func Open(path string) (*Image, error) {
	fd, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	defer fd.Close()
	if info, err := fd.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("image %s: is a folder: want a JPEG or PNG file", path)
	}
	im, err := Decode(fd)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", path, err)
	}
	return im, nil
}

// Decode reads a JPEG or PNG image from the start of r, see Open. It looks at the size first and allocates nothing for an image of
// more than MaxPixels.
func Decode(r io.ReadSeeker) (*Image, error) {
	cfg, format, err := image.DecodeConfig(bufio.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("%w: want a JPEG or PNG image", err)
	}
	if cfg.Width <= 0 || cfg.Height <= 0 || int64(cfg.Width) > MaxPixels/int64(cfg.Height) {
		return nil, fmt.Errorf("%s of %d×%d pixels: want 1 to %d", format, cfg.Width, cfg.Height, MaxPixels)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	src, _, err := image.Decode(bufio.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("%s of %d×%d pixels: broken or cut off: %w", format, cfg.Width, cfg.Height, err)
	}
	return FromImage(src), nil
}

// FromImage copies a decoded image. 16-bit channels keep their upper byte; grey is repeated; palettes are looked up; CMYK becomes
// RGB by Pillow's integer rule. Images with an alpha channel give 4 channels.
func FromImage(src image.Image) *Image {
	b := src.Bounds()
	out := NewImage(b.Dx(), b.Dy(), channelsOf(src))
	at := pixelReader(src)
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			p := at(x, y)
			i += copy(out.Pix[i:], p[:out.Channels])
		}
	}
	return out
}

func channelsOf(src image.Image) int {
	switch s := src.(type) {
	case *image.NRGBA, *image.NRGBA64:
		return 4
	case *image.RGBA:
		if !s.Opaque() {
			return 4
		}
	case *image.RGBA64:
		if !s.Opaque() {
			return 4
		}
	}
	return 3
}

// pixelReader gives a function that reads one pixel as RGBA without alpha multiplied in.
func pixelReader(src image.Image) func(x, y int) [4]uint8 {
	switch s := src.(type) {
	case *image.NRGBA:
		return func(x, y int) [4]uint8 { return [4]uint8(s.Pix[s.PixOffset(x, y):]) }
	case *image.Gray:
		return func(x, y int) [4]uint8 { v := s.Pix[s.PixOffset(x, y)]; return [4]uint8{v, v, v, 255} }
	case *image.YCbCr:
		return func(x, y int) [4]uint8 {
			c := s.COffset(x, y)
			r, g, b := color.YCbCrToRGB(s.Y[s.YOffset(x, y)], s.Cb[c], s.Cr[c])
			return [4]uint8{r, g, b, 255}
		}
	case *image.CMYK:
		return func(x, y int) [4]uint8 {
			p := s.Pix[s.PixOffset(x, y):]
			n := 255 - p[3]
			return [4]uint8{n - mulDiv255(p[0], n), n - mulDiv255(p[1], n), n - mulDiv255(p[2], n), 255}
		}
	case *image.Paletted:
		table := make([][4]uint8, len(s.Palette))
		for i, c := range s.Palette {
			table[i] = straight(c)
		}
		return func(x, y int) [4]uint8 {
			if i := int(s.ColorIndexAt(x, y)); i < len(table) {
				return table[i]
			}
			return [4]uint8{0, 0, 0, 255}
		}
	}
	return func(x, y int) [4]uint8 { return straight(src.At(x, y)) }
}

// straight is a colour with the upper bytes of its channels.
func straight(c color.Color) [4]uint8 {
	if n, ok := c.(color.NRGBA); ok { // the general way loses the colour of a pixel with alpha 0
		return [4]uint8{n.R, n.G, n.B, n.A}
	}
	if n, ok := c.(color.NRGBA64); ok {
		return [4]uint8{uint8(n.R >> 8), uint8(n.G >> 8), uint8(n.B >> 8), uint8(n.A >> 8)}
	}
	n := color.NRGBA64Model.Convert(c).(color.NRGBA64)
	return [4]uint8{uint8(n.R >> 8), uint8(n.G >> 8), uint8(n.B >> 8), uint8(n.A >> 8)}
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
