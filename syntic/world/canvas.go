package world

// A picture is drawn at three times its size and box filtered.
const (
	sub    = 3          // samples per pixel and axis
	wide   = Side * sub // canvas side
	fixed  = 256        // vertex coordinates are in 1/256 sample: integers, so every machine fills the same samples
	maxCut = 16         // crossings of one row with one part; shapes have at most 10
)

// vertex is a point of the canvas in 1/fixed samples.
type vertex struct{ x, y int32 }

// paint is a table of packed colours 0x00RRGGBB and the affine function of the sample position that looks it up,
// (x·dx + y·dy + c) >> 16. Shading clamps the index; hatching lets it wrap and waver.
type paint struct {
	lut       [paintSteps]uint32
	dx, dy, c int32
	wrap      bool
}

const paintSteps = 32

func flat(colour uint32) paint { return paint{lut: [paintSteps]uint32{colour}} }

// canvas is the supersampled picture and the scratch of the scan conversion.
type canvas struct {
	px     [wide * wide]uint32
	cuts   [wide][maxCut]int16 // sorted crossings of each row
	count  [wide]uint8
	y0, y1 int         // rows that may have crossings
	waver  [wide]int32 // hatching offset of each row
}

// scan finds the samples inside the contours (even-odd); fill and outline then paint them.
func (c *canvas) scan(vs []vertex, lengths []int) {
	for y := c.y0; y < c.y1; y++ {
		c.count[y] = 0
	}
	c.y0, c.y1 = wide, 0
	for _, n := range lengths {
		contour := vs[:n]
		vs = vs[n:]
		prev := contour[n-1]
		for _, v := range contour {
			c.edge(prev, v)
			prev = v
		}
	}
}

// edge notes where the line from a to b crosses the middle of a row: the first sample right of it.
func (c *canvas) edge(a, b vertex) {
	if a.y > b.y {
		a, b = b, a
	}
	first, end := max(int(a.y+fixed/2-1)>>8, 0), min(int(b.y+fixed/2-1)>>8, wide)
	if first >= end {
		return
	}
	slope := int64(b.x-a.x) << 16 / int64(b.y-a.y)
	x := int64(a.x)<<16 + slope*int64(int32(first)*fixed+fixed/2-a.y)
	for y := first; y < end; y++ {
		cut := int16(min(max((x>>16+fixed/2-1)>>8, 0), wide))
		x += slope * fixed
		row, n := &c.cuts[y], int(c.count[y])
		if n == maxCut {
			continue
		}
		for n > 0 && row[n-1] > cut {
			row[n] = row[n-1]
			n--
		}
		row[n] = cut
		c.count[y]++
	}
	c.y0, c.y1 = min(c.y0, first), max(c.y1, end)
}

// fill paints the scanned samples.
func (c *canvas) fill(p *paint) {
	for y := c.y0; y < c.y1; y++ {
		cuts := c.cuts[y][:c.count[y]&^1]
		for i := 0; i+1 < len(cuts); i += 2 {
			c.span(p, y, int(cuts[i]), int(cuts[i+1]))
		}
	}
}

func (c *canvas) span(p *paint, y, x0, x1 int) {
	if x0 >= x1 {
		return
	}
	row := c.px[y*wide+x0 : y*wide+x1]
	v, dx := int32(x0)*p.dx+int32(y)*p.dy+p.c, p.dx
	switch {
	case p.wrap:
		v += c.waver[y]
		for i := range row {
			row[i] = p.lut[uint32(v)>>16%paintSteps]
			v += dx
		}
	case dx == 0:
		colour := p.lut[min(max(v>>16, 0), paintSteps-1)]
		for i := range row {
			row[i] = colour
		}
	default:
		for i := range row {
			row[i] = p.lut[min(max(v>>16, 0), paintSteps-1)]
			v += dx
		}
	}
}

// outline paints the scanned samples widened by a disc of radius r, at most len(discRows)-1 samples.
func (c *canvas) outline(r int, colour uint32) {
	for y := c.y0; y < c.y1; y++ {
		cuts := c.cuts[y][:c.count[y]&^1]
		for i := 0; i+1 < len(cuts); i += 2 {
			if cuts[i] == cuts[i+1] {
				continue
			}
			for dy := max(-r, -y); dy <= min(r, wide-1-y); dy++ {
				w := int(discRows[r][max(dy, -dy)])
				x0, x1 := max(int(cuts[i])-w, 0), min(int(cuts[i+1])+w, wide)
				row := c.px[(y+dy)*wide+x0 : (y+dy)*wide+x1]
				for j := range row {
					row[j] = colour
				}
			}
		}
	}
}

// discRows[r][dy] is the half width of a disc of radius r at height dy.
var discRows = [5][5]int8{{0}, {1, 0}, {2, 2, 1}, {3, 3, 2, 1}, {4, 4, 4, 3, 1}}

// shade darkens a soft ellipse around (cx, cy) with radii rx, ry, all in samples; amount in 1/256 at the middle.
func (c *canvas) shade(cx, cy, rx, ry, amount int) {
	for y := max(cy-ry, 0); y < min(cy+ry, wide); y++ {
		vy := (y - cy) * (y - cy) << 12 / (ry * ry)
		for x := max(cx-rx, 0); x < min(cx+rx, wide); x++ {
			d := 4096 - vy - (x-cx)*(x-cx)<<12/(rx*rx)
			if d <= 0 {
				continue
			}
			keep := uint32(256 - amount*(d*d>>12)>>12)
			p := c.px[y*wide+x]
			c.px[y*wide+x] = (p&0xff00ff*keep>>8)&0xff00ff | (p&0x00ff00*keep>>8)&0x00ff00
		}
	}
}
