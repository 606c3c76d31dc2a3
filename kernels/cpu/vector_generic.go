package cpu

import (
	"math"

	"syntic/kernels"
)

// goVector is the set in plain Go: the twin that the assembly is tested against, and what runs where there is none.
func goVector() *vector {
	v := &vector{axpby: axpbyGo, mul: mulGo, affine: affineGo, lerp: lerpGo, larger: largerGo, sum: sumGo, dot: dotGo, sqDev: sqDevGo, maxOf: maxOfGo,
		expSum: expSumGo, subMul: subMulGo, normRow: normRowGo, dotDev: dotDevGo, rowGrad: rowGradGo, addDev: addDevGo,
		normCols: normColsGo, sqDevCols: sqDevColsGo, mulDev: mulDevGo, gradCols: gradColsGo, adamw: adamwGo, keep: keepGo, uniforms: uniformsGo}
	one := func(float32) float32 { return 1 }
	set := func(f kernels.Act, fn, deriv func(x float32) float32) {
		v.act[f] = func(dst, x []float32) {
			for i, x := range x {
				dst[i] = fn(x)
			}
		}
		v.actGrad[f] = func(dx, x, dout []float32) {
			for i, x := range x {
				dx[i] = dout[i] * deriv(x)
			}
		}
	}
	set(kernels.ActNone, func(x float32) float32 { return x }, one)
	set(kernels.GELU, gelu32, geluGrad32)
	set(kernels.GELUTanh, geluTanh32, geluTanhGrad32)
	set(kernels.QuickGELU, quickGELU32, quickGELUGrad32)
	set(kernels.SiLU, silu32, siluGrad32)
	set(kernels.ReLU, func(x float32) float32 { return max(x, 0) }, func(x float32) float32 { return max(0, sign32(x)) })
	set(kernels.Sigmoid, sigmoid32, sigmoidGrad32)
	set(kernels.Tanh, tanh32, func(x float32) float32 { return 4 * sigmoidGrad32(2*x) })
	set(kernels.Exp, exp32, exp32)
	set(kernels.Log, func(x float32) float32 { return float32(math.Log(float64(x))) }, func(x float32) float32 { return 1 / x })
	set(kernels.Square, func(x float32) float32 { return x * x }, func(x float32) float32 { return 2 * x })
	set(kernels.Abs, func(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }, sign32)
	return v
}

func sign32(x float32) float32 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

func axpbyGo(dst, a, b []float32, p, q float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = p*a[i] + q*b[i]
	}
}

func mulGo(dst, a, b []float32, p float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = p * a[i] * b[i]
	}
}

func affineGo(dst, x []float32, p, q float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = p*x[i] + q
	}
}

func lerpGo(x, y []float32, t float32) {
	y = y[:len(x)]
	for i := range x {
		x[i] += t * (y[i] - x[i])
	}
}

func largerGo(dst, x []float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = max(dst[i], x[i])
	}
}

// lanes is how many partial sums the Go loops keep, to bound rounding and to let the processor overlap them.
const lanes = 8

