package jpeg

import (
	"errors"
	"fmt"
)

// Image holds samples [Height, Width, Channels], row-major. Channels is 1 (grey), 3 (RGB) or 4 (CMYK as the file stores it: most programs,
// Adobe's first, store it inverted, 255 for no ink).
type Image struct {
	Width, Height, Channels int
	Pix                     []uint8
	Exif                    []byte // the TIFF structure of the first Exif segment, nil without one; part of the data given
}

// limits against files made to waste time or memory
const (
	maxSide  = 65500 // libjpeg's JPEG_MAX_DIMENSION
	maxScans = 500   // as libjpeg-turbo's own fuzzing harness; an honest progressive file has about ten
)

// errEnd is what the end of the data before the end of the image means.
var errEnd = errors.New("the file is truncated: it ends before its image does")

type decoder struct {
	bits

	width, height int
	max           int // pixels allowed
	progressive   bool
	frame         bool // seen
	jfif          bool
	adobe         int // transform of the Adobe marker, -1 without one
	exif          []byte

	quant      [4]*[64]uint16 // natural order
	dc, ac     [4]*huffman
	interval   int // MCUs between restarts, 0 for none
	comps      []component
	hMax, vMax int
	mcusX      int // MCUs of an interleaved scan
	mcusY      int
	single     bool // one scan holds everything: blocks go straight to samples
	scans      int
	whole      bool // the single scan was read
}

type component struct {
	id, table byte
	h, v      int                 // sampling factors
	quant     *[64]uint16         // as it was at the component's first scan
	width     int                 // samples of the image
	height    int                 //
	blocksX   int                 // blocks of the image
	blocksY   int                 //
	padX      int                 // blocks stored in a row, whole MCUs
	padY      int                 //
	coefs     []int16             // [padY, padX, 64], natural order; files of several scans only
	plane     []uint8             // [padY·8, padX·8]
	pred      int                 // DC of the block before
	dcT, acT  *huffman            // of this scan
	up        func(y int) []uint8 // row y of the whole image's size
}

// Decode decodes a JPEG file. It allocates nothing for an image of more than maxPixels. The error says at which byte something was wrong.
func Decode(data []byte, maxPixels int) (*Image, error) {
	d := &decoder{bits: bits{data: data}, max: maxPixels, adobe: -1}
	if err := d.read(); err != nil {
		return nil, fmt.Errorf("byte %d: %w", min(d.pos, len(data)), err)
	}
	return d.image(), nil
}

// read takes segments until the image is whole.
func (d *decoder) read() error {
	if len(d.data) < 2 || d.data[0] != 0xff || d.data[1] != soi {
		return errors.New("want a JPEG file, which begins with ff d8")
	}
	d.pos = 2
	for {
		marker, err := d.nextMarker()
		switch {
		case err != nil && d.single: // the image is whole
			return nil
		case err != nil:
			return err
		case marker == eoi && d.scans == 0:
			return errors.New("the end marker comes before any scan")
		case marker == eoi:
			return d.finish()
		case marker == sos && d.single:
			return errors.New("a scan after the one that held everything")
		case marker == sos:
			err = d.scan()
		default:
			err = d.segment(marker)
		}
		if err != nil && !(d.single && d.whole && errors.Is(err, errEnd)) {
			return err
		}
	}
}

// finish turns the coefficients of several scans into samples.
func (d *decoder) finish() error {
	if d.single {
		return nil
	}
	var block [64]int16
	for i := range d.comps {
		c := &d.comps[i]
		c.plane = make([]uint8, c.padX*c.padY*64)
		stride := c.padX * 8
		for by := range c.blocksY {
			for bx := range c.blocksX {
				out := c.plane[by*8*stride+bx*8:]
				coefs := (*[64]int16)(c.coefs[(by*c.padX+bx)*64:])
				if c.quant == nil { // no scan held it
					flat(0, out, stride)
					continue
				}
				span := 0
				for k, v := range coefs {
					block[k] = int16(int(v) * int(c.quant[k]))
					if v != 0 {
						span |= k
					}
				}
				idct(&block, span, out, stride)
			}
		}
		c.coefs = nil
	}
	return nil
}

// Size reads the image's width and height and allocates nothing for it. The error says at which byte something was wrong.
func Size(data []byte) (width, height int, err error) {
	d := &decoder{bits: bits{data: data}, max: maxSide * maxSide, adobe: -1}
	for d.pos = min(2, len(data)); err == nil && !d.frame; {
		var marker byte
		if marker, err = d.nextMarker(); err == nil {
			err = d.segment(marker)
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("byte %d: %w", min(d.pos, len(data)), err)
	}
	return d.width, d.height, nil
}
