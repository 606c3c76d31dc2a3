package metric

import (
	"math/bits"
	"slices"
)

// level holds the n-grams of one length n for all captions.
type level struct {
	id []int32 // [tokens] n-gram that begins at each token, then sorted within each caption; a caption of L words has L-n+1
	df []int32 // [n-grams] images whose references contain the n-gram
}

// shards is the number of parts of an n-gram table. It is fixed, so that ids do not depend on the number of workers, and makes
// each part small enough for the cache.
const shards = 8

// countGrams gives every n-gram an id and counts document frequencies, length after length: an n-gram is the pair of the id
// of its first n-1 words and its last word.
func (c *Corpus) countGrams(vocabulary int32) {
	doc := c.documents()
	first := &c.grams[0]
	first.id = slices.Clone(c.token)
	first.df = make([]int32, vocabulary)
	seen := make([]int32, vocabulary)
	for i, w := range c.token {
		if d := doc[i]; d > 0 && seen[w] != d {
			seen[w] = d
			first.df[w]++
		}
	}
	key := make([]uint64, len(c.token))
	for n := 2; n <= maxN; n++ {
		c.pairKeys(n, key)
		c.grams[n-1] = numberPairs(key, doc)
	}
	forChunks(len(c.words), 512, func(lo, hi int) {
		for _, w := range c.words[lo:hi] {
			for n := 1; n <= maxN; n++ {
				slices.Sort(c.ofCaption(n, w))
			}
		}
	})
}

// documents gives for each token 1 + the index of the image, or 0 if the token is not a reference's.
func (c *Corpus) documents() []int32 {
	doc := make([]int32, len(c.token))
	for i := range c.n {
		for _, w := range c.words[c.first[i]+1 : c.first[i+1]] {
			for t := w.lo; t < w.hi; t++ {
				doc[t] = int32(i + 1)
			}
		}
	}
	return doc
}

// pairKeys writes, for each token that begins an n-gram, the pair (id of the first n-1 words, last word) plus one, else 0.
func (c *Corpus) pairKeys(n int, key []uint64) {
	clear(key)
	prev := c.grams[n-2].id
	forChunks(len(c.words), 2048, func(lo, hi int) {
		for _, w := range c.words[lo:hi] {
			for t := w.lo; t+int32(n) <= w.hi; t++ {
				key[t] = uint64(prev[t])<<32 | uint64(c.token[t+int32(n)-1]) + 1
			}
		}
	})
}

const golden64 = 0x9E3779B97F4A7C15 // 2^64 over the golden ratio: Fibonacci hashing, Knuth vol. 3, 6.4

// numberPairs gives equal keys equal ids, in order of appearance within each shard. Shards share nothing and may run at once.
func numberPairs(key []uint64, doc []int32) level {
	var size [shards]int32
	for _, k := range key {
		if k != 0 {
			size[k*golden64>>61]++
		}
	}
	var base [shards]int32
	for s, sum := 0, int32(0); s < shards; s++ {
		base[s] = sum
		sum += size[s]
	}
	total := base[shards-1] + size[shards-1]
	l := level{id: make([]int32, len(key)), df: make([]int32, total)}
	seen := make([]int32, total)
	forChunks(shards, 1, func(s, _ int) {
		numberShard(key, doc, uint64(s), base[s], size[s], l, seen)
	})
	return l
}

func numberShard(key []uint64, doc []int32, shard uint64, base, size int32, l level, seen []int32) {
	width := bits.Len32(uint32(size)) + 1 // at most half full
	slotKey, slotID := make([]uint64, 1<<width), make([]int32, 1<<width)
	mask, next := uint64(1)<<width-1, base
	for t, k := range key {
		h := k * golden64
		if k == 0 || h>>61 != shard {
			continue
		}
		at := h << 3 >> (64 - width)
		for slotKey[at] != k && slotKey[at] != 0 {
			at = (at + 1) & mask
		}
		if slotKey[at] == 0 {
			slotKey[at], slotID[at] = k, next
			next++
		}
		id := slotID[at]
		l.id[t] = id
		if d := doc[t]; d > 0 && seen[id] != d {
			seen[id] = d
			l.df[id]++
		}
	}
}

// ofCaption gives the n-gram ids of a caption; sorted once the corpus is indexed.
func (c *Corpus) ofCaption(n int, w span) []int32 {
	return c.grams[n-1].id[w.lo:max(w.lo, w.hi-int32(n)+1)]
}

// run gives the length of the run of equal ids at the head of a sorted list.
func run(ids []int32) int {
	n := 1
	for n < len(ids) && ids[n] == ids[0] {
		n++
	}
	return n
}
