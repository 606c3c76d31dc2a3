package metric

import (
	"math"

	"syntic/syntic/metric/internal/work"
)

// BLEUStats are the counts of one image, or sums over images, from which BLEU is computed: sufficient statistics, so that a
// resampled corpus is scored by adding them up.
type BLEUStats struct {
	Match   [maxN]int // n-grams of the candidate found in a reference, clipped to the greatest count in any one reference
	Guess   [maxN]int // n-grams of the candidate
	CandLen int       // words of the candidate
	RefLen  int       // words of the reference closest in length, the shorter of two equally close
}

// Add adds the counts of another image.
func (s *BLEUStats) Add(o *BLEUStats) {
	for n := range maxN {
		s.Match[n] += o.Match[n]
		s.Guess[n] += o.Guess[n]
	}
	s.CandLen += o.CandLen
	s.RefLen += o.RefLen
}

// Score gives BLEU-1 to BLEU-4, in 0..1: geometric means of n-gram precisions times the brevity penalty exp(1 - ref/cand)
// (Papineni et al. 2002, eq. 3). The two small constants are those of pycocoevalcap: they keep empty captions defined.
func (s *BLEUStats) Score() [maxN]float64 {
	const small, tiny = 1e-9, 1e-15
	var bleu [maxN]float64
	product := 1.0
	for n := range maxN {
		product *= (float64(s.Match[n]) + tiny) / (float64(s.Guess[n]) + small)
		bleu[n] = math.Pow(product, 1/float64(n+1))
	}
	if ratio := (float64(s.CandLen) + tiny) / (float64(s.RefLen) + small); ratio < 1 {
		penalty := math.Exp(1 - 1/ratio)
		for n := range bleu {
			bleu[n] *= penalty
		}
	}
	return bleu
}

// BLEUStats counts the n-grams of every image, in the order of the set.
func (c *Corpus) BLEUStats() []BLEUStats {
	stats := make([]BLEUStats, c.n)
	work.Chunks(c.n, 128, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			stats[i] = c.bleuStats(i)
		}
	})
	return stats
}

func (c *Corpus) bleuStats(image int) BLEUStats {
	captions := c.words[c.first[image]:c.first[image+1]]
	cand, refs := captions[0], captions[1:]
	s := BLEUStats{CandLen: cand.len(), RefLen: refs[0].len()}
	for _, r := range refs[1:] {
		was, now := abs(s.RefLen-s.CandLen), abs(r.len()-s.CandLen)
		if now < was || now == was && r.len() < s.RefLen {
			s.RefLen = r.len()
		}
	}
	for n := 1; n <= maxN; n++ {
		grams := c.ofCaption(n, cand)
		s.Guess[n-1] = len(grams)
		for len(grams) > 0 {
			count, best := run(grams), 0
			for _, r := range refs {
				best = max(best, countSorted(c.ofCaption(n, r), grams[0]))
			}
			s.Match[n-1] += min(count, best)
			grams = grams[count:]
		}
	}
	return s
}

// countSorted counts how often id stands in a sorted list.
func countSorted(ids []int32, id int32) int {
	lo := 0
	if len(ids) > 32 {
		for hi := len(ids); lo < hi; {
			if mid := (lo + hi) / 2; ids[mid] < id {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
	}
	n := 0
	for _, v := range ids[lo:] {
		if v > id {
			break
		}
		if v == id {
			n++
		}
	}
	return n
}

func abs(x int) int { return max(x, -x) }
