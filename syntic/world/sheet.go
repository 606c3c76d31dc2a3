package world

import (
	"fmt"
	"image"
	"image/color"
)

// Picture draws one scene as an image, for people to look at; see Renderer for bulk work.
func Picture(sc *Scene) (*image.RGBA, error) {
	pix := make([]uint8, PixelBytes)
	if err := new(Renderer).Render(sc, pix); err != nil {
		return nil, err
	}
	return Sheet(pix, 1, 1)
}

// Sheet lays out pictures (each PixelBytes of RGB, one after the other) in rows of cols, every pixel scale×scale big, with a white gap
// of 2·scale pixels between them when there are several. It returns an error if pix holds no whole number of pictures.
func Sheet(pix []uint8, cols, scale int) (*image.RGBA, error) {
	n := len(pix) / PixelBytes
	if n == 0 || len(pix)%PixelBytes != 0 || cols < 1 || scale < 1 || scale > 64 {
		return nil, fmt.Errorf("sheet: %d bytes, %d columns, scale %d: want a multiple of %d bytes, columns above 0, scale 1..64", len(pix), cols, scale, PixelBytes)
	}
	cols = min(cols, n)
	rows, pitch, gap := (n+cols-1)/cols, (Side+2)*scale, 2*scale
	img := image.NewRGBA(image.Rect(0, 0, cols*pitch-gap, rows*pitch-gap))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for i := range n {
		p := pix[i*PixelBytes:][:PixelBytes]
		ox, oy := i%cols*pitch, i/cols*pitch
		for y := range Side * scale {
			for x := range Side * scale {
				at := (y/scale*Side + x/scale) * 3
				img.SetRGBA(ox+x, oy+y, color.RGBA{p[at], p[at+1], p[at+2], 255})
			}
		}
	}
	return img, nil
}
