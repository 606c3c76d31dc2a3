package bpe

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// class is what the splitter asks of a character.
type class uint8

const (
	mark class = iota // neither space, letter nor number
	space
	letter
	number
)

var asciiClass = func() (c [128]class) {
	for r := range c {
		c[r] = slowClass(rune(r))
	}
	return c
}()

func slowClass(r rune) class {
	switch {
	case unicode.Is(unicode.White_Space, r):
		return space
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	}
	return mark
}

// classAt is the class and length of the character at the start of s.
func classAt(s string) (class, int) {
	if s[0] < utf8.RuneSelf {
		return asciiClass[s[0]], 1
	}
	r, n := utf8.DecodeRuneInString(s)
	return slowClass(r), n
}

// nextWord cuts the next word off cleaned text: a special token (if special), one of 's 't 're 've 'm 'll 'd, a run of letters, a single
// number character, or a run of other marks; "" at the end. Of the first three the earliest in this list wins, as in CLIP's pattern.
func nextWord(s string, special bool) (word, rest string) {
	for s != "" {
		c, n := classAt(s)
		switch c {
		case space:
			s = s[n:]
			continue
		case number:
			return s[:n], s[n:]
		case mark:
			if k := fixedWord(s, special); k > 0 {
				return s[:k], s[k:]
			}
		}
		// The run of marks is greedy: a special token or contraction inside it is not looked for.
		for n < len(s) {
			d, k := classAt(s[n:])
			if d != c {
				break
			}
			n += k
		}
		return s[:n], s[n:]
	}
	return "", ""
}

// fixedWord is the length of the special token or contraction s begins with, or 0.
func fixedWord(s string, special bool) int {
	if special && s[0] == '<' {
		for _, w := range [2]string{startText, endText} {
			if strings.HasPrefix(s, w) {
				return len(w)
			}
		}
	}
	if s[0] != '\'' {
		return 0
	}
	for _, w := range [7]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
		if strings.HasPrefix(s, w) {
			return len(w)
		}
	}
	if special && strings.HasPrefix(s, "'ſ") { // the pattern ignores case, and ſ is an s
		return len("'ſ")
	}
	return 0
}
