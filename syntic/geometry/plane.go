package geometry

import "math"

// Plane is the plane of largest variance through the mean of features.
type Plane struct {
	Mean  []float64    // [E]
	Axis  [2][]float64 // [E] each, unit length and orthogonal; zeros where the features do not spread so far
	Share [2]float64   // of all variance, along each axis
}

// The iteration ends when no axis moves by more than planeTolerance, or after planeSteps.
const (
	planeTolerance = 1e-12
	planeSteps     = 2000
)

// Principal is the plane of the first two principal components of rows [N, e], by orthogonal iteration on their covariance from a fixed start. An
// axis points to where its number of largest size is positive.
func Principal(x []float32, e int) *Plane {
	p := &Plane{Mean: Mean(x, e)}
	c := covariance(x, p.Mean)
	total := 0.0
	for d := range e {
		total += c[d*e+d]
	}
	for k := range p.Axis {
		p.Axis[k] = make([]float64, e)
		for d := range e { // any start will do that is orthogonal to no axis
			p.Axis[k][d] = float64((d*7919+k*104729+1)%997)/997 - 0.5
		}
	}
	for range planeSteps {
		if p.step(c) <= planeTolerance {
			break
		}
	}
	for k, axis := range p.Axis {
		if total > 0 {
			p.Share[k] = inner(axis, times(c, axis)) / total
		}
		largest := 0.0
		for _, v := range axis {
			if math.Abs(v) > math.Abs(largest) {
				largest = v
			}
		}
		for d := range axis {
			axis[d] *= math.Copysign(1, largest)
		}
	}
	return p
}

// step multiplies the axes by the covariance, makes them orthonormal, and says how far any of them moved.
func (p *Plane) step(c []float64) (moved float64) {
	for k := range p.Axis {
		next := times(c, p.Axis[k])
		size := math.Sqrt(inner(next, next))
		for range 2 * k { // twice, for what rounding leaves of the first axis
			along := inner(next, p.Axis[0])
			for d := range next {
				next[d] -= along * p.Axis[0][d]
			}
		}
		norm := math.Sqrt(inner(next, next))
		if norm <= 1e-14*size || norm < 1e-200 { // nothing spreads this way
			norm = math.Inf(1)
		}
		for d := range next {
			next[d] /= norm
		}
		moved = math.Max(moved, Distance(next, p.Axis[k]))
		p.Axis[k] = next
	}
	return moved
}

// At is where a feature lies in the plane.
func (p *Plane) At(row []float32) (at [2]float64) {
	for k, axis := range p.Axis {
		for d, v := range row {
			at[k] += (float64(v) - p.Mean[d]) * axis[d]
		}
	}
	return at
}

// covariance is that of rows, times their number: [E, E].
func covariance(x []float32, mean []float64) []float64 {
	e := len(mean)
	c, row := make([]float64, e*e), make([]float64, e)
	for i := 0; i+e <= len(x); i += e {
		for d := range row {
			row[d] = float64(x[i+d]) - mean[d]
		}
		for a, v := range row {
			to := c[a*e : (a+1)*e]
			for b := a; b < e; b++ {
				to[b] += v * row[b]
			}
		}
	}
	for a := range e {
		for b := range a {
			c[a*e+b] = c[b*e+a]
		}
	}
	return c
}

func times(c, v []float64) []float64 {
	out := make([]float64, len(v))
	for a := range out {
		out[a] = inner(c[a*len(v):(a+1)*len(v)], v)
	}
	return out
}

func inner(a, b []float64) (sum float64) {
	for d := range a {
		sum += a[d] * b[d]
	}
	return sum
}
