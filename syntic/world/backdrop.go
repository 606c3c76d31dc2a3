package world

import "math"

// scheme is the colours of a background: sky or wall, ground, and details.
type scheme struct{ skyTop, skyLow, groundTop, groundLow, detail, detail2 rgb }

var schemes = [NumBackgrounds]scheme{
	Grass:  {rgb{128, 184, 240}, rgb{204, 230, 250}, rgb{132, 192, 88}, rgb{76, 146, 56}, rgb{92, 156, 80}, rgb{56, 118, 44}},
	Beach:  {rgb{132, 200, 244}, rgb{214, 238, 250}, rgb{244, 222, 170}, rgb{224, 190, 130}, rgb{30, 124, 178}, rgb{74, 180, 206}},
	Night:  {rgb{10, 14, 44}, rgb{44, 50, 104}, rgb{30, 40, 62}, rgb{14, 20, 34}, rgb{250, 246, 206}, rgb{26, 30, 66}},
	Room:   {rgb{232, 208, 176}, rgb{218, 188, 152}, rgb{172, 116, 70}, rgb{136, 86, 50}, rgb{250, 244, 234}, rgb{206, 176, 142}},
	Snow:   {rgb{182, 202, 226}, rgb{222, 232, 242}, rgb{250, 252, 255}, rgb{214, 226, 242}, rgb{255, 255, 255}, rgb{196, 210, 230}},
	Street: {rgb{196, 206, 216}, rgb{226, 228, 228}, rgb{112, 112, 118}, rgb{84, 84, 92}, rgb{150, 132, 126}, rgb{238, 234, 214}},
}

// backdrop paints the whole canvas.
func (p *painter) backdrop(b Background) {
	s := schemes[b]
	for _, c := range []*rgb{&s.skyTop, &s.skyLow, &s.groundTop, &s.groundLow, &s.detail, &s.detail2} {
		*c = c.jitter(p.rng, 7)
	}
	h := p.rng.between(27, 37) // horizon
	sky, ground := p.wash(s.skyTop, s.skyLow, 0, h, .72), p.wash(s.groundTop, s.groundLow, h, Side, .78)
	p.block(&sky, 0, 0, Side, h)
	p.block(&ground, 0, h, Side, Side)
	switch b {
	case Grass:
		p.clouds(h)
		p.hills(&s, h)
		p.tufts(s.detail2, h)
	case Beach:
		p.clouds(h - 8)
		p.sea(&s, &ground, h)
	case Night:
		p.stars(s.detail, h)
		p.hills(&s, h)
	case Room:
		p.interior(&s, h)
	case Snow:
		p.hills(&s, h)
		p.flakes(s.detail)
	case Street:
		p.city(&s, h)
	}
}

// block fills a rectangle given in pixels.
func (p *painter) block(w *paint, x0, y0, x1, y1 float64) {
	p.area(w, point{x0, y0}, point{x1, y0}, point{x1, y1}, point{x0, y1})
}

// dot fills a small eight-sided disc.
func (p *painter) dot(w *paint, x, y, rx, ry float64) {
	a, b := rx*.7, ry*.7
	p.area(w, point{x, y - ry}, point{x + a, y - b}, point{x + rx, y}, point{x + a, y + b}, point{x, y + ry}, point{x - a, y + b}, point{x - rx, y}, point{x - a, y - b})
}

func (p *painter) clouds(h float64) {
	white := p.wash(rgb{252, 253, 255}, rgb{236, 242, 250}, 0, h, .9)
	for range 1 + p.rng.intn(2) {
		x, y, k := p.rng.between(4, 60), p.rng.between(4, 12), p.rng.between(.8, 1.4)
		p.dot(&white, x, y, 6*k, 2.2*k)
		p.dot(&white, x-4*k, y+1*k, 5*k, 1.8*k)
		p.dot(&white, x+4*k, y+1.2*k, 5*k, 1.6*k)
	}
}

// hills are a rolling skyline behind the ground.
func (p *painter) hills(s *scheme, h float64) {
	far := s.detail
	if far.r > 200 { // where the detail colour is for something bright
		far = s.detail2
	}
	w := p.wash(far, far.mix(s.groundTop, .35), h-7, h, .8)
	var ps [16]point
	a, b, f := p.rng.between(0, 6), p.rng.between(0, 6), p.rng.between(.09, .14)
	for i := range len(ps) - 2 {
		x := float64(i) * Side / float64(len(ps)-3)
		ps[i] = point{x, h - 4 - 2.4*math.Sin(f*x+a) - 1.2*math.Sin(2.3*f*x+b)}
	}
	ps[14], ps[15] = point{Side, h}, point{0, h}
	p.area(&w, ps[:]...)
}

