package metric

import (
	"strings"
	"unicode"
)

// lexer cuts one line into Penn Treebank tokens: at each place the longest token that one of the rules allows, as a scanner does.
// text runs past the line into the next one, because whether a final period belongs to an abbreviation depends on what follows.
type lexer struct {
	text []rune
	end  int // of the line; text[end] is '\n' if there is a next line
	out  []string

	buf  []byte            // the plain word at hand
	seen map[string]string // plain words met, so that each is made a string once
}

// rule gives the end of the token that begins at i, or i if it does not apply. A negative end is final: the token ends there
// though another rule would make it longer.
type rule func(l *lexer, i int) int

// words are the rules for tokens that begin with a letter or digit, signs those for tokens that begin with anything else. Where
// two give the same length the first counts.
var (
	wordRules = []rule{contraction, wordBeforeNot, yAll, dotted, abbreviation, apostropheWord, word, hyphenated, compound, date, fraction,
		number, slashed, ampersand, cPlusPlus, currencyWord, url, domain, email}
	signRules = []rule{domain, bracketed, entity, number, tag, phone, handle, smiley, years, clitic, elided, doubleQuote, dashes, dots, repeated}
)

func (l *lexer) run() []string {
	for i := 0; i < l.end; {
		if unicode.IsSpace(l.text[i]) {
			i++
			continue
		}
		if end := l.plain(i); end > i {
			i = end
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

// plain emits the token at i if it is what most are, ASCII letters before a space, which all rules leave whole; else it gives i.
func (l *lexer) plain(i int) int {
	l.buf = l.buf[:0]
	end := i
	for end < l.end && isASCIILetter(l.text[end]) {
		l.buf = append(l.buf, byte(l.text[end]|0x20))
		end++
	}
	if end == i || end < l.end && l.text[end] != ' ' || cutWords[string(l.buf)] > 0 {
		return i
	}
	w, ok := l.seen[string(l.buf)]
	if !ok {
		w = string(l.buf)
		l.seen[w] = w
	}
	l.out = append(l.out, w)
	return end
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
