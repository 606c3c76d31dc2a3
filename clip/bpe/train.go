package bpe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Train learns a vocabulary of size ids from a corpus cleaned as OpenAI does, in CLIP's layout: 256 bytes, the 256 bytes that end a
// word, the merges in the order learnt, start, end. Each merge is the adjacent pair that occurs most often in the corpus; of equally
// frequent pairs the one whose spelling sorts first, so the result depends on the corpus alone, not on its order.
// A corpus that runs out of pairs gives a smaller vocabulary: look at Size. It is an error if size is below 514 or no word is found.
func Train(corpus []string, size int) (*Tokenizer, error) {
	if size < 514 {
		return nil, fmt.Errorf("bpe: train: size %d: want at least 514, for 512 bytes and 2 special tokens", size)
	}
	words := countWords(corpus)
	if len(words) == 0 {
		return nil, fmt.Errorf("bpe: train: no words in %d texts", len(corpus))
	}
	made := map[string]bool{}
	var merges [][2]string
	for len(merges) < size-514 {
		counts := map[[2]string]int{}
		for _, w := range words {
			for i := 1; i < len(w.pieces); i++ {
				counts[[2]string{w.pieces[i-1], w.pieces[i]}] += w.count
			}
		}
		best, most := [2]string{}, 0
		for p, n := range counts {
			// A spelling already made another way would waste an id.
			if n < most || made[p[0]+p[1]] || n == most && slices.Compare(p[:], best[:]) > 0 {
				continue
			}
			best, most = p, n
		}
		if most == 0 {
			break
		}
		made[best[0]+best[1]] = true
		merges = append(merges, best)
		for i := range words {
			words[i].join(best)
		}
	}
	t, err := newTokenizer(idsOf(merges), merges)
	if err != nil {
		return nil, fmt.Errorf("bpe: train: %w", err)
	}
	return t, nil
}

// counted is a distinct word, how often it occurs, and its pieces so far.
type counted struct {
	pieces []string
	count  int
}

// countWords splits the corpus; the words come sorted.
func countWords(corpus []string) []counted {
	counts := map[string]int{}
	for _, text := range corpus {
		text = cleanOpenAI(strings.ToValidUTF8(text, "\ufffd"))
		for {
			var w string
			if w, text = nextWord(text, true); w == "" {
				break
			}
			if w != startText && w != endText {
				counts[strings.Clone(w)]++
			}
		}
	}
	spell := map[byte]string{}
	for i, r := range visible {
		spell[byteOrder[i]] = string(r)
	}
	var out []counted
	for _, w := range slices.Sorted(maps.Keys(counts)) {
		c := counted{count: counts[w]}
		for i := range len(w) {
			c.pieces = append(c.pieces, spell[w[i]])
		}
		c.pieces[len(w)-1] += wordEnd
		out = append(out, c)
	}
	return out
}

// join replaces the pair p everywhere in the word, left to right.
func (c *counted) join(p [2]string) {
	out := c.pieces[:0]
	for i := 0; i < len(c.pieces); i++ {
		if i+1 < len(c.pieces) && c.pieces[i] == p[0] && c.pieces[i+1] == p[1] {
			out = append(out, p[0]+p[1])
			i++
		} else {
			out = append(out, c.pieces[i])
		}
	}
	c.pieces = out
}
