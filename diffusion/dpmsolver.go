package diffusion

import (
	"fmt"
	"math"
	"slices"

	"syntic/tensor"
)

// dpmSolver is a run of DPM-Solver (Lu et al. 2022a) or DPM-Solver++ (Lu et al. 2022b), multistep, order 1 to 3, or, with
// noise in each step, SDE-DPM-Solver++ of order 1 or 2. With λ = log(α/σ) each step from s to t is exact in x and interpolates what the model
// predicts between the last outputs; h = λ(t) − λ(s).
type dpmSolver struct {
	c      *SchedulerConfig
	times  []int
	sigmas []float64        // noise to signal, σ/α; one more than steps
	outs   []*tensor.Tensor // the last predictions (clean samples for ++, noise else), newest last; at most order
}

func dpmSolverDefaults(c *SchedulerConfig) {
	c.SolverOrder, c.AlgorithmType, c.SolverType, c.FinalSigmasType = 2, "dpmsolver++", "midpoint", "zero"
	c.LowerOrderFinal, c.TimestepSpacing = true, "linspace"
}

func startDPMSolver(sc *Scheduler, o RunOptions) (Run, error) {
	c := &sc.Config
	if err := c.checkDPMSolver(); err != nil {
		return nil, err
	}
	bar := slices.Clone(sc.Table.AlphasBar)
	if c.RescaleZeroSNR {
		bar[len(bar)-1] = 1. / (1 << 24) // near enough to zero, with a finite λ
	}
	sigma := make([]float64, len(bar))
	for i, a := range bar {
		sigma[i] = math.Sqrt((1 - a) / a)
	}
	d := &dpmSolver{c: c}
	if c.UseKarrasSigmas || c.UseExponential || c.UseLuLambdas {
		d.space(sc, sigma, o.Steps)
	} else {
		var err error
		if d.times, err = c.spreadDPM(sigma, o.Steps); err != nil {
			return nil, err
		}
		for _, t := range d.times {
			d.sigmas = append(d.sigmas, round32(sigma[t]))
		}
	}
	final := 0.
	if c.FinalSigmasType == "sigma_min" {
		final = round32(sigma[0])
	}
	d.sigmas = append(d.sigmas, final)
	return d, nil
}

func (c *SchedulerConfig) checkDPMSolver() error {
	switch {
	case c.SolverOrder < 1 || c.SolverOrder > 3:
		return fmt.Errorf("solver_order %d: want 1 to 3", c.SolverOrder)
	case !slices.Contains([]string{"dpmsolver++", "dpmsolver", "sde-dpmsolver++"}, c.AlgorithmType):
		return fmt.Errorf("algorithm_type %q: want dpmsolver++, dpmsolver or sde-dpmsolver++", c.AlgorithmType)
	case c.SolverType != "midpoint" && c.SolverType != "heun":
		return fmt.Errorf("solver_type %q: want midpoint or heun", c.SolverType)
	case c.FinalSigmasType != "zero" && c.FinalSigmasType != "sigma_min":
		return fmt.Errorf("final_sigmas_type %q: want zero or sigma_min", c.FinalSigmasType)
	case c.FinalSigmasType == "zero" && !c.predictsSample():
		return fmt.Errorf("final_sigmas_type zero with algorithm_type %s: want sigma_min", c.AlgorithmType)
	case c.SolverOrder == 3 && c.stochastic():
		return fmt.Errorf("solver_order 3 with algorithm_type %s: want 1 or 2", c.AlgorithmType)
	case c.UseDynamicShift:
		return fmt.Errorf("use_dynamic_shifting is not supported: want false")
	case c.VarianceType != nil:
		return fmt.Errorf("variance_type %q is not supported: want null", *c.VarianceType)
	}
	return c.checkSigmas("use_beta_sigmas", "use_flow_sigmas")
}

// predictsSample tells whether the solver integrates the clean sample (++) and not the noise.
func (c *SchedulerConfig) predictsSample() bool { return c.AlgorithmType != "dpmsolver" }

func (c *SchedulerConfig) stochastic() bool { return c.AlgorithmType == "sde-dpmsolver++" }

