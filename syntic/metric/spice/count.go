package spice

import "slices"

// Tuple is a part of a scene graph: an object, an object and its attribute, or two objects and their relation between them.
type Tuple []string

// Count matches the tuples of a caption with those of its references (Anderson et al. 2016, eq. 2 to 4). Tuples said twice count
// once; a tuple of the references matches one of the caption at most, and equal ones go before synonymous ones. same tells whether two
// different words are synonyms; nil takes none for that.
func Count(cand, refs []Tuple, same func(a, b string) bool) Counts {
	cand, refs = distinct(cand), distinct(refs)
	taken, done := make([]bool, len(refs)), make([]bool, len(cand))
	match := func(word func(a, b string) bool) {
		for i, c := range cand {
			for j, r := range refs {
				if !done[i] && !taken[j] && slices.EqualFunc(c, r, word) {
					done[i], taken[j] = true, true
				}
			}
		}
	}
	match(func(a, b string) bool { return a == b })
	if same != nil {
		match(func(a, b string) bool { return a == b || same(a, b) })
	}
	var n Counts
	for _, d := range done {
		if d {
			n.TP++
		}
	}
	n.FP, n.FN = len(cand)-n.TP, len(refs)-n.TP
	return n
}

func distinct(tuples []Tuple) []Tuple {
	var out []Tuple
	for _, t := range tuples {
		if !slices.ContainsFunc(out, func(u Tuple) bool { return slices.Equal(t, u) }) {
			out = append(out, t)
		}
	}
	return out
}

// Counts compares the tuples of a caption with those of its references.
type Counts struct {
	TP int // tuples of the caption that the references have
	FP int // tuples of the caption that they have not
	FN int // tuples of the references that the caption has not
}

// F is the harmonic mean of precision and recall (Anderson et al. 2016, eq. 5), 0 where nothing matches. Where the references have no
// tuple it is undefined, false: the program says NaN there.
func (c Counts) F() (f float64, ok bool) {
	switch {
	case c.TP+c.FN == 0:
		return 0, false
	case c.TP == 0:
		return 0, true
	}
	p, r := float64(c.TP)/float64(c.TP+c.FP), float64(c.TP)/float64(c.TP+c.FN)
	return 2 * p * r / (p + r), true
}
