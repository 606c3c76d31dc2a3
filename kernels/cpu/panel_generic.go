package cpu

import "math"

// The Go twins of the routines of gen/panel: the same results up to rounding (no fused multiply-add).

func goPanel() *panel {
	return &panel{name: "panel_go", rank: 10, note: "tiles in Go", product: productGo, maxRow: maxRowGo, expRow: expRowGo,
		expPair: expPairGo, maxCols: maxColsGo, expCols: expColsGo, mulSub: mulSubGo, scale: scaleGo, dotRow: dotRowGo}
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

// expGo is e^x with the polynomial of Cephes's expf (Moshier), as the assembly has it; 0 below -104.
func expGo(x float32) float32 {
	switch {
	case x < -104:
		return 0
	case x > 88:
		return exp32(x)
	}
	n := float32(math.RoundToEven(float64(x * 1.44269504088896341)))
	x -= n * 0.693359375
	x -= n * -2.12194440e-4
	p := float32(1.9875691500e-4)
	p = p*x + 1.3981999507e-3
	p = p*x + 8.3334519073e-3
	p = p*x + 4.1665795894e-2
	p = p*x + 1.6666665459e-1
	p = p*x + 5.0000001201e-1
	p = p*(x*x) + x + 1
	if n < -125 { // the result is subnormal
		return p * math.Float32frombits(uint32(n+64+127)<<23) * math.Float32frombits((127-64)<<23)
	}
	return p * math.Float32frombits(uint32(int32(n)+127)<<23)
}

func expRowGo(dst, src []float32, sub float32) float32 {
	var s [16]float32
	for i := 0; i < len(src); i += 16 {
		x, y := (*[16]float32)(src[i:]), (*[16]float32)(dst[i:])
		for t, v := range x {
			e := expGo(v - sub)
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
		dst[i] = scale*expGo(x-sub) + colScale[i]*expGo(x-colSub[i])
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
			e := expGo(x - t[i])
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