func (p *painter) tufts(c rgb, h float64) {
	w := flat(c.pack())
	for range 16 {
		x, y := p.rng.between(1, 63), p.rng.between(h+3, 63)
		k := .8 + (y-h)/Side
		p.area(&w, point{x - 1.6*k, y - 1.8*k}, point{x - .3*k, y - .6*k}, point{x, y - 2.6*k}, point{x + .4*k, y - .6*k}, point{x + 1.7*k, y - 1.7*k}, point{x + .7*k, y}, point{x - .7*k, y})
	}
}

func (p *painter) sea(s *scheme, sand *paint, h float64) {
	shore := h + p.rng.between(1, 5)
	water := p.wash(s.detail, s.detail2, h-9, shore, .85)
	p.block(&water, 0, h-9, Side, shore)
	foam := flat(rgb{250, 252, 252}.pack())
	for range 5 {
		x, y := p.rng.between(0, 60), p.rng.between(h-7, h-1)
		p.block(&foam, x, y, x+p.rng.between(3, 8), y+.5)
	}
	var line [22]point
	a := p.rng.between(0, 6)
	for i := range 11 {
		x := float64(i) * Side / 10
		y := shore + 1.3*math.Sin(.16*x+a)
		line[i], line[21-i] = point{x, y - 1.2}, point{x, y + .8}
	}
	p.area(sand, append(append(make([]point, 0, 13), line[:11]...), point{Side, shore + 4}, point{0, shore + 4})...)
	p.area(&foam, line[:]...)
	pebble := flat(s.groundLow.times(.82).pack())
	for range 9 {
		p.dot(&pebble, p.rng.between(1, 63), p.rng.between(shore+5, 63), .9, .5)
	}
}

func (p *painter) stars(c rgb, h float64) {
	w := flat(c.pack())
	for range 12 {
		r := p.rng.between(.35, .65)
		p.dot(&w, p.rng.between(1, 63), p.rng.between(1, h-7), r, r)
	}
}

func (p *painter) interior(s *scheme, h float64) {
	stripe := p.wash(s.detail2, s.detail2.times(.94), 0, h, .6)
	for x := p.rng.between(-6, 2); x < Side; x += 8 {
		p.block(&stripe, x, 0, x+2.6, h)
	}
	if p.rng.chance(.6) { // a window
		x, y := p.rng.between(4, 44), p.rng.between(3, 7)
		frame, glass := flat(rgb{252, 250, 246}.pack()), p.wash(rgb{150, 200, 238}, rgb{212, 234, 248}, y, y+15, .8)
		p.block(&frame, x, y, x+16, y+17)
		p.block(&glass, x+1.3, y+1.3, x+7.4, y+15.7)
		p.block(&glass, x+8.6, y+1.3, x+14.7, y+15.7)
	}
	skirting := flat(s.detail.pack())
	p.block(&skirting, 0, h-2.2, Side, h)
	seam := flat(s.groundLow.times(.8).pack())
	vanish := p.rng.between(24, 40)
	for x := -60.; x < 124; x += 14 { // boards run towards the viewer
		t := vanish + (x-vanish)*.45
		p.area(&seam, point{t - .2, h}, point{t + .2, h}, point{x + .4, Side}, point{x - .4, Side})
	}
}

func (p *painter) flakes(c rgb) {
	w := flat(c.pack())
	for range 26 {
		r := p.rng.between(.5, 1)
		p.dot(&w, p.rng.between(0, 64), p.rng.between(0, 64), r, r)
	}
}

func (p *painter) city(s *scheme, h float64) {
	for x := p.rng.between(-6, 0); x < Side; {
		width, top := p.rng.between(8, 14), p.rng.between(5, h-8)
		tone := s.detail.mix(rgb{120, 136, 160}, p.rng.float())
		wall := p.wash(tone.mix(paperColour, .25), tone, top, h, .8)
		p.block(&wall, x, top, x+width, h)
		window := flat(tone.mix(s.detail2, .5).pack())
		for y := top + 2; y < h-4; y += 4.5 {
			for wx := x + 1.6; wx < x+width-2; wx += 4 {
				p.block(&window, wx, y, wx+2.2, y+2.4)
			}
		}
		x += width + p.rng.between(0, 1.5)
	}
	kerb := flat(rgb{206, 204, 200}.pack())
	p.block(&kerb, 0, h-1.5, Side, h+1.8)
	dash := flat(s.detail2.pack())
	y := p.rng.between(h+9, 56)
	for x := p.rng.between(-10, 0); x < Side; x += 16 {
		p.area(&dash, point{x, y}, point{x + 8, y}, point{x + 7.4, y + 1.8}, point{x - .6, y + 1.8})
	}
}
