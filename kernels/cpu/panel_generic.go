package cpu

import "math"

// The Go twins of the routines of gen/panel: the same results up to rounding (no fused multiply-add).

func goPanel() *panel {
	return &panel{name: "go", rank: 10, note: "tiles in Go", product: productGo, maxRow: maxRowGo, expRow: expRowGo,
		expPair: expPairGo, maxCols: maxColsGo, expCols: expColsGo, topCols: topColsGo, exp2Cols: exp2ColsGo, mulCols: mulColsGo, notBelow: notBelowGo, mulSub: mulSubGo, scale: scaleGo, dotRow: dotRowGo,
		soft: softColsGo, attend: attendGo}
}

func productGo(c []float32, ldc int, a []float32, ars, aks int, b []float32, ldb, bo int, m, n, k int, add bool) {
	for j := 0; j < n; j += 16 {
		for i := range m {
			var s [16]float32
			at, from := i*ars, j/16*bo
			for range k {
				x, row := a[at], (*[16]float32)(b[from:])
				for t := range s {
					s[t] += x * row[t]
				}
				at += aks
				from += ldb
			}
			to := (*[16]float32)(c[i*ldc+j:])
			if add {
				for t := range s {
					to[t] += s[t]
				}
			} else {
				*to = s
			}
		}
	}
}

func maxRowGo(x []float32) float32 {
	top := x[0]
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	return top
}

func expRowGo(dst, src []float32, sub float32) float32 {
	var s [16]float32
	for i := 0; i < len(src); i += 16 {
		x, y := (*[16]float32)(src[i:]), (*[16]float32)(dst[i:])
		for t, v := range x {
			e := exp32(v - sub)
			y[t] = e
			s[t] += e
		}
	}
	return fold16(&s)
}

func fold16(s *[16]float32) float32 {
	for w := 8; w > 0; w /= 2 {
		for t := range w {
			s[t] += s[t+w]
		}
	}
	return s[0]
}

func dotRowGo(x, y []float32) float32 {
	var s [16]float32
	for i := 0; i < len(x); i += 16 {
		a, b := (*[16]float32)(x[i:]), (*[16]float32)(y[i:])
		for t := range s {
			s[t] += a[t] * b[t]
		}
	}
	return fold16(&s)
}

func expPairGo(dst, src, colSub, colScale []float32, sub, scale float32) {
	dst, colSub, colScale = dst[:len(src)], colSub[:len(src)], colScale[:len(src)]
	for i, x := range src {
		dst[i] = scale*exp32(x-sub) + colScale[i]*exp32(x-colSub[i])
	}
}

func maxColsGo(top, src []float32, ld, rows int) {
	t := (*[16]float32)(top)
	for r := range rows {
		for i, x := range (*[16]float32)(src[r*ld:]) {
			if x > t[i] {
				t[i] = x
			}
		}
	}
}

func expColsGo(dst, sum, src, top []float32, ld, rows int) {
	s, t := (*[16]float32)(sum), (*[16]float32)(top)
	for r := range rows {
		y := (*[16]float32)(dst[r*ld:])
		for i, x := range (*[16]float32)(src[r*ld:]) {
			e := exp32(x - t[i])
			y[i] = e
			s[i] += e
		}
	}
}

func mulSubGo(dst, p, x []float32, sub float32) {
	p, x = p[:len(dst)], x[:len(dst)]
	for i := range dst {
		dst[i] = p[i] * (x[i] - sub)
	}
}

func scaleGo(x []float32, a, b float32) {
	for i := range x {
		x[i] = a*x[i] + b
	}
}

// exp2C are the coefficients of f, f², … in 2^f for f in 0..1 (gen/panel/columns.go).
var exp2C = [5]float32{0.6931513118046273, 0.24016445015489593, 5.5799913104227855e-2, 9.017030321935585e-3, 1.8671300700622284e-3}

// exp2 is 2^x to 2 ulp for x ≤ 127, and 0 below −149; NaN stays NaN.
func exp2(x float32) float32 {
	if !(x >= -149) {
		if x != x {
			return x
		}
		return 0
	}
	n := float32(math.Floor(float64(x)))
	f := x - n
	p := exp2C[4]
	for i := 3; i >= 0; i-- {
		p = p*f + exp2C[i]
	}
	p = p*f + 1
	i := int32(n)
	h := i >> 1 // in two steps, because 2^-140 has no float32
	return p * math.Float32frombits(uint32(h+127)<<23) * math.Float32frombits(uint32(i-h+127)<<23)
}

func topColsGo(top, keep, sum, src []float32, ld, rows int, mul float32) (moved bool) {
	most := *(*[16]float32)(src)
	maxColsGo(most[:], src, ld, rows)
	for i, x := range most {
		old, next := top[i], top[i]
		if x *= mul; x > next {
			next, moved = x, true
		}
		top[i], keep[i] = next, exp2(old-next)
		sum[i] *= keep[i]
	}
	return moved
}

func exp2ColsGo(dst, sum, src, top []float32, ld, rows int, mul float32) {
	s, t := (*[16]float32)(sum), (*[16]float32)(top)
	for r := range rows {
		y := (*[16]float32)(dst[r*ld:])
		for i, x := range (*[16]float32)(src[r*ld:]) {
			e := exp2(mul*x - t[i])
			y[i] = e
			s[i] += e
		}
	}
}

func mulColsGo(x, f []float32, ld, rows int) {
	f = f[:16]
	for r := range rows {
		y := (*[16]float32)(x[r*ld:])
		for i, v := range f {
			y[i] *= v
		}
	}
}

func notBelowGo(hits []uint32, src, least []float32, ld, rows int) {
	least = least[:16]
	for r := range rows {
		m := uint32(0)
		for i, x := range (*[16]float32)(src[r*ld:]) {
			if !(x < least[i]) {
				m |= 1 << i
			}
		}
		hits[r] = m
	}
}

func softColsGo(s []float32, ld, cols, rows, whole int, mul float32, st softStats) {
	for c := range cols {
		top, sum := float32(unseen), float32(0)
		seen := whole
		if rows > whole {
			seen = min(rows, whole+c)
		}
		for r := range seen {
			top = max32(top, mul*s[r*ld+c])
		}
		for r := range rows {
			x := &s[r*ld+c]
			if r >= seen {
				*x = 0
				continue
			}
			*x = exp2(mul**x - top)
			sum += *x
		}
		st.top[c], st.sum[c], st.inv[c] = top, sum, 0
		if !(sum <= 0) {
			st.inv[c] = 1 / sum
		}
	}
}

// max32 is the larger of two numbers, x where y is NaN.
func max32(x, y float32) float32 {
	if y > x {
		return y
	}
	return x
}

func attendGo(c []float32, ldc int, p []float32, ldp int, x []float32, ldx int, f []float32, rows, k, d int, _ *ahead) {
	for i := range rows {
		to := c[i*ldc:][:d]
		clear(to)
		for l := range k {
			w := p[l*ldp+i]
			for j, v := range x[l*ldx:][:d] {
				to[j] += w * v
			}
		}
		for j := range to {
			to[j] *= f[i]
		}
	}
}
