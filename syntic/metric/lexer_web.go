package metric

import (
	"slices"
	"strings"
	"unicode"
)

// reach bounds how far rules look ahead for the end of an address, so that a hostile caption of one endless word costs no
// more than its length times reach.
const reach = 1024

// upTo is while, at most reach runes far.
func (l *lexer) upTo(i int, f func(rune) bool) int {
	stop := min(i+reach, len(l.text))
	for i < stop && f(l.text[i]) {
		i++
	}
	return i
}

// url: "http://example.com/a?b=c".
func url(l *lexer, i int) int {
	if l.at(i)|0x20 != 'h' {
		return i
	}
	if w := l.lower(i, i+8); !strings.HasPrefix(w, "http://") && w != "https://" {
		return i
	}
	return l.trimURL(i, l.upTo(i, isURLRune))
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
	if l.at(i) < 0x80 && !isASCIILetter(l.at(i)) {
		return i
	}
	best := i
	for end := i; end < i+reach; end++ {
		start := end
		end = l.upTo(end, func(r rune) bool { return isURLRune(r) && !strings.ContainsRune("`'.!?,_$-/:;@", r) })
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
		return max(best, l.trimURL(i, l.upTo(best+1, isURLRune)))
	}
	return best
}

var topDomains = set("com net org edu")

// bracketed: "<me@example.com>", or without its end.
func bracketed(l *lexer, i int) int {
	if l.at(i) != '<' || !isWordRune(l.at(i+1)) {
		return i
	}
	end := email(l, i+1)
	switch {
	case end == i+1:
		return i
	case l.at(end) == '>':
		return end + 1
	}
	return end
}

// email: "me@example.com".
func email(l *lexer, i int) int {
	stop := isURLRune
	end := l.upTo(i, stop)
	at := slices.Index(l.text[i:end], '@')
	if at <= 0 || l.text[i] > 0x7f {
		return i
	}
	domain := l.upTo(i+at+1, func(r rune) bool { return stop(r) && r != '.' })
	for domain > i+at+1 && l.at(domain) == '.' {
		next := l.upTo(domain+1, func(r rune) bool { return stop(r) && r != '.' })
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
