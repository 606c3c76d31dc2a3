package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// each writes an elementwise routine: setup loads parameters, the body's result goes to the first slice.
func (v isa) each(name, signature string, slices []string, setup func(l *loop) func() VecVirtual) {
	v.routine(name, signature, slices, 2, func(l *loop) func() {
		body := setup(l)
		return func() { l.store(body(), slices[0]) }
	}, nil)
}

func arithmetic(v isa) {
	v.each("axpby", "func(dst, a, b []float32, p, q float32)", []string{"dst", "a", "b"}, func(l *loop) func() VecVirtual {
		p, q := v.param("p"), v.param("q")
		return func() VecVirtual {
			a, b := l.load("a"), l.load("b")
			VMULPS(q, b, b)
			VFMADD231PS(p, a, b)
			return b
		}
	})
	v.each("mul", "func(dst, a, b []float32, p float32)", []string{"dst", "a", "b"}, func(l *loop) func() VecVirtual {
		p := v.param("p")
		return func() VecVirtual {
			a, b := l.load("a"), l.load("b")
			VMULPS(p, a, a)
			VMULPS(b, a, a)
			return a
		}
	})
	v.each("affine", "func(dst, x []float32, p, q float32)", []string{"dst", "x"}, func(l *loop) func() VecVirtual {
		p, q := v.param("p"), v.param("q")
		return func() VecVirtual {
			x := l.load("x")
			VFMADD213PS(q, p, x)
			return x
		}
	})
	v.each("larger", "func(dst, x []float32)", []string{"dst", "x"}, func(l *loop) func() VecVirtual {
		return func() VecVirtual {
			d, x := l.load("dst"), l.load("x")
			t := v.reg()
			VMAXPS(x, d, t) // x where one is NaN
			const unordered = 3
			if v.wide() {
				nan := K()
				VCMPPS(Imm(unordered), d, d, nan)
				VMOVAPS(d, nan, t)
			} else {
				nan := v.reg()
				VCMPPS(Imm(unordered), d, d, nan)
				VBLENDVPS(nan, d, t, t)
			}
			return t
		}
	})
	v.each("lerp", "func(x, y []float32, t float32)", []string{"x", "y"}, func(l *loop) func() VecVirtual {
		t := v.param("t")
		return func() VecVirtual {
			x, y := l.load("x"), l.load("y")
			VSUBPS(x, y, y)
			VFMADD231PS(t, y, x)
			return x
		}
	})
	v.each("subMul", "func(dst, d, o []float32, s float32)", []string{"dst", "d", "o"}, func(l *loop) func() VecVirtual {
		s := v.param("s")
		return func() VecVirtual {
			d, o := l.load("d"), l.load("o")
			VSUBPS(s, d, d)
			VMULPS(o, d, d)
			return d
		}
	})
}

func norms(v isa) {
	v.each("normRow", "func(dst, x, gain, bias []float32, m, r float32)", []string{"dst", "x", "gain", "bias"}, func(l *loop) func() VecVirtual {
		m, r := v.param("m"), v.param("r")
		return func() VecVirtual {
			x, gain, bias := l.load("x"), l.load("gain"), l.load("bias")
			VSUBPS(m, x, x)
			VMULPS(r, x, x)
			VFMADD213PS(bias, gain, x)
			return x
		}
	})
	v.each("rowGrad", "func(dx, x, d, gain []float32, m, a, b, c float32)", []string{"dx", "x", "d", "gain"}, func(l *loop) func() VecVirtual {
		m, a, b, c := v.param("m"), v.param("a"), v.param("b"), v.param("c")
		return func() VecVirtual {
			x, d, gain := l.load("x"), l.load("d"), l.load("gain")
			VMULPS(a, d, d)
			VFMSUB213PS(b, gain, d)
			VSUBPS(m, x, x)
			VFNMADD231PS(c, x, d)
			return d
		}
	})
	v.each("addDev", "func(acc, d, x []float32, m, r float32)", []string{"acc", "d", "x"}, func(l *loop) func() VecVirtual {
		m, r := v.param("m"), v.param("r")
		return func() VecVirtual {
			acc, d, x := l.load("acc"), l.load("d"), l.load("x")
			VSUBPS(m, x, x)
			VMULPS(r, x, x)
			VFMADD231PS(d, x, acc)
			return acc
		}
	})
	v.each("normCols", "func(dst, x, mean, scale, bias []float32)", []string{"dst", "x", "mean", "scale", "bias"}, func(l *loop) func() VecVirtual {
		return func() VecVirtual {
			x, mean, scale, bias := l.load("x"), l.load("mean"), l.load("scale"), l.load("bias")
			VSUBPS(mean, x, x)
			VFMADD213PS(bias, scale, x)
			return x
		}
	})
	v.each("sqDevCols", "func(acc, x, mean []float32)", []string{"acc", "x", "mean"}, func(l *loop) func() VecVirtual {
		return func() VecVirtual {
			acc, x, mean := l.load("acc"), l.load("x"), l.load("mean")
			VSUBPS(mean, x, x)
			VFMADD231PS(x, x, acc)
			return acc
		}
	})
	v.each("mulDev", "func(acc, d, x, mean []float32)", []string{"acc", "d", "x", "mean"}, func(l *loop) func() VecVirtual {
		return func() VecVirtual {
			acc, d, x, mean := l.load("acc"), l.load("d"), l.load("x"), l.load("mean")
			VSUBPS(mean, x, x)
			VFMADD231PS(d, x, acc)
			return acc
		}
	})
	v.each("gradCols", "func(dx, d, x, mean, k1, k2, k3 []float32)", []string{"dx", "d", "x", "mean", "k1", "k2", "k3"}, func(l *loop) func() VecVirtual {
		return func() VecVirtual {
			d, x, mean, k1, k2, k3 := l.load("d"), l.load("x"), l.load("mean"), l.load("k1"), l.load("k2"), l.load("k3")
			VSUBPS(mean, x, x)
			VFMSUB213PS(k2, k1, d)
			VFNMADD231PS(k3, x, d)
			return d
		}
	})
}

