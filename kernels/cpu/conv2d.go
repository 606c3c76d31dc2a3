package cpu

import "syntic/kernels"

// Convolutions are products over gathered windows (implicit GEMM): a task gathers the windows of its own pixels, a block of depth at a
// time, so the matrix of all windows never exists. Those of 3×3 taps are fewer products of transformed tiles (winograd.go).
func init() {
	for i, m := range micros {
		m.addConvolutions(10+2*i, kernels.F32, needs(m.level))
		kernels.Conv2D.Add(kernels.Variant[kernels.Conv2DArgs]{Name: m.name + "_winograd", Device: kernels.CPU, Rank: 11 + 2*i, Available: needs(m.level),
			Note: m.note + "; 3×3 taps of stride 1 by Winograd's F(4×4, 3×3)",
			Usable: func(a *kernels.Conv2DArgs) bool {
				return areF32(&a.X, &a.Out) && isWeight(&a.W) && fitsWinograd(a.Sizes(), a.Stride)
			},
			Run: func(_ *kernels.Stream, a *kernels.Conv2DArgs) error { m.winograd(a); return nil }})
	}
}

func (m *micro) addConvolutions(rank int, operands kernels.DType, available func() bool) {
	usable := func(a *kernels.Conv2DArgs) bool { return areF32(&a.X, &a.Out) && isWeight(&a.W) }
	kernels.Conv2D.Add(kernels.Variant[kernels.Conv2DArgs]{Name: m.name, Device: kernels.CPU, Rank: rank, Operands: operands, Within: m.pairs != nil, Note: m.note, Available: available,
		Usable: usable, Run: func(_ *kernels.Stream, a *kernels.Conv2DArgs) error { m.conv2d(a); return nil }})
	if m.pairs != nil {
		kernels.Conv2D.Add(kernels.Variant[kernels.Conv2DArgs]{Name: m.name + "_direct", Device: kernels.CPU, Rank: rank - 10, Operands: operands, Note: m.note + "; never Winograd's", Available: available,
			Usable: usable, Run: func(_ *kernels.Stream, a *kernels.Conv2DArgs) error { m.direct(a); return nil }})
	}
	kernels.Conv2DGradX.Add(kernels.Variant[kernels.Conv2DGradXArgs]{Name: m.name, Device: kernels.CPU, Rank: rank, Operands: operands, Note: m.note, Available: available,
		Usable: func(a *kernels.Conv2DGradXArgs) bool { return areF32(&a.DOut, &a.DX) && isWeight(&a.W) },
		Run:    func(_ *kernels.Stream, a *kernels.Conv2DGradXArgs) error { m.conv2dGradX(a); return nil }})
	kernels.Conv2DGradW.Add(kernels.Variant[kernels.Conv2DGradWArgs]{Name: m.name, Device: kernels.CPU, Rank: rank, Operands: operands, Note: m.note, Available: available,
		Usable: func(a *kernels.Conv2DGradWArgs) bool { return areF32(&a.X, &a.DOut, &a.DW) },
		Run:    func(_ *kernels.Stream, a *kernels.Conv2DGradWArgs) error { m.conv2dGradW(a); return nil }})
}

func areF32(v ...*kernels.View) bool {
	for _, v := range v {
		if v.DType != kernels.F32 {
			return false
		}
	}
	return true
}

// pointwise tells whether a window is one pixel and every pixel is seen once: the windows are the image itself.
func pointwise(s kernels.ConvSizes, stride int, pad [4]int) bool {
	return s.KH == 1 && s.KW == 1 && stride == 1 && pad == [4]int{}
}

func (m *micro) conv2d(a *kernels.Conv2DArgs) {
	s := a.Sizes()
	if m.pairs != nil && fitsWinograd(s, a.Stride) && s.OH*s.OW > directPixels {
		m.winogradFixed(a)
		return
	}
	m.direct(a)
}

