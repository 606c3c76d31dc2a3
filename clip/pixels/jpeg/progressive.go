package jpeg

// progress decodes a block's part in a progressive scan (T.81, annex G).
func (w *walker) progress(c *component, blk *[64]int16) {
	b, s := &w.d.bits, w.s
	switch {
	case s.from == 0 && s.high == 0:
		if size := int(b.symbol(c.dcT)); size != 0 {
			c.pred += int(extend(b.take(size), size))
		}
		blk[0] = int16(c.pred << s.low)
	case s.from == 0:
		if b.bit() {
			blk[0] |= 1 << s.low
		}
	case s.high == 0:
		w.first(c, blk)
	default:
		w.refine(c, blk)
	}
}

// first is a band's first scan.
func (w *walker) first(c *component, blk *[64]int16) {
	if w.eobs > 0 {
		w.eobs--
		return
	}
	b := &w.d.bits
	for k := w.s.from; k <= w.s.to; k++ {
		sym := b.symbol(c.acT)
		run, size := int(sym>>4), int(sym&15)
		if size == 0 {
			if run != 15 {
				w.eobs = 1<<run + int(b.take(run)) - 1
				return
			}
			k += 15
			continue
		}
		k += run
		blk[zigzag[k]] = int16(extend(b.take(size), size) << w.s.low)
	}
}

// refine sends one more bit of a band.
func (w *walker) refine(c *component, blk *[64]int16) {
	b := &w.d.bits
	plus := int16(1) << w.s.low
	k := w.s.from
	for w.eobs == 0 && k <= w.s.to {
		sym := b.symbol(c.acT)
		run, value := int(sym>>4), int16(0)
		if sym&15 != 0 { // its size can only be 1
			if value = -plus; b.bit() {
				value = plus
			}
		} else if run != 15 {
			w.eobs = 1<<run + int(b.take(run))
			break
		}
		for ; k <= w.s.to; k++ { // pass run zeros; what is not zero gets its bit on the way
			if at := zigzag[k]; blk[at] != 0 {
				w.correct(&blk[at], plus)
			} else if run--; run < 0 {
				break
			}
		}
		if value != 0 {
			blk[zigzag[k]] = value
		}
		k++
	}
	if w.eobs > 0 {
		for ; k <= w.s.to; k++ {
			if at := zigzag[k]; blk[at] != 0 {
				w.correct(&blk[at], plus)
			}
		}
		w.eobs--
	}
}

// correct reads the next bit of a coefficient that is not zero.
func (w *walker) correct(v *int16, plus int16) {
	if w.d.bits.bit() && *v&plus == 0 {
		if *v >= 0 {
			*v += plus
		} else {
			*v -= plus
		}
	}
}
