package world

import "math"

// role says which colour a part of a thing takes.
type role uint8

const (
	rMain   role = iota // the thing's own colour
	rDetail             // a clearly darker tone of it (lighter if the colour is black)
	rLight              // a clearly lighter tone
	rInk                // near black
	rPaper              // near white; a light tone of grey on white things
	rGlass
	rWood
	rLeaf
	rMetal
	rGold // yellow; brown on yellow things
	rCream
	rBeak
	numRoles
)

type point struct{ x, y float64 }

// part is a filled area: contours joined by the even-odd rule.
type part struct {
	role    role
	solid   bool // belongs to the silhouette: outlined, and counted in the box
	inked   bool // has an outline of its own, drawn over the parts below it
	points  []point
	lengths []int // points of each contour
}

// shape is how a kind looks, in units of R around its middle: the silhouette's longer side reaches from -1 to 1.
type shape struct {
	parts []part
	tilt  float64 // greatest tilt, radians
}

// solid, inked and detail add parts, bottom first.
func (s *shape) solid(r role, contours ...[]point)  { s.add(r, true, false, contours) }
func (s *shape) inked(r role, contours ...[]point)  { s.add(r, true, true, contours) }
func (s *shape) detail(r role, contours ...[]point) { s.add(r, false, false, contours) }

func (s *shape) add(r role, solid, inked bool, contours [][]point) {
	p := part{role: r, solid: solid, inked: inked}
	for _, c := range contours {
		p.points = append(p.points, c...)
		p.lengths = append(p.lengths, len(c))
	}
	s.parts = append(s.parts, p)
}

// normalize centres the silhouette's box and scales its longer side to -1..1.
func (s *shape) normalize() {
	lo, hi := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, p := range s.parts {
		if !p.solid {
			continue
		}
		for _, q := range p.points {
			lo = point{math.Min(lo.x, q.x), math.Min(lo.y, q.y)}
			hi = point{math.Max(hi.x, q.x), math.Max(hi.y, q.y)}
		}
	}
	mid := point{(lo.x + hi.x) / 2, (lo.y + hi.y) / 2}
	k := 2 / math.Max(hi.x-lo.x, hi.y-lo.y)
	for _, p := range s.parts {
		for i, q := range p.points {
			p.points[i] = point{(q.x - mid.x) * k, (q.y - mid.y) * k}
		}
	}
}

// arc returns n+1 points of an ellipse from angle a to b in degrees, 0 to the right and 90 downwards.
func arc(cx, cy, rx, ry, a, b float64, n int) []point {
	ps := make([]point, n+1)
	for i := range ps {
		sin, cos := math.Sincos((a + (b-a)*float64(i)/float64(n)) * math.Pi / 180)
		ps[i] = point{cx + rx*cos, cy + ry*sin}
	}
	return ps
}

func ellipse(cx, cy, rx, ry float64) []point { return arc(cx, cy, rx, ry, 0, 345, 23) }
func disc(cx, cy, r float64) []point         { return ellipse(cx, cy, r, r) }

func rect(x0, y0, x1, y1 float64) []point { return []point{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}} }

// rounded is a rectangle with corners of radius r.
func rounded(x0, y0, x1, y1, r float64) []point {
	ps := arc(x1-r, y0+r, r, r, -90, 0, 4)
	ps = append(ps, arc(x1-r, y1-r, r, r, 0, 90, 4)...)
	ps = append(ps, arc(x0+r, y1-r, r, r, 90, 180, 4)...)
	return append(ps, arc(x0+r, y0+r, r, r, 180, 270, 4)...)
}

// poly takes x, y pairs.
func poly(xy ...float64) []point {
	ps := make([]point, len(xy)/2)
	for i := range ps {
		ps[i] = point{xy[2*i], xy[2*i+1]}
	}
	return ps
}

// stroke is a line of width w along the points.
func stroke(w float64, path []point) []point {
	n := len(path)
	ps := make([]point, 2*n)
	for i, p := range path {
		a, b := path[max(i-1, 0)], path[min(i+1, n-1)]
		d := math.Hypot(b.x-a.x, b.y-a.y)
		nx, ny := -(b.y-a.y)/d*w/2, (b.x-a.x)/d*w/2
		ps[i], ps[2*n-1-i] = point{p.x + nx, p.y + ny}, point{p.x - nx, p.y - ny}
	}
	return ps
}

func line(w float64, xy ...float64) []point { return stroke(w, poly(xy...)) }

// turn rotates contours by degrees, clockwise, about (cx, cy).
func turn(deg, cx, cy float64, ps []point) []point {
	sin, cos := math.Sincos(deg * math.Pi / 180)
	for i, p := range ps {
		x, y := p.x-cx, p.y-cy
		ps[i] = point{cx + x*cos - y*sin, cy + x*sin + y*cos}
	}
	return ps
}
