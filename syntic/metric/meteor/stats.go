package meteor

import "math"

// StageCount is how many words a stage matched.
type StageCount struct{ CandContent, RefContent, CandFunction, RefFunction int }

// Stats are the numbers from which METEOR is computed, of one caption or summed over many.
type Stats struct {
	Cand, Ref                 int // words
	CandFunction, RefFunction int // function words among them
	Stage                     [stages]StageCount
	Chunks                    int
	CandMatches, RefMatches   int // words
}

// whole reports whether a caption is its reference word for word, which METEOR does not call fragmented.
func (s *Stats) whole() bool {
	return s.Chunks == 1 && s.CandMatches == s.Cand && s.RefMatches == s.Ref
}

// Add adds the counts of another caption. In a sum METEOR counts no chunk for a caption that is whole.
func (s *Stats) Add(o *Stats) {
	s.Cand, s.Ref = s.Cand+o.Cand, s.Ref+o.Ref
	s.CandFunction, s.RefFunction = s.CandFunction+o.CandFunction, s.RefFunction+o.RefFunction
	for k := range s.Stage {
		s.Stage[k].CandContent += o.Stage[k].CandContent
		s.Stage[k].RefContent += o.Stage[k].RefContent
		s.Stage[k].CandFunction += o.Stage[k].CandFunction
		s.Stage[k].RefFunction += o.Stage[k].RefFunction
	}
	if !o.whole() {
		s.Chunks += o.Chunks
	}
	s.CandMatches, s.RefMatches = s.CandMatches+o.CandMatches, s.RefMatches+o.RefMatches
}

// Numbers gives the 23 numbers in the order in which METEOR's SCORE command prints them.
func (s *Stats) Numbers() [23]int {
	n := [23]int{s.Cand, s.Ref, s.CandFunction, s.RefFunction}
	for k, c := range s.Stage {
		copy(n[4+4*k:], []int{c.CandContent, c.RefContent, c.CandFunction, c.RefFunction})
	}
	copy(n[20:], []int{s.Chunks, s.CandMatches, s.RefMatches})
	return n
}

// The parameters of METEOR 1.5 for English, task "rank" (Denkowski and Lavie 2014, table 1): the default, which caption scores use.
const (
	alpha = 0.85 // recall against precision
	beta  = 0.20 // exponent of fragmentation
	gamma = 0.60 // weight of fragmentation
	delta = 0.75 // content against function words
)

var stageWeights = [stages]float64{1.0, 0.6, 0.8, 0.6}

// Score is METEOR of the counts, 0 to 1 (Denkowski and Lavie 2014, section 2.2).
func (s *Stats) Score() float64 {
	var p, r float64
	for k, c := range s.Stage {
		p += stageWeights[k] * (delta*float64(c.CandContent) + (1-delta)*float64(c.CandFunction))
		r += stageWeights[k] * (delta*float64(c.RefContent) + (1-delta)*float64(c.RefFunction))
	}
	p /= delta*float64(s.Cand-s.CandFunction) + (1-delta)*float64(s.CandFunction)
	r /= delta*float64(s.Ref-s.RefFunction) + (1-delta)*float64(s.RefFunction)
	mean := 1 / ((1-alpha)/p + alpha/r)
	fragmentation := float64(s.Chunks) / (float64(s.CandMatches+s.RefMatches) / 2)
	if s.whole() {
		fragmentation = 0
	}
	score := mean * (1 - gamma*math.Pow(fragmentation, beta))
	if math.IsNaN(score) {
		return 0
	}
	return max(score, 0)
}
