package geometry

import "math"

// Weights are those of texts in a projection: the softmax of cosines over the temperature. Cosines fall.
func Weights(cosines []float32, temperature float64) []float64 {
	out, sum := make([]float64, len(cosines)), 0.0
	for i, c := range cosines {
		out[i] = math.Exp(float64(c-cosines[0]) / temperature)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// Share is what the first k weights have of all.
func Share(w []float64, k int) (sum float64) {
	for _, v := range w[:min(k, len(w))] {
		sum += v
	}
	return sum
}

// Effective is the number of equal weights that would be as spread: the exponential of the entropy, 1 to len(w).
func Effective(w []float64) float64 {
	entropy := 0.0
	for _, v := range w {
		if v > 0 {
			entropy -= v * math.Log(v)
		}
	}
	return math.Exp(entropy)
}
