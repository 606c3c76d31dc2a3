//go:build !purego

package cpu

import "syntic/kernels"

//go:generate go run ./gen/vector -out vector_amd64.s -stubs vector_stubs_amd64.go -pkg cpu

// vectorsASM are the sets in assembly; what they lack is Go's.
func vectorsASM() []*vector {
	a, b := goVector(), goVector()
	a.level, b.level = isaAVX2, isaAVX512
	a.axpby, a.mul, a.affine, a.lerp, a.subMul, a.larger = axpby256, mul256, affine256, lerp256, subMul256, larger256
	b.axpby, b.mul, b.affine, b.lerp, b.subMul, b.larger = axpby512, mul512, affine512, lerp512, subMul512, larger512
	a.sum, a.dot, a.sqDev, a.dotDev, a.maxOf, a.expSum = sum256, dot256, sqDev256, dotDev256, maxOf256, expSum256
	b.sum, b.dot, b.sqDev, b.dotDev, b.maxOf, b.expSum = sum512, dot512, sqDev512, dotDev512, maxOf512, expSum512
	a.normRow, a.rowGrad, a.addDev = normRow256, rowGrad256, addDev256
	b.normRow, b.rowGrad, b.addDev = normRow512, rowGrad512, addDev512
	a.normCols, a.sqDevCols, a.mulDev, a.gradCols = normCols256, sqDevCols256, mulDev256, gradCols256
	b.normCols, b.sqDevCols, b.mulDev, b.gradCols = normCols512, sqDevCols512, mulDev512, gradCols512
	a.adamw = func(p, g, m, v []float32, c *adamwConst) { adamw256(p, g, m, v, &c.grad) }
	b.adamw = func(p, g, m, v []float32, c *adamwConst) { adamw512(p, g, m, v, &c.grad) }
	a.keep, b.keep = keep256, keep512
	a.uniforms = func(dst []float32, k *kernels.Key, i uint32) { c := counter(k, i); uniforms256(dst, &c[0]) }
	b.uniforms = func(dst []float32, k *kernels.Key, i uint32) { c := counter(k, i); uniforms512(dst, &c[0]) }
	for f, r := range map[kernels.Act][2]func(dst, x []float32){kernels.Exp: {exp256, exp512}, kernels.Sigmoid: {sigmoid256, sigmoid512},
		kernels.SiLU: {silu256, silu512}, kernels.QuickGELU: {quickGELU256, quickGELU512}, kernels.GELUTanh: {geluTanh256, geluTanh512},
		kernels.GELU: {gelu256, gelu512}, kernels.ReLU: {relu256, relu512}} {
		a.act[f], b.act[f] = r[0], r[1]
	}
	for f, r := range map[kernels.Act][2]func(dx, x, dout []float32){kernels.Sigmoid: {sigmoidGrad256, sigmoidGrad512},
		kernels.SiLU: {siluGrad256, siluGrad512}, kernels.QuickGELU: {quickGELUGrad256, quickGELUGrad512}, kernels.GELUTanh: {geluTanhGrad256, geluTanhGrad512},
		kernels.GELU: {geluGrad256, geluGrad512}, kernels.ReLU: {reluGrad256, reluGrad512}} {
		a.actGrad[f], b.actGrad[f] = r[0], r[1]
	}
	return []*vector{a, b}
}

// counter is Philox's counter for block i, then its key.
func counter(k *kernels.Key, i uint32) [6]uint32 {
	return [6]uint32{i, k.Step, uint32(k.Item), uint32(k.Item >> 32), uint32(k.Seed), uint32(k.Seed >> 32)}
}
