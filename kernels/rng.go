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

// Normal fills dst with standard normal numbers (Box-Muller on pairs, computed in float64 so that every machine rounds alike).
func (k Key) Normal(dst []float32) {
	for i := 0; i < len(dst); i += 4 {
		w := k.Block(uint32(i / 4))
		var z [4]float32
		for j := 0; j < 4; j += 2 {
			r := math.Sqrt(-2 * math.Log(float64(uniform(w[j]))))
			sin, cos := math.Sincos(2 * math.Pi * float64(uniform(w[j+1])))
			z[j], z[j+1] = float32(r*cos), float32(r*sin)
		}
		copy(dst[i:], z[:])
	}
}

// Intn is a number in 0..n-1 from position i of the stream (by multiplication; the bias is below n/2^32).
func (k Key) Intn(i uint32, n int) int {
	h, _ := bits.Mul32(k.Block(i / 4)[i%4], uint32(n))
	return int(h)
}

// Perm is a permutation of 0..n-1.
func (k Key) Perm(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := k.Intn(uint32(i), i+1)
		p[i], p[j] = p[j], p[i]
	}
	return p
}