// direct computes a convolution as a product over windows.
func (m *micro) direct(a *kernels.Conv2DArgs) {
	s, step := wholeLines(a)
	if m.pairs != nil && s.O <= narrowN {
		m = m.pairs.plain
	}
	x, c, single := a.X.F32(), s.I, pointwise(s, a.Stride, a.Pad)
	p := product{m: s.B * s.OH * s.OW, n: s.O, alpha: 1, bias: a.Bias.F32(), res: a.Residual.F32(), out: a.Out.F32(), act: a.Act}
	var panels []float32
	if p.m <= keptPixels || m.pairs != nil && (s.KH*s.KW == 1 && p.m <= keptRows || s.OH*s.OW <= keptWindows) {
		panels = m.kept(&a.W, s.O, s.KH*s.KW*c, c, true)
	}
	switch {
	case m.pairs == nil:
		p.b = weight(&a.W, s.O, s.KH*s.KW*c, true)
	case panels == nil:
		w, own := m.pairs.weight(m.level, &a.W, s.O*s.KH*s.KW, c, true)
		defer own.put()
		p.b = matrix(w, s.O, s.KH*s.KW*ceilDiv(c, 2), true)
	}
	if m.pairs != nil {
		if !single { // single pixels are rounded by the task that reads them
			px := m.pairs.along(x, s.B*s.H*s.W, c)
			defer px.put()
			x = px.f
		}
		c = ceilDiv(c, 2)
	}
	taps := s.KH * s.KW * c
	p.k, p.b.panels, p.b.width, p.b.whole = taps, panels, m.nr, taps
	if single {
		p.a = operand{data: x, ld: s.I, deep: true}
		if m.pairs != nil {
			p.a.round, p.a.whole = m.pairs, s.I
		}
	} else {
		p.a.win = window{x, s.H, s.W, c, s.KH, s.KW, a.Stride, step, a.Pad[0], a.Pad[1], s.OH, s.OW, 0}
		if p.m <= fewPixels && p.m*taps <= maxWindows && s.O >= 256 {
			own := p.a.gatherAll(m, p.m, taps)
			defer own.put()
		}
	}
	m.multiply(&p, small(&p))
}

// wholeLines are the sizes of a convolution and its step along a line. Where windows lie side by side, as the patches of a vision transformer do, a line of a window
// is one long pixel: then no pair of bfloat16 is half empty because an image has three colours.
func wholeLines(a *kernels.Conv2DArgs) (s kernels.ConvSizes, step int) {
	s, step = a.Sizes(), a.Stride
	if s.KW > 1 && s.KW == step && s.W%step == 0 && a.Pad[1] == 0 && a.Pad[3] == 0 {
		s.W, s.I, s.KW, step = s.W/step, s.I*step, 1, 1
	}
	return s, step
}

// Of few pixels, all windows are gathered before the product: its tasks share them, where otherwise every task would gather them again for its
// columns, and the weights, which outweigh the pixels, are packed by the task that needs them instead of being staged for all.
const (
	fewPixels  = 256
	maxWindows = 1 << 22 // values
)

// directPixels is the largest map on which pairs of bfloat16 are faster as a direct product: Winograd's transforms of the weights are made for too few tiles.
const directPixels = 64

// gatherAll makes a matrix in scratch of the windows of n pixels.
func (o *operand) gatherAll(m *micro, n, taps int) *scratch {
	ld := taps
	if ld%1024 == 0 { // rows would fall on each other in the caches
		ld += 16
	}
	s, win := getScratch(n*ld), o.win
	windowPieces.ranges(n, max(1, 1<<15/taps), windowWork{m, win, s.f, ld, taps})
	*o = operand{data: s.f, ld: ld, deep: true}
	return s
}

// windowWork is windows as rows, ld values apart.
type windowWork struct {
	m        *micro
	win      window
	dst      []float32
	ld, taps int
}

