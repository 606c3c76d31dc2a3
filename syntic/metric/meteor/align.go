package meteor

import (
	"cmp"
	"slices"
)

// beam is how many partial alignments METEOR keeps at each word of the reference.
const beam = 40

// path is an alignment of the first words of the reference. Its order among paths is Denkowski and Lavie's (2014, section 2.1): more
// words covered, fewer chunks, less distance, with what the program adds: see weigh and alignment.
type path struct {
	covered  int32 // words of both sides
	chunks   int32 // closed ones
	distance int32
	order    int32 // of two equal paths the earlier goes first

	next    int32 // word of the reference behind the last match
	candEnd int32 // word of the candidate behind the last match, -1 if the word before was skipped

	chosen int32 // index of the match taken at this word, -1 for none
	used   []uint64
	picks  []match
}

// aligner searches the best alignment.
type aligner struct {
	matcher
	fixed    []match // by first word of the reference; refLen 0 if none
	fixedRef []bool
	now      []path // the best, in their order, at most beam
	then     []path // what they become at the next word, the same
	pushed   int32  // paths offered to then
}

// weigh gives what a match of n words on one side adds to the words covered. METEOR gives exact words weight 1 and all others 0.5,
// but sums them in integers: a single stem or synonym adds nothing, a paraphrase of two or three words one.
func weigh(stage int8, n int32) int32 {
	if stage == exact {
		return n
	}
	return n / 2
}

// alignment gives the best set of matches in the order of the reference.
//
// The distance of a path is charged as METEOR does it: a match at a word adds its distance to what the paths after it at that word
// start from, the further matches and the skip, not to its own path. Only matches that are fixed beforehand, having no
// alternative, are charged to the path itself.
func (a *aligner) alignment(cand, ref []int32) []match {
	a.find(cand, ref)
	start := path{used: make([]uint64, (len(cand)+63)/64), candEnd: -1}
	a.fix(&start, len(ref))
	a.now = append(a.now[:0], start)
	for j := int32(0); j < int32(len(ref)); j++ {
		a.then, a.pushed = a.then[:0], 0
		for k := range a.now {
			a.extend(j, int32(k))
		}
		if len(a.then) == 0 {
			break
		}
		a.keepBest(j)
	}
	best := a.now[0]
	for k := range a.now {
		p := &a.now[k]
		if p.candEnd != -1 {
			p.chunks++
		}
		p.order = int32(k)
		if k == 0 || compare(p, &best) < 0 {
			best = *p
		}
	}
	return best.picks
}

// fix takes the matches that overlap no other.
func (a *aligner) fix(start *path, refLen int) {
	a.fixed = grow(a.fixed[:cap(a.fixed)], refLen)
	clear(a.fixed)
	a.fixedRef = grow(a.fixedRef[:cap(a.fixedRef)], refLen)
	clear(a.fixedRef)
	for j := range a.at {
		if len(a.at[j]) != 1 {
			continue
		}
		m, alone := a.at[j][0], true
		for k := range m.refLen {
			alone = alone && a.refCover[m.ref+k] == 1
		}
		for k := range m.candLen {
			alone = alone && a.candCover[m.cand+k] == 1
		}
		if !alone {
			continue
		}
		a.fixed[j] = m
		for k := range m.refLen {
			a.fixedRef[m.ref+k] = true
		}
		use(start.used, m)
	}
}

func use(used []uint64, m match) {
	for k := range m.candLen {
		used[(m.cand+k)/64] |= 1 << ((m.cand + k) % 64)
	}
}

// free reports whether no word of a match is taken by the path or fixed.
func (a *aligner) free(used []uint64, m match) bool {
	for k := range m.candLen {
		if used[(m.cand+k)/64]>>((m.cand+k)%64)&1 != 0 {
			return false
		}
	}
	for k := range m.refLen {
		if a.fixedRef[m.ref+k] {
			return false
		}
	}
	return true
}

// extend appends to then what path k of now may become at word j of the reference.
func (a *aligner) extend(j, k int32) {
	p := a.now[k]
	p.chosen = -1
	if j < p.next {
		a.push(p)
		return
	}
	if m := a.fixed[j]; m.refLen > 0 {
		p.take(m)
		p.distance += m.distance()
		p.chosen = 0
		a.push(p)
		return
	}
	for i, m := range a.at[j] {
		if !a.free(p.used, m) {
			continue
		}
		q := p
		q.take(m)
		q.chosen = int32(i)
		a.push(q)
		p.distance += m.distance()
	}
	if p.candEnd != -1 {
		p.chunks++
		p.candEnd = -1
	}
	p.next++
	a.push(p)
}

func (m match) distance() int32 { return max(m.ref-m.cand, m.cand-m.ref) }

func (p *path) take(m match) {
	p.covered += weigh(m.stage, m.candLen) + weigh(m.stage, m.refLen)
	if p.candEnd != -1 && m.cand != p.candEnd {
		p.chunks++
	}
	p.next = m.ref + m.refLen
	p.candEnd = m.cand + m.candLen
}

// push puts a path in its place among the best of then.
func (a *aligner) push(p path) {
	p.order = a.pushed
	a.pushed++
	if len(a.then) == beam && compare(&p, &a.then[beam-1]) > 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(a.then, &p, func(x path, p *path) int { return compare(&x, p) })
	if len(a.then) < beam {
		a.then = append(a.then, path{})
	}
	copy(a.then[at+1:], a.then[at:])
	a.then[at] = p
}

func compare(x, y *path) int {
	return cmp.Or(cmp.Compare(y.covered, x.covered), cmp.Compare(x.chunks, y.chunks), cmp.Compare(x.distance, y.distance), cmp.Compare(x.order, y.order))
}

// keepBest writes down what the paths of then took at word j and brings them to now.
func (a *aligner) keepBest(j int32) {
	for k := range a.then {
		p := &a.then[k]
		if p.chosen < 0 {
			continue
		}
		m := a.at[j][p.chosen]
		p.picks = append(slices.Clip(p.picks), m)
		p.used = slices.Clone(p.used)
		use(p.used, m)
	}
	a.now, a.then = a.then, a.now
}
