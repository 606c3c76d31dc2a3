package world

import "fmt"

// Side is the width and height of a picture in pixels; PixelBytes is the length of its RGB bytes, row by row, R G B interleaved.
const (
	Side       = 64
	PixelBytes = Side * Side * 3
)

// Domain is a manner of drawing together with a manner of speaking.
type Domain uint8

// The two domains: shaded, noisy photographs described soberly, and crayon drawings on paper described as drawings.
const (
	Photo Domain = iota
	Crayon
	numDomains
)

// Domains lists every domain.
var Domains = []Domain{Photo, Crayon}

func (d Domain) String() string { return nameOf([]string{"photo", "crayon"}, int(d), "domain") }

// Split says what a scene may be used for.
type Split uint8

// The splits: pre-training, the method's own captions, tuning, and the final score. Web and Train share compositions but no
// scene; a composition of Val or Test occurs in no other split, in neither domain.
const (
	Web Split = iota
	Train
	Val
	Test
	numSplits
)

// Splits lists every split.
var Splits = []Split{Web, Train, Val, Test}

func (s Split) String() string {
	return nameOf([]string{"web", "train", "val", "test"}, int(s), "split")
}

// Kind is what a thing is.
type Kind uint8

// The kinds of things.
const (
	Car Kind = iota
	Bus
	House
	Tree
	Fish
	Cat
	Apple
	Cup
	Boat
	Star
	Mushroom
	Umbrella
	Key
	Clock
	Flower
	Bird
	Ball
	Heart
	Moon
	Chair
	Lamp
	Kite
	Snail
	Balloon
	NumKinds
)

// Kinds holds the name of every kind, in the order of their values.
var Kinds = [NumKinds]string{"car", "bus", "house", "tree", "fish", "cat", "apple", "cup", "boat", "star", "mushroom", "umbrella",
	"key", "clock", "flower", "bird", "ball", "heart", "moon", "chair", "lamp", "kite", "snail", "balloon"}

func (k Kind) String() string { return nameOf(Kinds[:], int(k), "kind") }

// DetectorKinds are the kinds an object detector of this world is taught, in the order of its classes: half of all, as the 80
// classes of COCO cover only part of what people mention.
var DetectorKinds = []Kind{Car, House, Tree, Cat, Cup, Boat, Umbrella, Clock, Bird, Ball, Chair, Balloon}

// DetectorClass returns the index of a kind in DetectorKinds, or false for a kind the detector does not know.
func DetectorClass(k Kind) (int, bool) {
	for c, d := range DetectorKinds {
		if d == k {
			return c, true
		}
	}
	return 0, false
}

// Novel is how many of the scene's things are of kinds that are not in DetectorKinds.
func (sc *Scene) Novel() (n int) {
	for _, t := range sc.Things {
		if _, known := DetectorClass(t.Kind); !known {
			n++
		}
	}
	return n
}

// Colour is the colour by which a thing is called.
type Colour uint8

// The colours of things.
const (
	Red Colour = iota
	Orange
	Yellow
	Green
	Blue
	Purple
	White
	Black
	NumColours
)

// Colours holds the name of every colour, in the order of their values.
var Colours = [NumColours]string{"red", "orange", "yellow", "green", "blue", "purple", "white", "black"}

func (c Colour) String() string { return nameOf(Colours[:], int(c), "colour") }

// Background is where a scene takes place.
type Background uint8

// The backgrounds.
const (
	Grass Background = iota
	Beach
	Night
	Room
	Snow
	Street
	NumBackgrounds
)

// Backgrounds holds the name of every background, in the order of their values.
var Backgrounds = [NumBackgrounds]string{"grass", "beach", "night", "room", "snow", "street"}

func (b Background) String() string { return nameOf(Backgrounds[:], int(b), "background") }

// Thing is one object of a scene.
type Thing struct {
	Kind    Kind
	Colour  Colour
	Big     bool
	X, Y    float64 // middle of its box before tilting, in pixels, y downwards
	R       float64 // half of its longer side in pixels, before tilting
	Stretch float64 // width over height, relative to the kind's own; near 1
	Tilt    float64 // radians, clockwise
	Mirror  bool    // left and right exchanged
}

// Scene is all there is to know of a picture: drawing and speaking add nothing but chance derived from Seed.
type Scene struct {
	Domain     Domain
	Background Background
	Things     []Thing // one to three, all of different kinds, in no meaningful order
	Seed       uint64  // drives texture, light, noise and the choice of words
}

// Validate reports the first field a scene cannot be drawn with.
func (sc *Scene) Validate() error {
	switch {
	case sc.Domain >= numDomains:
		return fmt.Errorf("scene: domain %d: want 0..%d", sc.Domain, numDomains-1)
	case sc.Background >= NumBackgrounds:
		return fmt.Errorf("scene: background %d: want 0..%d", sc.Background, NumBackgrounds-1)
	case len(sc.Things) > maxThings:
		return fmt.Errorf("scene: %d things: want at most %d", len(sc.Things), maxThings)
	}
	for i := range sc.Things {
		t := &sc.Things[i]
		if t.Kind >= NumKinds || t.Colour >= NumColours {
			return fmt.Errorf("scene: thing %d: kind %d, colour %d: want below %d and %d", i, t.Kind, t.Colour, NumKinds, NumColours)
		}
		// Written so that NaN fails too; the bounds keep fixed-point coordinates far from overflow.
		if !(t.R > 0 && t.R <= Side && t.Stretch > .25 && t.Stretch < 4 && t.X >= -Side && t.X <= 2*Side && t.Y >= -Side && t.Y <= 2*Side &&
			t.Tilt >= -7 && t.Tilt <= 7) {
			return fmt.Errorf("scene: thing %d: centre (%g, %g), radius %g, stretch %g, tilt %g: want it near the picture, radius 0..%d, stretch .25..4, tilt -7..7",
				i, t.X, t.Y, t.R, t.Stretch, t.Tilt, Side)
		}
	}
	return nil
}

const maxThings = 3

func nameOf(names []string, i int, what string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", what, i)
}
