package world

// kindTable holds the drawing of every kind, normalized.
var kindTable = makeKinds()

func makeKinds() (table [NumKinds]shape) {
	draw := [NumKinds]func(*shape){drawCar, drawBus, drawHouse, drawTree, drawFish, drawCat, drawApple, drawCup, drawBoat, drawStar,
		drawMushroom, drawUmbrella, drawKey, drawClock, drawFlower, drawBird, drawBall, drawHeart, drawMoon, drawChair, drawLamp,
		drawKite, drawSnail, drawBalloon}
	for k, f := range draw {
		table[k].tilt = .07
		f(&table[k])
		table[k].normalize()
	}
	return table
}

func (s *shape) wheels(y, r float64, xs ...float64) {
	for _, x := range xs {
		s.solid(rInk, disc(x, y, r))
		s.detail(rMetal, disc(x, y, r*.48))
	}
}

func (s *shape) eye(x, y, r float64) {
	s.detail(rPaper, disc(x, y, r))
	s.detail(rInk, disc(x+r*.15, y, r*.58))
}

func drawCar(s *shape) {
	s.solid(rMain, poly(-.58, -.02, -.36, -.44, .26, -.44, .56, -.02))
	s.solid(rMain, poly(-1, .06, -.92, -.02, .62, -.06, .94, .06, 1, .16, 1, .36, -1, .36))
	s.detail(rGlass, poly(-.43, -.04, -.29, -.34, -.07, -.34, -.07, -.04))
	s.detail(rGlass, poly(.04, -.04, .04, -.34, .22, -.34, .42, -.04))
	s.detail(rDetail, rect(-.98, .24, .98, .36))
	s.detail(rGold, rect(.84, .08, 1, .2))
	s.wheels(.36, .25, -.54, .56)
}

func drawBus(s *shape) {
	s.solid(rMain, rounded(-1, -.72, 1, .5, .14))
	for _, x := range []float64{-.86, -.43, 0} {
		s.detail(rGlass, rect(x, -.54, x+.34, -.1))
	}
	s.detail(rGlass, poly(.62, -.54, .95, -.54, .99, -.06, .62, -.06))
	s.detail(rDetail, rect(-1, .1, 1, .24))
	s.detail(rDetail, rect(.41, -.54, .53, .5))
	s.wheels(.5, .23, -.55, .6)
}

func drawHouse(s *shape) {
	s.solid(rWood, rect(.34, -.95, .58, -.3))
	s.solid(rMain, rect(-.74, -.2, .74, .9))
	s.inked(rDetail, poly(-1, -.1, 0, -.98, 1, -.1))
	s.detail(rWood, rect(-.14, .3, .2, .9))
	s.detail(rGlass, rect(-.58, .06, -.26, .42))
	s.detail(rGlass, rect(.34, .06, .62, .42))
}

func drawTree(s *shape) {
	s.solid(rWood, poly(-.14, .2, .14, .2, .2, 1, -.2, 1))
	s.solid(rMain, disc(-.4, .1, .38))
	s.solid(rMain, disc(.4, .1, .38))
	s.solid(rMain, disc(0, .12, .36))
	s.solid(rMain, disc(-.27, -.36, .37))
	s.solid(rMain, disc(.28, -.34, .37))
	s.solid(rMain, disc(0, -.62, .36))
	s.solid(rMain, disc(0, -.2, .4))
	s.detail(rDetail, stroke(.09, arc(-.36, .14, .2, .2, 20, 130, 6)))
	s.detail(rDetail, stroke(.09, arc(.3, .04, .2, .2, 20, 130, 6)))
	s.detail(rDetail, stroke(.09, arc(-.04, -.36, .2, .2, 20, 130, 6)))
}

func drawFish(s *shape) {
	s.tilt = .15
	s.solid(rDetail, poly(-.5, 0, -1, -.5, -.86, 0, -1, .5))
	s.solid(rDetail, poly(-.3, -.36, .1, -.68, .42, -.32))
	s.solid(rDetail, poly(-.1, .36, -.14, .64, .26, .36))
	s.solid(rMain, ellipse(.2, 0, .8, .46))
	s.detail(rLight, arc(-.22, 0, .3, .4, -60, 60, 8))
	s.detail(rMain, arc(-.32, 0, .3, .4, -60, 60, 8))
	s.detail(rLight, arc(.06, 0, .3, .4, -60, 60, 8))
	s.detail(rMain, arc(-.04, 0, .3, .4, -60, 60, 8))
	s.eye(.66, -.12, .15)
}

