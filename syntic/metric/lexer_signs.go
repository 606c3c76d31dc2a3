package metric

import (
	"strings"
	"unicode"
)

// tag: "<b>", "</i>", "<unk>".
func tag(l *lexer, i int) int {
	if l.at(i) != '<' {
		return i
	}
	j := i + 1
	if r := l.at(j); r == '/' || r == '!' || r == '?' {
		j++
	}
	if !isLetter(l.at(j)) {
		return i
	}
	end := l.while(j, func(r rune) bool { return r != '>' && r != '<' && r != '\n' })
	if l.at(end) != '>' {
		return i
	}
	return end + 1
}

// entity: "&amp;", "&lt;".
func entity(l *lexer, i int) int {
	if l.at(i) != '&' {
		return i
	}
	end := l.while(i+1, isLetter)
	if _, ok := entities[l.lower(i, end)]; !ok || l.at(end) != ';' {
		return i
	}
	return end + 1
}

var entities = map[string]string{"&amp": "&", "&lt": "<", "&gt": ">", "&quot": "''", "&apos": "'", "&nbsp": ""}

// phone: "(555) 123-4567".
func phone(l *lexer, i int) int {
	if l.at(i) != '(' {
		return i
	}
	a := l.digits(i+1, 3, 3)
	if a == i+1 || l.at(a) != ')' {
		return i
	}
	j := a + 1
	if r := l.at(j); r == ' ' || r == '-' || r == 0xa0 {
		j++
	}
	b := l.digits(j, 3, 4)
	if sep := l.at(b); b == j || sep != '-' && sep != ' ' && sep != 0xa0 {
		return i
	}
	if c := l.while(b+1, isDigit); c-b > 4 {
		return b + 5
	}
	return i
}

// handle: "@user", "#tag".
func handle(l *lexer, i int) int {
	if r := l.at(i); r != '@' && r != '#' || !isLetter(l.at(i+1)) && l.at(i+1) != '_' {
		return i
	}
	return l.while(i+1, func(r rune) bool { return r == '_' || r < 0x80 && isWordRune(r) })
}

// smiley: ":)", ":-(", ";)", "^_^".
func smiley(l *lexer, i int) int {
	if l.at(i) == '^' && l.at(i+1) == '_' && l.at(i+2) == '^' {
		return i + 3
	}
	if !strings.ContainsRune(":;=<>8", l.at(i)) {
		return i
	}
	j := i + 1
	if r := l.at(j); r != 0 && strings.ContainsRune("-o*'", r) {
		j++
	}
	if r := l.at(j); r == 0 || !strings.ContainsRune(")](D[@P(|\\{", r) || isWordRune(l.at(j+1)) {
		return i
	}
	return j + 1
}

// years: "'70s", "'98".
func years(l *lexer, i int) int {
	if !isApostrophe(l.at(i)) || l.digits(i+1, 2, 2) == i+1 || l.at(i+3)|0x20 != 's' {
		return i
	}
	return i + 4
}

// clitic: "'s", "'ll" and the like at the end of a word. A typographic apostrophe needs no end: "it’sa" is "it 's a".
func clitic(l *lexer, i int) int {
	if !isApostrophe(l.at(i)) {
		return i
	}
	end := l.while(i+1, isASCIILetter)
	if clitics[l.lower(i+1, end)] {
		return end
	}
	if l.at(i) != '\'' {
		for _, n := range []int{2, 1} {
			if j := i + 1 + n; j <= end && clitics[string(l.text[i+1:j])] {
				return j
			}
		}
	}
	return i
}

var clitics = set("s d m ll re ve")

// elided: words that begin with an apostrophe, and "'t" of "'tis".
func elided(l *lexer, i int) int {
	if !isApostrophe(l.at(i)) {
		return i
	}
	end := l.while(i+1, isLetter)
	w := l.lower(i+1, end)
	if w == "n" && isApostrophe(l.at(end)) {
		return end + 1
	}
	switch {
	case w == "n" && l.at(end) != '"', w == "til", w == "till", w == "cause", w == "round", w == "bout":
		return end
	case strings.HasPrefix(w, "em"):
		return i + 3
	case strings.HasPrefix(w, "tis"), strings.HasPrefix(w, "twas"):
		return i + 2
	}
	return i
}

