package kernels

import (
	"math"
	"math/bits"
)

// Key names a stream of random numbers. The numbers depend on the key and the position alone, never on batch size, worker or device.
type Key struct {
	Seed uint64 // of the run
	Item uint64 // caption, image or parameter
	Step uint32 // of the sampler or the training
}

// Philox is Philox-4x32-10 (Salmon et al. 2011): four random words for a counter under a key.
func Philox(c [4]uint32, k [2]uint32) [4]uint32 {
	for i := 0; i < 10; i++ {
		h0, l0 := bits.Mul32(0xD2511F53, c[0])
		h1, l1 := bits.Mul32(0xCD9E8D57, c[2])
		c = [4]uint32{h1 ^ c[1] ^ k[0], l1, h0 ^ c[3] ^ k[1], l0}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	return c
}

// Block is the four random words number i of the stream.
func (k Key) Block(i uint32) [4]uint32 {
	return Philox([4]uint32{i, k.Step, uint32(k.Item), uint32(k.Item >> 32)}, [2]uint32{uint32(k.Seed), uint32(k.Seed >> 32)})
}

// uniform is in (0, 1): the middle of one of 2^24 intervals, never 0 or 1.
func uniform(w uint32) float32 { return (float32(w>>8) + 0.5) * (1.0 / (1 << 24)) }

// Uniform fills dst with numbers uniform in (0, 1).
func (k Key) Uniform(dst []float32) {
	for i := 0; i < len(dst); i += 4 {
		for j, w := range k.Block(uint32(i / 4)) {
			if i+j < len(dst) {
				dst[i+j] = uniform(w)
			}
		}
	}
}

// Normal fills dst with standard normal numbers (Box-Muller on pairs). They are computed in float64 by operations that every machine rounds alike, with and
// without fused multiply-adds of its own, GPUs too (kernels/cuda/src/sample.cu): that is why logarithm, sine and cosine are written out here.
func (k Key) Normal(dst []float32) {
	for i := 0; i < len(dst); i += 4 {
		w := k.Block(uint32(i / 4))
		var z [4]float32
		for j := 0; j < 4; j += 2 {
			r := math.Sqrt(-2 * logOf(uniform(w[j])))
			sin, cos := sinCosOf(uniform(w[j+1]))
			z[j], z[j+1] = float32(r*cos), float32(r*sin)
		}
		copy(dst[i:], z[:])
	}
}

// logOf is the natural logarithm of a normal float32 above 0: u = m·2^e with m about 1, and ln m = 2 artanh s with s = (m−1)/(m+1), by the series of artanh.
func logOf(u float32) float64 {
	bits := math.Float32bits(u)
	e := int32(bits>>23) - 127
	bits = bits&0x7fffff | 0x3f800000
	if bits > 0x3fb504f3 { // √2
		bits -= 1 << 23
		e++
	}
	f := float64(math.Float32frombits(bits)) - 1
	s := f / (2 + f)
	z := s * s
	p := 1.0 / 21
	for _, c := range &artanh {
		p = math.FMA(p, z, c)
	}
	t := s + s
	return math.FMA(float64(e), math.Ln2, math.FMA(t*z, p, t))
}

// sinCosOf are sine and cosine of a turn times v, 0 to 1: of what is left of the nearest quarter, by their series.
func sinCosOf(v float32) (sin, cos float64) {
	quarter := int32(4*float64(v) + 0.5)
	a := (float64(v) - 0.25*float64(quarter)) * (2 * math.Pi)
	z := a * a
	p, q := sines[0], cosines[0]
	for i := 1; i < len(sines); i++ {
		p, q = math.FMA(p, z, sines[i]), math.FMA(q, z, cosines[i])
	}
	sin, cos = math.FMA(a*z, p, a), math.FMA(z, q, 1)
	if quarter&1 == 1 {
		sin, cos = cos, -sin
	}
	if quarter&2 == 2 {
		sin, cos = -sin, -cos
	}
	return sin, cos
}

// The coefficients of the series behind their first, the smallest terms first.
var (
	artanh  = [9]float64{1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3}
	sines   = [9]float64{-1.0 / 121645100408832000, 1.0 / 355687428096000, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6}
	cosines = [9]float64{-1.0 / 6402373705728000, 1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -1.0 / 2}
)

// Intn is a number in 0..n-1 from position i of the stream (by multiplication; the bias is below n/2^32).
func (k Key) Intn(i uint32, n int) int {
	h, _ := bits.Mul32(k.Block(i / 4)[i%4], uint32(n))
	return int(h)
}

// Perm is a permutation of 0..n-1.
func (k Key) Perm(n int) []int { return k.PermIn(make([]int, n)) }

// PermIn is Perm of len(p) in the memory of p.
func (k Key) PermIn(p []int) []int {
	for i := range p {
		p[i] = i
	}
	for i := len(p) - 1; i > 0; i-- {
		j := k.Intn(uint32(i), i+1)
		p[i], p[j] = p[j], p[i]
	}
	return p
}