// spreadDPM picks n times in falling order: unlike DDIM's, as if there were one step more, which ends at clean samples.
func (c *SchedulerConfig) spreadDPM(sigma []float64, n int) ([]int, error) {
	total := len(sigma)
	last := total // times of λ below lambda_min_clipped are left out
	if c.LambdaMinClipped != nil {
		for last > 0 && -math.Log(sigma[last-1]) < *c.LambdaMinClipped {
			last--
		}
	}
	times := make([]int, n)
	for i := range times { // from the end
		switch c.TimestepSpacing {
		case "leading":
			times[i] = (n-i)*(last/(n+1)) + c.StepsOffset
		case "linspace":
			times[i] = int(math.RoundToEven(linspace(0, float64(last-1), n-i, n+1)))
		case "trailing":
			times[i] = int(math.RoundToEven(float64(last)-float64(i)*float64(total)/float64(n))) - 1
		}
		if times[i] < 0 || times[i] >= total {
			return nil, fmt.Errorf("%d steps with steps_offset %d reach time %d: want 0 to %d", n, c.StepsOffset, times[i], total-1)
		}
	}
	return times, nil
}

// space takes the noise levels of Karras, or those of equal ratios (equal steps of λ, Lu et al. 2022a, section 3.4), and tells the model the nearest
// times, of exponential levels the times before.
func (d *dpmSolver) space(sc *Scheduler, sigma []float64, n int) {
	spaced, at := karrasSigmas, func(s float64) float64 { return timeOfSigma(sigma, s) }
	if !d.c.UseKarrasSigmas {
		sigma = sc.sigmaTable()
		logs := logarithms(sigma)
		spaced, at = exponentialSigmas, func(s float64) float64 { return timeOfLevel(logs, s) }
	}
	first, last := d.c.sigmaEnds(sigma[len(sigma)-1], sigma[0])
	for _, s := range spaced(first, last, n) {
		d.sigmas = append(d.sigmas, round32(s))
		t := at(s)
		if d.c.BetaSchedule != "squaredcos_cap_v2" && !d.c.UseExponential {
			t = math.RoundToEven(t)
		}
		d.times = append(d.times, int(t))
	}
}

// timeOfSigma is the time, with a fraction, of a noise level, interpolated between the logarithms of the table's.
func timeOfSigma(table []float64, sigma float64) float64 {
	i := 0
	for i+2 < len(table) && table[i+1] <= sigma {
		i++
	}
	lo, hi := math.Log(table[i]), math.Log(table[i+1])
	return float64(i) + max(0, min(1, (math.Log(sigma)-lo)/(hi-lo)))
}

func (d *dpmSolver) Times() []float64     { return floats(d.times) }
func (*dpmSolver) InitSigma() float64     { return 1 }
func (*dpmSolver) InputScale(int) float64 { return 1 }
func (d *dpmSolver) WantsNoise(int) bool  { return d.c.stochastic() }

func (d *dpmSolver) Step(s *tensor.Scope, out, x *tensor.Tensor, i int, noise *tensor.Tensor) *tensor.Tensor {
	d.remember(s, d.predict(s, out, x, i))
	var cx, cnoise float64
	var cm []float64 // of the last outputs, newest first
	if d.c.predictsSample() {
		cx, cm, cnoise = d.sampleCoefficients(i, d.order(i))
	} else {
		cx, cm = d.noiseCoefficients(i, d.order(i))
	}
	terms := []term{{cx, x}}
	for k, c := range cm {
		terms = append(terms, term{c, d.outs[len(d.outs)-1-k]})
	}
	return combine(s, append(terms, term{cnoise, noise})...)
}

// predict is the clean sample, or the noise, in a tensor of its own.
func (d *dpmSolver) predict(s *tensor.Scope, out, x *tensor.Tensor, i int) *tensor.Tensor {
	alpha, sigma := split(d.sigmas[i])
	m := s.Do(func(s *tensor.Scope) *tensor.Tensor {
		x0, eps := d.c.split(s, out, x, alpha, sigma)
		if d.c.Thresholding {
			x0 = d.c.threshold(s, x0)
			eps = combine(s, term{1 / sigma, x}, term{-alpha / sigma, x0})
		}
		if d.c.predictsSample() {
			return x0
		}
		return eps
	})
	if m == out {
		m = s.Copy(out)
	}
	return m
}

