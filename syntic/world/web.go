package world

import (
	"strings"
	"unicode"
)

// The web's ways: what stands around the words that matter, and texts in which nothing matters.
var (
	webLeads  = []string{"stock photo", "buy", "sale", "cheap", "vintage", "img", "new", "best", "free download", "diy", "top rated", "handmade", "untitled", "our"}
	webTails  = []string{"free shipping", "royalty free", "wallpaper hd", "for sale", "clip art", "click here", "in stock", "gift idea", "all rights reserved", "near me", "page", "review", "on instagram", "for kids", "set of", "vector illustration"}
	webPrices = []string{"$4.99", "$12.99", "$19.95", "$7", "$149", "$0.99", "50% off", "2 for $5", "1080p", "2048x1536", "2009", "2017", "x3"}
	webTags   = []string{"#love", "#art", "#photooftheday", "#cute", "#nature", "#deal", "#instagood", "#travel"}
	webOff    = []string{"printer", "sofa", "pizza", "laptop", "guitar", "sneakers", "recipe", "insurance", "engine", "perfume", "wedding", "museum",
		"bicycle", "keyboard", "hotel", "curtain", "mountain", "horse", "necklace", "camera", "dress", "bridge", "soup", "tractor"}
	webForms = []string{"%o %o", "how to choose a %o", "%o and %o %t", "%l %o %p", "the %o of the year", "%o spare part no 4471", "%t %o", "my %o trip to the %o"}
)

// WebTexts returns n texts as they stand beside pictures on the web: three quarters are about scenes of the Web split, in the words of
// either domain but seldom whole sentences, in any case, with prices, hashtags and filler; a quarter is about things this world does not
// have. They are for the zero-shot rows: captions nobody wrote for the pictures that are to be described. A pure function of its arguments.
func WebTexts(seed uint64, n int) []string {
	texts := make([]string, max(n, 0))
	for i := range texts {
		r := newRNG(useWeb, seed, uint64(i))
		text := ""
		if r.chance(.25) {
			text = offTopic(&r)
		} else {
			sc := Sample(Domain(r.intn(int(numDomains))), Web, seed^0xeb, i)
			text = altText(&r, &sc)
		}
		texts[i] = webCase(&r, text)
	}
	return texts
}

func offTopic(r *rng) string {
	form := pick(r, webForms)
	var b strings.Builder
	for i := 0; i < len(form); i++ {
		if form[i] != '%' {
			b.WriteByte(form[i])
			continue
		}
		i++
		b.WriteString(pick(r, map[byte][]string{'o': webOff, 't': webTails, 'l': webLeads, 'p': webPrices}[form[i]]))
	}
	return b.String()
}

// altText speaks of a scene the way a shop, a file name or a post does.
func altText(r *rng, sc *Scene) string {
	lex := &lexicons[sc.Domain]
	var parts []string
	switch p := r.float(); {
	case p < .3: // a whole caption
		parts = append(parts, sc.caption(r))
	case p < .8: // names without articles, sometimes the place
		for _, t := range sc.mentioned(r) {
			name := lex.name(r, t, lex.size/2, lex.colour)
			parts = append(parts, name[strings.IndexByte(name, ' ')+1:])
		}
		if r.chance(.45) {
			parts = append(parts, lex.backgrounds[sc.Background].say(r))
		}
	default: // a post
		for _, t := range sc.mentioned(r) {
			parts = append(parts, "#"+strings.ReplaceAll(lex.kinds[t.Kind].say(r), " ", ""))
		}
		parts = append(parts, pick(r, webTags))
	}
	if r.chance(.45) {
		parts = append([]string{pick(r, webLeads)}, parts...)
	}
	if r.chance(.3) {
		parts = append(parts, pick(r, webPrices))
	}
	if r.chance(.45) {
		parts = append(parts, pick(r, webTails))
	}
	if r.chance(.15) {
		parts = append(parts, pick(r, webOff))
	}
	if r.chance(.2) {
		parts = append(parts, pick(r, webTags))
	}
	return strings.Join(parts, pick(r, []string{" ", " ", " ", " - ", ", ", " | "}))
}

func webCase(r *rng, s string) string {
	switch p := r.float(); {
	case p < .15:
		s = strings.ToUpper(s)
	case p < .4: // Title Case
		fields := strings.Fields(s)
		for i, f := range fields {
			fields[i] = strings.ToUpper(f[:1]) + f[1:]
		}
		s = strings.Join(fields, " ")
	case p < .6:
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	return s + pick(r, []string{"", "", "", "", ".", "!", "...", "!!!"})
}

// WebVocabulary returns the words of WebTexts, sorted: runs of letters in lower case. Numbers and signs stand between them.
func WebVocabulary() []string {
	seen := map[string]bool{}
	add := func(text string) {
		for _, w := range letters(text) {
			seen[w] = true
		}
	}
	for d := range lexicons {
		lexicons[d].words(add)
		lexicons[d].words(func(s string) { add(strings.ReplaceAll(s, " ", "")) }) // hashtags join words
	}
	for _, list := range [][]string{webLeads, webTails, webPrices, webTags, webOff} {
		for _, s := range list {
			add(s)
		}
	}
	for _, form := range webForms {
		for _, w := range strings.Fields(form) {
			if w[0] != '%' {
				add(w)
			}
		}
	}
	return sortedKeys(seen)
}

func letters(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(c rune) bool { return !unicode.IsLetter(c) })
}
