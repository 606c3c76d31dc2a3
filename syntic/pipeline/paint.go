package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"math"

	"syntic/clip/bpe"
	"syntic/clip/pixels"
	"syntic/diffusion"
	"syntic/tensor"
)

// PaintOptions say how images are made of texts.
type PaintOptions struct {
	Steps         int
	Guidance      float64
	Negative      string
	Width, Height int // of the image; 0: the model's

	Torch  bool   // noise as diffusers draws it: PyTorch's CPU generator, one an image, seeded by keys[i].Seed
	OnCall func() // called after each call of the model, which all images of a Paint share
}

// Paint makes one image for each text; image i depends on its text, keys[i] and the options alone.
func (p *Painter) Paint(ctx context.Context, texts []string, keys []tensor.Key, o PaintOptions) (images []*pixels.Image, err error) {
	defer tensor.Catch(&err)
	s := tensor.NewScope(p.dev)
	defer s.Close()
	var ids []int32
	for _, t := range append([]string{o.Negative}, texts...) {
		row, _, err := p.tok.EncodePadded(t, p.text.Config.MaxPositions, bpe.PadEnd)
		if err != nil {
			return nil, err
		}
		ids = append(ids, row...)
	}
	hidden := p.text.Hidden(s, s.FromInt32s(ids, len(texts)+1, p.text.Config.MaxPositions), nil)
	so := diffusion.SampleOptions{Steps: o.Steps, Guidance: float32(o.Guidance), Keys: keys}
	if o.Torch {
		so.Keys = nil
		for _, k := range keys {
			so.Torch = append(so.Torch, diffusion.NewTorchRand(k.Seed))
		}
	}
	if o.OnCall != nil {
		so.OnStep = func(diffusion.Step) error { o.OnCall(); return nil }
	}
	if f := p.VAE.Factor(); o.Width != 0 || o.Height != 0 {
		if o.Width%f != 0 || o.Height%f != 0 || o.Width <= 0 || o.Height <= 0 {
			return nil, fmt.Errorf("image size %dx%d: want multiples of %d", o.Width, o.Height, f)
		}
		so.Width, so.Height = o.Width/f, o.Height/f
	}
	x, err := p.Images(ctx, s, s.Slice(hidden, 0, 1, len(texts)+1), s.Slice(hidden, 0, 0, 1), so)
	if err != nil {
		return nil, err
	}
	h, w := x.Dim(1), x.Dim(2)
	values := x.Float32s()
	for i := range texts {
		im := &pixels.Image{Width: w, Height: h, Channels: 3, Pix: make([]uint8, h*w*3)}
		for k, v := range values[i*len(im.Pix) : (i+1)*len(im.Pix)] {
			if o.Torch { // halves to even, as numpy
				im.Pix[k] = uint8(math.RoundToEven(float64(v * 255)))
			} else {
				im.Pix[k] = uint8(v*255 + 0.5)
			}
		}
		images = append(images, im)
	}
	return images, nil
}

// EncodePNG makes a PNG of an RGB image.
func EncodePNG(im *pixels.Image) ([]byte, error) {
	out := image.NewNRGBA(image.Rect(0, 0, im.Width, im.Height))
	for i := 0; i < im.Width*im.Height; i++ {
		copy(out.Pix[4*i:], im.Pix[3*i:3*i+3])
		out.Pix[4*i+3] = 255
	}
	var b bytes.Buffer
	err := png.Encode(&b, out)
	return b.Bytes(), err
}
