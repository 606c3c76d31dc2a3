package metric

import (
	"fmt"
	"strings"
	"sync"

	"syntic/syntic/metric/internal/work"
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

// Corpus is a Set with words and n-grams turned into integers, from which all metrics are computed. No call changes what another sees.
type Corpus struct {
	ids   []ImageID
	n     int     // images
	first []int32 // [n+1] captions of image i: first[i] is the candidate, first[i]+1 .. first[i+1]-1 the references

	words []span  // [captions] words of each caption, parted by white space: what BLEU and CIDEr count
	cells []span  // [captions] words of each caption, parted by single spaces: what ROUGE-L aligns
	token []int32 // word ids; words and cells are spans of it

	vocabulary int32 // words
	count      sync.Once
	grams      [maxN]level // see countGrams
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
	c := &Corpus{ids: s.IDs, n: len(s.Cands), first: make([]int32, 1, len(s.Cands)+1)}
	captions, bytes := 0, 0
	for i, refs := range s.Refs {
		captions += 1 + len(refs)
		c.first = append(c.first, int32(captions))
		bytes += len(s.Cands[i])
		for _, r := range refs {
			bytes += len(r)
		}
	}
	if bytes > 1<<31-1 {
		return nil, fmt.Errorf("metric: %d bytes of captions: want less than 2 GiB", bytes)
	}
	c.read(s, captions)
	return c, nil
}

// part is what one task reads: the captions of a few images, with words numbered as they come there.
type part struct {
	in           interner
	token        []int32
	words, cells []span
}

// grainOfImages is how many images a task reads. Words are numbered in the order in which they first stand in the set, whatever it is.
const grainOfImages = 256

// read parts all captions into words.
func (c *Corpus) read(s *Set, captions int) {
	parts := make([]part, (c.n+grainOfImages-1)/grainOfImages)
	work.Chunks(c.n, grainOfImages, func(lo, hi int) {
		p := &parts[lo/grainOfImages]
		for i := lo; i < hi; i++ {
			p.add(s.Cands[i])
			for _, r := range s.Refs[i] {
				p.add(r)
			}
		}
	})
	var all interner
	global, base, total := make([][]int32, len(parts)), make([]int32, len(parts)), int32(0)
	c.words, c.cells = make([]span, 0, captions), make([]span, 0, captions)
	for k := range parts {
		p := &parts[k]
		global[k] = make([]int32, len(p.in.words))
		for id, w := range p.in.words {
			global[k][id] = all.number(w, p.in.hash[id])
		}
		base[k] = total
		for i := range p.words {
			c.words = append(c.words, span{p.words[i].lo + total, p.words[i].hi + total})
			c.cells = append(c.cells, span{p.cells[i].lo + total, p.cells[i].hi + total})
		}
		total += int32(len(p.token))
	}
	c.token, c.vocabulary = make([]int32, total), int32(len(all.words))
	work.Chunks(len(parts), 1, func(k, _ int) {
		to := c.token[base[k]:]
		for i, id := range parts[k].token {
			to[i] = global[k][id]
		}
	})
}

// interner numbers words as they come. Its words are parts of the captions.
type interner struct {
	words []string
	hash  []uint64 // [words]
	table []int32  // 1 + number of a word; a power of two, at most half full
}

// The hash of a word is its 64-bit FNV-1a.
const (
	fnvBasis = 0xCBF29CE484222325
	fnvPrime = 0x100000001B3
)

// number gives the number of the word w of hash h.
func (in *interner) number(w string, h uint64) int32 {
	if 2*len(in.words) >= len(in.table) {
		in.grow()
	}
	mask := uint64(len(in.table) - 1)
	at := h * golden64 >> 32 & mask
	for ; in.table[at] != 0; at = (at + 1) & mask {
		if id := in.table[at] - 1; in.hash[id] == h && in.words[id] == w {
			return id
		}
	}
	in.words, in.hash = append(in.words, w), append(in.hash, h)
	in.table[at] = int32(len(in.words))
	return int32(len(in.words)) - 1
}

func (in *interner) grow() {
	in.table = make([]int32, max(1<<10, 2*len(in.table)))
	mask := uint64(len(in.table) - 1)
	for id, h := range in.hash {
		at := h * golden64 >> 32 & mask
		for in.table[at] != 0 {
			at = (at + 1) & mask
		}
		in.table[at] = int32(id) + 1
	}
}

// add appends one caption. The reference implementation parts words for BLEU and CIDEr at any run of white space but for
// ROUGE-L at every single space, so that an empty caption is one empty word there. Both agree on a plain tokenised line.
func (p *part) add(s string) {
	lo, begin, h, plain := int32(len(p.token)), 0, uint64(fnvBasis), true
	for i := range len(s) {
		b := s[i]
		if b != ' ' {
			h = (h ^ uint64(b)) * fnvPrime
			plain = plain && b-'!' < 0x80-'!' // other bytes may be white space or begin such a character
			continue
		}
		p.token = append(p.token, p.in.number(s[begin:i], h))
		plain = plain && begin < i
		begin, h = i+1, fnvBasis
	}
	p.token = append(p.token, p.in.number(s[begin:], h))
	plain = plain && begin < len(s)
	cells := span{lo, int32(len(p.token))}
	p.cells = append(p.cells, cells)
	if plain {
		p.words = append(p.words, cells)
		return
	}
	for _, w := range strings.FieldsFunc(s, isSpace) {
		h := uint64(fnvBasis)
		for i := range len(w) {
			h = (h ^ uint64(w[i])) * fnvPrime
		}
		p.token = append(p.token, p.in.number(w, h))
	}
	p.words = append(p.words, span{cells.hi, int32(len(p.token))})
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
