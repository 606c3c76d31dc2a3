package metric

import (
	"strings"
	"unicode"
)

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
	end := l.upTo(i, func(r rune) bool { return isASCIIWord(r) || r == '.' || r == ',' || r == softHyphen })
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

// ampersand: "AT&T", "R&B", "A&amp;M".
func ampersand(l *lexer, i int) int {
	upper := func(r rune) bool { return 'A' <= r && r <= 'Z' }
	end := l.while(i, upper)
	if end == i || l.at(end) != '&' {
		return i
	}
	next := end + 1
	if l.lower(next, next+4) == "amp;" {
		next += 4
	}
	if !upper(l.at(next)) {
		return i
	}
	return l.while(next, upper)
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
	if end == i+1 && l.at(end) == '`' && unicode.IsUpper(l.at(i)) && isLetter(l.at(end+1)) && isLetter(l.at(end+2)) {
		return l.while(end+1, isLetter)
	}
	if end == i || !isApostrophe(l.at(end)) {
		return i
	}
	switch w, whole := l.lower(i, end), l.while(end+1, isLetter); {
	case withApostrophe[l.lower(i, whole)]:
		return whole
	case finalApostrophe[w] && l.apostropheWordAt(i, end) == i:
		return end + 1
	}
	return l.apostropheWordAt(i, end)
}

// withApostrophe are words that hold one, finalApostrophe those that end in one; "d'oeuvre" is longer than "d'" and goes first.
var (
	withApostrophe  = set("li'l nor'easter ev'ry nat'l")
	finalApostrophe = set("d j l ol dunkin")
)

// apostropheWordAt is apostropheWord for letters that end at an apostrophe.
func (l *lexer) apostropheWordAt(i, end int) int {
	last, next := l.at(end-1), l.at(end+1)
	ok, more := false, isLetter
	switch {
	case !isLetter(next) || clitic(l, end) == l.while(end+1, isLetter):
	case end == i+1 && strings.ContainsRune("oO", last):
		ok, more = isLetter(l.at(end+2)), isWordRune
	case end == i+1 && strings.ContainsRune("dDlL", last):
		ok, more = strings.ContainsRune("aeiouhAEIOUH", next), isWordRune
	case end == i+1:
		ok = unicode.IsUpper(last) && isLetter(l.at(end+2)) && last != 'I'
	default:
		ok = strings.ContainsRune("aeiouyAEIOUY", last) && (strings.ContainsRune("aeiou", next) || unicode.IsUpper(next))
	}
	if !ok {
		return i
	}
	return l.while(end+1, more)
}
