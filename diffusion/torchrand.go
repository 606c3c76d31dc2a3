package diffusion

import "math"

// TorchRand draws the numbers of PyTorch's CPU generator: after NewTorchRand(seed) the same as torch.Generator("cpu").manual_seed(seed), so
// that a seed gives the image it gives there. It is not safe for use by several goroutines.
//
// The engine is MT19937 (Matsumoto and Nishimura 1998), of whose seed the low 32 bits count. Two ways lead to normal numbers, both of Box
// and Muller (1958): fewer than 16 are drawn one by one in float64, 16 and more in float32 in groups of 16, for which log, sin and cos are the
// polynomials of Moshier's Cephes, as on machines with AVX2 (without it PyTorch's last bits differ).
type TorchRand struct {
	state [624]uint32
	next  int     // of state
	spare float64 // second number of a pair of the first way
	kept  bool    // whether there is one
}

// NewTorchRand seeds a generator.
func NewTorchRand(seed uint64) *TorchRand {
	g := &TorchRand{next: 624}
	g.state[0] = uint32(seed)
	for i := 1; i < len(g.state); i++ {
		p := g.state[i-1]
		g.state[i] = 1812433253*(p^p>>30) + uint32(i)
	}
	return g
}

// Uint32 is the engine's next output.
func (g *TorchRand) Uint32() uint32 {
	if g.next == len(g.state) {
		g.twist()
	}
	y := g.state[g.next]
	g.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (g *TorchRand) twist() {
	const n, m = 624, 397
	for i := range n {
		y := g.state[i]&0x80000000 | g.state[(i+1)%n]&0x7fffffff
		v := g.state[(i+m)%n] ^ y>>1
		if y&1 != 0 {
			v ^= 0x9908b0df
		}
		g.state[i] = v
	}
	g.next = 0
}

// Normal fills v with what torch.randn(len(v), generator=g) gives.
func (g *TorchRand) Normal(v []float32) {
	if len(v) < 16 {
		for i := range v {
			v[i] = float32(g.one())
		}
		return
	}
	for i := range v {
		v[i] = g.uniform24()
	}
	n := len(v) / 16 * 16
	for i := 0; i < n; i += 16 {
		normal16((*[16]float32)(v[i:]))
	}
	if n < len(v) { // the last 16 anew
		last := (*[16]float32)(v[len(v)-16:])
		for i := range last {
			last[i] = g.uniform24()
		}
		normal16(last)
	}
}

// one is a normal number of a pair, the second of which is kept.
func (g *TorchRand) one() float64 {
	if g.kept {
		g.kept = false
		return g.spare
	}
	angle, u := 2*math.Pi*g.uniform53(), g.uniform53()
	r := math.Sqrt(-2 * math.Log1p(-u))
	g.spare, g.kept = r*math.Sin(angle), true
	return r * math.Cos(angle)
}

func (g *TorchRand) uniform53() float64 {
	high := uint64(g.Uint32())
	return float64((high<<32|uint64(g.Uint32()))&(1<<53-1)) * (1. / (1 << 53))
}

func (g *TorchRand) uniform24() float32 { return float32(g.Uint32()&(1<<24-1)) * (1. / (1 << 24)) }

// normal16 makes 16 normal numbers of uniform ones, 8 apart in pairs.
func normal16(v *[16]float32) {
	for j := range 8 {
		r := sqrt32(-2 * logCephes(1-v[j]))
		sin, cos := sincosCephes(float32(2*math.Pi) * v[j+8])
		v[j], v[j+8] = r*cos+0, r*sin+0 // which turns −0 into 0
	}
}

// logCephes is log x for normal x > 0 in float32: x = m·2ᵉ with m in √½..√2 and log m by a polynomial of degree 9 in m − 1 (Cephes, logf).
func logCephes(x float32) float32 {
	bits := math.Float32bits(x)
	e := float32(int(bits>>23) - 126)
	m := math.Float32frombits(bits&0x007fffff | 0x3f000000) // in ½..1
	if m < 0.707106781186547524 {
		e, m = e-1, m+m
	}
	m--
	z := m * m
	y := polynomial(m, 7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
		-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)
	y = fma32(float32(y*m), z, float32(e*-2.12194440e-4)) // log 2 in two parts
	y = fma32(-z, 0.5, y)
	return fma32(e, 0.693359375, float32(m+y))
}

// sincosCephes are sin and cos of x, 0 ≤ x ≤ 2π, in float32: reduced to −π/4..π/4 by π/4 in three parts (Cephes, sinf and cosf).
func sincosCephes(x float32) (sin, cos float32) {
	j := (int32(x*1.27323954473516) + 1) &^ 1 // octant, rounded to even
	y := float32(j)
	x = fma32(y, -0.78515625, x)
	x = fma32(y, -2.4187564849853515625e-4, x)
	x = fma32(y, -3.77489497744594108e-8, x)
	z := x * x
	c := float32(polynomial(z, 2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2) * z)
	cos = fma32(c, z, -float32(z*0.5)) + 1
	s := float32(polynomial(z, -1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1) * z)
	sin = fma32(s, x, x)
	if j&2 != 0 {
		sin, cos = cos, sin
	}
	if j&4 != 0 {
		sin = -sin
	}
	if (j+2)&4 != 0 {
		cos = -cos
	}
	return sin, cos
}

// polynomial is Horner's rule with fused multiply-adds, highest power first.
func polynomial(x float32, coefficients ...float32) float32 {
	y := coefficients[0]
	for _, c := range coefficients[1:] {
		y = fma32(y, x, c)
	}
	return y
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// fma32 is a·b + c rounded once. The product is exact in float64; the sum is rounded there to odd, so that rounding it to float32 is as if
// it had not been rounded before (Boldo and Melquiond 2008).
func fma32(a, b, c float32) float32 {
	p, q := float64(a)*float64(b), float64(c)
	sum := p + q
	t := sum - p
	if lost := (p - (sum - t)) + (q - t); lost != 0 { // Knuth's two-sum
		if bits := math.Float64bits(sum); bits&1 == 0 {
			if (lost > 0) == (sum > 0) {
				bits++
			} else {
				bits--
			}
			sum = math.Float64frombits(bits)
		}
	}
	return float32(sum)
}
