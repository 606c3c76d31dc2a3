package world

import "math"

// noiseTable holds the quantiles of a normal distribution with standard deviation 16 (1/16 level at sigma 1), so that twelve random
// bits make one sample.
var noiseTable = func() (t [4096]int16) {
	for i := range t {
		t[i] = int16(math.Round(16 * math.Sqrt2 * math.Erfinv(2*(float64(i)+.5)/float64(len(t))-1)))
	}
	return t
}()

// develop box filters the canvas into dst and adds what the medium does: to a photo falling light and sensor noise in every channel,
// to a drawing the grain of the paper, grey and a little coarser.
func (r *Renderer) develop(sc *Scene, lightX, lightY float64, dst []uint8) {
	noise := newRNG(useNoise, sc.Seed)
	gain := [3]int32{256, 256, 256} // white balance, 1/256
	var fall int32                  // light lost towards the far side, 1/256 of level at the border
	sigma := int32(noise.between(2.5, 4.5) * 16)
	if sc.Domain == Photo {
		fall = int32(noise.between(8, 26))
		for c := range gain {
			gain[c] += int32(noise.intn(15)) - 7
		}
	} else {
		sigma = sigma * 3 / 2
	}
	if r.Clean {
		sigma = 0
	}
	stepX, stepY := int32(lightX*float64(fall)*256/(Side/2)), int32(lightY*float64(fall)*256/(Side/2))
	var grain, above [Side]int32 // paper grain: each pixel leans on its neighbours
	for y := range Side {
		light := int32(256<<8) - (int32(y)-Side/2)*stepY + Side/2*stepX
		rows := r.canvas.px[y*sub*wide:][:sub*wide]
		out := dst[y*Side*3:][:Side*3]
		var left int32
		for x := range Side {
			var rb, g uint32 // two 16-bit lanes and one
			for dy := 0; dy < sub*wide; dy += wide {
				s := rows[dy+x*sub:][:sub]
				rb += s[0]&0xff00ff + s[1]&0xff00ff + s[2]&0xff00ff
				g += s[0]>>8&0xff + s[1]>>8&0xff + s[2]>>8&0xff
			}
			var n [3]int32
			if sigma != 0 {
				bits := noise.next()
				if sc.Domain == Photo {
					n = [3]int32{int32(noiseTable[bits&4095]), int32(noiseTable[bits>>12&4095]), int32(noiseTable[bits>>24&4095])}
				} else {
					left = (int32(noiseTable[bits&4095])*3 + left + above[x]) / 4
					grain[x], n = left, [3]int32{left, left, left}
				}
			}
			l := light >> 8
			light -= stepX
			out[3*x] = level(int32(rb>>16), gain[0], l, n[0]*sigma)
			out[3*x+1] = level(int32(g), gain[1], l, n[1]*sigma)
			out[3*x+2] = level(int32(rb&0xffff), gain[2], l, n[2]*sigma)
		}
		above = grain
	}
}

// level turns a sum of nine samples into a byte; noise is in 1/256 of a level.
func level(sum, gain, light, noise int32) uint8 {
	v := (sum*7282>>8)*gain>>8*light>>8 + noise // sum/9 in 1/256
	return uint8(min(max((v+128)>>8, 0), 255))
}
