package cpu

import (
	"math"
	"unsafe"
)

const (
	winogradA = math.Sqrt2 / 2 // the points
	winogradB = math.Sqrt2
)

// winogradGo are the transforms in Go, a channel at a time, in float64: processors without fused multiply-adds round more often.
var winogradGo = &winograd{1, winogradInputGo, winogradWeightGo, winogradOutputGo}

func at32(p unsafe.Pointer, offset uintptr) *float32 { return (*float32)(unsafe.Add(p, offset)) }

func wide(p unsafe.Pointer, offset uintptr) float64 { return float64(*at32(p, offset)) }

func winogradInputGo(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, line, pixel uintptr, _ unsafe.Pointer, n uintptr) {
	var t [6][6]float64
	for c := range n {
		for x := range uintptr(6) {
			var d [6]float64
			for y := range d {
				d[y] = wide(src, 4*c+uintptr(y)*line+x*pixel)
			}
			for y, v := range winogradLine(&d) {
				t[y][x] = v
			}
		}
		for y := range t {
			for x, v := range winogradLine(&t[y]) {
				*at32(dst, 4*c+uintptr(6*y+x)*step) = float32(v)
			}
		}
	}
}

func winogradLine(d *[6]float64) [6]float64 {
	e1, e2 := d[4]-2*d[2], d[4]-0.5*d[2]
	o1, o2 := winogradA*(d[3]-2*d[1]), winogradB*(d[3]-0.5*d[1])
	return [6]float64{d[0] + d[4] - 2.5*d[2], e1 + o1, e1 - o1, e2 + o2, e2 - o2, d[1] + d[5] - 2.5*d[3]}
}

func winogradWeightGo(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, tap uintptr, _ unsafe.Pointer, n uintptr) {
	var t [6][3]float64
	for c := range n {
		for v := range uintptr(3) {
			for y, g := range winogradTaps(wide(src, 4*c+v*tap), wide(src, 4*c+(3+v)*tap), wide(src, 4*c+(6+v)*tap)) {
				t[y][v] = g
			}
		}
		for y := range t {
			for x, g := range winogradTaps(t[y][0], t[y][1], t[y][2]) {
				*at32(dst, 4*c+uintptr(6*y+x)*step) = float32(g)
			}
		}
	}
}

func winogradTaps(g0, g1, g2 float64) [6]float64 {
	e1, e2 := (-2.0/3)*g0-(1.0/3)*g2, (1.0/6)*g0+(1.0/3)*g2
	o1, o2 := (-math.Sqrt2/3)*g1, (math.Sqrt2/6)*g1
	return [6]float64{g0, e1 + o1, e1 - o1, e2 + o2, e2 - o2, g2}
}

func winogradOutputGo(dst unsafe.Pointer, line, pixel uintptr, src unsafe.Pointer, step uintptr, bias, res, _ unsafe.Pointer, n uintptr, floor float32) {
	var t [4][6]float64
	for c := range n {
		for x := range uintptr(6) {
			var m [6]float64
			for y := range m {
				m[y] = wide(src, 4*c+(6*uintptr(y)+x)*step)
			}
			for y, v := range winogradPixels(&m) {
				t[y][x] = v
			}
		}
		for y := range t {
			for x, v := range winogradPixels(&t[y]) {
				at := 4*c + uintptr(y)*line + uintptr(x)*pixel
				v += wide(bias, 4*c)
				if res != nil {
					v += wide(res, at)
				}
				*at32(dst, at) = max(float32(v), floor)
			}
		}
	}
}

func winogradPixels(m *[6]float64) [4]float64 {
	s1, d1, s2, d2 := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	return [4]float64{m[0] + s1 + s2, winogradA*d1 + winogradB*d2, 0.5*s1 + 2*s2, m[5] + winogradA/2*d1 + 2*winogradB*d2}
}
