package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// slope is the argument of the sigmoid in x·σ(z), negated, and the derivative of z if asked for.
func (v isa) slope(kind string, x VecVirtual, deriv bool) (minus, dz VecVirtual) {
	minus = v.reg()
	switch kind {
	case "silu":
		VXORPS(c("sign"), x, minus)
		if deriv {
			dz = v.copyOf(c("one"))
		}
	case "quickGELU":
		VMULPS(c("quick-"), x, minus)
		if deriv {
			dz = v.copyOf(c("quick"))
		}
	case "geluTanh":
		sq := v.reg()
		VMULPS(x, x, sq)
		VMOVUPS(c("gB-"), minus)
		VFMADD213PS(c("gA-"), sq, minus)
		VMULPS(x, minus, minus)
		if deriv {
			dz = v.copyOf(c("gB3"))
			VFMADD213PS(c("gA"), sq, dz)
		}
	}
	return minus, dz
}

func activations(v isa) {
	unary := func(name string, fn func(l *loop, x VecVirtual) VecVirtual) {
		v.routine(name, "func(dst, x []float32)", []string{"dst", "x"}, 1, func(l *loop) func() {
			return func() { l.store(fn(l, l.load("x")), "dst") }
		}, nil)
	}
	grad := func(name string, fn func(l *loop, x, d VecVirtual) VecVirtual) {
		v.routine(name+"Grad", "func(dx, x, dout []float32)", []string{"dx", "x", "dout"}, 1, func(l *loop) func() {
			return func() {
				x, d := l.load("x"), l.load("dout")
				l.store(fn(l, x, d), "dx")
			}
		}, nil)
	}
	unary("exp", func(l *loop, x VecVirtual) VecVirtual { v.exp(x); return x })
	unary("sigmoid", func(l *loop, x VecVirtual) VecVirtual {
		VXORPS(c("sign"), x, x)
		return v.over1pExp(v.copyOf(c("one")), x)
	})
	grad("sigmoid", func(l *loop, x, d VecVirtual) VecVirtual { // e/(1+e)² for e = exp(−|x|)
		VANDPS(c("abs"), x, x)
		VXORPS(c("sign"), x, x)
		v.exp(x)
		t := v.reg()
		VADDPS(c("one"), x, t)
		VMULPS(t, t, t)
		VDIVPS(t, x, x)
		VMULPS(d, x, x)
		return x
	})
	for _, kind := range []string{"silu", "quickGELU", "geluTanh"} {
		unary(kind, func(l *loop, x VecVirtual) VecVirtual {
			z, _ := v.slope(kind, x, false)
			return v.over1pExp(x, z)
		})
		grad(kind, func(l *loop, x, d VecVirtual) VecVirtual { // σ + x·e·σ·σ·z' with e = exp(−z)
			e, dz := v.slope(kind, x, true)
			t, s := v.copyOf(c("far")), v.copyOf(c("one"))
			VMINPS(e, t, e)
			v.exp(e)
			VADDPS(s, e, t)
			VDIVPS(t, s, s)
			VMULPS(e, s, t)
			VMULPS(s, t, t)
			VMULPS(x, t, t)
			VFMADD213PS(s, dz, t)
			VMULPS(d, t, t)
			return t
		})
	}
	unary("gelu", func(l *loop, x VecVirtual) VecVirtual {
		p, _ := v.phi(x)
		VMULPS(x, p, p)
		return p
	})
	grad("gelu", func(l *loop, x, d VecVirtual) VecVirtual {
		p, e := v.phi(x)
		VMULPS(c("density"), x, x)
		VFMADD231PS(x, e, p)
		VMULPS(d, p, p)
		return p
	})
	unary("relu", func(l *loop, x VecVirtual) VecVirtual {
		VMAXPS(x, v.zero(), x)
		return x
	})
	grad("relu", func(l *loop, x, d VecVirtual) VecVirtual {
		const greater = 30 // ordered, quiet
		if v.wide() {
			k := K()
			VCMPPS(Imm(greater), v.zero(), x, k)
			VMOVAPS_Z(d, k, d)
		} else {
			VCMPPS(Imm(greater), v.zero(), x, x)
			VANDPS(x, d, d)
		}
		return d
	})
}
