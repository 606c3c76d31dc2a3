package world

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cut removes the longest of the phrases that text has as whole words, at the side asked for, and returns it.
func cut(text string, phrases []string, has func(text, phrase string) bool, remove func(text, phrase string) string) (string, string) {
	sort.Slice(phrases, func(i, j int) bool { return len(phrases[i]) > len(phrases[j]) })
	for _, p := range phrases {
		if has(text, p) {
			return strings.TrimSpace(remove(text, p)), p
		}
	}
	return text, ""
}

func prefixed(text, p string) bool { return strings.HasPrefix(text+" ", p+" ") }
func suffixed(text, p string) bool { return strings.HasSuffix(" "+text, " "+p) }

// check reads a caption back and compares it with the scene; it knows the lexicon but not the grammar's code.
// It returns how many things were named, and how many had size and colour, and whether the place was named.
func check(sc *Scene, text string) (named, sized, coloured int, placed bool, err error) {
	l := &lexicons[sc.Domain]
	var places []string
	where := map[string]map[Background]bool{} // a phrase may fit several places
	for b := range NumBackgrounds {
		phrases := append([]string{}, l.backgrounds[b]...)
		for _, v := range l.views[b] {
			phrases = append(phrases, v+" with")
		}
		for _, p := range phrases {
			if where[p] == nil {
				where[p] = map[Background]bool{}
			}
			where[p][b] = true
			places = append(places, p)
		}
	}
	rest, place := cut(text, places, prefixed, strings.TrimPrefix)
	if place == "" {
		rest, place = cut(text, places, suffixed, strings.TrimSuffix)
	}
	if place != "" && !where[place][sc.Background] {
		return 0, 0, 0, false, fmt.Errorf("place %q", place)
	}
	rest, _ = cut(rest, append(append([]string{}, l.leads...), l.there...), prefixed, strings.TrimPrefix)
	rest, _ = cut(rest, append([]string{}, l.verbs...), suffixed, strings.TrimSuffix)
	var last *Thing
	var chain []*Thing
	link := ""
	seen := map[Kind]bool{}
	for rest != "" {
		if last != nil {
			links := append(append(append(append([]string{"and"}, l.left...), l.right...), l.above...), append(l.below, append(l.beside, l.loose...)...)...)
			if rest, link = cut(rest, links, prefixed, strings.TrimPrefix); link == "" {
				return 0, 0, 0, false, fmt.Errorf("no link at %q", rest)
			}
		}
		words := strings.Fields(rest)
		if words[0] != "a" && words[0] != "an" {
			return 0, 0, 0, false, fmt.Errorf("no article at %q", rest)
		}
		if (words[0] == "an") != strings.Contains("aeiou", words[1][:1]) {
			return 0, 0, 0, false, fmt.Errorf("article %q", rest)
		}
		rest = strings.Join(words[1:], " ")
		var size, colour, noun string
		rest, size = cut(rest, append(append([]string{}, l.big...), l.small...), prefixed, strings.TrimPrefix)
		var all []string
		for _, c := range l.colours {
			all = append(all, c...)
		}
		rest, colour = cut(rest, all, prefixed, strings.TrimPrefix)
		all = nil
		for _, k := range l.kinds {
			all = append(all, k...)
		}
		if rest, noun = cut(rest, all, prefixed, strings.TrimPrefix); noun == "" {
			return 0, 0, 0, false, fmt.Errorf("no noun at %q", rest)
		}
		var thing *Thing
		for i := range sc.Things {
			if contains(l.kinds[sc.Things[i].Kind], noun) {
				thing = &sc.Things[i]
			}
		}
		switch {
		case thing == nil || seen[thing.Kind]:
			return 0, 0, 0, false, fmt.Errorf("%q is not there, or named twice", noun)
		case colour != "" && !contains(l.colours[thing.Colour], colour):
			return 0, 0, 0, false, fmt.Errorf("%q is not %q", noun, colour)
		case size != "" && contains(l.big, size) != thing.Big:
			return 0, 0, 0, false, fmt.Errorf("%q is not %q", noun, size)
		case last != nil && !stands(l, link, chain, thing):
			return 0, 0, 0, false, fmt.Errorf("%v is not %q %q", Kinds[last.Kind], link, noun)
		}
		seen[thing.Kind], last, chain = true, thing, append(chain, thing)
		named++
		if size != "" {
			sized++
		}
		if colour != "" {
			coloured++
		}
	}
	return named, sized, coloured, place != "", nil
}

// stands tells by position alone whether the first thing of the chain stands to b as the link says.
func stands(l *lexicon, link string, chain []*Thing, b *Thing) bool {
	a := chain[len(chain)-1]
	switch {
	case contains(l.left, link):
		return b.X-a.X > 8
	case contains(l.right, link):
		return a.X-b.X > 8
	case contains(l.above, link):
		return b.Y-a.Y > 14
	case contains(l.below, link):
		return a.Y-b.Y > 14
	}
	return true
}

