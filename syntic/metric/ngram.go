package metric

import (
	"math/bits"
	"slices"

	"syntic/syntic/metric/internal/work"
)

// level holds the n-grams of one length n for all captions.
type level struct {
	id []int32 // [tokens] n-gram that begins at each token, then sorted within each caption; a caption of L words has L-n+1
	df []int32 // [n-grams] images whose references contain the n-gram
}

// shards is the number of parts of an n-gram table, a power of two. It is fixed, so that ids do not depend on the number of
// workers, and makes each part small enough for the cache.
const (
	shards    = 64
	shardBits = 6
)

// countGrams gives every n-gram an id and counts document frequencies, length after length: an n-gram is the pair of the id
// of its first n-1 words and its last word.
func (c *Corpus) countGrams() {
	vocabulary := c.vocabulary
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
	work.Chunks(len(c.words), 512, func(lo, hi int) {
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
	work.Chunks(len(c.words), 2048, func(lo, hi int) {
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
	var base [shards + 1]int32
	for _, k := range key {
		if k != 0 {
			base[k*golden64>>(64-shardBits)+1]++
		}
	}
	for s := range shards {
		base[s+1] += base[s]
	}
	tokens, next := make([]int32, base[shards]), base // tokens of shard s in their order: tokens[base[s]:base[s+1]]
	for t, k := range key {
		if k != 0 {
			s := k * golden64 >> (64 - shardBits)
			tokens[next[s]] = int32(t)
			next[s]++
		}
	}
	l := level{id: make([]int32, len(key)), df: make([]int32, base[shards])}
	work.Chunks(shards, 1, func(s, _ int) {
		numberShard(key, doc, tokens[base[s]:base[s+1]], base[s], l)
	})
	return l
}

// slot is a place of a hash table: an n-gram, its id, and the last image whose references had it.
type slot struct {
	key      uint64
	id, seen int32
}

func numberShard(key []uint64, doc, tokens []int32, next int32, l level) {
	width := bits.Len(uint(len(tokens))) + 1 // at most half full
	table := make([]slot, 1<<width)
	for _, t := range tokens {
		k, at := key[t], key[t]*golden64<<shardBits>>(64-width)
		for table[at].key != k && table[at].key != 0 {
			at = (at + 1) & uint64(len(table)-1)
		}
		e := &table[at]
		if e.key == 0 {
			e.key, e.id = k, next
			next++
		}
		l.id[t] = e.id
		if d := doc[t]; d > 0 && e.seen != d {
			e.seen = d
			l.df[e.id]++
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
