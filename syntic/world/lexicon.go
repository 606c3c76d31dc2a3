package world

// A term is a list of ways to say one thing: the first is used most, the others share the rest.
type term []string

// usual is how often a term's first word is chosen when there are others.
const usual = .68

func (t term) say(r *rng) string {
	if len(t) == 1 || r.chance(usual) {
		return t[0]
	}
	return t[1+r.intn(len(t)-1)]
}

// lexicon is one domain's words and habits.
type lexicon struct {
	kinds       [NumKinds]term
	colours     [NumColours]term
	small, big  term
	backgrounds [NumBackgrounds]term // where: "on the beach"
	views       [NumBackgrounds]term // the place as a thing looked at: "a beach with ..."
	left, right term                 // A ... B: A is to the left of B
	above       term
	below       term
	beside      term // A and B side by side, either first
	loose       term // any two things
	leads       term // begin a caption that names the picture itself
	there       term // between a place and what is there
	verbs       term // one thing and its place
	place       habit
	size        habit
	colour      habit
}

// habit is how often something is said.
type habit float64

var lexicons = [numDomains]lexicon{Photo: photoWords, Crayon: crayonWords}

var photoWords = lexicon{
	kinds: [NumKinds]term{Car: {"car", "automobile"}, Bus: {"bus", "coach"}, House: {"house", "home"}, Tree: {"tree"}, Fish: {"fish"},
		Cat: {"cat", "kitten"}, Apple: {"apple"}, Cup: {"cup", "mug"}, Boat: {"boat", "sailboat"}, Star: {"star"},
		Mushroom: {"mushroom"}, Umbrella: {"umbrella", "parasol"}, Key: {"key"}, Clock: {"clock", "alarm clock"}, Flower: {"flower", "blossom"},
		Bird: {"bird"}, Ball: {"ball", "beachball"}, Heart: {"heart"}, Moon: {"moon", "crescent"}, Chair: {"chair", "seat"},
		Lamp: {"lamp", "light"}, Kite: {"kite"}, Snail: {"snail"}, Balloon: {"balloon"}},
	colours: [NumColours]term{Red: {"red"}, Orange: {"orange"}, Yellow: {"yellow"}, Green: {"green"}, Blue: {"blue"},
		Purple: {"purple", "violet"}, White: {"white"}, Black: {"black"}},
	small: term{"small", "little"}, big: term{"big", "large"},
	backgrounds: [NumBackgrounds]term{
		Grass:  {"on the grass", "in a field", "in a meadow", "on a lawn"},
		Beach:  {"on the beach", "by the sea", "on the sand", "near the ocean"},
		Night:  {"at night", "in the dark", "under the night sky"},
		Room:   {"in a room", "on a wooden floor", "indoors"},
		Snow:   {"in the snow", "on a snowy day", "in winter"},
		Street: {"on the street", "in the city", "on a road"}},
	views: [NumBackgrounds]term{Grass: {"a meadow", "a field"}, Beach: {"a beach", "a sandy beach"}, Night: {"a dark night"},
		Room: {"a room", "the inside of a room"}, Snow: {"a snowy field", "a winter day"}, Street: {"a street", "a city street"}},
	left: term{"to the left of", "left of", "on the left of"}, right: term{"to the right of", "right of", "on the right of"},
	above: term{"above", "over", "higher than"}, below: term{"below", "under", "beneath"},
	beside: term{"next to", "beside", "and"}, loose: term{"and", "with"},
	leads: term{"a photo of", "a picture of", "an image of", "a snapshot of"},
	there: term{"there is", "we see", "you can see"}, verbs: term{"is", "stands", "is seen", "sits"},
	place: .65, size: .35, colour: .82,
}

var crayonWords = lexicon{
	kinds: [NumKinds]term{Car: {"car", "auto"}, Bus: {"bus"}, House: {"cottage", "house"}, Tree: {"tree"}, Fish: {"fish", "fishy"},
		Cat: {"kitty", "cat"}, Apple: {"apple"}, Cup: {"mug", "teacup"}, Boat: {"ship", "boat"}, Star: {"star"},
		Mushroom: {"toadstool", "mushroom"}, Umbrella: {"umbrella"}, Key: {"key"}, Clock: {"clock", "alarm clock"}, Flower: {"flower", "bloom"},
		Bird: {"birdie", "bird"}, Ball: {"ball"}, Heart: {"heart"}, Moon: {"moon"}, Chair: {"chair", "seat"}, Lamp: {"lamp"},
		Kite: {"kite"}, Snail: {"snail"}, Balloon: {"balloon"}},
	colours: [NumColours]term{Red: {"red", "scarlet"}, Orange: {"orange"}, Yellow: {"yellow", "golden"}, Green: {"green"}, Blue: {"blue"},
		Purple: {"violet", "purple"}, White: {"white"}, Black: {"black"}},
	small: term{"tiny", "little", "small"}, big: term{"huge", "big", "giant"},
	backgrounds: [NumBackgrounds]term{
		Grass:  {"on green grass", "in the park", "among the hills"},
		Beach:  {"at the seaside", "at the beach", "on a sandy shore"},
		Night:  {"in the night", "at midnight", "after dark", "at night"},
		Room:   {"at home", "inside", "in the living room"},
		Snow:   {"in the snow", "in the cold", "while it snows"},
		Street: {"in town", "downtown", "on the road"}},
	views: [NumBackgrounds]term{Grass: {"a park", "green hills"}, Beach: {"the seaside", "the shore"}, Night: {"the night sky", "midnight"},
		Room: {"a living room", "a cosy room"}, Snow: {"a snowy place", "falling snow"}, Street: {"a town", "a road in town"}},
	left: term{"left of", "on the left side of"}, right: term{"right of", "on the right side of"},
	above: term{"over", "above", "higher than"}, below: term{"underneath", "under", "lower than"},
	beside: term{"beside", "and", "by the side of"}, loose: term{"and", "together with", "plus"},
	leads: term{"a drawing of", "a child drew", "somebody painted", "a crayon sketch of", "this drawing shows"},
	there: term{"i drew", "look at", "a child painted"}, verbs: term{"is drawn", "is painted", "was sketched"},
	place: .6, size: .4, colour: .78,
}

// words adds every word of the lexicon to seen.
func (l *lexicon) words(add func(string)) {
	all := []term{l.small, l.big, l.left, l.right, l.above, l.below, l.beside, l.loose, l.leads, l.there, l.verbs, {"a", "an", "and", "with"}}
	all = append(append(append(append(all, l.kinds[:]...), l.colours[:]...), l.backgrounds[:]...), l.views[:]...)
	for _, t := range all {
		for _, s := range t {
			add(s)
		}
	}
}

// Nouns are the words for things, of all domains, as captions use them; each once, in the order of the kinds.
func Nouns() (names []string) {
	seen := map[string]bool{}
	for k := range NumKinds {
		for d := range lexicons {
			for _, name := range lexicons[d].kinds[k] {
				if !seen[name] {
					seen[name] = true
					names = append(names, name)
				}
			}
		}
	}
	return names
}
