package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// depthPieces is into how many pieces the depth of a product is cut to give many processors work when out has few tiles: the gradient of
// a small weight over all tokens or pixels of a batch. It depends on the sizes alone, so the order of the sums does too.
func (m *micro) depthPieces(p *product) int {
	const most, depth = 8, 1024
	tiles := ceilDiv(p.m, m.mr) * ceilDiv(p.n, m.nr)
	if p.a.win.x != nil || tiles >= most || 2*p.m*p.n*p.k < 4*taskFLOPs {
		return 1
	}
	return max(1, min(ceilDiv(2*most, tiles+1), p.k/depth))
}

// multiplySplit computes the pieces side by side and adds them up in order.
func (m *micro) multiplySplit(all product, pieces int) {
	depth, size := ceilDiv(all.k, pieces), all.m*all.n
	pieces = ceilDiv(all.k, depth)
	parts := getScratch(pieces * size)
	Parallel(pieces, func(i int) {
		p := all
		p.k = min(all.k, (i+1)*depth) - i*depth
		p.a.skip(i * depth)
		p.b.skip(i * depth)
		p.out, p.alpha, p.bias, p.res, p.accumulate, p.act = parts.f[i*size:(i+1)*size], 1, nil, nil, false, kernels.ActNone
		m.multiply(&p, true)
	})
	sum := parts.f[:size]
	for i := 1; i < pieces; i++ {
		for j, v := range parts.f[i*size : (i+1)*size] {
			sum[j] += v
		}
	}
	t := tile{c: unsafe.Pointer(&all.out[0]), cs: uintptr(4 * all.n), alpha: all.alpha}
	if all.bias != nil {
		t.bias = unsafe.Pointer(&all.bias[0])
	}
	if all.res != nil {
		t.res = unsafe.Pointer(&all.res[0])
	}
	if all.accumulate {
		t.acc = 1
	}
	for r := range all.m {
		t.finish(r, 0, sum[r*all.n:(r+1)*all.n])
	}
	if all.act != kernels.ActNone {
		m.activate(all.act, all.out[:size])
	}
	parts.put()
}

// skip leaves out the first k of the depth.
func (o *operand) skip(k int) {
	switch {
	case o.win.x != nil:
		o.win.from += k
	case o.deep:
		o.data = o.data[k:]
	default:
		o.data = o.data[k*o.ld:]
	}
}
