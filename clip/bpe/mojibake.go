package bpe

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Mojibake is UTF-8 that was read in a one-byte encoding: é came out as Ã©. fixEncoding reverses it when the text, written back in
// that encoding, is UTF-8, and the sequences are such as nobody writes on purpose.

// codec is a one-byte encoding.
type codec struct {
	chars [256]rune
	bytes map[rune]byte
}

// newCodec takes the table of a standard encoding, "sloppy" as browsers read it: bytes without a character stand for themselves.
func newCodec(m *charmap.Charmap) *codec {
	c := &codec{bytes: map[rune]byte{}}
	for i := range 256 {
		r := m.DecodeByte(byte(i))
		if r == utf8.RuneError {
			r = rune(i)
		}
		c.chars[i] = r
		c.bytes[r] = byte(i)
	}
	return c
}

// codecs in the order they are tried.
var codecs = []*codec{
	newCodec(charmap.ISO8859_1), newCodec(charmap.Windows1252), newCodec(charmap.Windows1251), newCodec(charmap.Windows1250),
	newCodec(charmap.Windows1253), newCodec(charmap.Windows1254), newCodec(charmap.Windows1257), newCodec(charmap.ISO8859_2),
	newCodec(charmap.Macintosh), newCodec(charmap.CodePage437),
}

var sloppy1252 = codecs[1].chars

// fixEncoding undoes mojibake: of the whole text if one encoding explains all of it, else of the sequences windows-1252 explains.
// What is left in U+0080 to U+009F is read as windows-1252, which is what web pages mean by it.
func fixEncoding(s string) string {
	for {
		out := fixEncodingOnce(s)
		if out == s {
			return s
		}
		s = out // text may have been through it twice
	}
}

func fixEncodingOnce(s string) string {
	if isASCII(s) {
		return s
	}
	for _, c := range codecs {
		if out, all := c.decode(s); all && out != s {
			return out
		}
	}
	s, _ = codecs[1].decode(s)
	if strings.ContainsFunc(s, isC1) {
		s = strings.Map(func(r rune) rune {
			if isC1(r) {
				return sloppy1252[r]
			}
			return r
		}, s)
	}
	return s
}

func isC1(r rune) bool { return 0x80 <= r && r <= 0x9f }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decode replaces every suspicious sequence by the character it encodes. all tells whether every non-ASCII character was part of a
// well-formed sequence and at least one sequence was suspicious: then the harmless-looking ones are replaced too.
func (c *codec) decode(s string) (out string, all bool) {
	rs := []rune(s)
	raw := make([]byte, len(rs))
	all = true
	bad := false
	for i, r := range rs {
		b, ok := c.bytes[r]
		if !ok && c == codecs[1] && isC1(r) {
			b, ok = byte(r), true // C1 controls stand for their bytes too
		}
		if ok {
			raw[i] = b
		} else {
			raw[i] = 0xff // not UTF-8, so no sequence crosses it
		}
	}
	starts := make([]int, len(rs)) // length of the well-formed multi-byte sequence at i, negative if suspicious
	for i := 0; i < len(rs); {
		n, ok := sequence(raw[i:])
		switch {
		case !ok:
			all = false
		case n > 1:
			starts[i] = n
			if c.suspicious(rs[i : i+n]) {
				starts[i], bad = -n, true
			}
		}
		i += n
	}
	all = all && bad
	spread(starts)
	var b strings.Builder
	for i := 0; i < len(rs); {
		if n := starts[i]; n < 0 || n > 0 && all {
			n = max(n, -n)
			b.Write(raw[i : i+n])
			i += n
			continue
		}
		b.WriteRune(rs[i])
		i++
	}
	return b.String(), all
}

// spread makes every sequence suspicious that touches a suspicious one.
func spread(starts []int) {
	for i := 0; i < len(starts); {
		end, bad := i, false
		for end < len(starts) && starts[end] != 0 {
			bad = bad || starts[end] < 0
			end += max(starts[end], -starts[end])
		}
		for k := i; bad && k < end; k++ {
			starts[k] = min(starts[k], -starts[k])
		}
		i = max(end, i+1)
	}
}

// suspicious judges the characters of one sequence. Three or more in a row that happen to be UTF-8 are no accident unless all are
// letters of one script. Of pairs, those that a capital and a closing mark can form ("MARQUÉ…", "CAFÉ™") are left alone.
func (c *codec) suspicious(rs []rune) bool {
	for _, r := range rs {
		if isC1(r) {
			return true
		}
	}
	letters := 0
	for _, r := range rs {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	if len(rs) > 2 {
		return letters < len(rs)
	}
	if c != codecs[0] && c != codecs[1] {
		// Pairs of letters look like words of these encodings' languages; a symbol that leads one does not, but boxes are drawn.
		return !unicode.IsLetter(rs[0]) && (rs[1] < 0x2500 || rs[1] > 0x259f)
	}
	if rs[0] == 'Ã' || rs[0] == 'Â' {
		return true
	}
	return letters < 2 && !strings.ContainsRune("…™’‘”“»«›‹–—°ºª®©·\u00a0!", rs[1])
}
