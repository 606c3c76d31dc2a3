package cpu

import "math"

// The constants of the float32 exponential (Cody & Waite reduction; Cephes' expf polynomial), shared with the assembly.
const (
	log2e = 1.44269504088896341
	ln2Hi = 0.693359375
	ln2Lo = -2.12194440e-4
	expLo = -105 // below it exp is 0
	expHi = 88.8 // above it exp is infinite
	magic = 12582912.0
	exp2c = 5.0000001201e-1
	exp3c = 1.6666665459e-1
	exp4c = 4.1665795894e-2
	exp5c = 8.3334519073e-3
	exp6c = 1.3981999507e-3
	exp7c = 1.9875691500e-4
)

// exp32 is e^x to 2 ulp; NaN stays NaN, subnormal results are rounded twice.
func exp32(x float32) float32 {
	if !(x > expLo) {
		if x != x {
			return x
		}
		return 0
	}
	if x > expHi {
		x = expHi
	}
	n := float32(x*log2e+magic) - magic
	r := x - float32(n*ln2Hi)
	r -= float32(n * ln2Lo)
	p := float32(exp7c)
	p = p*r + exp6c
	p = p*r + exp5c
	p = p*r + exp4c
	p = p*r + exp3c
	p = p*r + exp2c
	p = p*r*r + r + 1
	i := int32(n)
	h := i >> 1 // in two steps, because 2^128 and 2^-140 have no float32
	return p * math.Float32frombits(uint32(h+127)<<23) * math.Float32frombits(uint32(i-h+127)<<23)
}

func sigmoid32(x float32) float32 { return 1 / (1 + exp32(-x)) }

// sigmoidGrad32 is σ(x)·(1 − σ(x)) without cancellation.
func sigmoidGrad32(x float32) float32 {
	if x > 0 {
		x = -x
	}
	e := exp32(x)
	return e / ((1 + e) * (1 + e))
}

// tanh32 is tanh to 3 ulp (Cephes' tanhf).
func tanh32(x float32) float32 {
	a := x
	if a < 0 {
		a = -a
	}
	if a < 0.625 {
		z := x * x
		return x + x*z*((((-5.70498872745e-3*z+2.06390887954e-2)*z-5.37397155531e-2)*z+1.33314422036e-1)*z-3.33332819422e-1)
	}
	t := 1 - 2/(exp32(2*a)+1)
	if x < 0 {
		return -t
	}
	return t
}

// phiC are the coefficients of P in Φ(−x) = k·P(k)·exp(−x²/2), k = 1/(1 + phiP·x), x ≥ 0: the interpolation of Mills' ratio at Chebyshev
// nodes of k for x in 0..14, relative error 2.9e-8. The form is that of Abramowitz & Stegun 26.2.17.
var phiC = [9]float32{0.10772209305868263, 0.10751860326349785, 0.10198036699451263, 0.07140606257653694, 0.10927720639663152,
	-0.07121391689808543, 0.171444687312039, -0.12724211984035344, 0.029107028208447006}

const phiP = 0.27

// phi32 is the normal distribution Φ(x) and e = exp(−x²/2). Φ has an error of 2e-7·max(1, x²/2) of itself, from the rounding of x².
func phi32(x float32) (phi, e float32) {
	e = exp32(-0.5 * x * x)
	a := x
	if a < 0 {
		a = -a
	}
	k := 1 / (1 + phiP*a)
	p := phiC[8]
	for i := 7; i >= 0; i-- {
		p = p*k + phiC[i]
	}
	if phi = p * k * e; x > 0 {
		phi = 1 - phi
	}
	return phi, e
}

const (
	geluA   = 2 * 0.7978845608028654 // 0.5·(1 + tanh u) = σ(2u): no cancellation for negative x
	geluB   = geluA * 0.044715
	rsqrt2π = 0.3989422804014327
	quick   = 1.702
)

func gelu32(x float32) float32      { p, _ := phi32(x); return x * p }
func geluTanh32(x float32) float32  { return x * sigmoid32(x*(geluA+geluB*x*x)) }
func quickGELU32(x float32) float32 { return x * sigmoid32(quick*x) }
func silu32(x float32) float32      { return x * sigmoid32(x) }

func geluGrad32(x float32) float32 { p, e := phi32(x); return p + x*e*rsqrt2π }

func geluTanhGrad32(x float32) float32 {
	s, d := sigmoidPair(x * (geluA + geluB*x*x))
	return s + x*d*(geluA+3*geluB*x*x)
}

func quickGELUGrad32(x float32) float32 {
	s, d := sigmoidPair(quick * x)
	return s + quick*x*d
}

func siluGrad32(x float32) float32 {
	s, d := sigmoidPair(x)
	return s + x*d
}

// sigmoidPair is σ(z) and σ(z)·(1 − σ(z)), the latter as e·σ·σ with e = exp(−z), without cancellation. Below z = −80 it is that of −80.
func sigmoidPair(z float32) (s, d float32) {
	if z < -80 {
		z = -80
	}
	e := exp32(-z)
	s = 1 / (1 + e)
	return s, e * s * s
}