func TestCaptionsAreTrue(t *testing.T) {
	for _, d := range Domains {
		vocabulary := map[string]bool{}
		for _, w := range Vocabulary(d) {
			vocabulary[w] = true
		}
		assert.True(t, len(vocabulary) >= 90 && len(vocabulary) <= 150, "%v: %d words", d, len(vocabulary))
		var scenes, distinct, longest, captions, placed, things, sized, coloured int
		var all, fewer [maxThings + 1]int
		used := map[string]bool{}
		for i := range 2000 {
			sc := Sample(d, Train, 9, i)
			texts := sc.Captions(5)
			require.Equal(t, texts[:3], sc.Captions(3))
			different := map[string]bool{}
			for _, text := range texts {
				named, s, c, place, err := check(&sc, text)
				require.NoError(t, err, "%v: %s\n%+v", d, text, sc)
				captions++
				things, sized, coloured = things+named, sized+s, coloured+c
				if place {
					placed++
				}
				all[len(sc.Things)]++
				if named < len(sc.Things) {
					fewer[len(sc.Things)]++
				}
				for _, w := range strings.Fields(text) {
					require.True(t, vocabulary[w], w)
					used[w] = true
				}
				longest = max(longest, len(strings.Fields(text)))
				require.Equal(t, strings.ToLower(text), text)
				different[text] = true
			}
			scenes, distinct = scenes+1, distinct+len(different)
		}
		share := func(n, of int) float64 { return float64(n) / float64(of) }
		l := &lexicons[d]
		t.Logf("%v: %d words, longest %d, different of five %.2f, size %.2f, colour %.2f, place %.2f, one of two %.3f, two of three %.3f", d, len(used),
			longest, share(distinct, scenes), share(sized, things), share(coloured, things), share(placed, captions), share(fewer[2], all[2]), share(fewer[3], all[3]))
		assert.Equal(t, len(vocabulary), len(used), "every word is used")
		assert.LessOrEqual(t, longest, MaxCaptionWords)
		assert.InDelta(t, float64(l.size), share(sized, things), .04)
		assert.InDelta(t, float64(l.colour), share(coloured, things), .04)
		assert.InDelta(t, float64(l.place), share(placed, captions), .04)
		assert.InDelta(t, .08, share(fewer[2], all[2]), .03)
		assert.InDelta(t, .25, share(fewer[3], all[3]), .06)
		assert.Greater(t, share(distinct, scenes), 4.9)
	}
}

func TestTheCheckerFindsLies(t *testing.T) {
	sc := Scene{Background: Beach, Things: []Thing{{Kind: Car, Colour: Red, Big: true, X: 16, Y: 32}, {Kind: Cat, Colour: Blue, X: 48, Y: 32}}}
	_, _, _, _, err := check(&sc, "a big red car left of a small blue cat on the beach")
	assert.NoError(t, err)
	for _, lie := range []string{"a blue car", "a small car", "a car in the snow", "a cat left of a car", "a car above a cat", "a dog", "a bus", "a car and a car",
		"an car", "a meadow with a car"} {
		_, _, _, _, err := check(&sc, lie)
		assert.Error(t, err, lie)
	}
}

func TestDomainsSpeakDifferently(t *testing.T) {
	photo := map[string]bool{}
	for _, w := range Vocabulary(Photo) {
		photo[w] = true
	}
	var own int
	for _, w := range Vocabulary(Crayon) {
		if !photo[w] {
			own++
		}
	}
	assert.Greater(t, own, 30)
}

func TestWebTexts(t *testing.T) {
	texts := WebTexts(1, 3000)
	assert.Equal(t, texts[:10], WebTexts(1, 10))
	assert.NotEqual(t, texts[:10], WebTexts(2, 10))
	assert.Empty(t, WebTexts(1, -1))
	words := map[string]bool{}
	for _, w := range WebVocabulary() {
		words[w] = true
	}
	world := map[string]bool{}
	for _, d := range Domains {
		for _, terms := range lexicons[d].kinds {
			for _, s := range terms {
				world[strings.ReplaceAll(s, " ", "")] = true
			}
		}
	}
	var about, upper, tags, prices int
	for _, text := range texts {
		hit := false
		for _, w := range letters(text) {
			require.True(t, words[w], "%q of %q", w, text)
			hit = hit || world[w] && w != "light"
		}
		if hit {
			about++
		}
		if strings.ToUpper(text) == text {
			upper++
		}
		if strings.Contains(text, "#") {
			tags++
		}
		if strings.Contains(text, "$") {
			prices++
		}
	}
	assert.InDelta(t, .75, float64(about)/3000, .05)
	for name, n := range map[string]int{"upper case": upper, "hashtags": tags, "prices": prices} {
		assert.Greater(t, n, 200, name)
	}
}
