package world

import "math"

// rgb is a colour with components 0..255.
type rgb struct{ r, g, b float64 }

func (a rgb) mix(b rgb, t float64) rgb {
	return rgb{a.r + (b.r-a.r)*t, a.g + (b.g-a.g)*t, a.b + (b.b-a.b)*t}
}

func (a rgb) times(k float64) rgb { return rgb{a.r * k, a.g * k, a.b * k} }

func (a rgb) pack() uint32 { return channel(a.r)<<16 | channel(a.g)<<8 | channel(a.b) }

func channel(v float64) uint32 { return uint32(math.Min(math.Max(v+.5, 0), 255)) }

func (a rgb) jitter(r *rng, by float64) rgb {
	k := r.between(-by, by) // mostly lighter or darker, a little of another hue
	return rgb{a.r + k + r.between(-by, by)*.5, a.g + k + r.between(-by, by)*.5, a.b + k + r.between(-by, by)*.5}
}

var (
	inkColour   = rgb{30, 26, 32}
	paperColour = rgb{248, 243, 230}
)

// palette gives the ink of every colour, photo and crayon.
var palette = [numDomains][NumColours]rgb{
	{{206, 36, 38}, {240, 128, 20}, {248, 216, 44}, {44, 158, 62}, {38, 92, 212}, {136, 58, 176}, {242, 242, 242}, {42, 42, 46}},
	{{222, 62, 72}, {246, 150, 60}, {250, 218, 74}, {86, 172, 84}, {64, 124, 206}, {160, 96, 190}, {253, 252, 248}, {58, 56, 62}},
}

// roles gives every part's colour for a thing of a colour; main is jittered already.
func roles(main rgb, c Colour) (out [numRoles]rgb) {
	white, black := rgb{255, 255, 255}, rgb{0, 0, 0}
	out = [numRoles]rgb{rMain: main, rDetail: main.mix(black, .36), rLight: main.mix(white, .5), rInk: {44, 40, 46}, rPaper: {246, 244, 238},
		rGlass: {176, 214, 236}, rWood: {128, 84, 48}, rLeaf: {66, 132, 52}, rMetal: {168, 170, 178}, rGold: {252, 212, 70},
		rCream: {236, 210, 168}, rBeak: {240, 160, 70}}
	switch c {
	case White:
		out[rDetail], out[rPaper], out[rLight] = rgb{178, 182, 192}, rgb{206, 208, 216}, rgb{228, 230, 236}
	case Black:
		out[rDetail], out[rInk], out[rLight], out[rGlass] = rgb{92, 92, 100}, rgb{70, 68, 76}, rgb{112, 112, 122}, rgb{150, 178, 200}
	case Yellow:
		out[rGold] = rgb{158, 96, 40}
	case Orange:
		out[rBeak] = rgb{196, 70, 40}
	}
	return out
}

// ramp paints light to dark along the direction (ux, uy), between the samples whose projections on it are from and to.
func ramp(light, dark rgb, ux, uy, from, to float64) paint {
	var p paint
	for i := range p.lut {
		p.lut[i] = light.mix(dark, float64(i)/(paintSteps-1)).pack()
	}
	k := paintSteps * 65536 / math.Max(to-from, 1)
	p.dx, p.dy, p.c = int32(math.Round(ux*k)), int32(math.Round(uy*k)), int32(math.Round(-from*k))
	return p
}

// hatch paints crayon strokes of a colour over paper along a direction of the sheet; cover is the share of wax, 0..1.
func hatch(r *rng, colour rgb, angle, cover float64) paint {
	p := paint{wrap: true}
	if colour.r+colour.g+colour.b < 330 {
		cover = 1 - (1-cover)*.5 // gaps show most between dark strokes
	}
	for i := range p.lut {
		gap := r.float()
		p.lut[i] = colour.mix(paperColour, (1-cover)*(.3+gap*gap)).times(1 - .05*r.float()).pack()
	}
	sin, cos := math.Sincos(angle)
	k := r.between(.36, .5) * 65536 // table steps per sample across the strokes
	p.dx, p.dy, p.c = int32(math.Round(cos*k)), int32(math.Round(sin*k)), int32(r.intn(paintSteps)<<16)
	return p
}
