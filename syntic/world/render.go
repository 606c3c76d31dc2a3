package world

import (
	"fmt"
	"math"
)

// Renderer draws scenes. It holds the scratch memory (some 250 KiB), so reuse it; one goroutine at a time. The zero value is ready.
type Renderer struct {
	// Clean leaves out the sensor noise of photographs and the grain of the drawing paper.
	Clean bool

	canvas canvas
	verts  []vertex
	chance rng
}

// Render draws a scene into dst, PixelBytes long: RGB, row by row. The pixels depend on the scene and Clean alone. It allocates nothing
// after the first calls. It returns an error, and draws nothing, if the scene is out of range or dst has another length.
func (r *Renderer) Render(sc *Scene, dst []uint8) error {
	if len(dst) != PixelBytes {
		return fmt.Errorf("render: destination of %d bytes: want %d", len(dst), PixelBytes)
	}
	if err := sc.Validate(); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	r.chance = newRNG(useRender, sc.Seed)
	p := painter{canvas: &r.canvas, verts: r.verts, rng: &r.chance, crayon: sc.Domain == Crayon}
	p.begin()
	p.backdrop(sc.Background)
	for i := range sc.Things {
		p.thing(sc, &sc.Things[i])
	}
	r.verts = p.verts
	r.develop(sc, p.lightX, p.lightY, dst)
	return nil
}

// painter is the state of one drawing.
type painter struct {
	*canvas
	rng            *rng
	verts          []vertex
	crayon         bool
	angle          float64 // of the crayon strokes
	lightX, lightY float64 // unit vector from the light into the picture
}

func (p *painter) begin() {
	a := p.rng.between(.25, .75) * math.Pi // from above, left or right
	p.lightX, p.lightY = math.Cos(a), math.Sin(a)
	p.angle = p.rng.between(.15, .35) * math.Pi
	if p.rng.chance(.5) {
		p.angle = -p.angle
	}
	p.y0, p.y1 = 0, wide
	if !p.crayon {
		return
	}
	var drift int32 // a hand wavers: a bounded random walk down the rows
	for y := range p.waver {
		drift += int32(p.rng.intn(26001)) - 13000 - drift/16
		p.waver[y] = drift
	}
}

// wash is the paint of an area: in a photo a ramp from one colour to another down the rows y0..y1 (in pixels), in a drawing strokes.
func (p *painter) wash(top, bottom rgb, y0, y1, cover float64) paint {
	if p.crayon {
		return hatch(p.rng, top.mix(bottom, .5), p.angle, cover)
	}
	return ramp(top, bottom, 0, 1, y0*sub, y1*sub)
}

// area fills a polygon given in pixels.
func (p *painter) area(w *paint, ps ...point) {
	p.verts = p.verts[:0]
	for _, q := range ps {
		p.verts = append(p.verts, sample(q.x, q.y))
	}
	n := [1]int{len(ps)}
	p.scan(p.verts, n[:])
	p.fill(w)
}

// sample converts pixels to canvas coordinates.
func sample(x, y float64) vertex {
	return vertex{int32(math.Round(x * (sub * fixed))), int32(math.Round(y * (sub * fixed)))}
}

// pose maps a shape's coordinates to pixels.
type pose struct {
	xx, xy, yx, yy, x, y float64
	wobble, phase        float64 // a drawn line wavers by this share of R
}

func (t *Thing) pose(d Domain) pose {
	sin, cos := math.Sincos(t.Tilt)
	w, h := t.R*math.Min(t.Stretch, 1), t.R*math.Min(1/t.Stretch, 1)
	if t.Mirror {
		w = -w
	}
	q := pose{xx: w * cos, xy: -h * sin, yx: w * sin, yy: h * cos, x: t.X, y: t.Y}
	if d == Crayon {
		q.wobble, q.phase = .028, 40*t.R // any phase will do that comes with the thing and not with its place
	}
	return q
}

