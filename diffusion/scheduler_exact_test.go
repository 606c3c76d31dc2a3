package diffusion

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

// TestSolversApproachTheExactSolution lets every kind of solver go through a model whose answer is known: data with deviation c, for which the
// noise is expected to be σx/(α²c² + σ²) and a sample keeps its place in the distribution, x ∝ √(α²c² + σ²). More order must give less error.
func TestSolversApproachTheExactSolution(t *testing.T) {
	const c = 0.6
	deviation := func(alpha, sigma float64) float64 { return math.Sqrt(alpha*alpha*c*c + sigma*sigma) }
	miss := func(config string, steps int) float64 {
		sc, err := ParseScheduler([]byte(`{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "final_sigmas_type": "sigma_min", "use_karras_sigmas": true`+config+`}`),
			"DPMSolverMultistepScheduler")
		require.NoError(t, err)
		run, err := sc.Start(RunOptions{Steps: steps})
		require.NoError(t, err)
		s := newScope(t)
		x := s.FromFloat32s([]float32{1}, 1, 1)
		var start float64
		for i, time := range run.Times() {
			alpha, sigma := split(run.(*dpmSolver).sigmas[i])
			if i == 0 {
				start = deviation(alpha, sigma)
			}
			d := deviation(alpha, sigma)
			var out *tensor.Tensor
			switch eps := sigma / d / d; sc.Config.PredictionType {
			case "epsilon":
				out = s.Scale(x, float32(eps))
			case "v_prediction":
				out = s.Scale(x, float32((eps-sigma)/alpha))
			case "sample":
				out = s.Scale(x, float32((1-sigma*eps)/alpha))
			}
			require.LessOrEqual(t, time, 999.)
			x = run.Step(s, out, x, i, nil)
		}
		want := deviation(split(run.(*dpmSolver).sigmas[steps])) / start
		return math.Abs(float64(x.Item())/want - 1)
	}
	for _, algorithm := range []string{"dpmsolver++", "dpmsolver"} {
		for _, solver := range []string{"midpoint", "heun"} {
			for order, most := range map[int]float64{1: 0.05, 2: 0.006, 3: 0.001} {
				config := fmt.Sprintf(`, "algorithm_type": %q, "solver_type": %q, "solver_order": %d`, algorithm, solver, order)
				e := miss(config, 40)
				report(t, config, e)
				require.Less(t, e, most, config)
				for _, p := range []string{"v_prediction", "sample"} {
					require.InDelta(t, e, miss(config+fmt.Sprintf(`, "prediction_type": %q`, p), 40), 2e-5, p)
				}
			}
		}
	}
}

// TestPNDMTakesVelocities compares the first step under the velocity of the same noise.
func TestPNDMTakesVelocities(t *testing.T) {
	s := newScope(t)
	x, eps := s.Randn(tensor.Key{Seed: 1}, 2, 8), s.Randn(tensor.Key{Seed: 2}, 2, 8)
	first := func(prediction string, out func(alpha, sigma float64) *tensor.Tensor) *tensor.Tensor {
		sc, err := ParseScheduler([]byte(`{"skip_prk_steps": true, "steps_offset": 1, "prediction_type": "`+prediction+`"}`), "PNDMScheduler")
		require.NoError(t, err)
		run, err := sc.Start(RunOptions{Steps: 10})
		require.NoError(t, err)
		a := sc.Table.AlphasBar[int(run.Times()[0])]
		return run.Step(s, out(math.Sqrt(a), math.Sqrt(1-a)), x, 0, nil)
	}
	want := first("epsilon", func(alpha, sigma float64) *tensor.Tensor { return eps })
	got := first("v_prediction", func(alpha, sigma float64) *tensor.Tensor {
		return combine(s, term{1 / alpha, eps}, term{-sigma / alpha, x}) // α·eps − σ·x₀
	})
	near(t, "first step", got, want, 1e-5)
}
