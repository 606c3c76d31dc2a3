package diffusion

import (
	"fmt"
	"math"
	"slices"

	"syntic/tensor"
)

// uniPC is a run of the unified predictor-corrector (Zhao et al. 2023), multistep, order 1 to 3. With λ = log(α/σ) each step from s to t is
// exact in x and blends the differences of the last outputs from the newest; the corrector makes the step again when the output at its end is
// known, at no further call of the model.
type uniPC struct {
	c      *SchedulerConfig
	times  []int
	sigmas []float64        // noise to signal, σ/α; one more than steps
	outs   []*tensor.Tensor // the last predictions (clean samples, or noise where predict_x0 is false), newest last; at most order
	last   *tensor.Tensor   // the corrected sample that the last step began with
	order  int              // of the last step
}

func uniPCDefaults(c *SchedulerConfig) {
	c.SolverOrder, c.SolverType, c.FinalSigmasType, c.TimestepSpacing = 2, "bh2", "zero", "linspace"
	c.PredictX0, c.LowerOrderFinal = true, true
}

func startUniPC(sc *Scheduler, o RunOptions) (Run, error) {
	c := &sc.Config
	if err := c.checkUniPC(); err != nil {
		return nil, err
	}
	table := sc.sigmaTable()
	u := &uniPC{c: c}
	if c.UseKarrasSigmas || c.UseExponential {
		first, last := c.sigmaEnds(table[len(table)-1], table[0])
		logs := logarithms(table)
		if c.UseKarrasSigmas {
			u.sigmas = karrasSigmas(first, last, o.Steps)
		} else {
			u.sigmas = exponentialSigmas(first, last, o.Steps)
		}
		for _, s := range u.sigmas {
			t := timeOfLevel(logs, s)
			if c.UseKarrasSigmas {
				t = math.RoundToEven(t)
			}
			u.times = append(u.times, int(t))
		}
	} else {
		var err error
		unclipped := *c
		unclipped.LambdaMinClipped = nil
		if u.times, err = unclipped.spreadDPM(table, o.Steps); err != nil {
			return nil, err
		}
		for _, t := range u.times {
			u.sigmas = append(u.sigmas, table[t])
		}
	}
	final := 0.
	if c.FinalSigmasType == "sigma_min" {
		final = table[0]
	}
	u.sigmas = append(u.sigmas, final)
	for i, s := range u.sigmas {
		u.sigmas[i] = round32(s)
		if i > 0 && u.sigmas[i] == u.sigmas[i-1] {
			return nil, fmt.Errorf("%d steps have the noise level %g twice: want fewer steps, or final_sigmas_type zero", o.Steps, s)
		}
	}
	return u, nil
}

func (c *SchedulerConfig) checkUniPC() error {
	if err := c.checkSigmas("use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas"); err != nil {
		return err
	}
	zero := c.FinalSigmasType == "zero"
	switch {
	case c.SolverOrder < 1 || c.SolverOrder > 3:
		return fmt.Errorf("solver_order %d: want 1 to 3", c.SolverOrder)
	case !slices.Contains([]string{"bh1", "bh2", "midpoint", "heun", "logrho"}, c.SolverType): // DPM-Solver's mean bh2
		return fmt.Errorf("solver_type %q: want bh1 or bh2", c.SolverType)
	case !zero && c.FinalSigmasType != "sigma_min":
		return fmt.Errorf("final_sigmas_type %q: want zero or sigma_min", c.FinalSigmasType)
	case zero && c.SolverType == "bh1":
		return fmt.Errorf("final_sigmas_type zero with solver_type bh1, whose last step is then infinite: want sigma_min")
	case zero && !c.PredictX0:
		return fmt.Errorf("final_sigmas_type zero with predict_x0 false: want sigma_min")
	case zero && c.SolverOrder > 1 && !c.LowerOrderFinal:
		return fmt.Errorf("final_sigmas_type zero with lower_order_final false: want sigma_min")
	case len(c.SolverP) > 0 && string(c.SolverP) != "null":
		return fmt.Errorf("solver_p is not supported: want null")
	case c.UseDynamicShift:
		return fmt.Errorf("use_dynamic_shifting is not supported: want false")
	}
	return nil
}

func (u *uniPC) Times() []float64     { return floats(u.times) }
func (*uniPC) InitSigma() float64     { return 1 }
func (*uniPC) InputScale(int) float64 { return 1 }
func (*uniPC) WantsNoise(int) bool    { return false }

