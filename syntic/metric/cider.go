package metric

import (
	"math"

	"syntic/syntic/metric/internal/work"
)

// ciderSigma is the width of the length penalty in words.
const ciderSigma = 6

// CIDEr gives CIDEr-D of every image, in 0..10 and in the order of the set (Vedantam et al. 2015, eq. 2 and section 6): cosine of
// tf-idf vectors of n-grams, the candidate's clipped to the reference's, under a Gaussian penalty on the difference in length,
// averaged over n = 1..4 and the references. Document frequencies come from the references of this very set; with one image
// every score is zero. The name is pycocoevalcap's. The score of a corpus is the mean.
func (c *Corpus) CIDEr() []float64 {
	c.count.Do(c.countGrams)
	scores := make([]float64, c.n)
	logs := make([]float64, c.n+1)
	for d := 1; d <= c.n; d++ {
		logs[d] = math.Log(float64(d))
	}
	work.Chunks(c.n, 128, func(lo, hi int) {
		var hyp weights
		for i := lo; i < hi; i++ {
			scores[i] = c.cider(i, logs, &hyp)
		}
	})
	return scores
}

// weights are the tf-idf weights of one caption's n-grams, in order of id.
type weights struct {
	id   []int32
	w    []float64
	norm float64
}

func (c *Corpus) cider(image int, logs []float64, hyp *weights) float64 {
	captions := c.words[c.first[image]:c.first[image+1]]
	cand, refs := captions[0], captions[1:]
	score := 0.0
	for n := 1; n <= maxN; n++ {
		hyp.set(c.ofCaption(n, cand), c.grams[n-1].df, logs)
		if hyp.norm == 0 {
			continue
		}
		for _, r := range refs {
			// the length that the penalty compares is the number of bigrams, as in pycocoevalcap
			delta := float64(max(cand.len()-1, 0) - max(r.len()-1, 0))
			penalty := math.Exp(-delta * delta / (2 * ciderSigma * ciderSigma))
			score += hyp.clippedCosine(c.ofCaption(n, r), c.grams[n-1].df, logs) * penalty
		}
	}
	return score / maxN / float64(len(refs)) * 10
}

func (h *weights) set(grams, df []int32, logs []float64) {
	h.id, h.w = h.id[:0], h.w[:0]
	sum, all := 0.0, logs[len(logs)-1]
	for len(grams) > 0 {
		tf, id := run(grams), grams[0]
		w := float64(tf) * (all - logs[df[id]])
		h.id, h.w = append(h.id, id), append(h.w, w)
		sum += w * w
		grams = grams[tf:]
	}
	h.norm = math.Sqrt(sum)
}

// clippedCosine gives Σ min(h, r)·r / (|h|·|r|) against the sorted n-grams of a reference, 0 if the reference has no weight.
func (h *weights) clippedCosine(grams, df []int32, logs []float64) float64 {
	dot, sum, all, j := 0.0, 0.0, logs[len(logs)-1], 0
	for len(grams) > 0 {
		tf, id := run(grams), grams[0]
		w := float64(tf) * (all - logs[df[id]])
		sum += w * w
		for j < len(h.id) && h.id[j] < id {
			j++
		}
		if j < len(h.id) && h.id[j] == id {
			dot += min(h.w[j], w) * w
		}
		grams = grams[tf:]
	}
	if sum == 0 {
		return 0
	}
	return dot / (h.norm * math.Sqrt(sum))
}
