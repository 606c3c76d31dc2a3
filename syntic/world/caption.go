package world

import (
	"sort"
	"strings"
)

// MaxCaptionWords bounds every caption.
const MaxCaptionWords = 20

// Captions returns the first n captions of a scene, lower case, without punctuation, at most MaxCaptionWords words, all true of the scene
// and, as far as a few tries allow, all different. They are five different people's: what they leave out, whom they name first and which
// words they choose differs. Captions(5) begins Captions(8). n below 1 gives none.
func (sc *Scene) Captions(n int) []string {
	var all []string
	for i := range n {
		var text string
		for try := range 4 {
			r := newRNG(useCaption, sc.Seed, uint64(i), uint64(try))
			text = sc.caption(&r)
			if !contains(all, text) {
				break
			}
		}
		all = append(all, text)
	}
	return all
}

// Caption returns the caption of index i: Captions(i+1)[i].
func (sc *Scene) Caption(i int) string { return sc.Captions(i + 1)[i] }

func contains(list []string, s string) bool {
	for _, t := range list {
		if s == t {
			return true
		}
	}
	return false
}

// caption speaks once; what is too long is said again with less: without sizes, then without the place, then without colours.
func (sc *Scene) caption(r *rng) string {
	lex := &lexicons[sc.Domain]
	things := sc.mentioned(r)
	place, size, colour := r.chance(float64(lex.place)), lex.size, lex.colour
	for less := 0; ; less++ {
		text := sc.sentence(r, lex, things, place, size, colour)
		if strings.Count(text, " ") < MaxCaptionWords || less == 3 {
			return text
		}
		switch less {
		case 0:
			size = 0
		case 1:
			place = false
		case 2:
			colour = 0
		}
	}
}

// mentioned picks the things a speaker names, in the order of naming: of two 8 % name one, of three 25 % name two.
func (sc *Scene) mentioned(r *rng) []*Thing {
	things := make([]*Thing, len(sc.Things))
	for i := range things {
		things[i] = &sc.Things[i]
	}
	for i := len(things) - 1; i > 0; i-- {
		j := r.intn(i + 1)
		things[i], things[j] = things[j], things[i]
	}
	if len(things) == 2 && r.chance(.08) || len(things) == 3 && r.chance(.25) {
		things = things[:len(things)-1]
	}
	return things
}

func (sc *Scene) sentence(r *rng, lex *lexicon, things []*Thing, place bool, size, colour habit) string {
	what := group(r, lex, things, size, colour)
	if !place {
		switch p := r.float(); {
		case p < .3:
			return lex.leads.say(r) + " " + what
		case p < .42:
			return lex.there.say(r) + " " + what
		}
		return what
	}
	where := lex.backgrounds[sc.Background].say(r)
	switch p := r.float(); {
	case p < .14:
		return where + " " + lex.there.say(r) + " " + what
	case p < .24:
		return lex.views[sc.Background].say(r) + " with " + what
	case p < .42:
		return lex.leads.say(r) + " " + what + " " + where
	case p < .52:
		return lex.there.say(r) + " " + what + " " + where
	case p < .66 && len(things) == 1:
		return what + " " + lex.verbs.say(r) + " " + where
	}
	return what + " " + where
}

// group names the things and how they stand to each other.
func group(r *rng, lex *lexicon, things []*Thing, size, colour habit) string {
	names := make([]string, len(things))
	for i, t := range things {
		names[i] = lex.name(r, t, size, colour)
	}
	switch len(things) {
	case 1:
		return names[0]
	case 2:
		return names[0] + " " + relation(r, lex, things[0], things[1]) + " " + names[1]
	}
	// In a triangle one thing is alone above or below the others: it can be set against both.
	for i, t := range things {
		b, c := things[(i+1)%3], things[(i+2)%3]
		up, down := sense(t, b) == isAbove && sense(t, c) == isAbove, sense(t, b) == isBelow && sense(t, c) == isBelow
		if (up || down) && r.chance(.5) {
			link := lex.above
			if down {
				link = lex.below
			}
			return names[i] + " " + link.say(r) + " " + names[(i+1)%3] + " and " + names[(i+2)%3]
		}
	}
	return names[0] + " " + lex.loose.say(r) + " " + names[1] + " and " + names[2]
}

// sense is how one thing stands to another.
type direction uint8

const (
	isApart direction = iota
	isLeft
	isRight
	isAbove
	isBelow
)

// sense is judged by the centres: a direction counts from 12 pixels, and left or right only if the things are about level. Above and
// below prevail: in a triangle the tip is above both others.
func sense(a, b *Thing) direction {
	dx, dy := b.X-a.X, b.Y-a.Y
	switch {
	case dy >= 20:
		return isAbove
	case dy <= -20:
		return isBelow
	case dx >= 12:
		return isLeft
	case dx <= -12:
		return isRight
	}
	return isApart
}

func relation(r *rng, lex *lexicon, a, b *Thing) string {
	if r.chance(.3) {
		return lex.loose.say(r)
	}
	switch sense(a, b) {
	case isLeft:
		if r.chance(.4) {
			return lex.beside.say(r)
		}
		return lex.left.say(r)
	case isRight:
		if r.chance(.4) {
			return lex.beside.say(r)
		}
		return lex.right.say(r)
	case isAbove:
		return lex.above.say(r)
	case isBelow:
		return lex.below.say(r)
	}
	return lex.loose.say(r)
}

// name is a thing with its article, and size and colour as habit has it.
func (l *lexicon) name(r *rng, t *Thing, size, colour habit) string {
	var words []string
	if r.chance(float64(size)) {
		if t.Big {
			words = append(words, l.big.say(r))
		} else {
			words = append(words, l.small.say(r))
		}
	}
	if r.chance(float64(colour)) {
		words = append(words, l.colours[t.Colour].say(r))
	}
	words = append(words, l.kinds[t.Kind].say(r))
	article := "a "
	if strings.ContainsRune("aeiou", rune(words[0][0])) {
		article = "an "
	}
	return article + strings.Join(words, " ")
}

// Vocabulary returns all words that captions of a domain are made of, sorted.
func Vocabulary(d Domain) []string {
	seen := map[string]bool{}
	lexicons[d].words(func(phrase string) {
		for _, w := range strings.Fields(phrase) {
			seen[w] = true
		}
	})
	return sortedKeys(seen)
}

func sortedKeys(seen map[string]bool) []string {
	all := make([]string, 0, len(seen))
	for w := range seen {
		all = append(all, w)
	}
	sort.Strings(all)
	return all
}
