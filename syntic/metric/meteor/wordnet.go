package meteor

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// wordnetWords is WordNet 3.0 reduced to what single words need (wordnet/gen.go): a line "word set set …" for each word, the sets
// being those synonym sets that it shares with other single words; an empty line; a line "form base base …" for each exceptional
// inflected form. Sets of different parts of speech that have the same number in WordNet's files are one here, as in METEOR.
//
//go:embed wordnet/words.txt.gz
var wordnetWords []byte

// lexicon finds the synonym sets of words.
type lexicon struct {
	sets  map[string]entry
	bases map[string]string // exceptional form -> bases, parted by spaces
}

type entry struct {
	index int32  // of the word, which stands for the sets that it has alone
	sets  string // numbers parted by spaces
}

var loadLexicon = sync.OnceValue(func() *lexicon {
	z, err := gzip.NewReader(bytes.NewReader(wordnetWords))
	if err != nil {
		panic(fmt.Sprintf("meteor: embedded WordNet: %v", err)) // a broken build
	}
	l := &lexicon{sets: make(map[string]entry, 84_000), bases: make(map[string]string, 6_000)}
	forms := false
	s := bufio.NewScanner(z)
	for n := int32(0); s.Scan(); n++ {
		word, rest, _ := strings.Cut(s.Text(), " ")
		switch {
		case word == "":
			forms = true
		case forms:
			l.bases[word] = rest
		default:
			l.sets[word] = entry{n, rest}
		}
	}
	if s.Err() != nil || !forms {
		panic("meteor: embedded WordNet is cut short")
	}
	return l
})

// detachments are WordNet's rules for regular inflections (morphy(7WN)), in the order in which METEOR tries them, whatever the part
// of speech.
var detachments = [][2]string{{"s", ""}, {"ses", "s"}, {"xes", "x"}, {"zes", "z"}, {"ches", "ch"}, {"shes", "sh"}, {"men", "man"},
	{"ies", "y"}, {"es", "e"}, {"es", ""}, {"ed", "e"}, {"ed", ""}, {"ing", "e"}, {"ing", ""}, {"er", ""}, {"est", ""}, {"er", "e"},
	{"est", "e"}}

// synonymSets gives, in ascending order, the sets of a word and of its base: of the bases of an exceptional form, else of the first
// base in WordNet that a rule gives. Two words are synonyms if they have a set in common.
func (l *lexicon) synonymSets(word string) []int32 {
	var sets []int32
	add := func(w string) bool {
		e, ok := l.sets[w]
		if !ok {
			return false
		}
		sets = append(sets, -1-e.index)
		for f := range strings.FieldsSeq(e.sets) {
			n, _ := strconv.Atoi(f)
			sets = append(sets, int32(n))
		}
		return true
	}
	add(word)
	if bases, ok := l.bases[word]; ok {
		for b := range strings.FieldsSeq(bases) {
			add(b)
		}
	} else {
		for _, d := range detachments {
			if d[0] == "s" && (len(word) <= 2 || strings.HasSuffix(word, "ss")) {
				continue
			}
			if stem, ok := strings.CutSuffix(word, d[0]); ok && stem != "" && add(stem+d[1]) {
				break
			}
		}
	}
	slices.Sort(sets)
	return slices.Compact(sets)
}
