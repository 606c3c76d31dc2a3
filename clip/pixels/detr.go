package pixels

import (
	"fmt"
	"math"
)

// DETR says how images become the input of DETR (Carion et al. 2020).
type DETR struct {
	Short, Long int        // the short edge is resized to Short unless the long one would exceed Long
	Mean, Std   [3]float32 // per channel, of values in 0..1
}

// DefaultDETR is the processor of facebook/detr-resnet-50: 800/1333, ImageNet's mean and deviation.
func DefaultDETR() DETR {
	return DETR{Short: 800, Long: 1333, Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}
}

// Batch holds images [N, Height, Width, 3], each in the upper left corner, the rest 0. Mask [N, Height, Width] is 1 on images.
type Batch struct {
	N, Width, Height int
	Pix              []float32
	Mask             []uint8
	Sizes            [][2]int // width and height of each image inside the batch
}

// Size is what the rule makes of an image's size, keeping its proportions.
func (p DETR) Size(width, height int) (w, h int) {
	short, exact := p.Short, float64(p.Short)
	lo, hi := float64(min(width, height)), float64(max(width, height))
	if hi/lo*float64(p.Short) > float64(p.Long) {
		exact = float64(p.Long) * lo / hi
		short = int(math.RoundToEven(exact))
	}
	switch {
	case height <= width && height == short || width <= height && width == short:
		return width, height
	case width < height:
		return short, int(exact * float64(height) / float64(width))
	}
	return int(exact * float64(width) / float64(height)), short
}

// Apply resizes (bilinear), normalizes and pads the images to the largest width and height among them.
func (p DETR) Apply(ims ...*Image) (*Batch, error) {
	b := &Batch{N: len(ims)}
	var fs []*Floats
	for i, im := range ims {
		w, h := p.Size(im.Width, im.Height)
		r, err := im.RGB().Resize(w, h, Bilinear)
		if err != nil {
			return nil, fmt.Errorf("detr preprocessing: image %d: %w", i, err)
		}
		fs = append(fs, r.normalize(p.Mean, p.Std))
		b.Sizes = append(b.Sizes, [2]int{w, h})
		b.Width, b.Height = max(b.Width, w), max(b.Height, h)
	}
	b.Pix, b.Mask = make([]float32, b.N*b.Height*b.Width*3), make([]uint8, b.N*b.Height*b.Width)
	for i, f := range fs {
		for y := range f.Height {
			at := (i*b.Height + y) * b.Width
			copy(b.Pix[3*at:], f.Pix[3*y*f.Width:3*(y+1)*f.Width])
			for x := range f.Width {
				b.Mask[at+x] = 1
			}
		}
	}
	return b, nil
}