func (d *dpmSolver) remember(s *tensor.Scope, m *tensor.Tensor) {
	if len(d.outs) == d.c.SolverOrder {
		s.Free(d.outs[0])
		d.outs = append(d.outs[:0], d.outs[1:]...)
	}
	d.outs = append(d.outs, m)
}

// order is that of step i: lower at the start, for want of outputs, and at the end, where high orders are unstable in few steps.
func (d *dpmSolver) order(i int) int {
	n := len(d.times)
	few := d.c.LowerOrderFinal && n < 15
	order := min(d.c.SolverOrder, i+1)
	switch {
	case d.sigmas[i] == d.sigmas[i+1]: // Karras's last step, where it ends at sigma_min: nothing to do, and h = 0
		return 1
	case i == n-1 && (d.c.EulerAtFinal || few || d.c.FinalSigmasType == "zero"):
		return 1
	case i == n-2 && few:
		return min(order, 2)
	}
	return order
}

// split is α and σ of a noise level σ/α where α² + σ² = 1.
func split(level float64) (alpha, sigma float64) {
	alpha = 1 / math.Sqrt(1+level*level)
	return alpha, level * alpha
}

// lambdas are h of step i and the ratios r₀, r₁ of the steps before it to h.
func (d *dpmSolver) lambdas(i, order int) (h, r0, r1 float64) {
	l := func(i int) float64 { return -math.Log(d.sigmas[i]) }
	h = l(i+1) - l(i)
	if order > 1 {
		r0 = (l(i) - l(i-1)) / h
	}
	if order > 2 {
		r1 = (l(i-1) - l(i-2)) / h
	}
	return h, r0, r1
}

// sampleCoefficients are what x, the last clean samples and fresh noise are multiplied by (Lu et al. 2022b: algorithm 2 is order
// 2 with midpoint; the other orders and the stochastic ones are in the appendices).
func (d *dpmSolver) sampleCoefficients(i, order int) (cx float64, cm []float64, cnoise float64) {
	h, r0, r1 := d.lambdas(i, order)
	_, from := split(d.sigmas[i])
	alpha, sigma := split(d.sigmas[i+1])
	k := h // the exponent: doubled where noise makes up for it
	cx = sigma / from
	if d.c.stochastic() {
		k = 2 * h
		cx *= math.Exp(-h)
		cnoise = sigma * math.Sqrt(-math.Expm1(-2*h))
	}
	c0 := -alpha * math.Expm1(-k)
	c1 := c0 / 2
	if d.c.SolverType == "heun" || order == 3 {
		c1 = alpha * (math.Expm1(-k)/k + 1)
	}
	c2 := 0.
	if order == 3 {
		c2 = -alpha * ((math.Expm1(-k)+k)/(k*k) - 0.5)
	}
	return cx, differences(order, c0, c1, c2, r0, r1), cnoise
}

// noiseCoefficients are the same for solvers that integrate the noise (Lu et al. 2022a, section 3 and appendix B).
func (d *dpmSolver) noiseCoefficients(i, order int) (cx float64, cm []float64) {
	h, r0, r1 := d.lambdas(i, order)
	from, _ := split(d.sigmas[i])
	alpha, sigma := split(d.sigmas[i+1])
	cx = alpha / from
	c0 := -sigma * math.Expm1(h)
	c1 := c0 / 2
	if d.c.SolverType == "heun" || order == 3 {
		c1 = -sigma * (math.Expm1(h)/h - 1)
	}
	c2 := 0.
	if order == 3 {
		c2 = -sigma * ((math.Expm1(h)-h)/(h*h) - 0.5)
	}
	return cx, differences(order, c0, c1, c2, r0, r1)
}

// differences turns coefficients of D₀ = m₀, the first difference D₁ and the second one D₂ into those of the outputs m₀, m₁, m₂.
func differences(order int, c0, c1, c2, r0, r1 float64) []float64 {
	switch order {
	case 1:
		return []float64{c0}
	case 2: // D₁ = (m₀ − m₁)/r₀
		return []float64{c0 + c1/r0, -c1 / r0}
	}
	// a = (m₀ − m₁)/r₀, b = (m₁ − m₂)/r₁; D₁ = a + r₀/(r₀+r₁)·(a − b), D₂ = (a − b)/(r₀+r₁)
	w := (c1*r0 + c2) / (r0 + r1)
	a, b := (c1+w)/r0, -w/r1
	return []float64{c0 + a, b - a, -b}
}
