package meteor

import (
	"slices"
	"strings"
)

// Stem gives the stem of an English word in lower case: the Porter2 algorithm, written from its description
// (M. F. Porter and R. Boulton, "The English (Porter2) stemming algorithm", snowballstem.org), in the form that METEOR 1.5 carries.
func Stem(word string) string {
	if s, ok := stemExceptions[word]; ok {
		return s
	}
	if len([]rune(word)) <= 2 {
		return word
	}
	s := stemmer{w: []byte(strings.TrimPrefix(word, "'"))}
	s.markConsonantY()
	s.regions()
	s.possessive()
	s.plural()
	if slices.Contains(stemDone, string(s.w)) {
		return string(s.w)
	}
	s.pastAndGerund()
	s.finalY()
	s.suffixes(step2, s.step2)
	s.suffixes(step3, s.step3)
	s.suffixes(step4, s.step4)
	s.finalEL()
	return strings.ReplaceAll(string(s.w), "Y", "y")
}

// stemExceptions have stems of their own; stemDone are ready after the first step.
var (
	stemExceptions = map[string]string{"skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie",
		"idly": "idl", "gently": "gentl", "ugly": "ugli", "early": "earli", "only": "onli", "singly": "singl",
		"sky": "sky", "news": "news", "howe": "howe", "atlas": "atlas", "cosmos": "cosmos", "bias": "bias", "andes": "andes"}
	stemDone = []string{"inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"}
)

// stemmer holds a word in which a y that is a consonant is written Y, and the begins of its regions R1 and R2.
type stemmer struct {
	w      []byte
	r1, r2 int
}

func isVowel(c byte) bool { return strings.IndexByte("aeiouy", c) >= 0 }

func (s *stemmer) markConsonantY() {
	for i, c := range s.w {
		if c == 'y' && (i == 0 || isVowel(s.w[i-1])) {
			s.w[i] = 'Y'
		}
	}
}

// regions: R1 is what follows the first consonant after a vowel, R2 the same within R1.
func (s *stemmer) regions() {
	next := func(i int) int {
		for i < len(s.w) && !isVowel(s.w[i]) {
			i++
		}
		for i < len(s.w) && isVowel(s.w[i]) {
			i++
		}
		return min(i+1, len(s.w))
	}
	s.r1 = next(0)
	for _, p := range []string{"gener", "commun", "arsen"} {
		if strings.HasPrefix(string(s.w), p) {
			s.r1 = len(p)
		}
	}
	s.r2 = next(s.r1)
}

func (s *stemmer) ends(suffix string) bool { return strings.HasSuffix(string(s.w), suffix) }

// put replaces the last n bytes.
func (s *stemmer) put(n int, with string) { s.w = append(s.w[:len(s.w)-n], with...) }

func (s *stemmer) hasVowel(end int) bool { return slices.ContainsFunc(s.w[:max(end, 0)], isVowel) }

// short reports whether the first n bytes end in a short syllable: a vowel between consonants, the last not w, x or Y, or a vowel at
// the start before a consonant.
func (s *stemmer) short(n int) bool {
	switch {
	case n == 2:
		return isVowel(s.w[0]) && !isVowel(s.w[1])
	case n > 2:
		c := s.w[n-1]
		return !isVowel(c) && c != 'w' && c != 'x' && c != 'Y' && isVowel(s.w[n-2]) && !isVowel(s.w[n-3])
	}
	return false
}

func (s *stemmer) possessive() {
	for _, p := range []string{"'s'", "'s", "'"} {
		if s.ends(p) {
			s.put(len(p), "")
			return
		}
	}
}

func (s *stemmer) plural() {
	n := len(s.w)
	switch {
	case s.ends("sses"):
		s.put(2, "")
	case s.ends("ied"), s.ends("ies"):
		if n > 4 {
			s.put(2, "")
		} else {
			s.put(1, "")
		}
	case s.ends("us"), s.ends("ss"):
	case s.ends("s"):
		if s.hasVowel(n - 2) {
			s.put(1, "")
		}
	}
}

