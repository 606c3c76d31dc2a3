package diffusion

import (
	"fmt"
	"math"

	"syntic/tensor"
)

// ddim is a run of denoising diffusion implicit models (Song et al. 2020, eq. 12).
type ddim struct {
	c     *SchedulerConfig
	table *NoiseTable
	times []int
	eta   float64
	last  float64 // ᾱ before time 0
}

func ddimDefaults(c *SchedulerConfig) { c.ClipSample, c.SetAlphaToOne = true, true }

func startDDIM(sc *Scheduler, o RunOptions) (Run, error) {
	times, err := sc.Config.spread(o.Steps)
	if err != nil {
		return nil, err
	}
	if sc.Config.PredictionType == "epsilon" {
		if err := sc.checkSignal(times); err != nil {
			return nil, err
		}
	}
	return &ddim{c: &sc.Config, table: sc.Table, times: reversed(times), eta: o.Eta, last: sc.alphaBeforeFirst()}, nil
}

// checkSignal refuses times of noise alone, from which a prediction of the noise tells nothing.
func (sc *Scheduler) checkSignal(times []int) error {
	for _, t := range times {
		if sc.Table.AlphasBar[t] == 0 {
			return fmt.Errorf("prediction_type %s at time %d, which has no signal (rescale_betas_zero_snr): want v_prediction with DDIMScheduler", sc.Config.PredictionType, t)
		}
	}
	return nil
}

// alphaBeforeFirst is ᾱ where a step ends before time 0: 1, or that of time 0.
func (sc *Scheduler) alphaBeforeFirst() float64 {
	if sc.Config.SetAlphaToOne {
		return 1
	}
	return sc.Table.AlphasBar[0]
}

func (d *ddim) Times() []float64      { return floats(d.times) }
func (*ddim) InitSigma() float64      { return 1 }
func (*ddim) InputScale(int) float64  { return 1 }
func (d *ddim) WantsNoise(i int) bool { return d.eta > 0 }

// Step goes from time t to the one before: x₀ as predicted, the direction back to x, and noise of deviation σ (eq. 16, times eta).
func (d *ddim) Step(s *tensor.Scope, out, x *tensor.Tensor, i int, noise *tensor.Tensor) *tensor.Tensor {
	t := d.times[i]
	a, before := d.table.AlphasBar[t], d.last
	if p := t - d.c.NumTrainTimesteps/len(d.times); p >= 0 {
		before = d.table.AlphasBar[p]
	}
	sigma := d.eta * math.Sqrt((1-before)/(1-a)*(1-a/before))
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		x0, eps := d.c.split(s, out, x, math.Sqrt(a), math.Sqrt(1-a))
		x0 = d.c.bound(s, x0)
		return combine(s, term{math.Sqrt(before), x0}, term{math.Sqrt(max(0, 1-before-sigma*sigma)), eps}, term{sigma, noise})
	})
}

// split makes the clean sample and the noise of a model's output for x = alpha·x₀ + sigma·noise, by what the model predicts.
func (c *SchedulerConfig) split(s *tensor.Scope, out, x *tensor.Tensor, alpha, sigma float64) (x0, eps *tensor.Tensor) {
	switch c.PredictionType {
	case "v_prediction":
		return combine(s, term{alpha, x}, term{-sigma, out}), combine(s, term{alpha, out}, term{sigma, x})
	case "sample":
		return out, combine(s, term{1 / sigma, x}, term{-alpha / sigma, out})
	}
	return combine(s, term{1 / alpha, x}, term{-sigma / alpha, out}), out
}

func reversed(t []int) []int {
	r := make([]int, len(t))
	for i, v := range t {
		r[len(t)-1-i] = v
	}
	return r
}

func floats(t []int) []float64 {
	f := make([]float64, len(t))
	for i, v := range t {
		f[i] = float64(v)
	}
	return f
}
