package metric

import (
	"math/bits"

	"syntic/syntic/metric/internal/work"
)

// rougeBeta weighs recall above precision, as in pycocoevalcap.
const rougeBeta = 1.2

// ROUGEL gives ROUGE-L of every image, in 0..1 and in the order of the set: the F measure (beta 1.2) of the best precision and
// the best recall of the longest common subsequence, each best over the references on its own (Lin 2004, eq. 2 to 4, with the
// multi-reference rule of pycocoevalcap). The score of a corpus is the mean.
func (c *Corpus) ROUGEL() []float64 {
	scores := make([]float64, c.n)
	work.Chunks(c.n, 128, func(lo, hi int) {
		var row []int32
		for i := lo; i < hi; i++ {
			scores[i] = c.rougeL(i, &row)
		}
	})
	return scores
}

func (c *Corpus) rougeL(image int, row *[]int32) float64 {
	captions := c.cells[c.first[image]:c.first[image+1]]
	cand := c.token[captions[0].lo:captions[0].hi]
	var precision, recall float64
	for _, r := range captions[1:] {
		common := float64(lcs(cand, c.token[r.lo:r.hi], row))
		precision = max(precision, common/float64(len(cand)))
		recall = max(recall, common/float64(r.len()))
	}
	if precision == 0 || recall == 0 {
		return 0
	}
	const b2 = rougeBeta * rougeBeta
	return (1 + b2) * precision * recall / (recall + b2*precision)
}

// lcs gives the length of the longest common subsequence. Up to 64 words of a it keeps a row of the usual table as the bits at which the row does not
// grow, and goes to the next row by one addition (Hyyrö 2004, Bit-parallel LCS-length computation revisited).
func lcs(a, b []int32, row *[]int32) int {
	if len(a) > 64 {
		return lcsLong(a, b, row)
	}
	flat := ^uint64(0)
	for _, w := range b {
		var same uint64
		for j, v := range a {
			if v == w {
				same |= 1 << j
			}
		}
		grow := flat & same
		flat = (flat + grow) | (flat - grow)
	}
	return bits.OnesCount64(^flat << (64 - len(a)))
}

// lcsLong is lcs row by row; row is working memory.
func lcsLong(a, b []int32, working *[]int32) int {
	if len(*working) < len(a) {
		*working = make([]int32, 2*len(a))
	}
	row := (*working)[:len(a)]
	clear(row)
	for _, w := range b {
		var diagonal, left int32
		for j, v := range a {
			above := row[j]
			if v == w {
				left = diagonal + 1
			} else {
				left = max(left, above)
			}
			diagonal, row[j] = above, left
		}
	}
	return int(row[len(a)-1])
}
