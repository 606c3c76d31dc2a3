package diffusion

import (
	"fmt"
	"math"

	"syntic/tensor"
)

// euler is a run of Euler's method over noise levels (Karras et al. 2022, algorithm 1 with order 1 and without churn).
type euler struct{ *levels }

func eulerDefaults(c *SchedulerConfig) { c.TimestepSpacing, c.FinalSigmasType = "linspace", "zero" }

func startEuler(sc *Scheduler, o RunOptions) (Run, error) {
	c := &sc.Config
	if c.TimestepType != "discrete" && c.TimestepType != "continuous" {
		return nil, fmt.Errorf("timestep_type %q: want discrete or continuous", c.TimestepType)
	}
	if c.InterpolationType != "linear" {
		return nil, fmt.Errorf("interpolation_type %q: want linear", c.InterpolationType)
	}
	l, err := sc.startLevels(o.Steps)
	if err != nil {
		return nil, err
	}
	if c.TimestepType == "continuous" && c.PredictionType == "v_prediction" { // EDM's c_noise (Karras et al. 2022, table 1)
		for i := range l.times {
			l.times[i] = round32(0.25 * math.Log(l.sigmas[i]))
		}
	}
	return &euler{l}, nil
}

// Step follows the slope at x to the next noise level.
func (e *euler) Step(s *tensor.Scope, out, x *tensor.Tensor, i int, _ *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		return s.AddScaled(x, 1, e.slope(s, out, x, e.sigmas[i]), float32(e.sigmas[i+1]-e.sigmas[i]))
	})
}
