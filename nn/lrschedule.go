package nn

import "math"

// Schedule gives the factor on the learning rate at step (from 0) of total.
type Schedule func(step, total int) float64

// Constant is 1 after a linear warm-up.
func Constant(warmup int) Schedule {
	return func(step, _ int) float64 { return warm(step, warmup) }
}

// Linear0 falls to 0 at the end after a linear warm-up.
func Linear0(warmup int) Schedule {
	return func(step, total int) float64 {
		return warm(step, warmup) * min(1, float64(total-step)/float64(max(1, total-warmup)))
	}
}

// Cosine falls to floor along half a cosine after a linear warm-up (Loshchilov & Hutter 2017).
func Cosine(warmup int, floor float64) Schedule {
	return func(step, total int) float64 {
		t := min(1, max(0, float64(step-warmup)/float64(max(1, total-warmup))))
		return warm(step, warmup) * (floor + (1-floor)*(1+math.Cos(math.Pi*t))/2)
	}
}

func warm(step, warmup int) float64 {
	if step >= warmup {
		return 1
	}
	return float64(step+1) / float64(warmup+1)
}
