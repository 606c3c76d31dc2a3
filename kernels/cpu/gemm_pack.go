package cpu

import "unsafe"

// operand is one side of a product: a matrix of rows (of A, or columns of B) by depth.
type operand struct {
	data []float32
	ld   int
	deep bool    // element (r, k) is data[r·ld + k]; otherwise data[k·ld + r]
	win  *window // A: rows are pixels, depth is the window; B: depth is pixels, rows are the window
}

// pack writes rows r0..r1-1 of depth k0..k1-1 as [k1-k0][width], the missing rows as zeros. There are at most width rows.
func (o *operand) pack(m *micro, dst []float32, width, r0, r1, k0, k1 int) {
	rows, n := r1-r0, k1-k0
	if !o.deep && m.strips != nil {
		m.strips(unsafe.Pointer(&dst[0]), uintptr(width), unsafe.Pointer(&o.data[k0*o.ld+r0]), uintptr(4*o.ld), uintptr(rows), uintptr(n))
		return
	}
	if rows < width {
		clear(dst[:n*width])
	}
	if !o.deep {
		for k := range n {
			copy(dst[k*width:k*width+rows], o.data[(k0+k)*o.ld+r0:])
		}
		return
	}
	r := 0
	if m.transpose != nil && n >= 4 {
		for ; r+m.lanes <= rows; r += m.lanes {
			at := (r0+r)*o.ld + k0
			m.transpose(unsafe.Pointer(&dst[r]), uintptr(4*width), unsafe.Pointer(&o.data[at]), uintptr(4*o.ld), uintptr(n/4))
			for k := n &^ 3; k < n; k++ {
				for i := range m.lanes {
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
	kh, kw, stride, top, left int
	oh, ow                    int
}

// gather copies, for pixels p0..p1-1, the values k0..k1-1 of their windows into rows of dst, ld apart.
func (v *window) gather(dst []float32, ld, p0, p1, k0, k1 int) {
	line := v.kw * v.c
	b, y, x := p0/(v.oh*v.ow), p0/v.ow%v.oh, p0%v.ow
	for p := p0; p < p1; p++ {
		row := dst[(p-p0)*ld:][:k1-k0]
		w0 := x*v.stride - v.left
		first, last := max(0, -w0)*v.c, min(v.kw, v.w-w0)*v.c // of a line of the window, what lies inside the image
		for at := k0; at < k1; {
			u := at / line
			l0 := at - u*line
			l1 := min(line, l0+k1-at)
			part := row[at-k0:][:l1-l0]
			at += l1 - l0
			h := y*v.stride - v.top + u
			lo, hi := max(l0, first), min(l1, last)
			if h < 0 || h >= v.h || lo >= hi {
				clear(part)
				continue
			}
			src := ((b*v.h+h)*v.w+w0)*v.c + lo
			clear(part[:lo-l0])
			copy(part[lo-l0:hi-l0], v.x[src:])
			clear(part[hi-l0:])
		}
		if x++; x == v.ow {
			if x, y = 0, y+1; y == v.oh {
				y, b = 0, b+1
			}
		}
	}
}
