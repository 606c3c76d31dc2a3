package spice

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
