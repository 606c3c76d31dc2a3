package geometry

import "math"

// Unit is rows [N, e] brought to unit length; a row of zeros stays.
func Unit(x []float32, e int) []float32 {
	out := make([]float32, len(x))
	for i := 0; i+e <= len(x); i += e {
		if n := math.Sqrt(dot(x[i:i+e], x[i:i+e])); n > 0 {
			for d := range e {
				out[i+d] = float32(float64(x[i+d]) / n)
			}
		}
	}
	return out
}

// Mean is that of rows [N, e]: [e].
func Mean(x []float32, e int) []float64 {
	out := make([]float64, e)
	for i := 0; i+e <= len(x); i += e {
		for d := range e {
			out[d] += float64(x[i+d])
		}
	}
	for d := range out {
		out[d] /= float64(max(1, len(x)/e))
	}
	return out
}

// Distance is the Euclidean one. Of the means of unit features of two modalities it is the modality gap of Liang et al. (2022, arXiv 2203.02053).
func Distance(a, b []float64) float64 {
	sum := 0.0
	for d := range a {
		sum += (a[d] - b[d]) * (a[d] - b[d])
	}
	return math.Sqrt(sum)
}

// Cosines are those of row i of a [N, e] and row i + shift of b [N, e], which goes round: shift 0 is each row with its own.
func Cosines(a, b []float32, e, shift int) []float64 {
	n := min(len(a), len(b)) / e
	out := make([]float64, n)
	for i := range out {
		j := (i + shift) % n
		x, y := a[i*e:(i+1)*e], b[j*e:(j+1)*e]
		if norm := math.Sqrt(dot(x, x) * dot(y, y)); norm > 0 {
			out[i] = dot(x, y) / norm
		}
	}
	return out
}

// Average is the mean of values; 0 of none.
func Average(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(max(1, len(x)))
}

// Evenly are k of the numbers 0..n-1, rising and evenly spread; all of them where k is no less than n.
func Evenly(n, k int) []int {
	out := make([]int, min(n, k))
	for i := range out {
		out[i] = i * n / len(out)
	}
	return out
}

// Pick is some rows of x [N, e], by number.
func Pick(x []float32, e int, rows []int) []float32 {
	out := make([]float32, 0, len(rows)*e)
	for _, i := range rows {
		out = append(out, x[i*e:(i+1)*e]...)
	}
	return out
}

func dot(a, b []float32) (sum float64) {
	for d := range a {
		sum += float64(a[d]) * float64(b[d])
	}
	return sum
}
