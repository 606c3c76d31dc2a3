package world

import "fmt"

// Degradation makes a picture as bad as a generator may: a detector trained on such pictures also works on synthetic ones.
// Steps follow in this order.
type Degradation struct {
	Blur  int     // passes of a 3×3 binomial filter, 0..8; each adds 1/2 to the variance in pixels²
	Scale int     // side to shrink to before growing back to Side, 8..Side; Side leaves the picture
	Gain  float64 // contrast about mid grey, 0.25..4; 1 leaves the picture
	Noise float64 // standard deviation of added noise in levels of 255, 0..64
}

// RandomDegradation draws what Degrade applies: nothing in a quarter of the cases, otherwise blur, scaling, contrast and noise
// of varying strength, so that every kind can still be told in most of them. A pure function of seed.
func RandomDegradation(seed uint64) Degradation {
	r := newRNG(useDegrade, seed)
	d := Degradation{Scale: Side, Gain: 1}
	if r.chance(.25) {
		return d
	}
	if r.chance(.6) {
		d.Blur = 1 + r.intn(4)
	}
	if r.chance(.6) {
		d.Scale = 22 + r.intn(Side-22)
	}
	if r.chance(.5) {
		d.Gain = r.between(.75, 1.25)
	}
	if r.chance(.6) {
		d.Noise = r.between(1, 14)
	}
	return d
}

// Degrader applies degradations; it holds scratch memory, one goroutine at a time. The zero value is ready.
type Degrader struct {
	a, b [PixelBytes]uint8
}

// Apply degrades pix (PixelBytes of RGB) in place; noise comes from seed. It allocates nothing. It returns an error, and leaves pix as it
// is, if d or the length is out of range.
func (g *Degrader) Apply(d Degradation, seed uint64, pix []uint8) error {
	if len(pix) != PixelBytes || d.Blur < 0 || d.Blur > 8 || d.Scale < 8 || d.Scale > Side || !(d.Gain >= .25 && d.Gain <= 4) || !(d.Noise >= 0 && d.Noise <= 64) {
		return fmt.Errorf("degrade: %d bytes, %+v: want %d bytes, Blur 0..8, Scale 8..%d, Gain 0.25..4, Noise 0..64", len(pix), d, PixelBytes, Side)
	}
	for range d.Blur {
		g.blur(pix)
	}
	if d.Scale != Side {
		small := g.a[:d.Scale*d.Scale*3]
		shrink(small, d.Scale, pix)
		grow(pix, small, d.Scale)
	}
	if d.Gain == 1 && d.Noise == 0 {
		return nil
	}
	r := newRNG(useNoise, useDegrade, seed)
	gain, noise := int32(d.Gain*4096), int32(d.Noise*16) // noise·table is in 1/256
	for i := range pix {
		v := (int32(pix[i])*256-128*256)*(gain>>4)>>8 + 128*256
		if noise != 0 {
			v += int32(noiseTable[r.next()&4095]) * noise
		}
		pix[i] = uint8(min(max((v+128)>>8, 0), 255))
	}
	return nil
}

// Degrade applies RandomDegradation(seed).
func (g *Degrader) Degrade(seed uint64, pix []uint8) error {
	return g.Apply(RandomDegradation(seed), seed, pix)
}

// blur filters with 1 2 1 along rows and columns; borders repeat.
func (g *Degrader) blur(pix []uint8) {
	pass := func(dst, src []uint8, step, along int) {
		for i := range dst {
			at := i / step % Side
			l, r := i-step, i+step
			if at == 0 {
				l = i
			}
			if at == Side-1 {
				r = i
			}
			dst[i] = uint8((int(src[l]) + 2*int(src[i]) + int(src[r]) + along) >> 2)
		}
	}
	pass(g.b[:], pix, 3, 1) // the two passes round in opposite directions
	pass(pix, g.b[:], 3*Side, 2)
}

// shrink averages the area of every pixel of the n×n picture dst: weights in 1/n of a source pixel.
func shrink(dst []uint8, n int, src []uint8) {
	for y := range n {
		for x := range n {
			var sum [3]int
			for sy := y * Side / n; sy*n < (y+1)*Side; sy++ {
				wy := min((sy+1)*n, (y+1)*Side) - max(sy*n, y*Side)
				for sx := x * Side / n; sx*n < (x+1)*Side; sx++ {
					w := wy * (min((sx+1)*n, (x+1)*Side) - max(sx*n, x*Side))
					p := src[(sy*Side+sx)*3:][:3]
					sum[0], sum[1], sum[2] = sum[0]+w*int(p[0]), sum[1]+w*int(p[1]), sum[2]+w*int(p[2])
				}
			}
			for c, s := range sum {
				dst[(y*n+x)*3+c] = uint8((s + Side*Side/2) / (Side * Side))
			}
		}
	}
}

// grow interpolates linearly between pixel centres.
func grow(dst []uint8, src []uint8, n int) {
	for y := range Side {
		y0, y1, fy := neighbours(y, n)
		for x := range Side {
			x0, x1, fx := neighbours(x, n)
			for c := range 3 {
				top := int(src[(y0*n+x0)*3+c])*(256-fx) + int(src[(y0*n+x1)*3+c])*fx
				low := int(src[(y1*n+x0)*3+c])*(256-fx) + int(src[(y1*n+x1)*3+c])*fx
				dst[(y*Side+x)*3+c] = uint8((top*(256-fy) + low*fy + 1<<15) >> 16)
			}
		}
	}
}

// neighbours gives the two pixels of n that pixel i of Side lies between, and how near the second is, in 1/256.
func neighbours(i, n int) (a, b, f int) {
	at := max((2*i+1)*n*128/Side-128, 0) // (i+½)·n/Side - ½
	a = min(at>>8, n-1)
	return a, min(a+1, n-1), at & 255
}
