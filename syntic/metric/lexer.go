package metric

import (
	"slices"
	"strings"
	"unicode"
)

// lexer cuts one line into Penn Treebank tokens: at each place the longest token that one of the rules allows, as a scanner does.
// text runs past the line into the next one, because whether a final period belongs to an abbreviation depends on what follows.
type lexer struct {
	text []rune
	end  int // of the line; text[end] is '\n' if there is a next line
	out  []string
}

// rule gives the end of the token that begins at i, or i if it does not apply. A negative end is final: the token ends there
// though another rule would make it longer.
type rule func(l *lexer, i int) int

// words are the rules for tokens that begin with a letter or digit, signs those for tokens that begin with anything else. Where
// two give the same length the first counts.
var (
	wordRules = []rule{contraction, wordBeforeNot, yAll, dotted, abbreviation, apostropheWord, word, hyphenated, compound, date, fraction,
		number, slashed, ampersand, cPlusPlus, currencyWord, url, domain, email}
	signRules = []rule{domain, entity, number, tag, phone, handle, smiley, years, clitic, elided, doubleQuote, dashes, dots, repeated}
)

func (l *lexer) run() []string {
	for i := 0; i < l.end; {
		if unicode.IsSpace(l.text[i]) {
			i++
			continue
		}
		rules := signRules
		if isWordRune(l.text[i]) {
			rules = wordRules
		}
		end := i
		for _, r := range rules {
			e := r(l, i)
			if e < 0 {
				end = -e
				break
			}
			end = max(end, e)
		}
		if end == i {
			end = i + 1
		}
		end = min(end, l.end)
		l.emit(i, end)
		i = end
	}
	return l.out
}

// at gives the rune at i, or 0 past the text.
func (l *lexer) at(i int) rune {
	if i < 0 || i >= len(l.text) {
		return 0
	}
	return l.text[i]
}

