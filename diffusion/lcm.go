package diffusion

import (
	"fmt"
	"math"

	"syntic/tensor"
)

// lcm is a run of a latent consistency model (Luo et al. 2023, algorithm 3): each call jumps to a clean sample, each step but the last
// adds noise again, as much as the next time has.
type lcm struct {
	c     *SchedulerConfig
	table *NoiseTable
	times []int
}

func lcmDefaults(c *SchedulerConfig) {
	c.BetaStart, c.BetaEnd, c.BetaSchedule, c.SetAlphaToOne, c.OriginalSteps, c.TimestepScaling = 0.00085, 0.012, "scaled_linear", true, 50, 10
}

func startLCM(sc *Scheduler, o RunOptions) (Run, error) {
	c := &sc.Config
	if c.OriginalSteps < 1 || c.OriginalSteps > c.NumTrainTimesteps {
		return nil, fmt.Errorf("original_inference_steps %d: want 1 to num_train_timesteps %d", c.OriginalSteps, c.NumTrainTimesteps)
	}
	if o.Steps > c.OriginalSteps {
		return nil, fmt.Errorf("%d steps: want at most original_inference_steps %d", o.Steps, c.OriginalSteps)
	}
	if !(c.TimestepScaling > 0) {
		return nil, fmt.Errorf("timestep_scaling %g: want a positive number", c.TimestepScaling)
	}
	l := &lcm{c: c, table: sc.Table, times: make([]int, o.Steps)}
	stride := c.NumTrainTimesteps / c.OriginalSteps // of the times that the model was distilled for
	every := float64(c.OriginalSteps) / float64(o.Steps)
	for i := range l.times {
		l.times[i] = (c.OriginalSteps-int(float64(i)*every))*stride - 1
	}
	if c.PredictionType == "epsilon" {
		if err := sc.checkSignal(l.times); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *lcm) Times() []float64      { return floats(l.times) }
func (*lcm) InitSigma() float64      { return 1 }
func (*lcm) InputScale(int) float64  { return 1 }
func (l *lcm) WantsNoise(i int) bool { return i+1 < len(l.times) }

// Step weighs x and x₀ so that the jump from time 0 stays where it is (Song et al. 2023, appendix C: data of deviation ½).
func (l *lcm) Step(s *tensor.Scope, out, x *tensor.Tensor, i int, noise *tensor.Tensor) *tensor.Tensor {
	const data = 0.5
	a := l.table.AlphasBar[l.times[i]]
	t := float64(l.times[i]) * l.c.TimestepScaling
	skip, jump := data*data/(t*t+data*data), t/math.Sqrt(t*t+data*data)
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		x0, _ := l.c.split(s, out, x, math.Sqrt(a), math.Sqrt(1-a))
		x0 = l.c.bound(s, x0)
		if noise == nil {
			return combine(s, term{jump, x0}, term{skip, x})
		}
		next := l.table.AlphasBar[l.times[i+1]]
		return combine(s, term{math.Sqrt(next) * jump, x0}, term{math.Sqrt(next) * skip, x}, term{math.Sqrt(1 - next), noise})
	})
}
