package bpe

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// cleanOpenAI is openai/CLIP's basic_clean, whitespace_clean and lower.
func cleanOpenAI(s string) string {
	if plain(s) {
		return strings.ToLower(s)
	}
	s = unescape(unescape(fixText(s)))
	return lowerString(s)
}

// plain tells whether nothing but lower-casing could change the ids: printable ASCII without an entity. Whitespace need not be
// collapsed for the splitter, which skips it.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '&' {
			return false
		}
	}
	return true
}

// cleanHuggingFace is NFC and lower case; whitespace is left to the splitter, which skips it.
func cleanHuggingFace(s string) string {
	return lowerRunes(norm.NFC.String(s))
}

// lowerString lower-cases as Python's str.lower does: by character, except that Σ becomes ς at the end of a word.
func lowerString(s string) string {
	if strings.ContainsRune(s, 'Σ') {
		return cases.Lower(language.Und).String(s)
	}
	return lowerRunes(s)
}

// lowerRunes lower-cases character by character; İ is the one that becomes two.
func lowerRunes(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			b.WriteByte(byte(r))
		case r == 'İ':
			b.WriteString("i\u0307")
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
