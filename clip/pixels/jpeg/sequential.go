package jpeg

// sequential decodes a block of a baseline or extended scan into blk, which must be zero: dequantised, natural order. Products keep 16 bits, as in
// libjpeg-turbo's SIMD code. span has the bits of all places other than 0 that were written: 0 means DC alone, below 8 the first row alone.
func (d *decoder) sequential(c *component, blk *[64]int16) (span int) {
	return d.decodeBlock(c, blk, c.quant)
}

// coefficients decodes a block of one of several sequential scans into blk, as coded.
func (d *decoder) coefficients(c *component, blk *[64]int16) { d.decodeBlock(c, blk, &ones) }

var ones = func() (q [64]uint16) {
	for i := range q {
		q[i] = 1
	}
	return q
}()

func (d *decoder) decodeBlock(c *component, blk *[64]int16, q *[64]uint16) (span int) {
	b := &d.bits
	if b.n < 32 {
		b.fill()
	}
	diff := int32(0)
	if e := c.dcT.coef[b.acc>>(64-peekBits)]; e>>16 != 0 {
		b.drop(int(e & 63))
		diff = e >> 16
	} else if size := int(b.symbol(c.dcT)); size != 0 {
		diff = extend(b.take(size), size)
	}
	c.pred += int(diff)
	blk[0] = int16(c.pred * int(q[0]))

	acc, n := b.acc, b.n // in registers while the block lasts
	ac := &c.acT.coef
	for k := 1; k < 64; k++ {
		if n < 32 {
			b.acc, b.n = acc, n
			b.fill()
			acc, n = b.acc, b.n
		}
		e := ac[acc>>(64-peekBits)]
		run := int(e >> 8 & 15)
		if v := e >> 16; v != 0 { // code and value in one look
			acc <<= uint(e & 63)
			n -= int(e & 63)
			k += run
			at := zigzag[k]
			blk[at] = int16(v * int32(q[at]))
			span |= int(at)
			continue
		}
		size := int(e >> 12 & 15)
		if e != 0 {
			acc <<= uint(e & 63)
			n -= int(e & 63)
		} else {
			b.acc, b.n = acc, n
			s := b.long(c.acT)
			acc, n = b.acc, b.n
			run, size = int(s>>4), int(s&15)
		}
		if size == 0 {
			if run != 15 {
				break
			}
			k += 15
			continue
		}
		k += run
		v := extend(uint32(acc>>(64-uint(size))), size)
		acc <<= uint(size)
		n -= size
		at := zigzag[k]
		blk[at] = int16(v * int32(q[at]))
		span |= int(at)
	}
	b.acc, b.n = acc, n
	return span
}
