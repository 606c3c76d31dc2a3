package diffusion

import (
	"fmt"
	"math"
	"strings"

	"syntic/tensor"
)

// levels is a run over noise levels σ/α of samples that are not scaled down, x = x₀ + σ·noise (Karras et al. 2022): what Euler, Heun and
// LMS have in common.
type levels struct {
	c      *SchedulerConfig
	times  []float64
	sigmas []float64 // one more than steps
}

// startLevels spreads the times, of which linspace has fractions, and takes the noise levels there, or those of Karras or equal
// ratios between the first and the last of them, with the times that belong to them.
func (sc *Scheduler) startLevels(n int) (*levels, error) {
	c := &sc.Config
	if err := c.checkSigmas("use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas"); err != nil {
		return nil, err
	}
	if c.RescaleZeroSNR && !strings.HasPrefix(c.Class, "Euler") {
		return nil, fmt.Errorf("rescale_betas_zero_snr is not an option of this scheduler: want false")
	}
	if c.FinalSigmasType != "" && c.FinalSigmasType != "zero" && c.FinalSigmasType != "sigma_min" {
		return nil, fmt.Errorf("final_sigmas_type %q: want zero or sigma_min", c.FinalSigmasType)
	}
	l := &levels{c: c, times: make([]float64, n)}
	if c.TimestepSpacing == "linspace" {
		for i := range l.times {
			l.times[n-1-i] = round32(linspace(0, float64(c.NumTrainTimesteps-1), i, n))
		}
	} else {
		times, err := c.spread(n)
		if err != nil {
			return nil, err
		}
		l.times = floats(reversed(times))
	}
	table := sc.sigmaTable()
	for _, t := range l.times {
		l.sigmas = append(l.sigmas, interpolate(table, t))
	}
	if c.UseKarrasSigmas || c.UseExponential {
		first, last := c.sigmaEnds(l.sigmas[0], l.sigmas[n-1])
		spaced := karrasSigmas
		if c.UseExponential {
			spaced = exponentialSigmas
		}
		l.sigmas = spaced(first, last, n)
		logs := logarithms(table)
		for i, s := range l.sigmas {
			l.times[i] = round32(timeOfLevel(logs, s))
		}
	}
	final := 0.
	if c.FinalSigmasType == "sigma_min" {
		final = table[0]
	}
	l.sigmas = append(l.sigmas, final)
	for i, s := range l.sigmas {
		l.sigmas[i] = round32(s)
	}
	return l, nil
}

func (l *levels) Times() []float64    { return l.times }
func (l *levels) WantsNoise(int) bool { return false }

// InitSigma is the first noise level, or, where the spacing leaves out the noisiest times, the deviation of a noised sample there.
func (l *levels) InitSigma() float64 {
	top := l.sigmas[0]
	for _, s := range l.sigmas {
		top = max(top, s)
	}
	if l.c.TimestepSpacing == "leading" {
		return math.Sqrt(top*top + 1)
	}
	return top
}

// InputScale gives the model samples that are scaled down, α = 1/√(σ² + 1).
func (l *levels) InputScale(i int) float64 { return 1 / math.Sqrt(l.sigmas[i]*l.sigmas[i]+1) }

// slope is dx/dσ = (x − x₀)/σ at level sigma (Karras et al. 2022, eq. 3), a tensor of its own.
func (l *levels) slope(s *tensor.Scope, out, x *tensor.Tensor, sigma float64) *tensor.Tensor {
	switch l.c.PredictionType {
	case "v_prediction": // x₀ = x/(σ²+1) − out·σ/√(σ²+1)
		q := sigma*sigma + 1
		return combine(s, term{sigma / q, x}, term{1 / math.Sqrt(q), out})
	case "sample":
		return combine(s, term{1 / sigma, x}, term{-1 / sigma, out})
	}
	return s.Copy(out)
}