var windowPieces = newSpread(func(w *windowWork, lo, hi int) {
	w.win.gather(w.m, w.dst[lo*w.ld:], w.ld, lo, hi, 0, w.taps)
})

// small tells that a product is not worth a second goroutine.
func small(p *product) bool { return 2*p.m*p.n*p.k < taskFLOPs/4 }

// conv2dGradW: DW [O, KH·KW·I] = DOutᵀ · windows, the depth being all pixels of the batch.
func (m *micro) conv2dGradW(a *kernels.Conv2DGradWArgs) {
	s := a.Sizes()
	taps := s.KH * s.KW * s.I
	p := product{m: s.O, n: taps, k: s.B * s.OH * s.OW, alpha: 1, out: a.DW.F32(), a: operand{data: a.DOut.F32(), ld: s.O}}
	win := window{a.X.F32(), s.H, s.W, s.I, s.KH, s.KW, a.Stride, a.Stride, a.Pad[0], a.Pad[1], s.OH, s.OW, 0}
	if m.pairs != nil { // of pixels that are neighbours in a line
		g := m.pairs.across(a.DOut.F32(), s.B*s.OH, s.OW, s.O)
		defer g.put()
		var x *scratch
		if x, win = m.pairs.window(win, s.B); x != nil {
			defer x.put()
		}
		p.a.data, p.k = g.f, s.B*s.OH*win.ow
	}
	if pointwise(s, a.Stride, a.Pad) {
		p.b = operand{data: win.x, ld: s.I}
	} else {
		p.b.win = win
	}
	m.multiply(&p, small(&p))
	if !a.DBias.Absent() {
		db := a.DBias.F32()
		colSums(reduceWork{sumsOut{o: db, scale: 1}, m.loops(), a.DOut.F32(), 1, s.B * s.OH * s.OW, s.O})
	}
}

// conv2dGradX takes the pixels of DX in Stride² phases. The pixels of a phase meet only every Stride-th tap of the weight, so each phase
// is a convolution of stride 1 over DOut with those taps, turned around: no product with a zero between pixels, no scattered sums.
func (m *micro) conv2dGradX(a *kernels.Conv2DGradXArgs) {
	s := a.Sizes()
	if m.pairs != nil && s.I <= narrowN {
		m = m.pairs.plain
	}
	dout, o := a.DOut.F32(), s.O
	if m.pairs != nil {
		g := m.pairs.along(dout, s.B*s.OH*s.OW, o)
		defer g.put()
		dout, o = g.f, ceilDiv(o, 2)
	}
	w, own := widened(m.level, &a.W)
	defer own.put()
	for py := range a.Stride {
		for px := range a.Stride {
			m.gradXPhase(a, dout, w, o, py, px)
		}
	}
}

// gradXPhase computes the pixels of a phase from dout, of o channels (or pairs of channels).
func (m *micro) gradXPhase(a *kernels.Conv2DGradXArgs, dout, w []float32, o, py, px int) {
	s, dx, st := a.Sizes(), a.DX.F32(), a.Stride
	ty, y0, ny, top := phase(py, st, s.KH, a.Pad[0], s.H)
	tx, x0, nx, left := phase(px, st, s.KW, a.Pad[1], s.W)
	if ny*nx == 0 {
		return
	}
	if ty*tx == 0 { // no tap meets these pixels
		for r := range s.B * ny {
			at := (r/ny*s.H + y0 + r%ny*st) * s.W
			for x := x0; x < s.W; x += st {
				clear(dx[(at+x)*s.I:][:s.I])
			}
		}
		return
	}
	depth := ty * tx * o
	deep := m.narrowFits(s.I, depth)
	b := operand{data: w, ld: s.I}
	if s.KH*s.KW > 1 || deep || m.pairs != nil {
		turned := getScratch(depth * s.I)
		defer turned.put()
		b.data = turned.f
		switch {
		case m.pairs != nil:
			turnPairs(m.pairs, turned.f, w, s, st, py, px, ty, tx)
		case deep:
			b.deep, b.ld = true, depth
			turnDeep(turned.f, w, s, st, py, px, ty, tx)
		default:
			turn(turned.f, w, s, st, py, px, ty, tx)
		}
	}
	p := product{m: s.B * ny * nx, n: s.I, k: depth, alpha: 1, out: dx, b: b}
	if pointwise(s, st, a.Pad) {
		p.a = operand{data: dout, ld: o, deep: true}
	} else {
		p.a.win = window{dout, s.OH, s.OW, o, ty, tx, 1, 1, top, left, ny, nx, 0}
	}
	if st == 1 {
		m.multiply(&p, small(&p))
		return
	}
	dense := getScratch(p.m * s.I) // the phase's pixels without the gaps
	p.out = dense.f
	m.multiply(&p, small(&p))
	spreadPixels.ranges(s.B*ny, ceilDiv(1<<14, nx*s.I), pixelWork{s, dx, dense.f, st, x0, y0, nx, ny})
	dense.put()
}

