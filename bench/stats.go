package bench

import (
	"math"
	"slices"
	"sort"
)

// Summary describes repeated measurements of one time.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Low    float64 `json:"low"`  // first quartile
	High   float64 `json:"high"` // third quartile
}

// Summarise describes samples; of none all is 0.
func Summarise(samples []float64) Summary {
	if len(samples) == 0 {
		return Summary{}
	}
	x := slices.Sorted(slices.Values(samples))
	return Summary{len(x), quantile(x, 0.5), x[0], x[len(x)-1], quantile(x, 0.25), quantile(x, 0.75)}
}

// quantile of sorted numbers, between neighbours in proportion.
func quantile(x []float64, q float64) float64 {
	at := q * float64(len(x)-1)
	i := int(at)
	if i+1 >= len(x) {
		return x[len(x)-1]
	}
	return x[i] + (at-float64(i))*(x[i+1]-x[i])
}

// MannWhitney is the two-sided p-value of the hypothesis that a and b come from one distribution (Mann and Whitney 1947): exact for up to 400 pairs without
// ties, by the normal approximation with corrections for ties and continuity else. It is 1 if either is empty.
func MannWhitney(a, b []float64) float64 {
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return 1
	}
	u, ties := 0.0, false // pairs in which a is larger, ties half
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				u++
			case x == y:
				u, ties = u+0.5, true
			}
		}
	}
	u = min(u, float64(n*m)-u)
	if !ties && n*m <= 400 {
		return exactU(int(u), n, m)
	}
	all := slices.Sorted(slices.Values(slices.Concat(a, b)))
	total, tied := float64(n+m), 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j] == all[i] {
			j++
		}
		t := float64(j - i)
		tied += t*t*t - t
		i = j
	}
	variance := float64(n*m) / 12 * (total + 1 - tied/(total*(total-1)))
	if variance <= 0 {
		return 1
	}
	z := max(0, float64(n*m)/2-u-0.5) / math.Sqrt(variance)
	return math.Erfc(z / math.Sqrt2)
}

// exactU is the two-sided probability of a statistic of at most u: the share of orders of n and m things with so few inversions.
func exactU(u, n, m int) float64 {
	// ways[j][k]: orders of i things of the first kind and j of the second with k inversions
	ways := make([][]float64, m+1)
	for j := range ways {
		ways[j] = make([]float64, n*m+1)
		ways[j][0] = 1
	}
	for range n {
		for j := 1; j <= m; j++ { // one more of the first kind at the end comes behind all j of the second, or the last of the second stands there
			next := make([]float64, n*m+1)
			for k := range next {
				next[k] = ways[j-1][k]
				if k >= j {
					next[k] += ways[j][k-j]
				}
			}
			ways[j] = next
		}
	}
	few, all := 0.0, 0.0
	for k, w := range ways[m] {
		if all += w; k <= u {
			few += w
		}
	}
	return min(1, 2*few/all)
}

// RatioInterval is the 95 % bootstrap interval of median(a)/median(b), by draws that depend on the numbers of samples alone.
func RatioInterval(a, b []float64) (low, high float64) {
	const draws = 2000
	if len(a) == 0 || len(b) == 0 {
		return 0, math.Inf(1)
	}
	ratios, stream := make([]float64, draws), uint64(1)
	pick := func(x []float64, r int) float64 {
		some := make([]float64, len(x))
		for i := range some {
			some[i] = x[int((mixed(uint64(r*len(x)+i), stream)+1)/2*float64(len(x)))%len(x)]
		}
		sort.Float64s(some)
		return quantile(some, 0.5)
	}
	for r := range ratios {
		stream = 1
		top := pick(a, r)
		stream = 2
		ratios[r] = top / pick(b, r)
	}
	sort.Float64s(ratios)
	return quantile(ratios, 0.025), quantile(ratios, 0.975)
}