func (s *stemmer) pastAndGerund() {
	for _, p := range []string{"eedly", "eed"} {
		if s.ends(p) {
			if len(s.w)-len(p) >= s.r1 {
				s.put(len(p), "ee")
			}
			return
		}
	}
	for _, p := range []string{"ingly", "edly", "ing", "ed"} {
		if !s.ends(p) {
			continue
		}
		if !s.hasVowel(len(s.w) - len(p)) {
			return
		}
		s.put(len(p), "")
		n := len(s.w)
		switch {
		case s.ends("at"), s.ends("bl"), s.ends("iz"):
			s.put(0, "e")
		case n > 1 && s.w[n-1] == s.w[n-2] && strings.IndexByte("bdfgmnprt", s.w[n-1]) >= 0:
			s.put(1, "")
		case s.r1 >= n && s.short(n):
			s.put(0, "e")
		}
		return
	}
}

func (s *stemmer) finalY() {
	n := len(s.w)
	if n > 2 && (s.w[n-1] == 'y' || s.w[n-1] == 'Y') && !isVowel(s.w[n-2]) {
		s.w[n-1] = 'i'
	}
}

// suffixes applies a rule to the longest suffix of the table that the word has.
func (s *stemmer) suffixes(table []string, rule func(suffix string)) {
	longest := ""
	for _, suffix := range table {
		if len(suffix) > len(longest) && s.ends(suffix) {
			longest = suffix
		}
	}
	if longest != "" {
		rule(longest)
	}
}

// The tables of a step: a suffix and what it becomes, in turn; step 4 only deletes.
var (
	step2Table = map[string]string{"tional": "tion", "enci": "ence", "anci": "ance", "abli": "able", "entli": "ent", "izer": "ize",
		"ization": "ize", "ational": "ate", "ation": "ate", "ator": "ate", "alism": "al", "aliti": "al", "alli": "al", "fulness": "ful",
		"ousli": "ous", "ousness": "ous", "iveness": "ive", "iviti": "ive", "biliti": "ble", "bli": "ble", "ogi": "og", "fulli": "ful",
		"lessli": "less", "li": ""}
	step3Table = map[string]string{"tional": "tion", "ational": "ate", "alize": "al", "icate": "ic", "iciti": "ic", "ical": "ic",
		"ful": "", "ness": "", "ative": ""}
	step2, step3 = keys(step2Table), keys(step3Table)
	step4        = []string{"al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ism", "ate", "iti", "ous",
		"ive", "ize", "ion"}
)

func keys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

func (s *stemmer) step2(suffix string) {
	at := len(s.w) - len(suffix)
	switch {
	case at < s.r1:
	case suffix == "ogi" && (at == 0 || s.w[at-1] != 'l'):
	case suffix == "li" && (at == 0 || strings.IndexByte("cdeghkmnrt", s.w[at-1]) < 0):
	default:
		s.put(len(suffix), step2Table[suffix])
	}
}

func (s *stemmer) step3(suffix string) {
	at := len(s.w) - len(suffix)
	if at >= s.r1 && (suffix != "ative" || at >= s.r2) {
		s.put(len(suffix), step3Table[suffix])
	}
}

func (s *stemmer) step4(suffix string) {
	at := len(s.w) - len(suffix)
	if at >= s.r2 && (suffix != "ion" || at > 0 && (s.w[at-1] == 's' || s.w[at-1] == 't')) {
		s.put(len(suffix), "")
	}
}

func (s *stemmer) finalEL() {
	n := len(s.w)
	switch {
	case s.ends("e") && (n-1 >= s.r2 || n-1 >= s.r1 && !s.short(n-1)):
		s.put(1, "")
	case s.ends("l") && n-1 >= s.r2 && n > 1 && s.w[n-2] == 'l':
		s.put(1, "")
	}
}
