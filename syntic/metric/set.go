package metric

import (
	"fmt"
	"strings"
)

// Set is N images to be scored: each has one candidate caption and one or more references, already tokenised:
// words parted by single spaces, as Tokenize gives them.
type Set struct {
	IDs   []ImageID  // [N], only carried along; may be nil
	Cands []string   // [N]
	Refs  [][]string // [N][1 or more]
}

func (s *Set) check() error {
	n := len(s.Cands)
	switch {
	case n == 0:
		return fmt.Errorf("metric: no images: want at least one candidate with references")
	case len(s.Refs) != n:
		return fmt.Errorf("metric: %d candidates, %d sets of references: want one set for each candidate", n, len(s.Refs))
	case s.IDs != nil && len(s.IDs) != n:
		return fmt.Errorf("metric: %d candidates, %d image ids: want one id for each candidate", n, len(s.IDs))
	}
	for i, r := range s.Refs {
		if len(r) == 0 {
			return fmt.Errorf("metric: image %s has no reference: want at least one", s.name(i))
		}
	}
	return nil
}

func (s *Set) name(i int) string {
	if s.IDs != nil {
		return string(s.IDs[i])
	}
	return fmt.Sprintf("at index %d", i)
}

// span is the part lo..hi of an array of tokens.
type span struct{ lo, hi int32 }

func (s span) len() int { return int(s.hi - s.lo) }

// Corpus is a Set with words and n-grams turned into integers, from which all metrics are computed. It never changes after Index.
type Corpus struct {
	ids   []ImageID
	n     int     // images
	first []int32 // [n+1] captions of image i: first[i] is the candidate, first[i]+1 .. first[i+1]-1 the references

	words []span  // [captions] words of each caption, parted by white space: what BLEU and CIDEr count
	cells []span  // [captions] words of each caption, parted by single spaces: what ROUGE-L aligns
	token []int32 // word ids; words and cells are spans of it

	grams [maxN]level
}

// maxN is the longest n-gram that BLEU and CIDEr count.
const maxN = 4

// Images gives the number of images N.
func (c *Corpus) Images() int { return c.n }

// Index turns the words and n-grams of a set into integers. It returns an error if the set has no images, an image has no
// reference, or the lists differ in length.
func Index(s *Set) (*Corpus, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	captions, bytes := 0, 0
	for i, refs := range s.Refs {
		captions += 1 + len(refs)
		bytes += len(s.Cands[i])
		for _, r := range refs {
			bytes += len(r)
		}
	}
	if bytes > 1<<31-1 {
		return nil, fmt.Errorf("metric: %d bytes of captions: want less than 2 GiB", bytes)
	}
	c := &Corpus{ids: s.IDs, n: len(s.Cands), first: make([]int32, 0, len(s.Cands)+1),
		words: make([]span, 0, captions), cells: make([]span, 0, captions), token: make([]int32, 0, bytes/4)}
	in := &interner{id: make(map[string]int32, 1<<14)}
	for i, refs := range s.Refs {
		c.first = append(c.first, int32(len(c.words)))
		c.add(in, s.Cands[i])
		for _, r := range refs {
			c.add(in, r)
		}
	}
	c.first = append(c.first, int32(len(c.words)))
	c.countGrams(int32(len(in.id)))
	return c, nil
}

type interner struct{ id map[string]int32 }

func (in *interner) word(w string) int32 {
	id, ok := in.id[w]
	if !ok {
		id = int32(len(in.id))
		in.id[strings.Clone(w)] = id
	}
	return id
}

// add appends one caption. The reference implementation parts words for BLEU and CIDEr at any run of white space but for
// ROUGE-L at every single space, so that an empty caption is one empty word there. Both agree on a plain tokenised line.
func (c *Corpus) add(in *interner, s string) {
	lo := int32(len(c.token))
	plain := strings.IndexFunc(s, func(r rune) bool { return r != ' ' && isSpace(r) }) < 0
	for cell := range strings.SplitSeq(s, " ") {
		c.token = append(c.token, in.word(cell))
		plain = plain && cell != ""
	}
	cells := span{lo, int32(len(c.token))}
	c.cells = append(c.cells, cells)
	if plain {
		c.words = append(c.words, cells)
		return
	}
	for _, w := range strings.FieldsFunc(s, isSpace) {
		c.token = append(c.token, in.word(w))
	}
	c.words = append(c.words, span{cells.hi, int32(len(c.token))})
}

// isSpace reports what Python's str.split takes as white space: Unicode's, and the four ASCII separators.
func isSpace(r rune) bool {
	switch {
	case r <= ' ':
		return r == ' ' || r >= '\t' && r <= '\r' || r >= 0x1c && r <= 0x1f
	case r < 0x1680:
		return r == 0x85 || r == 0xa0
	}
	return r == 0x1680 || r >= 0x2000 && r <= 0x200a || r == 0x2028 || r == 0x2029 || r == 0x202f || r == 0x205f || r == 0x3000
}
