package bpe

import "container/heap"

// merge says what an adjacent pair of pieces becomes, and how early it was learnt.
type merge struct {
	rank int32 // smaller first
	id   int32
}

const noRank = int32(1<<31 - 1)

func (t *Tokenizer) pair(a, b int32) (merge, bool) {
	m, ok := t.merges[uint64(uint32(a))<<32|uint64(uint32(b))]
	return m, ok
}

// mergeWord joins a word's bytes: the earliest learnt pair that occurs is replaced everywhere, left to right, until none occurs.
func (t *Tokenizer) mergeWord(word string) []int32 {
	ids := make([]int32, len(word))
	for i := range len(word) {
		ids[i] = t.bytes[word[i]]
	}
	ids[len(word)-1] = t.finals[word[len(word)-1]]
	if len(ids) <= 32 {
		return t.mergeShort(ids)
	}
	return t.mergeLong(ids)
}

// mergeShort looks at every pair in every round: quadratic, and fastest for words as people write them. It works in place.
func (t *Tokenizer) mergeShort(ids []int32) []int32 {
	for {
		best, left, right := merge{rank: noRank}, int32(0), int32(0)
		for i := 1; i < len(ids); i++ {
			if m, ok := t.pair(ids[i-1], ids[i]); ok && m.rank < best.rank {
				best, left, right = m, ids[i-1], ids[i]
			}
		}
		if best.rank == noRank {
			return ids
		}
		out := ids[:0]
		for i := 0; i < len(ids); i++ {
			if i+1 < len(ids) && ids[i] == left && ids[i+1] == right {
				out = append(out, best.id)
				i++
			} else {
				out = append(out, ids[i])
			}
		}
		ids = out
	}
}

// candidate is a pair that could be merged: rank above, position below, so that a heap yields a round in text order.
type candidate uint64

type candidates []candidate

func (c candidates) Len() int           { return len(c) }
func (c candidates) Less(i, j int) bool { return c[i] < c[j] }
func (c candidates) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *candidates) Push(x any)        { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	x := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return x
}

// mergeLong does the same in O(n log n) with a linked list and a heap. New pairs join the heap only after the round that made them,
// so rounds are those of mergeShort.
func (t *Tokenizer) mergeLong(ids []int32) []int32 {
	n := len(ids)
	prev, next := make([]int, n), make([]int, n)
	var h candidates
	offer := func(i int) {
		if i < 0 || next[i] >= n {
			return
		}
		if m, ok := t.pair(ids[i], ids[next[i]]); ok {
			heap.Push(&h, candidate(m.rank)<<32|candidate(i))
		}
	}
	for i := range n {
		prev[i], next[i] = i-1, i+1
	}
	for i := range n {
		offer(i)
	}
	var made []int
	for len(h) > 0 {
		rank := h[0] >> 32
		made = made[:0]
		for len(h) > 0 && h[0]>>32 == rank {
			i := int(uint32(heap.Pop(&h).(candidate)))
			if ids[i] < 0 || next[i] >= n {
				continue // swallowed by the pair before it
			}
			m, ok := t.pair(ids[i], ids[next[i]])
			if !ok || candidate(m.rank) != rank {
				continue
			}
			j := next[i]
			ids[i], ids[j] = m.id, -1
			if next[i] = next[j]; next[i] < n {
				prev[next[i]] = i
			}
			made = append(made, i)
		}
		for _, i := range made {
			if ids[i] >= 0 {
				offer(prev[i])
				offer(i)
			}
		}
	}
	out := ids[:0]
	for i := 0; i < n; i = next[i] {
		out = append(out, ids[i])
	}
	return out
}
