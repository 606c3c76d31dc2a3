package metric

import (
	"slices"
	"strings"
	"unicode"
)

// url: "http://example.com/a?b=c".
func url(l *lexer, i int) int {
	end := l.while(i, isURLRune)
	w := l.lower(i, end)
	if !strings.HasPrefix(w, "http://") && !strings.HasPrefix(w, "https://") {
		return i
	}
	return l.trimURL(i, end)
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
	if l.at(i) < 0x80 && !isWordRune(l.at(i)) {
		return i
	}
	best := i
	for end := i; ; end++ {
		start := end
		end = l.while(end, func(r rune) bool { return isURLRune(r) && !strings.ContainsRune("`'.!?,_$-/:;@", r) })
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
		return max(best, l.trimURL(i, l.while(best+1, isURLRune)))
	}
	return best
}

var topDomains = set("com net org edu")

// email: "me@example.com".
func email(l *lexer, i int) int {
	stop := isURLRune
	end := l.while(i, stop)
	at := slices.Index(l.text[i:end], '@')
	if at <= 0 || l.text[i] > 0x7f {
		return i
	}
	domain := l.while(i+at+1, func(r rune) bool { return stop(r) && r != '.' })
	for domain > i+at+1 && l.at(domain) == '.' {
		next := l.while(domain+1, func(r rune) bool { return stop(r) && r != '.' })
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
