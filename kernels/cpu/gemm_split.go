package cpu

import "syntic/kernels"

const (
	fewTiles  = 8  // of out: fewer cannot keep the processors busy
	depthWave = 32 // blocks of depth computed side by side
)

// deepAndSmall tells that out has few tiles and the depth is worth cutting to give many processors work: the gradient of a small weight
// over all tokens or pixels of a batch.
func (m *micro) deepAndSmall(p *product) bool {
	tiles := ceilDiv(p.m, m.mr) * ceilDiv(p.n, m.nr)
	return p.a.win.x == nil && tiles < fewTiles && p.k > blockDepth(p.k) && 2*p.m*p.n*p.k >= 4*taskFLOPs
}

// multiplySplit computes the blocks of depth side by side and adds them up in order. The blocks are those in which job.run goes through
// the depth, so the bits are the same: how many rows a product has decides who computes what, never a sum.
func (m *micro) multiplySplit(all product) {
	depth, size := blockDepth(all.k), all.m*all.n
	blocks := ceilDiv(all.k, depth)
	parts := getScratch(min(blocks, depthWave) * size)
	add := m.loops().axpby
	for from := 0; from < blocks; from += depthWave {
		count := min(depthWave, blocks-from)
		splitPieces.ranges(count, 1, splitWork{m, all, parts.f, from, depth})
		for i := range count {
			if from+i > 0 {
				add(all.out[:size], parts.f[i*size:(i+1)*size], all.out[:size], 1, 1)
			}
		}
	}
	if all.act != kernels.ActNone {
		m.activate(all.act, all.out[:size])
	}
	parts.put()
}

// splitWork is blocks of depth from number `from` on.
type splitWork struct {
	m           *micro
	all         product
	parts       []float32
	from, depth int
}

var splitPieces *spread[splitWork]

func init() { splitPieces = newSpread((*splitWork).block) } // not at its declaration, for a product may be one of these

// block computes one, number `from` + i.
func (w *splitWork) block(i, _ int) {
	p, k0, size := w.all, (w.from+i)*w.depth, w.all.m*w.all.n
	p.k, p.act = min(p.k-k0, w.depth), kernels.ActNone
	p.a.skip(k0)
	p.b.skip(k0)
	if k0 > 0 {
		p.out, p.bias, p.res, p.accumulate = w.parts[i*size:(i+1)*size], nil, nil, false
	}
	w.m.multiply(&p, true)
}

// skip leaves out the first k of the depth.
func (o *operand) skip(k int) {
	switch {
	case o.win.x != nil:
		o.win.from += k
	case o.panels != nil:
		o.panels = o.panels[k*o.width:]
	case o.round != nil:
		o.skipRaw(2 * k)
		o.whole -= 2 * k
	case o.deep:
		o.skipRaw(k)
	default:
		o.skipRaw(k * o.ld)
	}
}
