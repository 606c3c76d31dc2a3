package metric

import (
	"math"
	"slices"

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
		var f finder
		for i := lo; i < hi; i++ {
			stats[i] = c.bleuStats(i, &f)
		}
	})
	return stats
}

func (c *Corpus) bleuStats(image int, f *finder) BLEUStats {
	captions := c.words[c.first[image]:c.first[image+1]]
	cand, refs := captions[0], captions[1:]
	s := BLEUStats{CandLen: cand.len(), RefLen: refs[0].len()}
	for _, r := range refs[1:] {
		was, now := abs(s.RefLen-s.CandLen), abs(r.len()-s.CandLen)
		if now < was || now == was && r.len() < s.RefLen {
			s.RefLen = r.len()
		}
	}
	words := c.token[cand.lo:cand.hi]
	for n := range maxN {
		s.Guess[n] = max(0, len(words)-n)
	}
	f.counts(words, words)
	f.own = append(f.own[:0], f.count...)
	f.best = grown(f.best, len(words))
	clear(f.best)
	for _, r := range refs {
		f.counts(words, c.token[r.lo:r.hi])
		for i, k := range f.count {
			for n := range maxN {
				f.best[i][n] = max(f.best[i][n], k[n])
			}
		}
	}
	// each of the own[i][n] places where an n-gram stands brings its share of min(own, best); counted at its first place, the one that has not been before
	for i := range words {
		for n := range maxN {
			if f.own[i][n] > 0 && !f.before(words, i, n) {
				s.Match[n] += int(min(f.own[i][n], f.best[i][n]))
			}
		}
	}
	return s
}

// finder counts n-grams of one caption in others.
type finder struct {
	count, own, best [][maxN]int32 // [words] how often the n-gram that begins at a word stands in a text: the last one; the caption itself; the reference with most
	length           []int32       // [words+1] working memory of counts
}

// counts sets count to how often the n-grams of a stand in b. The words from a[i] and b[j] on agree for one word more than those from
// a[i+1] and b[j+1], if the first two are the same; an agreement of k words is a find of the first k n-grams.
func (f *finder) counts(a, b []int32) {
	f.count, f.length = grown(f.count, len(a)), grown(f.length, len(a)+1)
	clear(f.count)
	clear(f.length)
	for j := len(b) - 1; j >= 0; j-- {
		w := b[j]
		for i, v := range a { // length[i+1] is still that of b[j+1]
			if v != w {
				f.length[i] = 0
				continue
			}
			k := f.length[i+1] + 1
			f.length[i] = k
			for n := range min(k, maxN) {
				f.count[i][n]++
			}
		}
	}
}

// before reports whether the n+1 words from i on have stood in the caption earlier.
func (f *finder) before(words []int32, i, n int) bool {
	if f.own[i][n] == 1 {
		return false
	}
	for j := range i {
		if slices.Equal(words[j:j+n+1], words[i:i+n+1]) {
			return true
		}
	}
	return false
}

// grown is s with n items, whatever they are.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, 2*n)
	}
	return s[:n]
}

func abs(x int) int { return max(x, -x) }
