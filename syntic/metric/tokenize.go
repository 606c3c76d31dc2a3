package metric

import (
	"strings"

	"syntic/syntic/metric/internal/work"
)

// removed are the tokens that pycocoevalcap drops as punctuation. Its list names brackets too, but in upper case (-LRB-), which
// never occurs after lower-casing: they stay.
var removed = set("'' ' `` ` . ? ! , : - -- ... ;")

// Tokenize turns captions into lines of words parted by single spaces: Penn Treebank tokens in lower case without punctuation,
// as pycocoevalcap prepares captions. It is exact for nearly all captions; the test of this package tells the measured share.
// Captions belong to one file in this order: a final abbreviation is read differently by how the next caption begins.
func Tokenize(captions []string) []string {
	lines := TokenizePTB(captions)
	for i, l := range lines {
		lines[i] = withoutPunctuation(l)
	}
	return lines
}

func withoutPunctuation(line string) string {
	if line == "" {
		return ""
	}
	words := strings.Split(line, " ")
	kept := words[:0]
	for _, w := range words {
		if !removed[w] {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

// TokenizePTB is Tokenize with the punctuation kept.
func TokenizePTB(captions []string) []string {
	lines := make([]string, len(captions))
	work.Chunks(len(captions), 1024, func(lo, hi int) {
		l := lexer{seen: map[string]string{}}
		for i := lo; i < hi; i++ {
			next := ""
			if i+1 < len(captions) {
				next = captions[i+1]
			}
			lines[i] = l.line(captions[i], next, i+1 < len(captions))
		}
	})
	return lines
}

// ahead is how far into the next line the lexer looks: farther than any word that it compares.
const ahead = 32

func (l *lexer) line(caption, next string, more bool) string {
	l.text, l.out = l.text[:0], l.out[:0]
	for _, r := range caption {
		if r == '\n' {
			r = ' '
		}
		l.text = append(l.text, r)
	}
	l.end = len(l.text)
	if more {
		l.text = append(l.text, '\n')
		n := 0
		for _, r := range next {
			if n++; n > ahead {
				break
			}
			l.text = append(l.text, r)
		}
	}
	return strings.Join(l.run(), " ")
}
