package diffusion

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"syntic/tensor"
)

// NoiseTable is how much noise each time of training has: at time t a sample is √ᾱ[t]·x + √(1−ᾱ[t])·noise (Ho et al. 2020, eq. 4). The
// numbers are rounded to float32 where the original rounds them, as trained models have met them.
type NoiseTable struct {
	Betas     []float64
	AlphasBar []float64 // ᾱ, the cumulative product of 1−β
}

// NewNoiseTable makes the table of a configuration's beta schedule; the error names the key.
func NewNoiseTable(c *SchedulerConfig) (*NoiseTable, error) {
	n := c.NumTrainTimesteps
	if n < 1 || n > 1<<20 {
		return nil, fmt.Errorf("num_train_timesteps %d: want 1 to %d", n, 1<<20)
	}
	beta := betaSchedules[c.BetaSchedule]
	switch {
	case len(c.TrainedBetas) > 0 && len(c.TrainedBetas) != n:
		return nil, fmt.Errorf("trained_betas has %d entries: want num_train_timesteps %d", len(c.TrainedBetas), n)
	case len(c.TrainedBetas) > 0:
		beta = func(c *SchedulerConfig, i, _ int) float64 { return c.TrainedBetas[i] }
	case beta == nil:
		return nil, fmt.Errorf("beta_schedule %q: want one of %s", c.BetaSchedule, strings.Join(slices.Sorted(maps.Keys(betaSchedules)), ", "))
	}
	t := &NoiseTable{Betas: make([]float64, n)}
	for i := range t.Betas {
		t.Betas[i] = round32(beta(c, i, n))
		if !(t.Betas[i] >= 0 && t.Betas[i] < 1) {
			return nil, fmt.Errorf("beta %d is %g (beta_start %g, beta_end %g): want 0 to below 1", i, t.Betas[i], c.BetaStart, c.BetaEnd)
		}
	}
	t.cumulate()
	if c.RescaleZeroSNR {
		t.rescaleZeroSNR()
	}
	return t, nil
}

func (t *NoiseTable) cumulate() {
	t.AlphasBar = make([]float64, len(t.Betas))
	p := 1.0
	for i, b := range t.Betas {
		p *= round32(1 - b)
		t.AlphasBar[i] = round32(p)
	}
}

// rescaleZeroSNR shifts and scales √ᾱ so that the last time is noise alone and the first stays (Lin et al. 2023, algorithm 1).
func (t *NoiseTable) rescaleZeroSNR() {
	n := len(t.Betas)
	first, last := math.Sqrt(t.AlphasBar[0]), math.Sqrt(t.AlphasBar[n-1])
	before := 1.0
	for i := range t.Betas {
		r := (math.Sqrt(t.AlphasBar[i]) - last) * first / (first - last)
		t.Betas[i] = round32(1 - r*r/before)
		before = r * r
	}
	t.cumulate()
}

// SNR is the ratio of signal to noise at time t, ᾱ/(1−ᾱ).
func (t *NoiseTable) SNR(time int) float64 { return t.AlphasBar[time] / (1 - t.AlphasBar[time]) }

// Add is x [B, …] with noise of times t[b]: √ᾱ·x + √(1−ᾱ)·noise.
func (t *NoiseTable) Add(s *tensor.Scope, x, noise *tensor.Tensor, times []int) *tensor.Tensor {
	signal, sigma := t.rows(s, times, x.Rank())
	return s.Do(func(s *tensor.Scope) *tensor.Tensor { return s.Add(s.Mul(x, signal), s.Mul(noise, sigma)) })
}

// Velocity is the target of v-prediction, √ᾱ·noise − √(1−ᾱ)·x (Salimans and Ho 2022, appendix D).
func (t *NoiseTable) Velocity(s *tensor.Scope, x, noise *tensor.Tensor, times []int) *tensor.Tensor {
	signal, sigma := t.rows(s, times, x.Rank())
	return s.Do(func(s *tensor.Scope) *tensor.Tensor { return s.Sub(s.Mul(noise, signal), s.Mul(x, sigma)) })
}

