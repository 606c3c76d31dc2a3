package jpeg

// What red and blue gain from Cr and Cb, and, with 16 fraction bits, what green does (JFIF 1.02: 1.402, 1.772, 0.714136, 0.344136, as libjpeg rounds
// them to 5 digits and then to 16 bits).
var redOf, blueOf, greenOfCr, greenOfCb = func() (r, b, gr, gb [256]int32) {
	const half = 1 << 15
	fix := func(c float64) int32 { return int32(c*(1<<16) + 0.5) }
	for i := range int32(256) {
		x := i - 128
		r[i], b[i] = (fix(1.40200)*x+half)>>16, (fix(1.77200)*x+half)>>16
		gr[i], gb[i] = -fix(0.71414)*x, -fix(0.34414)*x+half
	}
	return r, b, gr, gb
}()

// image puts the planes together, and cuts off the blocks' padding.
func (d *decoder) image() *Image {
	n := len(d.comps)
	im := &Image{Width: d.width, Height: d.height, Channels: n, Pix: make([]uint8, d.width*d.height*n), Exif: d.exif}
	for i := range d.comps {
		d.comps[i].up = d.rows(&d.comps[i])
	}
	mix := d.mixer()
	for y := range d.height {
		mix(im.Pix[y*d.width*n:][:d.width*n], y)
	}
	return im
}

// mixer gives what makes a row of pixels. Whether a file holds YCbCr or RGB is told by its markers as libjpeg reads them: JFIF means YCbCr, then
// Adobe's transform counts, then the components' names; of four components Adobe's transform other than 0 means YCCK.
func (d *decoder) mixer() func(out []uint8, y int) {
	c := d.comps
	switch {
	case len(c) == 1:
		return func(out []uint8, y int) { copy(out, c[0].up(y)) }
	case len(c) == 4 && d.adobe > 0:
		return func(out []uint8, y int) { fromYCCK(out, c[0].up(y), c[1].up(y), c[2].up(y), c[3].up(y)) }
	case len(c) == 3 && (d.jfif || d.adobe > 0 || d.adobe < 0 && string([]byte{c[0].id, c[1].id, c[2].id}) != "RGB"):
		return func(out []uint8, y int) { fromYCbCr(out, c[0].up(y), c[1].up(y), c[2].up(y)) }
	}
	return func(out []uint8, y int) {
		for i := range c {
			row := c[i].up(y)
			for x := range d.width {
				out[x*len(c)+i] = row[x]
			}
		}
	}
}

func fromYCbCr(out, luma, cb, cr []uint8) {
	n := len(out) / 3
	luma, cb, cr = luma[:n], cb[:n], cr[:n]
	for x, l := range luma {
		y, u, v := int32(l), cb[x], cr[x]
		p := out[3*x : 3*x+3 : 3*x+3]
		p[0], p[1], p[2] = byteOf(y+redOf[v]), byteOf(y+(greenOfCb[u]+greenOfCr[v])>>16), byteOf(y+blueOf[u])
	}
}

func fromYCCK(out, luma, cb, cr, k []uint8) {
	for x := range len(out) / 4 {
		y, u, v := int32(luma[x]), cb[x], cr[x]
		p := out[4*x : 4*x+4 : 4*x+4]
		p[0], p[1], p[2], p[3] = 255-byteOf(y+redOf[v]), 255-byteOf(y+(greenOfCb[u]+greenOfCr[v])>>16), 255-byteOf(y+blueOf[u]), k[x]
	}
}

func byteOf(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^(v >> 31))
	}
	return uint8(v)
}
