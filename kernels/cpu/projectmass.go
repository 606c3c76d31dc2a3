package cpu

import (
	"math"

	"syntic/kernels"
)

// softmaxes is, for each query, the largest score over tau of the rows that it may see, and Σ exp(score/tau − largest).
type softmaxes struct{ top, sum []float32 }

// allRows goes over the whole bank for them; nil if nobody asks.
func (b *bank) allRows(a *kernels.ProjectTopKArgs) *softmaxes {
	if a.Mass.Absent() {
		return nil
	}
	s := &softmaxes{make([]float32, b.n), make([]float32, b.n)}
	b.blendAll(a.Tau, nil, nil, func(q0, nq int, all *blend) {
		copy(s.top[q0:q0+nq], all.top)
		copy(s.sum[q0:q0+nq], all.sum)
	})
	return s
}

// tell writes what is asked of the rows that were found for query q: the last one's score, and their share of the softmax over all rows.
func (s *softmaxes) tell(a *kernels.ProjectTopKArgs, q int, found []rank) {
	if !a.Kth.Absent() {
		a.Kth.F32()[q] = found[len(found)-1].score
	}
	if s == nil {
		return
	}
	kept := 0.0
	for _, r := range found {
		kept += math.Exp(float64(r.score)/float64(a.Tau) - float64(s.top[q]))
	}
	a.Mass.F32()[q] = float32(min(1, kept/float64(s.sum[q])))
}
