package world

import "math"

// Composition is what decides a scene's split: the set of its (kind, colour) pairs and its background. Where the things stand, how big
// they are and how the scene is drawn do not matter. Scenes with equal values have equal compositions.
type Composition uint64

// Composition returns the scene's composition; the order of things does not matter.
func (sc *Scene) Composition() Composition {
	var codes [maxThings]uint64 // 0 marks an absent thing
	for i, t := range sc.Things {
		codes[i] = 1 + uint64(t.Kind)*uint64(NumColours) + uint64(t.Colour)
	}
	for i := range codes { // three elements: selection sort
		for j := i + 1; j < len(codes); j++ {
			if codes[j] < codes[i] {
				codes[i], codes[j] = codes[j], codes[i]
			}
		}
	}
	return Composition(uint64(sc.Background)<<48 | codes[2]<<32 | codes[1]<<16 | codes[0])
}

// Holds reports whether scenes of this composition may occur in a split: by hash, 80 % of all compositions belong to Web and Train,
// 8 % to Val and 12 % to Test.
func (c Composition) Holds(s Split) bool {
	switch h := mix64(mix64(uint64(c)^0xc0de)+useSplit) >> 32 * 100 >> 32; {
	case h < 80:
		return s == Web || s == Train
	case h < 88:
		return s == Val
	default:
		return s == Test
	}
}

// Sample returns scene i of a split: a pure function of its arguments. Different seeds give different scenes of the same split.
func Sample(d Domain, s Split, seed uint64, i int) Scene {
	for try := uint64(0); ; try++ {
		r := newRNG(useSample, uint64(d), uint64(s), seed, uint64(i), try)
		sc := Scene{Domain: d, Background: Background(r.intn(int(NumBackgrounds)))}
		n := 1
		switch p := r.float(); { // one, two, three things: 55, 35, 10 %
		case p >= .90:
			n = 3
		case p >= .55:
			n = 2
		}
		sc.Things = make([]Thing, n)
		for j := range sc.Things {
			sc.Things[j].Kind = freshKind(&r, sc.Things[:j])
			sc.Things[j].Colour = Colour(r.intn(int(NumColours)))
		}
		if !sc.Composition().Holds(s) {
			continue
		}
		place(&r, d, sc.Things)
		sc.Seed = r.next()
		return sc
	}
}

// freshKind draws a kind that no earlier thing has, so that a caption's noun names one thing only.
func freshKind(r *rng, taken []Thing) Kind {
	for {
		k := Kind(r.intn(int(NumKinds)))
		used := false
		for i := range taken {
			used = used || taken[i].Kind == k
		}
		if !used {
			return k
		}
	}
}

// place chooses size and position. Things never overlap: the half-planes of the layouts are as wide as two big things.
func place(r *rng, d Domain, things []Thing) {
	for i := range things {
		t := &things[i]
		t.Stretch = r.between(.93, 1.07)
		t.Tilt = r.between(-1, 1) * kindTable[t.Kind].tilt
		t.Mirror = r.chance(.5)
	}
	switch len(things) {
	case 1:
		t := &things[0]
		t.Big = r.chance(.6)
		t.R = radius(r, t.Big, 13, 14.8, 20, 25.5)
		t.X, t.Y = 32+r.between(-6, 6), 34+r.between(-5, 4)
	case 2:
		a, b := &things[0], &things[1]
		for i := range things {
			things[i].Big = r.chance(.6)
			things[i].R = radius(r, things[i].Big, 10.3, 11.8, 14, 15.3)
		}
		if r.chance(.6) { // side by side
			y := r.between(29, 42)
			a.X, a.Y = 16.2+r.between(-.6, .6), y+r.between(-4, 4)
			b.X, b.Y = 47.8+r.between(-.6, .6), y+r.between(-4, 4)
		} else { // one above the other
			x := r.between(23, 41)
			a.X, a.Y = x+r.between(-4, 4), 16.2+r.between(-.6, .6)
			b.X, b.Y = x+r.between(-4, 4), 47.8+r.between(-.6, .6)
		}
		if r.chance(.5) {
			a.X, b.X, a.Y, b.Y = b.X, a.X, b.Y, a.Y
		}
	default:
		apex, others := 16.2, 47.4 // a triangle standing on its base, or on its tip
		if r.chance(.5) {
			apex, others = others, apex
		}
		centres := [maxThings][2]float64{{32 + r.between(-3, 3), apex}, {16, others}, {48, others}}
		for i := range things {
			t := &things[i]
			t.Big = r.chance(.6)
			t.R = radius(r, t.Big, 10.1, 11.2, 13.2, 14.6)
			t.X, t.Y = centres[i][0]+r.between(-.6, .6), centres[i][1]+r.between(-.6, .6)
		}
	}
	for i := range things {
		things[i].pullInside(d)
	}
}

func radius(r *rng, big bool, smallLo, smallHi, bigLo, bigHi float64) float64 {
	if big {
		return r.between(bigLo, bigHi)
	}
	return r.between(smallLo, smallHi)
}

// pullInside moves a thing until all of it, outline included, is in the picture.
func (t *Thing) pullInside(d Domain) {
	const margin = 1.0
	x0, y0, x1, y1 := t.extent(d)
	t.X += math.Max(0, margin-x0) - math.Max(0, x1-(Side-margin))
	t.Y += math.Max(0, margin-y0) - math.Max(0, y1-(Side-margin))
}
