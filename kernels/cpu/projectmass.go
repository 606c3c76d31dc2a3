package cpu

import (
	"math"

	"syntic/kernels"
)

// softmaxes is, for each query, the largest score over tau of the rows that it may see, and Σ exp(score/tau − largest).
type softmaxes struct{ top, sum []float32 }

// allRows goes over the whole bank for them, if somebody asks.
func (b *bank) allRows(a *kernels.ProjectTopKArgs) {
	if a.Mass.Absent() {
		return
	}
	s := &b.answer.all
	s.top, s.sum = grown(s.top, b.n), grown(s.sum, b.n)
	b.blends.tau, b.blends.all = a.Tau, s
	b.blends.run()
}

// tell writes what is asked of the rows that were found for query q: the last one's score, and their share of the softmax over all rows.
func (s *softmaxes) tell(a *kernels.ProjectTopKArgs, q int, found []rank) {
	if !a.Kth.Absent() {
		a.Kth.F32()[q] = found[len(found)-1].score
	}
	if a.Mass.Absent() {
		return
	}
	kept := 0.0
	for _, r := range found {
		kept += math.Exp(float64(r.score)/float64(a.Tau) - float64(s.top[q]))
	}
	a.Mass.F32()[q] = float32(min(1, kept/float64(s.sum[q])))
}
