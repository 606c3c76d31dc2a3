package metric

import (
	"math"
	"slices"

	"syntic/syntic/metric/internal/work"
)

// Interval is a score with its 95 % bootstrap interval (percentile method, Efron and Tibshirani 1993, ch. 13).
type Interval struct{ Mean, Low, High float64 }

// Bootstrap resamples images with replacement n times and gives the interval of a score that is a mean over images (CIDEr,
// ROUGE_L). Document frequencies of CIDEr stay those of the whole set. Resample r of a given seed draws the same images
// whatever the score: intervals of differences come from BootstrapPaired. No images or n < 1 gives NaN bounds.
func Bootstrap(perImage []float64, n int, seed uint64) Interval {
	draws := resample(len(perImage), n, func(r int) float64 {
		sum := 0.0
		for d := range perImage {
			sum += perImage[draw(seed, r, d, len(perImage))]
		}
		return sum / float64(len(perImage))
	})
	return interval(mean(perImage), draws)
}

// Paired is the difference of two systems on the same images: mean of a - b, its 95 % interval, and the share of resamples
// in which a is not ahead of b (one-sided bootstrap test, Koehn 2004).
type Paired struct {
	Interval
	NotAhead float64
}

// BootstrapPaired compares per-image scores a and b [N] of two systems on the same images in the same order. It returns false if the lengths differ.
func BootstrapPaired(a, b []float64, n int, seed uint64) (Paired, bool) {
	if len(a) != len(b) {
		return Paired{}, false
	}
	diff := make([]float64, len(a))
	for i := range a {
		diff[i] = a[i] - b[i]
	}
	draws := resample(len(diff), n, func(r int) float64 {
		sum := 0.0
		for d := range diff {
			sum += diff[draw(seed, r, d, len(diff))]
		}
		return sum / float64(len(diff))
	})
	behind := 0
	for _, v := range draws {
		if v <= 0 {
			behind++
		}
	}
	return Paired{interval(mean(diff), draws), float64(behind) / float64(len(draws))}, true
}

// BootstrapBLEU gives the intervals of BLEU-1 to BLEU-4, which are no means over images: each resampled corpus is scored anew
// from the sums of its counts.
func BootstrapBLEU(stats []BLEUStats, n int, seed uint64) [maxN]Interval {
	scores := make([][maxN]float64, max(n, 0))
	if len(stats) > 0 {
		work.Chunks(len(scores), 16, func(lo, hi int) {
			for r := lo; r < hi; r++ {
				var sum BLEUStats
				for d := range stats {
					sum.Add(&stats[draw(seed, r, d, len(stats))])
				}
				scores[r] = sum.Score()
			}
		})
	} else {
		scores = nil
	}
	var sum BLEUStats
	for i := range stats {
		sum.Add(&stats[i])
	}
	var out [maxN]Interval
	for k, whole := range sum.Score() {
		draws := make([]float64, len(scores))
		for r := range scores {
			draws[r] = scores[r][k]
		}
		out[k] = interval(whole, draws)
	}
	return out
}

func resample(images, n int, score func(r int) float64) []float64 {
	if images == 0 || n < 1 {
		return nil
	}
	draws := make([]float64, n)
	work.Chunks(n, 16, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			draws[r] = score(r)
		}
	})
	return draws
}

// interval takes the 2.5 % and 97.5 % points of the draws, between ranks by straight lines.
func interval(whole float64, draws []float64) Interval {
	if len(draws) == 0 {
		return Interval{whole, math.NaN(), math.NaN()}
	}
	slices.Sort(draws)
	at := func(q float64) float64 {
		x := q * float64(len(draws)-1)
		lo := int(x)
		hi := min(lo+1, len(draws)-1)
		return draws[lo] + (x-float64(lo))*(draws[hi]-draws[lo])
	}
	return Interval{whole, at(0.025), at(0.975)}
}

// draw gives the image of draw d in resample r: SplitMix64 (Steele et al. 2014) of (seed, r, d), brought to 0..images-1.
func draw(seed uint64, r, d, images int) int {
	x := mix(mix(seed+golden64) + uint64(r)*golden64)
	x = mix(x + (uint64(d)+1)*golden64)
	return int(x >> 32 * uint64(images) >> 32)
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}
