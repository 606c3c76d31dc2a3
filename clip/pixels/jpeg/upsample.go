package jpeg

// rows chooses how a component's plane becomes rows of the image's width, as libjpeg-turbo chooses with fancy upsampling: the triangle filter
// where an axis is halved (both, or one), repetition otherwise and where the component is at most two samples wide. Edges repeat the image's own
// last samples, not those of the blocks' padding.
func (d *decoder) rows(c *component) func(y int) []uint8 {
	stride := c.padX * 8
	line := func(y int) []uint8 {
		y = min(c.height-1, max(0, y))
		return c.plane[y*stride:][:c.width]
	}
	h, v := d.hMax/c.h, d.vMax/c.v
	out := make([]uint8, c.width*h)
	switch {
	case h == 1 && v == 1:
		return line
	case h == 2 && v == 1 && c.width > 2:
		return func(y int) []uint8 {
			double(out, line(y))
			return out
		}
	case h == 1 && v == 2:
		return func(y int) []uint8 {
			between(out, line(y>>1), line(y>>1+y&1*2-1), 1+y&1)
			return out
		}
	case h == 2 && v == 2 && c.width > 2:
		sums := make([]int32, c.width)
		return func(y int) []uint8 {
			quadruple(out, line(y>>1), line(y>>1+y&1*2-1), sums)
			return out
		}
	}
	last := -1
	return func(y int) []uint8 {
		if y /= v; y != last {
			repeat(out, line(y), h)
			last = y
		}
		return out
	}
}

// double puts two samples for each one, 3/4 of it and 1/4 of the neighbour; the half is rounded down on the left, up on the right.
func double(out, in []uint8) {
	n := len(in)
	out = out[:2*n]
	out[0] = in[0]
	for i := range n - 1 {
		a, b := int32(in[i]), int32(in[i+1])
		out[2*i+1] = uint8((3*a + b + 2) >> 2)
		out[2*i+2] = uint8((3*b + a + 1) >> 2)
	}
	out[2*n-1] = in[n-1]
}

// between is 3/4 of the near row and 1/4 of the far one.
func between(out, near, far []uint8, bias int) {
	out, far = out[:len(near)], far[:len(near)]
	for i, a := range near {
		out[i] = uint8((3*int32(a) + int32(far[i]) + int32(bias)) >> 2)
	}
}

// quadruple is between and double in one rounding.
func quadruple(out, near, far []uint8, sums []int32) {
	n := len(near)
	far, sums, out = far[:n], sums[:n], out[:2*n]
	for i, a := range near {
		sums[i] = 3*int32(a) + int32(far[i])
	}
	out[0] = uint8((4*sums[0] + 8) >> 4)
	for i := range n - 1 {
		a, b := sums[i], sums[i+1]
		out[2*i+1] = uint8((3*a + b + 7) >> 4)
		out[2*i+2] = uint8((3*b + a + 8) >> 4)
	}
	out[2*n-1] = uint8((4*sums[n-1] + 7) >> 4)
}

func repeat(out, in []uint8, h int) {
	for i, v := range in {
		for k := range h {
			out[i*h+k] = v
		}
	}
}