func drawCat(s *shape) {
	s.solid(rDetail, stroke(.17, arc(.52, .58, .36, .42, 80, -100, 9)))
	s.solid(rMain, ellipse(0, .52, .56, .5))
	s.solid(rMain, poly(-.56, -.3, -.54, -1.02, -.1, -.68))
	s.solid(rMain, poly(.56, -.3, .54, -1.02, .1, -.68))
	s.inked(rMain, ellipse(0, -.28, .62, .5))
	s.detail(rMain, poly(-.5, -.36, -.5, -.88, -.1, -.62), poly(.5, -.36, .5, -.88, .1, -.62))
	s.detail(rBeak, poly(-.45, -.6, -.46, -.86, -.24, -.7), poly(.45, -.6, .46, -.86, .24, -.7))
	s.detail(rPaper, disc(-.25, -.34, .15), disc(.25, -.34, .15))
	s.detail(rInk, ellipse(-.25, -.34, .08, .14), ellipse(.25, -.34, .08, .14))
	s.detail(rBeak, poly(-.1, -.16, .1, -.16, 0, -.04))
	s.detail(rLight, ellipse(0, .56, .28, .36))
	s.detail(rDetail, line(.06, -.3, .98, -.3, .72), line(.06, .3, .98, .3, .72))
}

func drawApple(s *shape) {
	s.solid(rWood, line(.14, 0, -.5, .06, -.72, .18, -.96))
	s.solid(rLeaf, turn(-18, .42, -.74, ellipse(.42, -.74, .3, .14)))
	apple := []point{{0, -.46}}
	apple = append(apple, arc(.42, -.04, .5, .54, -110, 60, 12)...)
	apple = append(apple, point{.22, .78}, point{0, .7}, point{-.22, .78})
	apple = append(apple, arc(-.42, -.04, .5, .54, 120, 290, 12)...)
	s.solid(rMain, apple)
	s.detail(rLight, turn(20, -.5, -.12, ellipse(-.5, -.12, .14, .26)))
	s.detail(rInk, poly(-.16, -.44, .16, -.44, 0, -.3))
}

func drawCup(s *shape) {
	s.solid(rMain, stroke(.2, arc(.5, .06, .42, .4, -80, 100, 12)))
	s.solid(rMain, poly(-.8, -.5, .6, -.5, .5, .6, .36, .8, -.56, .8, -.7, .6))
	s.inked(rLight, ellipse(-.1, -.5, .7, .22))
	s.detail(rWood, ellipse(-.1, -.46, .54, .13))
	s.detail(rDetail, poly(-.745, .1, .555, .1, .535, .28, -.725, .28))
}

func drawBoat(s *shape) {
	s.solid(rWood, rect(-.06, -.98, .06, .4))
	s.solid(rLight, poly(.1, -.92, .84, .24, .1, .24))
	s.solid(rPaper, poly(-.1, -.74, -.1, .24, -.7, .24))
	s.solid(rMain, poly(-1, .36, 1, .36, .66, .9, -.66, .9))
	s.detail(rDetail, poly(-.9, .54, .9, .54, .8, .68, -.8, .68))
}

func drawStar(s *shape) {
	s.tilt = .25
	s.solid(rMain, starPoints(0, 0, 1, .44))
	s.detail(rLight, starPoints(0, 0, .5, .22))
}

func starPoints(cx, cy, outer, inner float64) []point {
	a, b := arc(cx, cy, outer, outer, -90, 198, 4), arc(cx, cy, inner, inner, -54, 234, 4)
	ps := make([]point, 0, 10)
	for i := range a {
		ps = append(ps, a[i], b[i])
	}
	return ps
}