func isLetter(r rune) bool {
	if r < 0x80 {
		return 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	return r == softHyphen || r < 0x10000 && (unicode.IsLetter(r) || unicode.IsMark(r))
}

const softHyphen = 0xad

func isDigit(r rune) bool {
	return '0' <= r && r <= '9' || r > 0x80 && r < 0x10000 && unicode.IsDigit(r)
}
func isWordRune(r rune) bool { return isLetter(r) || isDigit(r) }
func isApostrophe(r rune) bool {
	return r == '\'' || r == '’' || r == 0x92
}

// while gives the first place from i on whose rune does not satisfy f.
func (l *lexer) while(i int, f func(rune) bool) int {
	for i < len(l.text) && f(l.text[i]) {
		i++
	}
	return i
}

// lower gives the lower-case text of a part, with plain apostrophes.
func (l *lexer) lower(i, end int) string {
	var b strings.Builder
	for _, r := range l.text[i:min(end, len(l.text))] {
		if isApostrophe(r) {
			r = '\''
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// word: letters and digits, beginning with a letter; a sentence mark between letters does not end it ("street.a").
func word(l *lexer, i int) int {
	if !isLetter(l.at(i)) {
		return i
	}
	for {
		i = l.while(i, isWordRune)
		if !strings.ContainsRune(".!?", l.at(i)) || !isLetter(l.at(i+1)) {
			return i
		}
		i++
	}
}

// hyphenated: "close-up", "7-eleven", "under_score", "2x4".
func hyphenated(l *lexer, i int) int {
	for {
		i = l.while(i, isWordRune)
		if r := l.at(i); r != '-' && r != '_' || !isWordRune(l.at(i+1)) {
			return i
		}
		i++
	}
}

// number: "5", "1,000", "10:30", ".5", "+1".
func number(l *lexer, i int) int {
	start := i
	if r := l.at(i); r == '+' || r == '-' {
		i++
	}
	digits := l.while(i, isDigit)
	for strings.ContainsRune(".,:", l.at(digits)) && isDigit(l.at(digits+1)) {
		digits = l.while(digits+1, isDigit)
	}
	if digits == i {
		return start
	}
	return digits
}

func (l *lexer) digits(i, least, most int) int {
	end := l.while(i, isDigit)
	if end-i < least || end-i > most {
		return i
	}
	return end
}

// date: "12/25/2012".
func date(l *lexer, i int) int {
	a := l.digits(i, 1, 2)
	if sep := l.at(a); a > i && (sep == '/' || sep == '-') {
		b := l.digits(a+1, 1, 2)
		if b > a+1 && l.at(b) == sep {
			if c := l.digits(b+1, 2, 4); c > b+1 {
				return c
			}
		}
	}
	return i
}

// fraction: "1/2", "3 1/2".
func fraction(l *lexer, i int) int {
	a := l.digits(i, 1, 4)
	if a == i {
		return i
	}
	if r := l.at(a); r == ' ' || r == '-' || r == 0xa0 {
		if end := fraction1(l, a+1); end > a+1 {
			return end
		}
	}
	return fraction1(l, i)
}

func fraction1(l *lexer, i int) int {
	a := l.digits(i, 1, 4)
	if a > i && l.at(a) == '/' {
		if b := l.while(a+1, isDigit); b > a+1 {
			return min(b, a+5)
		}
	}
	return i
}

// compound: ASCII words joined by hyphens, the first of which may hold periods and commas: "fridge.7-eleven", "1,000-year".
func compound(l *lexer, i int) int {
	end := l.while(i, func(r rune) bool { return isASCIIWord(r) || r == '.' || r == ',' || r == softHyphen })
	if l.at(end) != '-' || !isASCIIWord(l.at(end+1)) {
		return i
	}
	for l.at(end) == '-' && isASCIIWord(l.at(end+1)) {
		end = l.while(end+1, isASCIIWord)
	}
	return end
}

func isASCIIWord(r rune) bool { return r < 0x80 && isWordRune(r) }

// slashed: "and/or", "b/w", "12/25/2012a": two or three ASCII words, each with up to two hyphens.
func slashed(l *lexer, i int) int {
	end := l.slashPart(i)
	for range 2 {
		if end == i || l.at(end) != '/' || !isASCIIWord(l.at(end+1)) {
			break
		}
		end = l.slashPart(end + 1)
	}
	return end
}

func (l *lexer) slashPart(i int) int {
	end := l.while(i, isASCIIWord)
	for range 2 {
		if next := l.at(end + 1); end == i || l.at(end) != '-' || !isASCIIWord(next) || isDigit(next) {
			break
		}
		end = l.while(end+1, func(r rune) bool { return isASCIIWord(r) && !isDigit(r) })
	}
	return end
}

// ampersand: "AT&T", "R&B".
func ampersand(l *lexer, i int) int {
	upper := func(r rune) bool { return 'A' <= r && r <= 'Z' }
	end := l.while(i, upper)
	if end > i && l.at(end) == '&' && upper(l.at(end+1)) {
		return l.while(end+1, upper)
	}
	return i
}

func cPlusPlus(l *lexer, i int) int {
	if r := l.at(i); (r == 'C' || r == 'c') && l.at(i+1) == '+' && l.at(i+2) == '+' {
		return i + 3
	}
	return i
}

// currencyWord: "US$".
func currencyWord(l *lexer, i int) int {
	for _, w := range []string{"US$", "AUS$", "AU$", "A$", "CAN$", "C$", "HK$", "NZ$", "S$"} {
		if string(l.text[i:min(i+len(w), len(l.text))]) == w {
			return i + len(w)
		}
	}
	return i
}

// contraction: the first half of a word that the Treebank writes as two.
func contraction(l *lexer, i int) int {
	end := hyphenated(l, i)
	if word(l, i) > end || l.at(end) == '@' {
		return i
	}
	if cut := cutWords[l.lower(i, end)]; cut > 0 {
		return -(i + cut)
	}
	return i
}

var cutWords = map[string]int{"cannot": 3, "gonna": 3, "gotta": 3, "gimme": 3, "lemme": 3, "wanna": 3}

// wordBeforeNot: "do" of "don't"; "n't", which takes what is glued to it.
func wordBeforeNot(l *lexer, i int) int {
	end := l.while(i, isASCIILetter)
	if end == i || l.text[end-1]|0x20 != 'n' || !isApostrophe(l.at(end)) || l.at(end+1)|0x20 != 't' {
		return i
	}
	if end-i == 1 {
		return l.while(end+1, isLetter)
	}
	return -(end - 1)
}

func isASCIILetter(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' && r < 0x80 }

// yAll: "y'" of "y'all".
func yAll(l *lexer, i int) int {
	if l.at(i)|0x20 == 'y' && isApostrophe(l.at(i+1)) && isLetter(l.at(i+2)) {
		return -(i + 2)
	}
	return i
}

// apostropheWord: words that hold an apostrophe: "o'clock", "d'oeuvre", "A'isha", and after a vowel "Hawai'i".
func apostropheWord(l *lexer, i int) int {
	end := l.while(i, isLetter)
	if end == i || !isApostrophe(l.at(end)) {
		return i
	}
	last, next := l.at(end-1), l.at(end+1)
	ok := false
	switch {
	case !isLetter(next) || clitic(l, end) == l.while(end+1, isLetter):
	case end == i+1 && strings.ContainsRune("oO", last):
		ok = true
	case end == i+1 && strings.ContainsRune("dDlL", last):
		ok = strings.ContainsRune("aeiouhAEIOUH", next)
	case end == i+1:
		ok = unicode.IsUpper(last) && isLetter(l.at(end+2)) && last != 'I'
	default:
		ok = strings.ContainsRune("aeiouyAEIOUY", last) && (strings.ContainsRune("aeiou", next) || unicode.IsUpper(next))
	}
	if !ok {
		return i
	}
	return l.while(end+1, isLetter)
}

// dotted: single letters with periods: "U.S.", "p.m.", "K.".
func dotted(l *lexer, i int) int {
	end := i
	for isLetter(l.at(end)) && l.at(end+1) == '.' {
		end += 2
	}
	if end == i+2 && l.sentenceStarts(end) {
		return i
	}
	return end
}

// sentenceStarts reports whether white space and a word that often begins a sentence follow.
func (l *lexer) sentenceStarts(i int) bool {
	j := l.while(i, unicode.IsSpace)
	if j == i || !unicode.IsUpper(l.at(j)) {
		return false
	}
	end := l.while(j, isLetter)
	return unicode.IsSpace(l.at(end)) && starters[string(l.text[j:end])]
}

// starters are words that, capitalised, mostly begin a sentence.
var starters = set("A About After Also An And As At But He Her Here However If In It Last Many More Now On Once One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You")

// abbreviation: a known abbreviation with its period.
func abbreviation(l *lexer, i int) int {
	end := l.while(i, isLetter)
	if end == i || l.at(end) != '.' {
		return i
	}
	w := l.lower(i, end)
	switch {
	case titles[w], closers[w]:
		return end + 1
	case w == "no" && unicode.IsSpace(l.at(end+1)) && isDigit(l.at(l.while(end+1, unicode.IsSpace))):
		return end + 1
	case l.at(end+1) != 0 && strings.ContainsRune(",;:", l.at(end+1)):
		return end + 1
	}
	return i
}

// titles are abbreviations that do not end a sentence, closers those that may.
var (
	titles  = set("mr mrs ms dr prof st ave ft mt rev gen sen rep gov hon capt lt col sgt vs pl rd messrs adm maj pvt")
	closers = set("jr sr inc co corp ltd bros blvd etc jan feb apr jun jul aug sep sept oct nov dec tue tues wed thu thurs fri ky est ariz calif colo conn fla ga ind mass mich minn mont nev okla tenn tex va vt wis wyo")
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// periodAgain reports whether the period of an abbreviation that ends at i also ends the sentence, so that it counts twice.
func (l *lexer) periodAgain(start, end int) bool {
	if end-start >= 4 && dotted(l, start) == end {
		return l.sentenceStarts(end)
	}
	if !closers[strings.TrimSuffix(l.lower(start, end), ".")] {
		return false
	}
	// at the end of the file, or before two spaces, or before a space and a capital; a line end is a space
	next := l.at(end + 1)
	return end >= len(l.text) || unicode.IsSpace(l.at(end)) && (next == 0 || unicode.IsSpace(next) || unicode.IsUpper(next))
}

// url: "http://example.com/a?b=c".
func url(l *lexer, i int) int {
	end := l.while(i, isURLRune)
	w := l.lower(i, end)
	if !strings.HasPrefix(w, "http://") && !strings.HasPrefix(w, "https://") {
		return i
	}
	return l.trimURL(i, end)
}

func isURLRune(r rune) bool { return !unicode.IsSpace(r) && !strings.ContainsRune(`"<>|()`, r) }

func (l *lexer) trimURL(i, end int) int {
	for end > i && strings.ContainsRune(".!?,(){}-", l.text[end-1]) {
		end--
	}
	return end
}

// domain: "www.example.com", "example.com/a?b=c".
func domain(l *lexer, i int) int {
	if l.at(i) < 0x80 && !isWordRune(l.at(i)) {
		return i
	}
	best := i
	for end := i; ; end++ {
		start := end
		end = l.while(end, func(r rune) bool { return isURLRune(r) && !strings.ContainsRune("`'.!?,_$-/:;@", r) })
		if end == start {
			break
		}
		label := l.while(start, isASCIILetter)
		if w := l.lower(start, label); start > i && topDomains[w] {
			best = label
		}
		if l.at(end) != '.' {
			break
		}
	}
	if best > i && l.at(best) == '/' {
		return max(best, l.trimURL(i, l.while(best+1, isURLRune)))
	}
	return best
}

var topDomains = set("com net org edu")

// email: "me@example.com".
func email(l *lexer, i int) int {
	stop := isURLRune
	end := l.while(i, stop)
	at := slices.Index(l.text[i:end], '@')
	if at <= 0 || l.text[i] > 0x7f {
		return i
	}
	domain := l.while(i+at+1, func(r rune) bool { return stop(r) && r != '.' })
	for domain > i+at+1 && l.at(domain) == '.' {
		next := l.while(domain+1, func(r rune) bool { return stop(r) && r != '.' })
		if next == domain+1 {
			break
		}
		domain = next
	}
	if domain == i+at+1 {
		return i
	}
	return domain
}
