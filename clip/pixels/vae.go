package pixels

import (
	"fmt"
	"math"
)

// VAE resizes an image (Lanczos) to width × height and maps bytes to -1..1: [height, width, 3], the input of Stable Diffusion's
// autoencoder. Width and height 0 mean the image's own size rounded down to multiples of 8, the autoencoder's scale.
func VAE(im *Image, width, height int) (*Floats, error) {
	if width == 0 && height == 0 {
		width, height = im.Width, im.Height
	}
	width, height = width-width%8, height-height%8
	if width < 8 || height < 8 {
		return nil, fmt.Errorf("vae preprocessing: %d×%d pixels of an image of %d×%d: want at least 8×8", width, height, im.Width, im.Height)
	}
	r, err := im.RGB().Resize(width, height, Lanczos)
	if err != nil {
		return nil, fmt.Errorf("vae preprocessing: %w", err)
	}
	out := &Floats{Width: width, Height: height, Pix: make([]float32, len(r.Pix))}
	for i, p := range r.Pix {
		out.Pix[i] = 2*(float32(p)/255) - 1
	}
	return out, nil
}

// Image maps -1..1 back to bytes, clamped, rounded to nearest even; NaN becomes 0.
func (f *Floats) Image() *Image {
	out := NewImage(f.Width, f.Height, 3)
	for i, v := range f.Pix {
		if v = min(1, max(0, v/2+0.5)); v == v {
			out.Pix[i] = uint8(math.RoundToEven(float64(v * 255)))
		}
	}
	return out
}