func drawMushroom(s *shape) {
	s.solid(rCream, poly(-.24, 0, .24, 0, .3, .6, .4, .92, -.4, .92, -.3, .6))
	cap := arc(0, .1, 1, .98, 180, 360, 18)
	cap = append(cap, arc(0, .1, 1, .2, 0, 180, 10)...)
	s.inked(rMain, cap)
	s.detail(rPaper, disc(-.1, -.5, .19))
	s.detail(rPaper, ellipse(.46, -.22, .17, .19), ellipse(-.56, -.14, .17, .19))
	s.detail(rPaper, ellipse(.04, .04, .14, .12))
}

func drawUmbrella(s *shape) {
	handle := append(poly(0, -.9, 0, .66), arc(.18, .7, .18, .22, 180, 0, 8)...)
	s.solid(rWood, stroke(.12, handle))
	canopy := arc(0, .06, 1, .86, 180, 360, 18)
	for i := range 4 {
		x := .75 - .5*float64(i)
		canopy = append(canopy, arc(x, .06, .25, .17, 0, -180, 6)...)
	}
	s.solid(rMain, canopy)
	s.detail(rLight, append(poly(0, -.8), append(arc(.25, .06, .25, .17, 0, -180, 6), point{0, -.8})...))
	s.detail(rDetail, append(poly(0, -.8, -.5, -.5), arc(-.75, .06, .25, .17, 0, -180, 6)...))
	s.detail(rDetail, append(poly(0, -.8, .5, -.5, 1, .06), arc(.75, .06, .25, .17, 0, -180, 6)...))
}

func drawKey(s *shape) {
	s.tilt = .35
	s.solid(rMain, ellipse(-.6, 0, .46, .46), disc(-.6, 0, .2))
	s.solid(rMain, rect(-.18, -.13, 1, .13))
	s.solid(rMain, rect(.46, .1, .62, .44), rect(.8, .1, 1, .52))
	s.detail(rDetail, rect(-.14, .04, 1, .13))
}

func drawClock(s *shape) {
	s.solid(rMain, turn(-35, 0, .1, arc(0, -.72, .34, .24, 180, 360, 8)))
	s.solid(rMain, turn(35, 0, .1, arc(0, -.72, .34, .24, 180, 360, 8)))
	s.solid(rInk, line(.16, -.42, .7, -.62, .98), line(.16, .42, .7, .62, .98))
	s.solid(rMain, disc(0, .1, .82))
	s.detail(rPaper, disc(0, .1, .6))
	s.detail(rInk, rect(-.05, -.46, .05, -.32), rect(-.05, .52, .05, .66), rect(-.56, .05, -.42, .15), rect(.42, .05, .56, .15))
	s.detail(rInk, line(.1, 0, .14, 0, -.3))
	s.detail(rInk, line(.12, -.03, .1, .3, .26))
}

func drawFlower(s *shape) {
	s.solid(rLeaf, rect(-.07, 0, .07, 1))
	s.solid(rLeaf, turn(-32, .3, .66, ellipse(.3, .66, .34, .14)))
	s.solid(rLeaf, turn(32, -.3, .78, ellipse(-.3, .78, .34, .14)))
	for i := range 6 {
		s.inked(rMain, turn(float64(60*i), 0, -.3, ellipse(0, -.7, .23, .32)))
	}
	s.inked(rGold, disc(0, -.3, .25))
}

func drawBird(s *shape) {
	s.tilt = .12
	s.solid(rBeak, line(.08, -.02, .5, -.06, .92, .12, .92), line(.08, .22, .5, .2, .92, .38, .92))
	s.solid(rDetail, poly(-.4, .0, -1, -.34, -.92, .02, -1, .24, -.4, .34))
	s.solid(rBeak, poly(.7, -.5, 1.06, -.3, .7, -.2))
	s.solid(rMain, turn(-22, 0, .12, ellipse(0, .12, .66, .48)))
	s.solid(rMain, disc(.48, -.38, .37))
	s.inked(rDetail, turn(-12, -.12, .1, arc(-.12, .02, .42, .38, 0, 180, 10)))
	s.eye(.56, -.44, .13)
}

func drawBall(s *shape) {
	s.tilt = .5
	s.solid(rMain, disc(0, 0, 1))
	for i := range 3 {
		wedge := append(arc(0, 0, 1, 1, -30, 30, 8), point{.06, .06})
		s.detail(rPaper, turn(float64(120*i), 0, 0, wedge))
	}
	s.detail(rDetail, disc(0, 0, .2))
}