// checkSigmas refuses what the scheduler has not of the ways to space noise levels, of which there may be one at a time.
func (c *SchedulerConfig) checkSigmas(lacks ...string) error {
	set := map[string]bool{"use_karras_sigmas": c.UseKarrasSigmas, "use_exponential_sigmas": c.UseExponential, "use_beta_sigmas": c.UseBetaSigmas,
		"use_lu_lambdas": c.UseLuLambdas, "use_flow_sigmas": c.UseFlowSigmas}
	for _, key := range lacks {
		if set[key] {
			return fmt.Errorf("%s is not supported: want false", key)
		}
	}
	if n := count(c.UseKarrasSigmas, c.UseExponential, c.UseLuLambdas); n > 1 {
		return fmt.Errorf("%d of use_karras_sigmas, use_exponential_sigmas and use_lu_lambdas are set: want at most one", n)
	}
	for _, e := range []struct {
		key string
		v   *float64
	}{{"sigma_min", c.SigmaMin}, {"sigma_max", c.SigmaMax}} {
		if e.v != nil && !(*e.v > 0 && *e.v < 1e6) {
			return fmt.Errorf("%s %g: want a positive number", e.key, *e.v)
		}
	}
	return nil
}

func count(set ...bool) (n int) {
	for _, b := range set {
		if b {
			n++
		}
	}
	return n
}

// sigmaEnds are the first and last noise level to space others between: those of the configuration, else those given.
func (c *SchedulerConfig) sigmaEnds(first, last float64) (float64, float64) {
	if c.SigmaMax != nil {
		first = *c.SigmaMax
	}
	if c.SigmaMin != nil {
		last = *c.SigmaMin
	}
	return first, last
}

// leastSignal stands for ᾱ = 0 where noise levels must be finite.
const leastSignal = 1. / (1 << 24)

// sigmaTable is the noise level σ/α of each time, rising, in float32.
func (sc *Scheduler) sigmaTable() []float64 {
	t := make([]float64, len(sc.Table.AlphasBar))
	for i, a := range sc.Table.AlphasBar {
		if a == 0 {
			a = leastSignal
		}
		t[i] = round32(math.Sqrt(round32(round32(1-a) / a)))
	}
	return t
}

// karrasSigmas are n noise levels from first to last in equal steps of their 7th root (Karras et al. 2022, eq. 5).
func karrasSigmas(first, last float64, n int) []float64 {
	const rho = 7
	a, b := math.Pow(first, 1./rho), math.Pow(last, 1./rho)
	sigmas := make([]float64, n)
	for i := range sigmas {
		sigmas[i] = math.Pow(linspace(a, b, i, n), rho)
	}
	return sigmas
}

// exponentialSigmas are n noise levels from first to last in equal ratios.
func exponentialSigmas(first, last float64, n int) []float64 {
	sigmas := make([]float64, n)
	for i := range sigmas {
		sigmas[i] = math.Exp(linspace(math.Log(first), math.Log(last), i, n))
	}
	return sigmas
}

// interpolate is the table's value at a time with a fraction.
func interpolate(table []float64, t float64) float64 {
	i := min(int(t), len(table)-1)
	if i == len(table)-1 {
		return table[i]
	}
	return table[i] + (table[i+1]-table[i])*(t-float64(i))
}

func logarithms(table []float64) []float64 {
	logs := make([]float64, len(table))
	for i, s := range table {
		logs[i] = round32(math.Log(s))
	}
	return logs
}

// timeOfLevel is the time, with a fraction, of a noise level, interpolated between the logarithms of the table's; 0 or the last time beyond its ends.
func timeOfLevel(logs []float64, sigma float64) float64 {
	at := math.Log(max(sigma, 1e-10))
	i := 0
	for i+2 < len(logs) && logs[i+1] <= at {
		i++
	}
	if i+1 == len(logs) {
		return 0
	}
	return float64(i) + max(0, min(1, (at-logs[i])/(logs[i+1]-logs[i])))
}
