package diffusion

import (
	"fmt"
	"math"

	"syntic/tensor"
)

// ddpm is a run of denoising diffusion probabilistic models (Ho et al. 2020, algorithm 2), over a choice of times as over all.
type ddpm struct {
	c     *SchedulerConfig
	table *NoiseTable
	times []int
}

func ddpmDefaults(c *SchedulerConfig) {
	small := "fixed_small"
	c.ClipSample, c.VarianceType = true, &small
}

func startDDPM(sc *Scheduler, o RunOptions) (Run, error) {
	c := &sc.Config
	switch v := c.variance(); v {
	case "fixed_small", "fixed_small_log", "fixed_large":
	default:
		return nil, fmt.Errorf("variance_type %q: want fixed_small, fixed_small_log or fixed_large", v)
	}
	times, err := c.spread(o.Steps)
	if err != nil {
		return nil, err
	}
	if c.PredictionType == "epsilon" {
		if err := sc.checkSignal(times); err != nil {
			return nil, err
		}
	}
	return &ddpm{c: c, table: sc.Table, times: reversed(times)}, nil
}

// variance is variance_type, whose default DDPM has; DPM-Solver's is null.
func (c *SchedulerConfig) variance() string {
	if c.VarianceType == nil {
		return "fixed_small"
	}
	return *c.VarianceType
}

func (d *ddpm) Times() []float64      { return floats(d.times) }
func (*ddpm) InitSigma() float64      { return 1 }
func (*ddpm) InputScale(int) float64  { return 1 }
func (d *ddpm) WantsNoise(i int) bool { return d.times[i] > 0 }

// Step draws from the posterior of the next time given x and x₀ as predicted (Ho et al. 2020, eq. 6 and 7), whose variance is
// β̃ (fixed_small, of which fixed_small_log is the same number) or β (fixed_large), the β of a step from one chosen time to the next.
func (d *ddpm) Step(s *tensor.Scope, out, x *tensor.Tensor, i int, noise *tensor.Tensor) *tensor.Tensor {
	a, before := d.table.AlphasBar[d.times[i]], 1.
	if i+1 < len(d.times) {
		before = d.table.AlphasBar[d.times[i+1]]
	}
	alpha := a / before
	variance := 1 - alpha
	if d.c.variance() != "fixed_large" {
		variance = max((1-before)/(1-a)*(1-alpha), 1e-20)
	}
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		x0, _ := d.c.split(s, out, x, math.Sqrt(a), math.Sqrt(1-a))
		x0 = d.c.bound(s, x0)
		terms := []term{{math.Sqrt(before) * (1 - alpha) / (1 - a), x0}, {math.Sqrt(alpha) * (1 - before) / (1 - a), x}}
		if noise != nil {
			terms = append(terms, term{math.Sqrt(variance), noise})
		}
		return combine(s, terms...)
	})
}