// pixelWork is the ny lines of nx pixels of a phase, side by side in src, that go st apart to dst from (y0, x0) on.
type pixelWork struct {
	s                  kernels.ConvSizes
	dst, src           []float32
	st, x0, y0, nx, ny int
}

var spreadPixels = newSpread(func(w *pixelWork, lo, hi int) {
	s := &w.s
	for r := lo; r < hi; r++ {
		at := (r/w.ny*s.H + w.y0 + r%w.ny*w.st) * s.W
		for x := range w.nx {
			copy(w.dst[(at+w.x0+x*w.st)*s.I:][:s.I], w.src[(r*w.nx+x)*s.I:])
		}
	}
})

// turn copies the taps of a phase of w [O, KH, KW, I], the last first, as [ty, tx, O, I].
func turn(dst, w []float32, s kernels.ConvSizes, stride, py, px, ty, tx int) {
	for u := range ty {
		for v := range tx {
			tap := (py+(ty-1-u)*stride)*s.KW + px + (tx-1-v)*stride
			for o := range s.O {
				copy(dst[((u*tx+v)*s.O+o)*s.I:][:s.I], w[(o*s.KH*s.KW+tap)*s.I:])
			}
		}
	}
}

// turnDeep does the same as [I, ty, tx, O].
func turnDeep(dst, w []float32, s kernels.ConvSizes, stride, py, px, ty, tx int) {
	for at := range ty * tx {
		tap := (py+(ty-1-at/tx)*stride)*s.KW + px + (tx-1-at%tx)*stride
		for o := range s.O {
			for i, x := range w[(o*s.KH*s.KW+tap)*s.I:][:s.I] {
				dst[(i*ty*tx+at)*s.O+o] = x
			}
		}
	}
}

// turnPairs does the same as turn with pairs of output channels, [ty, tx, (O+1)/2, I].
func turnPairs(f *rounding, dst, w []float32, s kernels.ConvSizes, stride, py, px, ty, tx int) {
	taps, pairs := s.KH*s.KW, ceilDiv(s.O, 2)
	for at := range ty * tx {
		tap := (py+(ty-1-at/tx)*stride)*s.KW + px + (tx-1-at%tx)*stride
		f.rowPairs(dst[at*pairs*s.I:][:pairs*s.I], w[tap*s.I:], taps*s.I, s.O, s.I)
	}
}

// phase describes, along one axis, the pixels at from, from+stride, … (n of them) of the input that meet the taps ph, ph+stride, …
// (there are taps of them), and the padding before DOut that puts the first tap's window in place (it may be negative).
func phase(ph, stride, kernel, pad, size int) (taps, from, n, before int) {
	taps = max(0, ceilDiv(kernel-ph, stride))
	from = ((ph-pad)%stride + stride) % stride
	n = max(0, ceilDiv(size-from, stride))
	return taps, from, n, taps - 1 - (from+pad)/stride
}