func doubleQuote(l *lexer, i int) int {
	if r, next := l.at(i), l.at(i+1); r == '`' && next == '`' || r == '\'' && next == '\'' {
		return i + 2
	}
	return i
}

func dashes(l *lexer, i int) int {
	return l.while(i, func(r rune) bool { return r == '-' })
}

// dots: an ellipsis of three or more, or ". . .".
func dots(l *lexer, i int) int {
	if end := l.while(i, func(r rune) bool { return r == '.' }); end >= i+3 {
		return end
	}
	if l.at(i) == '.' && l.at(i+1) == ' ' && l.at(i+2) == '.' && l.at(i+3) == ' ' && l.at(i+4) == '.' {
		return i + 5
	}
	return i
}

// repeated: "!!!", "?!", "***".
func repeated(l *lexer, i int) int {
	switch l.at(i) {
	case '!', '?':
		return l.while(i, func(r rune) bool { return r == '!' || r == '?' })
	case '<', '>':
		if l.at(i+1) == l.at(i) {
			return i + 2
		}
	case '*':
		return l.while(i, func(r rune) bool { return r == '*' })
	case '_':
		return l.while(i, func(r rune) bool { return r == '_' })
	}
	return i
}

// emit writes the token [i, end) as the Treebank spells it.
func (l *lexer) emit(i, end int) {
	r := l.text[i]
	if end == i+1 && !isWordRune(r) {
		if s := l.sign(i, r); s != "" {
			l.out = append(l.out, s)
		}
		return
	}
	switch {
	case r == '&' && l.text[end-1] == ';':
		if s := l.entity(i, end); s != "" {
			l.out = append(l.out, s)
		}
	case r == '-' && l.text[end-1] == '-':
		l.out = append(l.out, "--")
	case r == '.' && l.text[end-1] == '.':
		l.out = append(l.out, "...")
	default:
		l.out = append(l.out, strings.Replace(spell(l.text[i:end]), "&amp;", "&", 1))
		if l.text[end-1] == '.' && l.periodAgain(i, end) {
			l.out = append(l.out, ".")
		}
	}
}

// entity spells "&amp;"; "&quot;" opens before a word as a quote does, "&nbsp;" is nothing.
func (l *lexer) entity(i, end int) string {
	s := entities[l.lower(i, end-1)]
	if next := l.at(end); s == "''" && next < 0x80 && isWordRune(next) {
		return "``"
	}
	return s
}

// spell lower-cases a token and replaces what the Treebank writes otherwise.
func spell(token []rune) string {
	var b strings.Builder
	for _, r := range token {
		switch {
		case r == softHyphen:
		case r == ' ':
			b.WriteRune(0xa0)
		case isApostrophe(r) && !isLetter(token[0]): // inside a word it stays
			b.WriteByte('\'')
		case brackets[r] != "":
			b.WriteString(brackets[r])
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

var brackets = map[rune]string{'(': "-lrb-", ')': "-rrb-", '[': "-lsb-", ']': "-rsb-", '{': "-lcb-", '}': "-rcb-"}

var signs = map[rune]string{'“': "``", '”': "''", '‘': "`", '…': "...", '—': "--", '–': "--", '£': "#", '€': "$", '¢': "cents",
	'½': "1/2", '¼': "1/4", '¾': "3/4", '⅓': "1/3", '⅔': "2/3"}

// sign gives the spelling of a single sign, "" for what the Treebank cannot hold.
func (l *lexer) sign(i int, r rune) string {
	next := l.at(i + 1)
	switch {
	case r == '"' && (next < 0x80 && isWordRune(next) || next == '$'):
		return "``"
	case r == '"':
		return "''"
	case r == '\'' && isASCIILetter(next) && l.at(i+2) != 0 && !unicode.IsSpace(l.at(i+2)):
		return "`"
	case isApostrophe(r):
		return "'"
	case brackets[r] != "":
		return brackets[r]
	case signs[r] != "":
		return signs[r]
	case r >= 0x10000, unicode.IsControl(r), unicode.Is(unicode.Cf, r):
		return ""
	}
	return string(r)
}