func fold(s *[lanes]float32) float32 {
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

func sumGo(x []float32) float32 {
	var s [lanes]float32
	for ; len(x) >= lanes; x = x[lanes:] {
		for j := range s {
			s[j] += x[j]
		}
	}
	for j, x := range x {
		s[j] += x
	}
	return fold(&s)
}

func dotGo(a, b []float32) float32 {
	var s [lanes]float32
	for ; len(a) >= lanes; a, b = a[lanes:], b[lanes:] {
		for j := range s {
			s[j] += a[j] * b[j]
		}
	}
	for j := range a {
		s[j] += a[j] * b[j]
	}
	return fold(&s)
}

func sqDevGo(x []float32, m float32) float32 {
	var s [lanes]float32
	for ; len(x) >= lanes; x = x[lanes:] {
		for j := range s {
			s[j] += (x[j] - m) * (x[j] - m)
		}
	}
	for j, x := range x {
		s[j] += (x - m) * (x - m)
	}
	return fold(&s)
}

func maxOfGo(x []float32) float32 {
	top := float32(math.Inf(-1))
	for _, x := range x {
		if x > top {
			top = x
		}
	}
	return top
}

func expSumGo(dst, x []float32, top float32) float32 {
	var s [lanes]float32
	for i, x := range x {
		e := exp32(x - top)
		dst[i] = e
		s[i%lanes] += e
	}
	return fold(&s)
}

func subMulGo(dst, d, o []float32, s float32) {
	d, o = d[:len(dst)], o[:len(dst)]
	for i := range dst {
		dst[i] = (d[i] - s) * o[i]
	}
}

func normRowGo(dst, x, gain, bias []float32, m, r float32) {
	x, gain, bias = x[:len(dst)], gain[:len(dst)], bias[:len(dst)]
	for i := range dst {
		dst[i] = (x[i]-m)*r*gain[i] + bias[i]
	}
}

func dotDevGo(x, d, gain []float32, m float32) float32 {
	var s [lanes]float32
	for ; len(x) >= lanes; x, d, gain = x[lanes:], d[lanes:], gain[lanes:] {
		for j := range s {
			s[j] += (x[j] - m) * (d[j] * gain[j])
		}
	}
	for j := range x {
		s[j] += (x[j] - m) * (d[j] * gain[j])
	}
	return fold(&s)
}

// rowGradGo is dx = a·d·gain − b − c·(x − m).
func rowGradGo(dx, x, d, gain []float32, m, a, b, c float32) {
	x, d, gain = x[:len(dx)], d[:len(dx)], gain[:len(dx)]
	for i := range dx {
		dx[i] = a*d[i]*gain[i] - b - c*(x[i]-m)
	}
}

func addDevGo(acc, d, x []float32, m, r float32) {
	d, x = d[:len(acc)], x[:len(acc)]
	for i := range acc {
		acc[i] += d[i] * ((x[i] - m) * r)
	}
}

func normColsGo(dst, x, mean, scale, bias []float32) {
	x, mean, scale, bias = x[:len(dst)], mean[:len(dst)], scale[:len(dst)], bias[:len(dst)]
	for i := range dst {
		dst[i] = (x[i]-mean[i])*scale[i] + bias[i]
	}
}

func sqDevColsGo(acc, x, mean []float32) {
	x, mean = x[:len(acc)], mean[:len(acc)]
	for i := range acc {
		acc[i] += (x[i] - mean[i]) * (x[i] - mean[i])
	}
}

func mulDevGo(acc, d, x, mean []float32) {
	d, x, mean = d[:len(acc)], x[:len(acc)], mean[:len(acc)]
	for i := range acc {
		acc[i] += d[i] * (x[i] - mean[i])
	}
}

// gradColsGo is dx = k1·d − k2 − k3·(x − mean).
func gradColsGo(dx, d, x, mean, k1, k2, k3 []float32) {
	d, x, mean, k1, k2, k3 = d[:len(dx)], x[:len(dx)], mean[:len(dx)], k1[:len(dx)], k2[:len(dx)], k3[:len(dx)]
	for i := range dx {
		dx[i] = k1[i]*d[i] - k2[i] - k3[i]*(x[i]-mean[i])
	}
}

func adamwGo(p, g, m, v []float32, c *adamwConst) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	for i := range p {
		g := g[i] * c.grad
		m[i] = c.b1*m[i] + c.c1*g
		v[i] = c.b2*v[i] + c.c2*(g*g)
		p[i] = c.keep*p[i] - c.step*m[i]/(c.root*float32(math.Sqrt(float64(v[i])))+c.eps)
	}
}

func keepGo(dst, x, u []float32, p, scale float32) {
	x, u = x[:len(dst)], u[:len(dst)]
	for i := range dst {
		y := x[i] * scale
		if !(u[i] >= p) {
			y = 0
		}
		dst[i] = y
	}
}

// uniformsGo is Philox-4x32-10 with the words in registers.
func uniformsGo(dst []float32, key *kernels.Key, i uint32) {
	for ; len(dst) >= 4; dst, i = dst[4:], i+1 {
		c0, c1, c2, c3 := i, key.Step, uint32(key.Item), uint32(key.Item>>32)
		k0, k1 := uint32(key.Seed), uint32(key.Seed>>32)
		for range 10 {
			p0, p1 := uint64(c0)*0xD2511F53, uint64(c2)*0xCD9E8D57
			c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
			k0 += 0x9E3779B9
			k1 += 0xBB67AE85
		}
		for j, w := range [4]uint32{c0, c1, c2, c3} {
			dst[j] = (float32(w>>8) + 0.5) * (1.0 / (1 << 24))
		}
	}
}
