package detr

import "math"

// sinePositions are DETR's position embeddings of the cells of a feature map (Carion et al. 2020, appendix A.4; Vaswani et al. 2017,
// section 3.5), [B, h·w, width]: for every cell the sines and cosines of its row in the first half, of its column in the second. Rows and
// columns are counted over the cells whose mask is not 0 and scaled to 0..2π. mask is [b, h, w]; nil stands for one image without padding.
func sinePositions(mask []int32, b, h, w, width int) []float32 {
	if mask == nil {
		b, mask = 1, make([]int32, h*w)
		for i := range mask {
			mask[i] = 1
		}
	}
	half := width / 2
	freq := make([]float64, half/2)
	for i := range freq {
		freq[i] = math.Pow(10000, -2*float64(i)/float64(half))
	}
	out := make([]float32, b*h*w*width)
	ys, xs := make([]float64, h*w), make([]float64, h*w)
	for n := range b {
		m := mask[n*h*w : (n+1)*h*w]
		count(ys, m, w, h, 1, w) // along columns
		count(xs, m, h, w, w, 1) // along rows
		for i := range m {
			cell := out[(n*h*w+i)*width:][:width]
			waves(cell[:half], ys[i], freq)
			waves(cell[half:], xs[i], freq)
		}
	}
	return out
}

// positionTable is sinePositions of a map of h×w cells without padding.
type positionTable struct {
	h, w int
	rows []float32
}

// positions is sinePositions of the model's width; images mostly have one size, and without padding the last table serves again.
func (m *Model) positions(mask []int32, b, h, w int) []float32 {
	if mask != nil {
		return sinePositions(mask, b, h, w, m.Config.Width)
	}
	p := m.whole.Load()
	if p == nil || p.h != h || p.w != w {
		p = &positionTable{h, w, sinePositions(nil, 1, h, w, m.Config.Width)}
		m.whole.Store(p)
	}
	return p.rows
}

// count numbers the cells of `lines` lines of n cells from 1, leaving out those masked, and scales each line's last number to 2π. Lines begin
// `next` apart, cells lie `step` apart.
func count(out []float64, mask []int32, lines, n, next, step int) {
	for l := range lines {
		k := 0
		for i := range n {
			if mask[l*next+i*step] != 0 {
				k++
			}
			out[l*next+i*step] = float64(k)
		}
		scale := 2 * math.Pi / (float64(k) + 1e-6)
		for i := range n {
			out[l*next+i*step] *= scale
		}
	}
}

// waves fills out with sine and cosine, in turn, of x at each frequency.
func waves(out []float32, x float64, freq []float64) {
	for i, f := range freq {
		sin, cos := math.Sincos(x * f)
		out[2*i], out[2*i+1] = float32(sin), float32(cos)
	}
}

// shrinkMask takes the nearest cells of mask [b, h, w] as PyTorch's interpolate does, to [b, oh, ow].
func shrinkMask(mask []int32, b, h, w, oh, ow int) []int32 {
	out := make([]int32, 0, b*oh*ow)
	sy, sx := float32(h)/float32(oh), float32(w)/float32(ow)
	for n := range b {
		for y := range oh {
			iy := min(int(float32(y)*sy), h-1)
			for x := range ow {
				out = append(out, mask[(n*h+iy)*w+min(int(float32(x)*sx), w-1)])
			}
		}
	}
	return out
}
