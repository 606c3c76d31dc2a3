package cpu

// gradients adds the band's part to the rows of DW of a group, and makes the group's part of DX.
func (t *lce) gradients(j int) {
	v0, v1 := j*t.group, min(t.v, (j+1)*t.group)
	loops, ldx := t.p.loops(), t.ld+16
	sc := getScratch(t.nr*ldx + 2*t.cols)
	defer sc.put()
	mem := sc.f
	x, scale, row := take(&mem, t.nr*ldx), take(&mem, t.cols), take(&mem, t.cols)
	copy(scale, t.scale[j*lceBand:][:t.nr])
	clear(scale[t.nr:])
	for i := range t.nr {
		loops.affine(x[i*ldx:][:t.ld], t.x[(t.r0+i)*t.ld:][:t.ld], scale[i], 0)
	}
	var xHalf *scratch
	step := lceChunk
	if t.half != nil {
		step *= 2 // the depth of a product, in pairs
		xHalf = t.half.across(t, x, ldx)
		defer xHalf.put()
	}
	for c0 := v0; c0 < v1; c0 += step {
		nv := min(step, v1-c0)
		if t.dw != nil {
			if t.half != nil {
				t.half.dw(t, xHalf, c0, nv)
			} else {
				t.p.product(t.dw[c0*t.ld:], t.ld, t.band[c0*t.bandLD:], t.bandLD, 1, x, ldx, 16, nv, t.ld, t.nr, t.r0 > 0)
			}
		}
		if !t.DX.Absent() {
			part := t.part[j*min(t.n, lceBand)*t.ld:]
			if t.half != nil {
				t.half.dx(t, part, c0, nv, c0 > v0)
			} else {
				for i := 0; i < t.nr; i += lceRows { // these columns of the band stay in the first-level cache
					t.p.product(part[i*t.ld:], t.ld, t.band[c0*t.bandLD+i:], 1, t.bandLD, t.w[c0*t.ld:], t.ld, 16, min(lceRows, t.nr-i), t.ld, nv, c0 > v0)
				}
			}
		}
		if db := t.DBias.F32(); db != nil {
			for v := c0; v < c0+nv; v++ {
				if t.r0 == 0 {
					db[v] = float32(-t.bSum)
				}
				e := row
				if t.half != nil {
					t.half.row(t, row, v)
				} else {
					e = t.band[v*t.bandLD:][:t.cols]
				}
				db[v] += t.p.dotRow(e, scale)
			}
		}
	}
	t.targets(v0, v1)
}

// targets adds to the gradients of words v0..v1-1 what they count as targets, and, when all bands are done, what smoothing takes.
func (t *lce) targets(v0, v1 int) {
	loops, db := t.p.loops(), t.DBias.F32()
	for i := t.r0; i < t.r0+t.nr; i++ {
		v := int(t.Target.I32()[i])
		if v < v0 || v >= v1 || t.Target.I32()[i] == t.Ignore {
			continue
		}
		if t.dw != nil {
			row := t.dw[v*t.ld : (v+1)*t.ld]
			loops.axpby(row, row, t.x[i*t.ld:(i+1)*t.ld], 1, t.own[i])
		}
		if db != nil {
			db[v] += t.own[i]
		}
	}
	if t.dw == nil || t.r0+t.nr < t.n {
		return
	}
	dw := t.DW.F32()
	for v := v0; v < v1; v++ {
		row := t.dw[v*t.ld:][:t.c]
		if t.Smoothing > 0 {
			loops.axpby(row, row, t.xMean[:t.c], 1, -1)
		}
		if t.ld != t.c {
			copy(dw[v*t.c:(v+1)*t.c], row)
		}
	}
}

// foldDX adds up the groups' parts of rows of DX.
func (t *lce) foldDX(lo, hi int) {
	loops, rows := t.p.loops(), min(t.n, lceBand)
	for i := lo; i < hi; i++ {
		n := t.r0 + i
		to, own := t.DX.F32()[n*t.c:(n+1)*t.c], t.own[n]
		v := int(t.Target.I32()[n])
		if int32(v) == t.Ignore {
			clear(to)
			continue
		}
		loops.affine(to, t.w[v*t.ld:][:t.c], own, 0)
		for j := range t.groups {
			loops.axpby(to, to, t.part[(j*rows+i)*t.ld:][:t.c], 1, t.scale[j*lceBand+i])
		}
		if t.Smoothing > 0 {
			loops.axpby(to, to, t.wMean[:t.c], 1, float32(-t.share[n]*float64(t.Smoothing)))
		}
	}
}
