package diffusion

import (
	"fmt"
	"math"

	"syntic/tensor"
)

// lms is a run of the linear multistep method over noise levels: the slope is the polynomial through the last slopes, integrated to the next
// level (Adams and Bashforth for uneven steps, as in Karras's k-diffusion).
type lms struct {
	*levels
	order  int
	slopes []*tensor.Tensor // newest last; at most order
}

func lmsDefaults(c *SchedulerConfig) { c.TimestepSpacing = "linspace" }

func startLMS(sc *Scheduler, o RunOptions) (Run, error) {
	order := o.Order
	setDefault(&order, 4)
	if order < 1 || order > 4 {
		return nil, fmt.Errorf("order %d: want 1 to 4", order)
	}
	l, err := sc.startLevels(o.Steps)
	if err != nil {
		return nil, err
	}
	return &lms{levels: l, order: order}, nil
}

func (l *lms) Step(s *tensor.Scope, out, x *tensor.Tensor, i int, _ *tensor.Tensor) *tensor.Tensor {
	if len(l.slopes) == l.order {
		s.Free(l.slopes[0])
		l.slopes = append(l.slopes[:0], l.slopes[1:]...)
	}
	l.slopes = append(l.slopes, l.slope(s, out, x, l.sigmas[i]))
	n := len(l.slopes)
	terms := []term{{1, x}}
	for k := range n {
		terms = append(terms, term{l.coefficient(i, k, n), l.slopes[n-1-k]})
	}
	return combine(s, terms...)
}

// coefficient integrates, over step i, Lagrange's polynomial of order − 1 that is 1 at level i−k and 0 at the others of the last ones. Gauss's
// rule of two points is exact for cubics.
func (l *lms) coefficient(i, k, order int) float64 {
	from, to := l.sigmas[i], l.sigmas[i+1]
	middle, half := (from+to)/2, (to-from)/2
	sum := 0.
	for _, at := range []float64{middle - half/math.Sqrt(3), middle + half/math.Sqrt(3)} {
		p := 1.
		for j := range order {
			if j != k {
				p *= (at - l.sigmas[i-j]) / (l.sigmas[i-k] - l.sigmas[i-j])
			}
		}
		sum += p * half
	}
	return sum
}
