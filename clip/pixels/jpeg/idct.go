package jpeg

// The inverse DCT of libjpeg-turbo's default method, "islow" (Loeffler, Ligtenberg, Moschytz 1989, 12 multiplications; 13 fraction bits, and 2 more
// between the passes). Sums and products keep as many bits as its SIMD code on x86-64 keeps, so that even overflowing blocks come out the same.
const (
	fracBits = 13
	passBits = 2

	f0298 = 2446 // 0.298631336 · 2¹³, and so on
	f0390 = 3196
	f0541 = 4433
	f0765 = 6270
	f0899 = 7373
	f1175 = 9633
	f1501 = 12299
	f1847 = 15137
	f1961 = 16069
	f2053 = 16819
	f2562 = 20995
	f3072 = 25172
)

// flat writes a block of DC alone.
func flat(dc int16, out []uint8, stride int) {
	v := clamp((int32(dc<<passBits) + 1<<(passBits+2)) >> (passBits + 3))
	for y := range 8 {
		row := out[y*stride:][:8]
		for x := range row {
			row[x] = v
		}
	}
}

// clamp is v + 128, kept in a byte.
func clamp(v int32) uint8 {
	if v += 128; uint32(v) > 255 {
		return uint8(^(v >> 31))
	}
	return uint8(v)
}

func saturate(v int32) int32 { return min(1<<15-1, max(-1<<15, v)) }

// idct writes the 8×8 samples of dequantised coefficients in natural order; span as of decodeBlock.
func idct(in *[64]int16, span int, out []uint8, stride int) {
	if span == 0 {
		flat(in[0], out, stride)
		return
	}
	var w [64]int32
	if span < 8 { // the first row alone: SIMD's shortcut drops bits where the long way saturates
		for x := range 8 {
			v := int32(in[x] << passBits)
			for y := 0; y < 64; y += 8 {
				w[y+x] = v
			}
		}
	} else {
		for x := range 8 {
			column(in, &w, x)
		}
	}
	for y := range 8 {
		row((*[8]int32)(w[8*y:]), (*[8]uint8)(out[y*stride:]))
	}
}

func column(in *[64]int16, w *[64]int32, x int) {
	if in[x+8]|in[x+16]|in[x+24]|in[x+32]|in[x+40]|in[x+48]|in[x+56] == 0 {
		v := saturate(int32(in[x]) << passBits)
		for y := 0; y < 64; y += 8 {
			w[y+x] = v
		}
		return
	}
	const shift, half = fracBits - passBits, 1 << (fracBits - passBits - 1)
	a, b, c, d, o0, o1, o2, o3 := butterfly(int32(in[x]), int32(in[x+8]), int32(in[x+16]), int32(in[x+24]), int32(in[x+32]), int32(in[x+40]),
		int32(in[x+48]), int32(in[x+56]))
	a, b, c, d = a+half, b+half, c+half, d+half
	w[x], w[x+56] = saturate((a+o3)>>shift), saturate((a-o3)>>shift)
	w[x+8], w[x+48] = saturate((b+o2)>>shift), saturate((b-o2)>>shift)
	w[x+16], w[x+40] = saturate((c+o1)>>shift), saturate((c-o1)>>shift)
	w[x+24], w[x+32] = saturate((d+o0)>>shift), saturate((d-o0)>>shift)
}

func row(w *[8]int32, out *[8]uint8) {
	if w[1]|w[2]|w[3]|w[4]|w[5]|w[6]|w[7] == 0 {
		v := clamp((w[0] + 1<<(passBits+2)) >> (passBits + 3))
		*out = [8]uint8{v, v, v, v, v, v, v, v}
		return
	}
	const shift, half = fracBits + passBits + 3, 1 << (fracBits + passBits + 2)
	a, b, c, d, o0, o1, o2, o3 := butterfly(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7])
	a, b, c, d = a+half, b+half, c+half, d+half
	out[0], out[7] = clamp((a+o3)>>shift), clamp((a-o3)>>shift)
	out[1], out[6] = clamp((b+o2)>>shift), clamp((b-o2)>>shift)
	out[2], out[5] = clamp((c+o1)>>shift), clamp((c-o1)>>shift)
	out[3], out[4] = clamp((d+o0)>>shift), clamp((d-o0)>>shift)
}

// butterfly is the part both passes share: the even outputs a to d, the odd ones o3 to o0 that go with them.
func butterfly(i0, i1, i2, i3, i4, i5, i6, i7 int32) (a, b, c, d, o0, o1, o2, o3 int32) {
	z := (i2 + i6) * f0541
	e2, e3 := z-i6*f1847, z+i2*f0765
	e0, e1 := int32(int16(i0+i4))<<fracBits, int32(int16(i0-i4))<<fracBits
	a, d, b, c = e0+e3, e0-e3, e1+e2, e1-e2

	z3, z4 := int32(int16(i7+i3)), int32(int16(i5+i1))
	z5 := (z3 + z4) * f1175
	z1, z2 := (i7+i1)*-f0899, (i5+i3)*-f2562
	z3, z4 = z5-z3*f1961, z5-z4*f0390
	return a, b, c, d, i7*f0298 + z1 + z3, i5*f2053 + z2 + z4, i3*f3072 + z2 + z3, i1*f1501 + z1 + z4
}