// sums keep four registers of partial sums, folded in a fixed order.
func sums(v isa) {
	add := func(a, b, dst Op) { VADDPS(a, b, dst) }
	sum := func(name, signature string, slices []string, setup func(l *loop, acc []VecVirtual) func()) {
		var acc []VecVirtual
		v.routine(name, signature, slices, 4, func(l *loop) func() {
			acc = nil
			for range 4 {
				acc = append(acc, v.zero())
			}
			return setup(l, acc)
		}, func(l *loop) { l.total(acc, add) })
	}
	sum("sum", "func(x []float32) float32", []string{"x"}, func(l *loop, acc []VecVirtual) func() {
		return func() { VADDPS(l.load("x"), acc[l.part], acc[l.part]) }
	})
	sum("dot", "func(a, b []float32) float32", []string{"a", "b"}, func(l *loop, acc []VecVirtual) func() {
		return func() { VFMADD231PS(l.load("a"), l.load("b"), acc[l.part]) }
	})
	sum("sqDev", "func(x []float32, m float32) float32", []string{"x"}, func(l *loop, acc []VecVirtual) func() {
		m := v.param("m")
		return func() {
			x := l.load("x")
			VSUBPS(m, x, x)
			l.drop(x)
			VFMADD231PS(x, x, acc[l.part])
		}
	})
	sum("dotDev", "func(x, d, gain []float32, m float32) float32", []string{"x", "d", "gain"}, func(l *loop, acc []VecVirtual) func() {
		m := v.param("m")
		return func() { // d is 0 beyond the end
			x, d, gain := l.load("x"), l.load("d"), l.load("gain")
			VSUBPS(m, x, x)
			VMULPS(gain, d, d)
			VFMADD231PS(d, x, acc[l.part])
		}
	})
	sum("expSum", "func(dst, x []float32, top float32) float32", []string{"dst", "x"}, func(l *loop, acc []VecVirtual) func() {
		top := v.param("top")
		return func() {
			x := l.load("x")
			VSUBPS(top, x, x)
			v.exp(x)
			l.store(x, "dst")
			l.drop(x)
			VADDPS(x, acc[l.part], acc[l.part])
		}
	})
	var acc []VecVirtual
	v.routine("maxOf", "func(x []float32) float32", []string{"x"}, 4, func(l *loop) func() {
		acc = nil
		for range 4 {
			acc = append(acc, v.copyOf(c("inf-")))
		}
		return func() {
			x := v.copyOf(c("inf-"))
			switch {
			case !l.masked:
				VMOVUPS(l.mem("x"), x)
			case l.wide():
				VMOVUPS(l.mem("x"), l.k, x)
			default:
				VBLENDVPS(l.mask, l.load("x"), x, x)
			}
			VMAXPS(acc[l.part], x, acc[l.part]) // the sum so far second: NaN of x is passed over
		}
	}, func(l *loop) { l.total(acc, func(a, b, dst Op) { VMAXPS(a, b, dst) }) })
}

func adamw(v isa) {
	v.routine("adamw", "func(p, g, m, v []float32, c *float32)", []string{"p", "g", "m", "v"}, 1, func(l *loop) func() {
		ptr := Load(Param("c"), GP64())
		var f [9]VecVirtual // grad, b1, c1, b2, c2, keep, step, root, eps
		for i := range f {
			f[i] = v.reg()
			VBROADCASTSS(Mem{Base: ptr, Disp: 4 * i}, f[i])
		}
		return func() {
			g, m, s := l.load("g"), l.load("m"), l.load("v")
			VMULPS(f[0], g, g)
			VMULPS(f[1], m, m)
			VFMADD231PS(f[2], g, m)
			l.store(m, "m")
			VMULPS(g, g, g)
			VMULPS(f[3], s, s)
			VFMADD231PS(f[4], g, s)
			l.store(s, "v")
			VSQRTPS(s, s)
			VMULPS(f[7], s, s)
			VADDPS(f[8], s, s)
			VMULPS(f[6], m, m)
			VDIVPS(s, m, m)
			p := l.load("p")
			VMULPS(f[5], p, p)
			VSUBPS(m, p, p)
			l.store(p, "p")
		}
	}, nil)
}
