package metric

import (
	"errors"
	"fmt"
	"slices"

	"syntic/syntic/metric/internal/work"
	"syntic/syntic/metric/meteor"
)

// Difference compares one score of two result files on the same images.
type Difference struct {
	Name string
	A, B float64  // the scores
	AB   Interval // A - B and its 95 % interval
	// P is the two-sided p-value of the bootstrap: twice the smaller share of resampled differences on one side of zero, both
	// counts one larger (Davison and Hinkley 1997, section 4.2), at most 1.
	P float64
}

// Intervals gives the 95 % interval of each score by resampling images n times. BLEU and METEOR, no means over images, are scored
// anew for each resample; document frequencies of CIDEr stay those of the whole set. Of a given seed resample r draws the same images
// for every score and every report.
func (r *Report) Intervals(n int, seed uint64) map[string]Interval {
	draws := r.resampled(n, seed)
	out := map[string]Interval{}
	for k, name := range r.Names {
		x := make([]float64, len(draws))
		for d := range draws {
			x[d] = draws[d][k]
		}
		out[name] = interval(r.Scores[name], x)
	}
	return out
}

// Compare gives the differences of the scores that both reports hold, with intervals from n paired resamples of images. It returns
// an error if the reports are not of the same images in the same order.
func Compare(a, b *Report, n int, seed uint64) ([]Difference, error) {
	return CompareMeans([]*Report{a}, []*Report{b}, n, seed)
}

// CompareMeans is Compare of two systems that were trained several times: of the means of the scores over reports. Resample r draws the same
// images for all of them. The intervals are over images: how much trainings differ is not in them.
func CompareMeans(a, b []*Report, n int, seed uint64) ([]Difference, error) {
	if len(a) == 0 || len(b) == 0 {
		return nil, errors.New("metric: no report: want at least one on each side")
	}
	for _, r := range append(a[1:len(a):len(a)], b...) {
		if !slices.Equal(a[0].IDs, r.IDs) {
			return nil, fmt.Errorf("metric: %d and %d images that are not the same: want two results on the same images", len(a[0].IDs), len(r.IDs))
		}
	}
	if n < 1 {
		return nil, errors.New("metric: no resamples: want at least one")
	}
	da, db := meanDraws(a, n, seed), meanDraws(b, n, seed)
	var out []Difference
	for _, name := range a[0].Names {
		if da[name] == nil || db[name] == nil {
			continue
		}
		x, above, below := make([]float64, n), 0, 0
		for d := range x {
			x[d] = da[name][d] - db[name][d]
			if x[d] >= 0 {
				above++
			}
			if x[d] <= 0 {
				below++
			}
		}
		p := min(1, 2*float64(min(above, below)+1)/float64(n+1))
		ma, mb := meanScore(a, name), meanScore(b, name)
		out = append(out, Difference{name, ma, mb, interval(ma-mb, x), p})
	}
	return out, nil
}

// MeanIntervals is Intervals of the means of the scores over reports of the same images, of the scores that all of them hold.
func MeanIntervals(reports []*Report, n int, seed uint64) map[string]Interval {
	out := map[string]Interval{}
	for name, draws := range meanDraws(reports, n, seed) {
		out[name] = interval(meanScore(reports, name), draws)
	}
	return out
}

func meanScore(reports []*Report, name string) float64 {
	sum := 0.0
	for _, r := range reports {
		sum += r.Scores[name]
	}
	return sum / float64(len(reports))
}

// meanDraws gives for each score that all reports hold the means over reports of n resamples.
func meanDraws(reports []*Report, n int, seed uint64) map[string][]float64 {
	out := map[string][]float64{}
	for i, r := range reports {
		draws := r.resampled(n, seed)
		for name := range out {
			if !slices.Contains(r.Names, name) {
				delete(out, name)
			}
		}
		for k, name := range r.Names {
			x := out[name]
			if x == nil {
				if i > 0 {
					continue
				}
				x = make([]float64, len(draws))
				out[name] = x
			}
			for d := range draws {
				x[d] += draws[d][k] / float64(len(reports))
			}
		}
	}
	return out
}

// resampled gives the scores [n][names] of n resampled corpora.
func (r *Report) resampled(n int, seed uint64) [][]float64 {
	if r.Images == 0 || n < 1 {
		return nil
	}
	out := make([][]float64, n)
	work.Chunks(n, 16, func(lo, hi int) {
		pick := make([]int, r.Images)
		for k := lo; k < hi; k++ {
			for d := range pick {
				pick[d] = draw(seed, k, d, r.Images)
			}
			out[k] = r.rescored(pick)
		}
	})
	return out
}

// rescored gives the scores of a corpus of the images pick.
func (r *Report) rescored(pick []int) []float64 {
	out := make([]float64, len(r.Names))
	var bleu BLEUStats
	for _, i := range pick {
		bleu.Add(&r.BLEU[i])
	}
	fourth := bleu.Score()
	for k, name := range r.Names {
		switch {
		case k < maxN:
			out[k] = fourth[k]
		case r.METEOR != nil && name == meteorName(r.Stages):
			var total meteor.Stats
			for _, i := range pick {
				total.Add(&r.METEOR[i])
			}
			out[k] = total.Score()
		default:
			x, sum := r.PerImage[name], 0.0
			for _, i := range pick {
				sum += x[i]
			}
			out[k] = sum / float64(len(pick))
		}
	}
	return out
}
