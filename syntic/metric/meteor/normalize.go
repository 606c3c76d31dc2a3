package meteor

import (
	"slices"
	"strings"
	"unicode"
)

// Normalize gives the words that METEOR 1.5 compares with -l en -norm: typographic quotes and dashes made plain, signs parted from
// words, hyphens between words made spaces, acronyms written without periods, final periods parted where they end the sentence, all
// in lower case. The rules are those of the tokenizer of the Moses translation system, as METEOR uses it; their order and the signs
// they know were found by trying inputs on the original.
//
// A rule reads a sign with one neighbour on each side and the next place begins behind the second neighbour, so that of signs that
// share a neighbour only the first is treated: "a-b-c" becomes "a b-c". That is part of the scores and is kept.
func Normalize(line string) []string {
	if isPlain(line) {
		return strings.Fields(line)
	}
	text := plainSigns(line)
	text = padSigns(text)
	for _, sides := range [][2]func(rune) bool{{notDigit, notDigit}, {isDigit, notDigit}, {notDigit, isDigit}} {
		text = replace(text, ',', sides[0], sides[1], " , ")
	}
	text = singleDashes(text)
	text = replace(text, '-', func(r rune) bool { return isWord(r) || r == '.' }, isWord, " ")
	text = replace(text, '\'', notLetter, notLetter, " ' ")
	text = replace(text, '\'', notWord, isLetter, " ' ")
	text = replace(text, '\'', isLetter, notLetter, " ' ")
	text = replace(text, '\'', isLetter, isLetter, " '")
	text = replace(text, '\'', isDigit, func(r rune) bool { return r == 's' }, " '")
	words := partPeriods(strings.Fields(string(text)))
	for i, w := range words {
		words[i] = strings.ToLower(w)
	}
	return words
}

// isPlain holds for lines of nothing but lower-case ASCII letters, digits and spaces, as nearly all captions are by now.
func isPlain(line string) bool {
	for i := range len(line) {
		if c := line[i]; c != ' ' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// isWord holds for what METEOR takes as part of a word: letters of the Latin and Cyrillic blocks that its languages use, and ASCII digits.
func isWord(r rune) bool { return isLetter(r) || isDigit(r) }

func isLetter(r rune) bool {
	switch {
	case r < 0x80:
		return 'a' <= r|0x20 && r|0x20 <= 'z'
	case r >= 0xc0 && r <= 0x17e:
		return r != 0xd7 && r != 0xf7
	}
	return r >= 0x400 && r <= 0x4ff
}

func isDigit(r rune) bool   { return '0' <= r && r <= '9' }
func notDigit(r rune) bool  { return !isDigit(r) }
func notLetter(r rune) bool { return !isLetter(r) }
func notWord(r rune) bool   { return !isWord(r) }

// plainSigns gives the line between two spaces, with plain quotes and spaces.
func plainSigns(line string) []rune {
	text := make([]rune, 0, len(line)+2)
	text = append(text, ' ')
	for _, r := range line {
		switch {
		case r == '\u2018' || r == '\u2019' || r == '`':
			r = '\''
		case r == '\u201c' || r == '\u201d':
			r = '"'
		case unicode.Is(unicode.Zs, r) || r == '\t':
			r = ' '
		}
		if last := len(text) - 1; r == '\'' && text[last] == '\'' {
			text[last] = '"'
		} else {
			text = append(text, r)
		}
	}
	return append(text, ' ')
}

// singleDashes writes "--" and the dash U+2013 as "-".
func singleDashes(text []rune) []rune {
	out := text[:0]
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\u2013':
			out = append(out, '-')
			continue
		case text[i] == '-' && i+1 < len(text) && text[i+1] == '-':
			i++
		}
		out = append(out, text[i])
	}
	return out
}

// padSigns puts spaces around every sign but . ' , and -, and around runs of periods.
func padSigns(text []rune) []rune {
	out := make([]rune, 0, 2*len(text))
	for i := 0; i < len(text); i++ {
		r := text[i]
		switch {
		case r == '.' && i+1 < len(text) && text[i+1] == '.':
			out = append(out, ' ')
			for ; i < len(text) && text[i] == '.'; i++ {
				out = append(out, '.')
			}
			i--
			out = append(out, ' ')
		case isWord(r), strings.ContainsRune(" .',-", r):
			out = append(out, r)
		default:
			out = append(out, ' ', r, ' ')
		}
	}
	return out
}

// replace writes with for each sign between two neighbours that satisfy before and after.
func replace(text []rune, sign rune, before, after func(rune) bool, with string) []rune {
	if !slices.Contains(text, sign) {
		return text
	}
	out := make([]rune, 0, len(text)+16)
	done := 0 // runes of text that are in out
	for i := 1; i+1 < len(text); i++ {
		if text[i] != sign || !before(text[i-1]) || !after(text[i+1]) {
			continue
		}
		out = append(out, text[done:i]...)
		out = append(out, []rune(with)...)
		done = i + 1
		i += 2
	}
	return append(out, text[done:]...)
}

// acronym writes "u.s." as "us": it takes the periods out of a word with a letter that has two or more and ends in one.
func acronym(w string) string {
	stem, ok := strings.CutSuffix(w, ".")
	if !ok || strings.HasSuffix(stem, ".") || !strings.Contains(stem, ".") || !strings.ContainsFunc(stem, isLetter) {
		return w
	}
	return strings.ReplaceAll(stem, ".", "")
}

// kept are words whose period never ends a sentence; numbered those that keep it before a number.
var (
	kept     = map[string]bool{"v": true, "vs": true, "i.e": true, "rev": true, "e.g": true}
	numbered = map[string]bool{"pp": true}
)

// partPeriods makes the last period of a word a word of its own where it ends a sentence.
func partPeriods(words []string) []string {
	out := make([]string, 0, len(words)+1)
	for i, w := range words {
		if a := acronym(w); a != w {
			out = append(out, a)
			continue
		}
		stem, ok := strings.CutSuffix(w, ".")
		if !ok || stem == "" || strings.HasSuffix(stem, ".") {
			out = append(out, w)
			continue
		}
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		switch {
		case kept[stem], startsLower(next),
			numbered[stem] && next != "" && isDigit(rune(next[0])):
			out = append(out, w)
		default:
			out = append(out, stem, ".")
		}
	}
	return out
}

func startsLower(w string) bool { return w != "" && 'a' <= w[0] && w[0] <= 'z' }
