package pixels

import (
	"fmt"
	"math"
	"slices"
)

// Filter is a resampling filter with Pillow's number for it.
type Filter int

// The filters, numbered as in Pillow and in preprocessor_config.json ("resample").
const (
	Nearest Filter = iota
	Lanczos
	Bilinear
	Bicubic
	Box
	Hamming
)

// kernel is a filter's support, in pixels of the smaller scale, and its weight at a distance.
type kernel struct {
	support float64
	weight  func(x float64) float64
}

var kernels = map[Filter]kernel{
	Box: {0.5, func(x float64) float64 {
		if x > -0.5 && x <= 0.5 {
			return 1
		}
		return 0
	}},
	Bilinear: {1, func(x float64) float64 { return max(0, 1-math.Abs(x)) }},
	Hamming: {1, func(x float64) float64 {
		if x = math.Abs(x); x >= 1 {
			return 0
		}
		const a, b = 0.54000002145767211914, 0.46000000834465026855 // 0.54 and 0.46 in single precision, as Pillow has them
		return sinc(x) * (a + b*math.Cos(math.Pi*x))
	}},
	Bicubic: {2, func(x float64) float64 { // Keys 1981 with a = -1/2
		const a = -0.5
		switch x = math.Abs(x); {
		case x < 1:
			return ((a+2)*x-(a+3))*x*x + 1
		case x < 2:
			return (((x-5)*x+8)*x - 4) * a
		}
		return 0
	}},
	Lanczos: {3, func(x float64) float64 {
		if x >= -3 && x < 3 {
			return sinc(x) * sinc(x/3)
		}
		return 0
	}},
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// precision is the number of fraction bits of the weights: 8 bits are the pixel, 2 are headroom for sign and overshoot.
const precision = 32 - 8 - 2

// taps are the input pixels that make one output pixel: first, first+1, ... with fixed-point weights.
type taps struct {
	first   int
	weights []int32
}

// makeTaps computes the weights of every output pixel along one axis. When shrinking, the filter widens by the scale (antialiasing).
func makeTaps(in, out int, k kernel) []taps {
	scale := float64(in) / float64(out)
	wide := max(scale, 1)
	support := k.support * wide
	all := make([]taps, out)
	w := make([]float64, 0, 2*int(math.Ceil(support))+1)
	for i := range all {
		center := (float64(i) + 0.5) * scale
		lo := max(0, int(center-support+0.5))
		hi := min(in, int(center+support+0.5))
		sum := 0.0
		w = w[:0]
		for x := lo; x < hi; x++ {
			v := k.weight((float64(x) - center + 0.5) * (1 / wide))
			w = append(w, v)
			sum += v
		}
		t := taps{first: lo, weights: make([]int32, len(w))}
		for j, v := range w {
			if sum != 0 {
				v /= sum
			}
			t.weights[j] = int32(math.Copysign(0.5, v) + v*(1<<precision)) // rounds half away from zero
		}
		all[i] = t
	}
	return all
}

// Resize gives the image Pillow's Image.resize gives, bit for bit: one axis after the other (see rowsFirst), each rounded to bytes. With alpha the
// colours are multiplied by it in between, as Pillow does. Same size means a copy. Sizes must be 1 or more and at most MaxPixels.
func (im *Image) Resize(width, height int, f Filter) (*Image, error) {
	if width < 1 || height < 1 || width > MaxPixels/height {
		return nil, fmt.Errorf("resize to %d×%d pixels: want 1 to %d", width, height, MaxPixels)
	}
	k, ok := kernels[f]
	if !ok && f != Nearest {
		return nil, fmt.Errorf("resize: unknown filter %d: want 0 to %d", f, Hamming)
	}
	if width == im.Width && height == im.Height {
		return &Image{Width: width, Height: height, Channels: im.Channels, Pix: slices.Clone(im.Pix)}, nil
	}
	if f == Nearest {
		return im.nearest(width, height), nil
	}
	src := im
	if im.Channels == 4 {
		src = im.premultiplied()
	}
	cols, rows := width != im.Width, height != im.Height
	if rows && rowsFirst(im.Width, im.Height, width, height) {
		src, rows = src.resizeRows(makeTaps(im.Height, height, k)), false
	}
	if cols {
		src = src.resizeColumns(makeTaps(im.Width, width, k))
	}
	if rows {
		src = src.resizeRows(makeTaps(im.Height, height, k))
	}
	if im.Channels == 4 {
		return src.straightened(), nil
	}
	return src, nil
}

// rowsFirst tells which axis Pillow 13 resizes first; rounding in between makes it matter. The rule was found by observation: it
// holds for all of 1,700 random pairs of sizes, over all filters. Earlier versions always begin with the columns.
func rowsFirst(w, h, toW, toH int) bool { return toH < h && h-toH > 2*(w-toW) }

func (im *Image) nearest(width, height int) *Image {
	out := NewImage(width, height, im.Channels)
	c := im.Channels
	dx, dy := float64(im.Width)/float64(width), float64(im.Height)/float64(height)
	for y, fy := 0, dy/2; y < height; y, fy = y+1, fy+dy { // positions are summed up, as Pillow does: their rounding shows
		sy := min(im.Height-1, int(fy))
		for x, fx := 0, dx/2; x < width; x, fx = x+1, fx+dx {
			sx := min(im.Width-1, int(fx))
			copy(out.Pix[(y*width+x)*c:][:c], im.Pix[(sy*im.Width+sx)*c:])
		}
	}
	return out
}

func clip8(v int32) uint8 { return uint8(min(255, max(0, v>>precision))) }

func (im *Image) resizeColumns(cols []taps) *Image {
	out := NewImage(len(cols), im.Height, im.Channels)
	c := im.Channels
	for y := range im.Height {
		row := im.Pix[y*im.Width*c : (y+1)*im.Width*c]
		dst := out.Pix[y*len(cols)*c : (y+1)*len(cols)*c]
		for x, t := range cols {
			if c == 3 {
				s0, s1, s2 := int32(1<<(precision-1)), int32(1<<(precision-1)), int32(1<<(precision-1))
				p := row[t.first*3:]
				for _, w := range t.weights {
					q := p[:3:3]
					s0, s1, s2 = s0+int32(q[0])*w, s1+int32(q[1])*w, s2+int32(q[2])*w
					p = p[3:]
				}
				q := dst[3*x : 3*x+3 : 3*x+3]
				q[0], q[1], q[2] = clip8(s0), clip8(s1), clip8(s2)
				continue
			}
			var s [4]int32
			for k := range c {
				s[k] = 1 << (precision - 1)
			}
			p := row[t.first*c:]
			for _, w := range t.weights {
				for k := range c {
					s[k] += int32(p[k]) * w
				}
				p = p[c:]
			}
			for k := range c {
				dst[x*c+k] = clip8(s[k])
			}
		}
	}
	return out
}

func (im *Image) resizeRows(rows []taps) *Image {
	n := im.Width * im.Channels
	out := NewImage(im.Width, len(rows), im.Channels)
	sum := make([]int32, n)
	for y, t := range rows {
		for i := range sum {
			sum[i] = 1 << (precision - 1)
		}
		for j, w := range t.weights {
			row := im.Pix[(t.first+j)*n:][:n]
			for i, p := range row {
				sum[i] += int32(p) * w
			}
		}
		dst := out.Pix[y*n:][:n]
		for i, s := range sum {
			dst[i] = clip8(s)
		}
	}
	return out
}

func (im *Image) premultiplied() *Image {
	out := NewImage(im.Width, im.Height, 4)
	for i := 0; i < len(im.Pix); i += 4 {
		p, q := im.Pix[i:i+4], out.Pix[i:i+4]
		q[0], q[1], q[2], q[3] = mulDiv255(p[0], p[3]), mulDiv255(p[1], p[3]), mulDiv255(p[2], p[3]), p[3]
	}
	return out
}

// straightened divides the alpha out again, in place of nothing: the receiver is not used afterwards.
func (im *Image) straightened() *Image {
	for i := 0; i < len(im.Pix); i += 4 {
		p := im.Pix[i : i+4]
		if a := int(p[3]); a != 0 && a != 255 {
			for k := range 3 {
				p[k] = uint8(min(255, 255*int(p[k])/a))
			}
		}
	}
	return im
}

// crop cuts a window that must lie inside the image.
func (im *Image) crop(left, top, width, height int) *Image {
	out := NewImage(width, height, im.Channels)
	n := width * im.Channels
	for y := range height {
		copy(out.Pix[y*n:(y+1)*n], im.Pix[((top+y)*im.Width+left)*im.Channels:])
	}
	return out
}

// normalize gives (p/255 - mean)/std per channel.
func (im *Image) normalize(mean, std [3]float32) *Floats {
	var table [3][256]float32
	for c := range table {
		for p := range 256 {
			table[c][p] = (float32(p)/255 - mean[c]) / std[c]
		}
	}
	out := &Floats{Width: im.Width, Height: im.Height, Pix: make([]float32, len(im.Pix))}
	for i := 0; i+2 < len(im.Pix); i += 3 {
		out.Pix[i], out.Pix[i+1], out.Pix[i+2] = table[0][im.Pix[i]], table[1][im.Pix[i+1]], table[2][im.Pix[i+2]]
	}
	return out
}
