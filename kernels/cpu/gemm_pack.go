package cpu

import (
	"unsafe"

	"syntic/kernels"
)

// operand is one side of a product: a matrix of rows (of A, or columns of B) by depth.
type operand struct {
	data  []float32
	half  []uint16 // instead of data: a weight of B in its stored format, dtype (widen.go)
	ld    int
	deep  bool // element (r, k) is data[r·ld + k]; otherwise data[k·ld + r]
	dtype kernels.DType
	win   window // if it has an x — A: rows are pixels, depth is the window; B: depth is pixels, rows are the window

	round  *rounding // A: data is float32 still, whole values of it along the depth, and k counts pairs: rows are rounded when they are read
	whole  int
	panels []float32 // B: all of it, packed: panels of width columns and of depth whole, one after the other (gemm_kept.go)
	width  int
}

// pack writes rows r0..r1-1 of depth k0..k1-1 as [k1-k0][width]. If there are fewer than width rows, the rest is anything: no kernel
// stores what it makes of them.
func (o *operand) pack(m *micro, dst []float32, width, r0, r1, k0, k1 int) {
	if o.half != nil {
		o.packHalf(m, dst, width, r0, r1, k0, k1)
		return
	}
	o.packFloats(m, dst, width, r0, r1, k0, k1)
}

// packFloats is pack for float32.
func (o *operand) packFloats(m *micro, dst []float32, width, r0, r1, k0, k1 int) {
	rows, n := r1-r0, k1-k0
	if !o.deep && m.strips != nil {
		m.strips(unsafe.Pointer(&dst[0]), uintptr(4*width), uintptr(width), unsafe.Pointer(&o.data[k0*o.ld+r0]), uintptr(4*o.ld), uintptr(rows), uintptr(n))
		return
	}
	if !o.deep {
		for k := range n {
			copy(dst[k*width:k*width+rows], o.data[(k0+k)*o.ld+r0:])
		}
		return
	}
	r := 0
	for _, t := range m.transposes {
		if n < 4 || t.lanes > 8 && o.ld%1024 == 0 { // 16 rows a multiple of 4 KiB apart drive each other out of the first-level cache
			continue
		}
		for ; r+t.lanes <= rows; r += t.lanes {
			at := (r0+r)*o.ld + k0
			t.run(unsafe.Pointer(&dst[r]), uintptr(4*width), unsafe.Pointer(&o.data[at]), uintptr(4*o.ld), uintptr(n/4))
			for k := n &^ 3; k < n; k++ {
				for i := range t.lanes {
					dst[k*width+r+i] = o.data[at+i*o.ld+k]
				}
			}
		}
	}
	for ; r+4 <= rows; r += 4 { // four rows at a time: a quarter of the scattered stores' cache lines
		at := (r0+r)*o.ld + k0
		s0, s1, s2, s3 := o.data[at:at+n], o.data[at+o.ld:at+o.ld+n], o.data[at+2*o.ld:at+2*o.ld+n], o.data[at+3*o.ld:at+3*o.ld+n]
		for k, v := range s0 {
			d := (*[4]float32)(dst[k*width+r:])
			d[0], d[1], d[2], d[3] = v, s1[k], s2[k], s3[k]
		}
	}
	for ; r < rows; r++ {
		for k, v := range o.data[(r0+r)*o.ld+k0:][:n] {
			dst[k*width+r] = v
		}
	}
}

// window reads an image [B, h, w, c] through the sliding window of a convolution: pixel p of [B, oh, ow] sees kh·kw·c values,
// zeros where the window hangs over the border. top and left may be negative.
type window struct {
	x                         []float32
	h, w, c                   int
	kh, kw, sy, sx, top, left int // sy and sx are the strides
	oh, ow                    int
	from                      int // pixels left out before the first
}

// gather copies, for pixels p0..p1-1, the values k0..k1-1 of their windows into rows of dst, ld apart. It goes along each line of output
// pixels for each line of the window: there, the windows lie sx·c apart, and all but those at the ends lie inside the image.
func (v *window) gather(m *micro, dst []float32, ld, p0, p1, k0, k1 int) {
	p0, p1 = p0+v.from, p1+v.from
	line, gap := v.kw*v.c, v.sx*v.c
	in0, in1 := ceilDiv(max(v.left, 0), v.sx), 0 // pixels in0..in1-1 of a line have windows within the image's width
	if d := v.w - v.kw + v.left; d >= 0 {
		in1 = min(v.ow, d/v.sx+1)
	}
	for p := p0; p < p1; {
		b, y, x0 := p/(v.oh*v.ow), p/v.ow%v.oh, p%v.ow
		x1 := min(v.ow, x0+p1-p)
		lo, hi := max(x0, min(in0, x1)), 0
		hi = max(lo, min(in1, x1))
		for at := k0; at < k1; {
			u := at / line
			l0 := at - u*line
			l1 := min(line, l0+k1-at)
			to := dst[(p-p0)*ld+at-k0:] // of pixel x0
			h, n := y*v.sy-v.top+u, l1-l0
			at += n
			if h < 0 || h >= v.h {
				for x := range x1 - x0 {
					clear(to[x*ld : x*ld+n])
				}
				continue
			}
			base := (b*v.h + h) * v.w * v.c
			for x := x0; x < lo; x++ {
				v.edge(to[(x-x0)*ld:][:n], base, x, l0)
			}
			if lo < hi {
				copyRows(m, to[(lo-x0)*ld:], ld, v.x[base+(lo*v.sx-v.left)*v.c+l0:], gap, n, hi-lo)
			}
			for x := hi; x < x1; x++ {
				v.edge(to[(x-x0)*ld:][:n], base, x, l0)
			}
		}
		p += x1 - x0
	}
}

// edge copies the values from l0 of a line of the window of pixel x, zeros outside the image; base is where the image's line begins.
func (v *window) edge(part []float32, base, x, l0 int) {
	w0 := x*v.sx - v.left
	first, last := max(0, -w0)*v.c-l0, min(v.kw, v.w-w0)*v.c-l0 // of part, what lies inside the image
	first, last = min(max(first, 0), len(part)), min(max(last, 0), len(part))
	if first >= last {
		clear(part)
		return
	}
	clear(part[:first])
	copy(part[first:last], v.x[base+w0*v.c+l0+first:])
	clear(part[last:])
}

// copyRows copies rows of `width` values, n of them, gap apart in src, ld apart in dst.
func copyRows(m *micro, dst []float32, ld int, src []float32, gap, width, n int) {
	if m.strips == nil || width > 128 {
		for i := range n {
			copy(dst[i*ld:i*ld+width], src[i*gap:])
		}
		return
	}
	for c := 0; c < width; c += 32 {
		w := uintptr(min(32, width-c))
		m.strips(unsafe.Pointer(&dst[c]), uintptr(4*ld), w, unsafe.Pointer(&src[c]), uintptr(4*gap), w, uintptr(n))
	}
}
