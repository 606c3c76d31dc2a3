package diffusion

import (
	"fmt"
	"math"

	"syntic/tensor"
)

// eulerAncestral is a run of Euler's method to less noise than the next level has, and fresh noise up to it: ancestral sampling as in DDPM
// (Song et al. 2021, appendix F, with the step split as Karras's k-diffusion does).
type eulerAncestral struct{ *levels }

func eulerAncestralDefaults(c *SchedulerConfig) { c.TimestepSpacing = "linspace" }

func startEulerAncestral(sc *Scheduler, o RunOptions) (Run, error) {
	if sc.Config.PredictionType == "sample" {
		return nil, fmt.Errorf("prediction_type sample: want epsilon or v_prediction")
	}
	if err := sc.Config.checkSigmas("use_karras_sigmas", "use_exponential_sigmas"); err != nil {
		return nil, err
	}
	l, err := sc.startLevels(o.Steps)
	if err != nil {
		return nil, err
	}
	return &eulerAncestral{l}, nil
}

// WantsNoise is true in the last step too, which adds none of it: the original draws it.
func (e *eulerAncestral) WantsNoise(int) bool { return true }

// Step follows the slope to level down and adds noise up, where down² + up² is the next level's square.
func (e *eulerAncestral) Step(s *tensor.Scope, out, x *tensor.Tensor, i int, noise *tensor.Tensor) *tensor.Tensor {
	from, to := e.sigmas[i]*e.sigmas[i], e.sigmas[i+1]*e.sigmas[i+1]
	up := to * (from - to) / from
	down := math.Sqrt(max(0, to-up))
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		return combine(s, term{1, x}, term{down - e.sigmas[i], e.slope(s, out, x, e.sigmas[i])}, term{math.Sqrt(up), noise})
	})
}
