package metric

import (
	"strings"
	"unicode"
)

// dotted: single letters with periods: "U.S.", "p.m.", "K.".
func dotted(l *lexer, i int) int {
	end := i
	for isLetter(l.at(end)) && l.at(end+1) == '.' {
		end += 2
	}
	if end == i+2 && l.sentenceStarts(end) {
		return i
	}
	return end
}

// sentenceStarts reports whether white space and a word that often begins a sentence follow.
func (l *lexer) sentenceStarts(i int) bool {
	j := l.while(i, unicode.IsSpace)
	if j == i || !unicode.IsUpper(l.at(j)) {
		return false
	}
	end := l.while(j, isLetter)
	return unicode.IsSpace(l.at(end)) && starters[string(l.text[j:end])]
}

// starters are words that, capitalised, mostly begin a sentence.
var starters = set("A About After Also An And As At But He Her Here However If In It Last Many More Now On Once One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You")

// abbreviation: a known abbreviation with its period.
func abbreviation(l *lexer, i int) int {
	end := l.while(i, isLetter)
	if end == i || l.at(end) != '.' {
		return i
	}
	w := l.lower(i, end)
	switch {
	case l.closes(i, end) && isLetter(l.at(end+1)) && !isLetter(l.at(end+2)): // "Jr.a salad", where a word would take "Jr.a"
		return -(end + 1)
	case titles[w], l.closes(i, end):
		return end + 1
	case numbered[w] && unicode.IsSpace(l.at(end+1)) && isDigit(l.at(l.while(end+1, unicode.IsSpace))):
		return end + 1
	case l.at(end+1) != 0 && strings.ContainsRune(",;:", l.at(end+1)):
		return end + 1
	}
	return i
}

// titles are abbreviations that do not end a sentence, closers those that may, states closers that are none in lower case ("ill.").
// numbered are abbreviations only before a number.
var (
	titles = set("mr mrs ms dr prof st ave ft mt rev gen sen rep gov hon capt lt col sgt vs messrs adm maj pvt alex asst atty brig cf cmdr " +
		"comdr cpl dept det drs elec govs insp jos mfg mlle mme msgr natl pres profs reps sens supt treas wm ph")
	closers = set("jr sr inc co cos corp ltd bros blvd bldg rd ct sq etc jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs " +
		"fri ky est ariz calif colo conn fla ga ind mich minn mont nev okla tenn vt va wis wyo al ala dak kan kans md mo neb penn " +
		"assn bancorp esq ext intl plc pty tel univ")
	states   = set("Ark Del Ill La Mass Miss Ore Pa Tex Wash")
	numbered = set("no nos art ca fig figs op pp")
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// closes reports whether the letters of [i, end) are an abbreviation that may end a sentence.
func (l *lexer) closes(i, end int) bool {
	w := l.lower(i, end)
	return closers[w] || unicode.IsUpper(l.at(i)) && states[strings.ToUpper(w[:1])+w[1:]]
}

// periodAgain reports whether the period of an abbreviation that ends at i also ends the sentence, so that it counts twice.
func (l *lexer) periodAgain(start, end int) bool {
	if end-start >= 4 && dotted(l, start) == end {
		return l.sentenceStarts(end)
	}
	if !l.closes(start, end-1) {
		return false
	}
	// at the end of the file, or before two spaces, or before a space and a capital; a line end is a space
	next := l.at(end + 1)
	return end >= len(l.text) || unicode.IsSpace(l.at(end)) && (next == 0 || unicode.IsSpace(next) || unicode.IsUpper(next))
}