func (q *pose) apply(p point) (x, y float64) {
	if q.wobble != 0 {
		p.x, p.y = p.x+q.wobble*math.Sin(6*p.y+q.phase), p.y+q.wobble*math.Sin(7*p.x+1.7*q.phase)
	}
	// The explicit conversions keep products from being fused with sums, so that all machines agree.
	return q.x + (float64(q.xx*p.x) + float64(q.xy*p.y)), q.y + (float64(q.yx*p.x) + float64(q.yy*p.y))
}

// outlineWidth is in canvas samples.
func (t *Thing) outlineWidth(d Domain) int {
	w := 2
	if t.R > 17 {
		w = 3
	}
	if d == Crayon {
		w = 3
	}
	return w
}

// extent returns the box of the drawn thing in pixels, outline included, not clipped.
func (t *Thing) extent(d Domain) (x0, y0, x1, y1 float64) {
	q, pad := t.pose(d), float64(t.outlineWidth(d))/sub
	x0, y0, x1, y1 = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i := range kindTable[t.Kind].parts {
		part := &kindTable[t.Kind].parts[i]
		if !part.solid {
			continue
		}
		for _, v := range part.points {
			x, y := q.apply(v)
			x0, y0, x1, y1 = math.Min(x0, x), math.Min(y0, y), math.Max(x1, x), math.Max(y1, y)
		}
	}
	return x0 - pad, y0 - pad, x1 + pad, y1 + pad
}

// thing draws the shadow, the outline of the whole silhouette, then the parts.
func (p *painter) thing(sc *Scene, t *Thing) {
	x0, y0, x1, y1 := t.extent(sc.Domain)
	main := palette[sc.Domain][t.Colour].jitter(p.rng, 13)
	colours := roles(main, t.Colour)
	ink := inkColour
	switch {
	case t.Colour == Black && sc.Background == Night:
		ink = rgb{150, 156, 186} // or nothing would be seen of it
	case p.crayon:
		ink = main.mix(inkColour, .78)
	}
	if !p.crayon {
		rx := (x1 - x0) * .5 * sub
		p.shade(int((x0+x1)/2*sub+p.lightX*rx*.4), int(y1*sub)-3, int(rx*1.1)+1, int(rx*.34)+3, 128)
	}
	q, shape, width := t.pose(sc.Domain), &kindTable[t.Kind], t.outlineWidth(sc.Domain)
	for i := range shape.parts {
		if part := &shape.parts[i]; part.solid {
			p.trace(part, &q)
			p.outline(width, ink.pack())
		}
	}
	var paints [numRoles]paint
	var mixed [numRoles]bool
	for i := range shape.parts {
		part := &shape.parts[i]
		if !mixed[part.role] {
			mixed[part.role], paints[part.role] = true, p.body(colours[part.role], x0, y0, x1, y1)
		}
		p.trace(part, &q)
		if part.inked {
			p.outline(width-1, ink.pack())
		}
		p.fill(&paints[part.role])
	}
}

// body is the paint of a part of a thing whose box in pixels is given: lit from the scene's light, or crayon strokes.
func (p *painter) body(c rgb, x0, y0, x1, y1 float64) paint {
	if p.crayon {
		return hatch(p.rng, c, p.angle, .9)
	}
	mid := ((x0+x1)*p.lightX + (y0+y1)*p.lightY) / 2 * sub
	reach := (math.Abs((x1-x0)*p.lightX) + math.Abs((y1-y0)*p.lightY)) / 2 * sub
	return ramp(c.mix(rgb{255, 255, 255}, .16).times(1.06), c.times(.7), p.lightX, p.lightY, mid-reach, mid+reach)
}

func (p *painter) trace(part *part, q *pose) {
	p.verts = p.verts[:0]
	for _, v := range part.points {
		p.verts = append(p.verts, sample(q.apply(v)))
	}
	p.scan(p.verts, part.lengths)
}