func drawHeart(s *shape) {
	s.tilt = .15
	h := arc(.5, -.3, .5, .5, -150, 35, 12)
	h = append(h, point{0, .9})
	h = append(h, arc(-.5, -.3, .5, .5, 145, 330, 12)...)
	s.solid(rMain, h)
	s.detail(rLight, turn(-30, -.56, -.42, ellipse(-.56, -.42, .13, .22)))
}

func drawMoon(s *shape) {
	s.tilt = .25
	m := arc(0, 0, 1, 1, 50, 310, 24)
	s.solid(rMain, append(m, arc(.42, 0, .8, .8, 286, 74, 20)...))
	s.detail(rDetail, disc(-.7, -.1, .12))
	s.detail(rDetail, disc(-.45, .52, .14))
	s.detail(rDetail, disc(-.42, -.56, .1))
}

func drawChair(s *shape) {
	s.solid(rDetail, rect(-.56, .1, -.4, .84))
	s.solid(rDetail, rect(.3, .1, .44, .84))
	s.solid(rMain, rect(-.7, -1, -.5, 1), rect(.38, -1, .58, .1))
	s.solid(rMain, rect(-.7, -.96, .58, -.72))
	s.solid(rMain, rect(-.7, -.5, .58, -.28))
	s.solid(rMain, rect(.54, .1, .74, 1))
	s.inked(rMain, poly(-.7, .02, .56, .02, .82, .24, .82, .38, -.7, .38, -.7, .24))
	s.detail(rDetail, rect(-.7, .26, .82, .38))
}

func drawLamp(s *shape) {
	s.solid(rMetal, rect(-.08, -.1, .08, .8))
	s.solid(rDetail, poly(-.46, 1, -.4, .82, -.14, .72, .14, .72, .4, .82, .46, 1))
	s.solid(rGold, arc(0, -.06, .2, .2, 0, 180, 8))
	s.solid(rMain, poly(-.38, -1, .38, -1, .76, -.06, -.76, -.06))
	s.detail(rLight, poly(-.2, -1, .02, -1, .1, -.06, -.4, -.06))
	s.detail(rDetail, poly(-.72, -.16, .72, -.16, .76, -.06, -.76, -.06))
}

func drawKite(s *shape) {
	s.tilt = .2
	s.solid(rInk, stroke(.08, poly(.02, .3, .14, .5, .02, .72, .14, .92, .3, 1.06)))
	s.solid(rDetail, poly(.04, .7, -.26, .54, -.28, .84), poly(.04, .7, .32, .56, .34, .86))
	s.solid(rMain, poly(0, -1, .78, -.4, .04, .42, -.78, -.4))
	s.detail(rLight, poly(0, -1, .78, -.4, 0, -.4), poly(0, -.4, -.78, -.4, .04, .42))
	s.detail(rInk, line(.06, 0, -1, .04, .42), line(.06, -.78, -.4, .78, -.4))
}

func drawSnail(s *shape) {
	s.solid(rCream, line(.1, .66, .1, .6, -.44), line(.1, .82, .1, .98, -.4))
	s.solid(rCream, disc(.6, -.46, .1), disc(.98, -.42, .1))
	body := poly(-1, .74, -.7, .5, .3, .42, .5, .1, .66, -.02, .9, .0, 1, .2, .94, .5, .7, .74)
	s.solid(rCream, body)
	s.inked(rMain, disc(-.16, .0, .68))
	spiral := make([]point, 0, 27)
	for i := range 27 {
		t := float64(i) / 26
		spiral = append(spiral, arc(-.16, 0, .52-.46*t, .52-.46*t, 60+680*t, 0, 1)[0])
	}
	s.detail(rDetail, stroke(.13, spiral))
	s.detail(rInk, disc(.8, .18, .07))
}

func drawBalloon(s *shape) {
	s.tilt = .1
	s.solid(rMetal, stroke(.07, poly(0, .3, .1, .46, .06, .6, -.08, .74, -.08, .86, .04, 1)))
	s.solid(rMain, poly(-.14, .4, 0, .2, .14, .4))
	s.solid(rMain, ellipse(0, -.36, .6, .64))
	s.detail(rLight, turn(25, -.28, -.58, ellipse(-.28, -.58, .11, .22)))
}
