package bpe

import (
	"html"
	"strconv"
	"strings"
	"unicode/utf8"
)

// unescape resolves HTML's character references as Python's html.unescape does (HTML5 rules, the semicolon may be missing).
func unescape(s string) string { return replaceReferences(s, reference) }

// replaceReferences replaces what begins with & by what resolve makes of it: how many bytes it takes and what it stands for.
func replaceReferences(s string, resolve func(s string) (n int, text string)) string {
	if !strings.Contains(s, "&") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		n, text := resolve(s[i:])
		b.WriteString(text)
		s = s[i+n:]
	}
}

// reference resolves the reference s starts with: how many bytes it takes and what it stands for.
func reference(s string) (n int, text string) {
	if strings.HasPrefix(s, "&#") {
		if n, text, ok := numeric(s); ok {
			return n, text
		}
		return 1, "&"
	}
	n = 1
	for n < len(s) && isAlnum(s[n]) {
		n++
	}
	if n < len(s) && s[n] == ';' {
		n++
	}
	return n, html.UnescapeString(s[:n])
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// numeric resolves &#123; and &#x7b;. Numbers HTML forbids stand for nothing, 128 to 159 for windows-1252's characters.
func numeric(s string) (n int, text string, ok bool) {
	base, i := 10, 2
	if i < len(s) && (s[i] == 'x' || s[i] == 'X') {
		base, i = 16, 3
	}
	first := i
	for i < len(s) && isAlnum(s[i]) && (s[i] <= '9' || base == 16 && (s[i]|0x20) <= 'f') {
		i++
	}
	if i == first {
		return 0, "", false
	}
	v, err := strconv.ParseUint(s[first:i], base, 64)
	if i < len(s) && s[i] == ';' {
		i++
	}
	switch r := rune(v); {
	case err != nil || v > utf8.MaxRune || v == 0 || 0xd800 <= v && v <= 0xdfff:
		return i, "\ufffd", true
	case 0x80 <= v && v <= 0x9f:
		return i, string(sloppy1252[v]), true
	case v < 0x20 && v != '\t' && v != '\n' && v != '\f' && v != '\r', v == 0x7f, 0xfdd0 <= v && v <= 0xfdef, v&0xfffe == 0xfffe:
		return i, "", true
	default:
		return i, string(r), true
	}
}