// Step corrects the last step and predicts the next (Zhao et al. 2023, algorithms 7 and 8).
func (u *uniPC) Step(s *tensor.Scope, out, x *tensor.Tensor, i int, _ *tensor.Tensor) *tensor.Tensor {
	m := u.predict(s, out, x, i)
	if i > 0 && !slices.Contains(u.c.DisableCorrector, i-1) {
		x = u.blend(s, i-1, u.last, m)
	} else {
		x = s.Copy(x)
	}
	if u.last != nil {
		s.Free(u.last)
	}
	u.last = x
	if len(u.outs) == u.c.SolverOrder {
		s.Free(u.outs[0])
		u.outs = append(u.outs[:0], u.outs[1:]...)
	}
	u.outs = append(u.outs, m)
	u.order = min(u.c.SolverOrder, i+1)
	if u.c.LowerOrderFinal {
		u.order = min(u.order, len(u.times)-i)
	}
	return u.blend(s, i, x, nil)
}

// predict is the clean sample, or the noise, in a tensor of its own.
func (u *uniPC) predict(s *tensor.Scope, out, x *tensor.Tensor, i int) *tensor.Tensor {
	alpha, sigma := split(u.sigmas[i])
	m := s.Do(func(s *tensor.Scope) *tensor.Tensor {
		x0, eps := u.c.split(s, out, x, alpha, sigma)
		switch {
		case !u.c.PredictX0:
			return eps
		case u.c.Thresholding:
			return u.c.threshold(s, x0)
		}
		return x0
	})
	if m == out {
		m = s.Copy(out)
	}
	return m
}

// blend makes step i from x by the remembered outputs, of which the newest is that of the step's start; end, where not nil, is the
// output at the step's end, for the corrector. The differences Dₖ = (mₖ − m₀)/rₖ have the weights of (ibid.) theorem 3.1:
// x·σₜ/σₛ − αₜ·(e⁻ʰ − 1)·m₀ − αₜ·B·Σ ρₖ·Dₖ, and for noise the same with α and σ changed places and h for −h.
func (u *uniPC) blend(s *tensor.Scope, i int, x, end *tensor.Tensor) *tensor.Tensor {
	alpha0, sigma0 := split(u.sigmas[i])
	alpha, sigma := split(u.sigmas[i+1])
	lambda := func(i int) float64 { return -math.Log(u.sigmas[i]) }
	h := lambda(i+1) - lambda(i)
	sign, cx, scale := -1., sigma/sigma0, alpha
	if !u.c.PredictX0 {
		sign, cx, scale = 1, alpha/alpha0, sigma
	}
	newest := len(u.outs) - 1
	var ratios []float64
	others := []*tensor.Tensor{}
	for k := 1; k < u.order; k++ {
		ratios = append(ratios, (lambda(i-k)-lambda(i))/h)
		others = append(others, u.outs[newest-k])
	}
	if end != nil {
		ratios, others = append(ratios, 1), append(others, end)
	}
	b := math.Expm1(sign * h)
	if u.c.SolverType == "bh1" {
		b = sign * h
	}
	terms := []term{{cx, x}, {}}
	c0 := -scale * math.Expm1(sign*h)
	for k, rho := range uniPCWeights(sign*h, b, ratios) {
		c := -scale * b * rho / ratios[k]
		c0 -= c
		terms = append(terms, term{c, others[k]})
	}
	terms[1] = term{c0, u.outs[newest]}
	return combine(s, terms...)
}

// uniPCWeights solve Σₖ rₖʲ⁻¹·ρₖ = j!·φⱼ₊₁(h)/B, j = 1..len(r), where φⱼ₊₁ = (φⱼ − 1/j!)/h and φ₁ = (eʰ − 1)/h, all times h; a single weight is ½, of
// second order for any B (ibid., section 3.2 and appendix F).
func uniPCWeights(h, b float64, ratios []float64) []float64 {
	n := len(ratios)
	if n == 0 {
		return nil
	}
	if n == 1 {
		return []float64{0.5}
	}
	rows := make([][]float64, n) // the last column is the right side
	phi, factorial := math.Expm1(h)/h-1, 1.
	for j := range rows {
		rows[j] = make([]float64, n+1)
		for k, r := range ratios {
			rows[j][k] = math.Pow(r, float64(j))
		}
		rows[j][n] = phi * factorial / b
		factorial *= float64(j + 2)
		phi = phi/h - 1/factorial
	}
	return solve(rows)
}

// solve is the solution of n linear equations, each with its right side last, by elimination with the largest pivot.
func solve(rows [][]float64) []float64 {
	n := len(rows)
	for i := range n {
		for j := i + 1; j < n; j++ {
			if math.Abs(rows[j][i]) > math.Abs(rows[i][i]) {
				rows[i], rows[j] = rows[j], rows[i]
			}
		}
		for j := i + 1; j < n; j++ {
			f := rows[j][i] / rows[i][i]
			for k := i; k <= n; k++ {
				rows[j][k] -= f * rows[i][k]
			}
		}
	}
	x := make([]float64, n)
	for i := n - 1; i >= 0; i-- {
		x[i] = rows[i][n]
		for k := i + 1; k < n; k++ {
			x[i] -= rows[i][k] * x[k]
		}
		x[i] /= rows[i][i]
	}
	return x
}
