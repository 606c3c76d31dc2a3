package diffusion

import "math"

// TimestepEmbedding writes the sinusoids of times t into rows of dim numbers (Vaswani et al. 2017, as DDPM uses it): with half = dim/2,
// frequency i is 10000^(-i/(half-shift)); sines come first, or cosines where flip is set, as in Stable Diffusion. An odd dim ends in a
// zero. The angle is rounded to float32 in the places where the original rounds it: at t = 981 that moves it by 1e-5, which trained
// weights have seen.
func TimestepEmbedding(t []float64, dim int, flip bool, shift float64) []float32 {
	out := make([]float32, len(t)*dim)
	embedTimes(out, t, dim, flip, shift)
	return out
}

// embedTimes is TimestepEmbedding into out.
func embedTimes(out []float32, t []float64, dim int, flip bool, shift float64) {
	half := dim / 2
	if dim%2 != 0 {
		clear(out)
	}
	for i := range half {
		exponent := float32(-math.Log(10000)) * float32(i) / float32(float64(half)-shift)
		freq := float32(math.Exp(float64(exponent)))
		for b, time := range t {
			sin, cos := math.Sincos(float64(float32(time) * freq))
			if flip {
				sin, cos = cos, sin
			}
			out[b*dim+i], out[b*dim+half+i] = float32(sin), float32(cos)
		}
	}
}
