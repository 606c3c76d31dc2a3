package bpe

import (
	"html"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// fixText repairs text as ftfy 6's fix_text does with its default settings, rule by rule as its documentation lists them
// (https://ftfy.readthedocs.io): line by line, and each line until nothing changes any more. What counts as mojibake is our own,
// narrower rule, see mojibake.go.
func fixText(s string) string {
	var b strings.Builder
	entities := true
	for s != "" {
		n := strings.IndexByte(s, '\n') + 1
		if n == 0 {
			n = len(s)
		}
		if strings.Contains(s[:n], "<") { // text with markup keeps its entities, from there on
			entities = false
		}
		b.WriteString(fixLine(s[:n], entities))
		s = s[n:]
	}
	return b.String()
}

func fixLine(s string, entities bool) string {
	for {
		before := s
		if entities {
			s = unescapeWhole(s)
		}
		s = fixEncoding(s)
		s = fixCharacters(s)
		s = norm.NFC.String(s)
		if s == before {
			return s
		}
	}
}

// unescapeWhole resolves only references that end in a semicolon, and known names also written in capitals (&EACUTE; is É).
func unescapeWhole(s string) string {
	return replaceReferences(s, func(s string) (int, string) {
		n := 1
		if n < len(s) && s[n] == '#' {
			n++
		}
		first := n
		for n < len(s) && n-first < 24 && isAlnum(s[n]) {
			n++
		}
		if n == first || n == len(s) || s[n] != ';' {
			return 1, "&"
		}
		return n + 1, wholeReference(s[:n+1])
	})
}

// wholeReference resolves one reference that ends in its semicolon; one that would leave the semicolon stays.
func wholeReference(ref string) string {
	if ref[1] == '#' {
		if n, text, ok := numeric(ref); ok && n == len(ref) && text != ";" {
			return text
		}
		return ref
	}
	if t := html.UnescapeString(ref); !strings.HasSuffix(t, ";") {
		return t
	}
	if ref == strings.ToUpper(ref) {
		if t := html.UnescapeString(strings.ToLower(ref)); !strings.HasSuffix(t, ";") {
			return strings.ToUpper(t)
		}
	}
	return ref
}

// ligatures are the Latin ones, which no keyboard types.
var ligatures = map[rune]string{
	'Ĳ': "IJ", 'ĳ': "ij", 'ŉ': "ʼn", 'Ǳ': "DZ", 'ǲ': "Dz", 'ǳ': "dz", 'Ǆ': "DŽ", 'ǅ': "Dž", 'ǆ': "dž", 'Ǉ': "LJ", 'ǈ': "Lj", 'ǉ': "lj",
	'Ǌ': "NJ", 'ǋ': "Nj", 'ǌ': "nj", 'ﬀ': "ff", 'ﬁ': "fi", 'ﬂ': "fl", 'ﬃ': "ffi", 'ﬄ': "ffl", 'ﬅ': "ſt", 'ﬆ': "st",
}

// fixCharacters removes terminal escapes, splits ligatures, narrows full-width forms, straightens quotes, unifies line breaks and
// removes control characters.
func fixCharacters(s string) string {
	s = removeEscapes(s)
	var b strings.Builder
	b.Grow(len(s))
	rs := []rune(s)
	for i, r := range rs {
		lig, isLig := ligatures[r]
		switch {
		case isLig:
			b.WriteString(lig)
		case r == 0x3000, 0xff01 <= r && r <= 0xffef && r != 0xfffd:
			b.WriteString(norm.NFKC.String(string(r)))
		case r == 0x2bc, 0x2018 <= r && r <= 0x201b:
			b.WriteByte('\'')
		case 0x201c <= r && r <= 0x201f:
			b.WriteByte('"')
		case r == '\r':
			if i+1 == len(rs) || rs[i+1] != '\n' {
				b.WriteByte('\n')
			}
		case r == 0x85, r == 0x2028, r == 0x2029:
			b.WriteByte('\n')
		case removed(r):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// removed tells the control characters that have no business in text: C0 without tab, line feed and form feed, DEL, deprecated
// format characters, the byte order mark, interlinear annotation.
func removed(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\f' && r != '\r' || r == 0x7f ||
		0x206a <= r && r <= 0x206f || r == 0xfeff || 0xfff9 <= r && r <= 0xfffc
}

// removeEscapes takes out ANSI sequences: ESC [ digits and semicolons, a letter.
func removeEscapes(s string) string {
	if !strings.Contains(s, "\x1b[") {
		return s
	}
	var b strings.Builder
	for s != "" {
		if strings.HasPrefix(s, "\x1b[") {
			n := 2
			for n < len(s) && (s[n] == ';' || '0' <= s[n] && s[n] <= '9') {
				n++
			}
			if n < len(s) && s[n] < 0x80 && unicode.IsLetter(rune(s[n])) {
				s = s[n+1:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}
