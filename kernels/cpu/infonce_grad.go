package cpu

// gradients goes through the bands.
func (t *nce) gradients() {
	const grain = 32 // rows, or columns, that are packed at a time
	most, nr := min(nceBand, t.n), t.kernel.nr
	t.xCols, t.xDown = grown(t.xCols, t.panelled(most)*t.units), grown(t.xDown, most*ceilDiv(t.d, nr)*nr)
	if t.kernel.pairs != nil {
		t.band = grown(t.band, ceilDiv(t.m, 2)*t.bandLD)
	}
	if pieces := ceilDiv(t.n, t.rows); cap(t.dScale) < pieces {
		t.dScale = make([]float64, pieces)
	}
	t.dScale = t.dScale[:cap(t.dScale)]
	for t.r0 = 0; t.r0 < t.n; t.r0 += nceBand {
		t.nr = min(nceBand, t.n-t.r0)
		if t.r0 >= t.held {
			Ranges(t.nr, grain, t.packFn)
		}
		Ranges(t.d, grain, t.downFn)
		Ranges(t.m, t.cols, t.tileFn)
		Ranges(t.nr, t.rows, t.rowsFn)
	}
	Ranges(t.m, t.rows, t.finishFn)
	if ds := t.DScale.F32(); ds != nil {
		sum := 0.0
		for _, v := range t.dScale[:ceilDiv(t.n, t.rows)] {
			sum += v
		}
		ds[0] = float32(sum)
	}
}

// pack copies rows lo..hi-1 of the band to its panels.
func (t *nce) pack(lo, hi int) { t.columns(t.xCols[lo*t.units:], t.r0+lo, hi-lo) }

// depth is how many terms, or pairs of them, a product over so many rows has.
func (t *nce) depth(rows int) int {
	if t.kernel.pairs != nil {
		return ceilDiv(rows, 2)
	}
	return rows
}

// down copies columns lo..hi-1 of the band's rows to panels: what DY is made of.
func (t *nce) down(lo, hi int) {
	nr, k, x := t.kernel.nr, t.depth(t.nr), t.X.F32()[t.r0*t.d:]
	for j := lo; j < hi; j += nr {
		to, cols := t.xDown[j*k:][:nr*k], min(nr, hi-j)
		if f := t.kernel.pairs; f != nil {
			f.pairsOf(to, nr, x[j:], t.d, t.nr, cols)
			continue
		}
		rows := operand{data: x, ld: t.d}
		rows.pack(t.kernel, to, nr, j, j+cols, 0, k)
	}
}

// finish scales rows lo..hi-1 of DY.
func (t *nce) finish(lo, hi int) {
	dy := t.DY.F32()[lo*t.d : hi*t.d]
	t.loops.affine(dy, dy, t.scale, 0)
}

// similarities are where the band's lie from row c0 of Y on, rows ld apart.
func (t *nce) similarities(c0 int) (s []float32, ld int) {
	at := c0 * t.keptLD
	if t.held > nceBand { // all are kept
		at += t.r0
	}
	return t.kept[at:], t.keptLD
}

// bandTile makes the gradient of the band's similarities with rows c0..c1-1 of Y, and adds its part to DY.
func (t *nce) bandTile(c0, c1 int) {
	nc, wide := c1-c0, round16(t.nr)
	var s []float32
	ld := t.bandLD
	if t.kernel.pairs != nil {
		sc := getScratch(t.cols * ld)
		defer sc.put()
		s = sc.f
	} else {
		s, ld = t.similarities(c0)
	}
	w := workers.Get().(*worker)
	switch {
	case t.r0 >= t.held:
		t.tile(w, s, ld, c0, nc, t.xCols, wide, true)
	case t.kernel.pairs != nil:
		for j := range nc {
			copy(s[j*ld:][:wide], t.kept[(c0+j)*t.keptLD+t.r0:])
		}
	}
	for j := range nc {
		row := s[j*ld:][:wide]
		t.p.expPair(row, row, t.xTop[t.r0:][:wide], t.xOwn[t.r0:][:wide], t.yTop[c0+j], t.yOwn[c0+j])
	}
	hit := float32(float64(t.WX)/float64(t.n) + float64(t.WY)/float64(t.n))
	for i := range t.nr {
		if j := int(t.target[t.r0+i]); j >= c0 && j < c1 {
			s[(j-c0)*ld+i] -= hit
		}
	}
	k, nr := t.depth(t.nr), t.kernel.nr
	x := tilesArgs{c: t.DY.F32()[c0*t.d:], ldc: t.d, a: s, ars: ld, aks: 1, b: t.xDown, ldb: nr, panel: nr * k, rows: nc, cols: t.d, k: k, alpha: 1, add: t.r0 > 0, far: true}
	if t.kernel.pairs != nil {
		t.pairTile(w, &x, s, c0, nc)
	} else {
		t.kernel.tiles(w, x)
	}
	w.tile = tile{}
	workers.Put(w)
}

// bandRows makes the band's rows lo..hi-1 of DX.
func (t *nce) bandRows(lo, hi int) {
	r0, nr := t.r0+lo, hi-lo
	w := workers.Get().(*worker)
	dx, step := t.DX.F32()[r0*t.d:][:nr*t.d], nceDeep*t.cols
	for c0 := 0; c0 < t.m; c0 += step {
		k := t.depth(min(step, t.m-c0))
		x := tilesArgs{c: dx, ldc: t.d, ars: 1, rows: nr, cols: t.d, k: k, alpha: 1, add: c0 > 0, far: true}
		if t.kernel.pairs != nil {
			x.a, x.aks = t.band[c0/2*t.bandLD+lo:], t.bandLD
			x.b, x.ldb, x.panel = t.yDown[c0/2*t.yLD:], t.kernel.nr, t.kernel.nr*k
		} else {
			s, ld := t.similarities(c0)
			x.a, x.aks = s[lo:], ld
			x.b, x.ldb, x.panel = t.yDown[c0*t.yLD:], t.yLD, t.kernel.nr
		}
		t.kernel.tiles(w, x)
	}
	w.tile = tile{}
	workers.Put(w)
	sum := 0.0
	for i, v := range t.X.F32()[r0*t.d:][:nr*t.d] {
		sum += float64(v) * float64(dx[i])
	}
	t.loops.affine(dx, dx, t.scale, 0)
	t.dScale[r0/t.rows] = sum
}