// rows is √ᾱ and √(1−ᾱ) of times, each [B, 1, …, 1].
func (t *NoiseTable) rows(s *tensor.Scope, times []int, rank int) (signal, sigma *tensor.Tensor) {
	a, b := make([]float32, len(times)), make([]float32, len(times))
	for i, time := range times {
		a[i] = float32(math.Sqrt(t.AlphasBar[time]))
		b[i] = float32(math.Sqrt(1 - t.AlphasBar[time]))
	}
	return s.FromFloat32s(a, column(len(times), rank)...), s.FromFloat32s(b, column(len(times), rank)...)
}

// column is the shape [n, 1, …, 1].
func column(n, rank int) []int {
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = 1
	}
	shape[0] = n
	return shape
}

// betaSchedules are β of time i of n by the names of beta_schedule.
var betaSchedules = map[string]func(c *SchedulerConfig, i, n int) float64{
	"linear": func(c *SchedulerConfig, i, n int) float64 { return linspace32(c.BetaStart, c.BetaEnd, i, n) },
	"scaled_linear": func(c *SchedulerConfig, i, n int) float64 { // linear in √β (Rombach et al. 2022)
		r := linspace32(math.Sqrt(c.BetaStart), math.Sqrt(c.BetaEnd), i, n)
		return r * r
	},
	"sigmoid": func(c *SchedulerConfig, i, n int) float64 {
		return c.BetaStart + (c.BetaEnd-c.BetaStart)/(1+math.Exp(-linspace32(-6, 6, i, n)))
	},
	"squaredcos_cap_v2": betaOf(cosineAlpha), // Nichol and Dhariwal 2021, eq. 17
	"exp":               betaOf(func(t float64) float64 { return math.Exp(-12 * t) }),
	"laplace":           betaOf(laplaceAlpha),
}

// betaOf makes a schedule of ᾱ as a function of the share of time that has passed; β is at most 0.999.
func betaOf(alpha func(float64) float64) func(*SchedulerConfig, int, int) float64 {
	return func(_ *SchedulerConfig, i, n int) float64 {
		return min(1-alpha(float64(i+1)/float64(n))/alpha(float64(i)/float64(n)), 0.999)
	}
}

func cosineAlpha(t float64) float64 {
	c := math.Cos((t + 0.008) / 1.008 * math.Pi / 2)
	return c * c
}

// laplaceAlpha is √(snr/(1+snr)) where log snr is a quantile of Laplace's distribution of scale ½ (Hang et al. 2024, table 1).
func laplaceAlpha(t float64) float64 {
	snr := math.Exp(-0.5 * math.Copysign(1, 0.5-t) * math.Log(1-2*math.Abs(0.5-t)+1e-6))
	return math.Sqrt(snr / (1 + snr))
}

// linspace32 is number i of n from a to b in float32, counted from the nearer end.
func linspace32(a, b float64, i, n int) float64 {
	if n == 1 {
		return round32(a)
	}
	lo, hi := float32(a), float32(b)
	step := (hi - lo) / float32(n-1)
	if i < n/2 {
		return float64(lo + step*float32(i))
	}
	return float64(hi - step*float32(n-1-i))
}

// linspace is number i of n from a to b.
func linspace(a, b float64, i, n int) float64 {
	if n == 1 {
		return a
	}
	return a + (b-a)/float64(n-1)*float64(i)
}

func round32(x float64) float64 { return float64(float32(x)) }

// spread picks n of total times in rising order by the configured spacing, before DDIM and PNDM go through them backwards; halves round to
// even (Lin et al. 2023, table 2, names the three ways).
func (c *SchedulerConfig) spread(n int) ([]int, error) {
	total := c.NumTrainTimesteps
	times := make([]int, n)
	for i := range times {
		switch c.TimestepSpacing {
		case "leading":
			times[i] = i*(total/n) + c.StepsOffset
		case "linspace":
			times[i] = int(math.RoundToEven(linspace(0, float64(total-1), i, n)))
		case "trailing":
			times[n-1-i] = int(math.RoundToEven(float64(total)-float64(i)*float64(total)/float64(n))) - 1
		}
	}
	if last := times[n-1]; last >= total || times[0] < 0 {
		return nil, fmt.Errorf("%d steps with steps_offset %d reach time %d: want at most %d", n, c.StepsOffset, last, total-1)
	}
	return times, nil
}
