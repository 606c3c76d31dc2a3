package diffusion

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

const schedulerTolerance = 5e-6 // of the trajectory's largest value

// TestSchedulersEqualGolden walks every case with the model outputs of the fake model computed here, as the goldens' maker did.
func TestSchedulersEqualGolden(t *testing.T) {
	var cases map[string]struct {
		Scheduler string
		Steps     int
		StepArgs  struct {
			Eta   float64
			Order int
		} `json:"step_args"`
		Config json.RawMessage
	}
	require.NoError(t, json.Unmarshal(pythonFloats.ReplaceAll(readFile(t, "schedulers/cases.json"), []byte("${1}null")), &cases))
	require.Len(t, cases, 46)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			sc, err := ParseScheduler(c.Config, c.Scheduler)
			require.NoError(t, err)
			run, err := sc.Start(RunOptions{Steps: c.Steps, Eta: c.StepArgs.Eta, Order: c.StepArgs.Order})
			require.NoError(t, err)
			g, s := openGolden(t, "schedulers/"+name+".safetensors"), newScope(t)
			times := g.times("timesteps")
			require.Len(t, run.Times(), len(times))
			for i, at := range run.Times() { // whole numbers are equal; those of Karras's levels come from logarithms
				require.InDelta(t, times[i], at, 2e-7*times[i])
			}
			init, _ := g.values("init_noise_sigma")
			require.InEpsilon(t, init[0], run.InitSigma(), 2e-7)

			want := g.tensor(s, "sample")
			x := s.Scale(g.tensor(s, "noise_unit"), float32(run.InitSigma()))
			got := x.Float32s()
			for i, time := range run.Times() {
				var noise *tensor.Tensor
				if run.WantsNoise(i) {
					noise = s.Reshape(s.Slice(g.tensor(s, "noise"), 0, i, i+1), x.Shape()...)
				}
				x = run.Step(s, fakeModel(s, s.Scale(x, float32(run.InputScale(i))), time), x, i, noise)
				got = append(got, x.Float32s()...)
			}
			require.Len(t, got, want.Len())
			e := relative(got, want.Float32s())
			report(t, name, e)
			require.LessOrEqual(t, e, schedulerTolerance)
		})
	}
}

// fakeModel is eps(x, t) = 1.8·x/(1 + x²) + 0.1·(t/1000 − ½) in float32.
func fakeModel(s *tensor.Scope, x *tensor.Tensor, t float64) *tensor.Tensor {
	v := x.Float32s()
	shift := float32(0.1) * (float32(t)/1000 - 0.5)
	for i, e := range v {
		v[i] = 1.8*e/(1+e*e) + shift
	}
	return s.FromFloat32s(v, x.Shape()...)
}

func TestNoiseTablesEqualGolden(t *testing.T) {
	g, s := openGolden(t, "schedulers/tables.safetensors"), newScope(t)
	table := func(change string) *NoiseTable {
		sc, err := ParseScheduler([]byte(`{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"`+change+`}`), "DDIMScheduler")
		require.NoError(t, err)
		return sc.Table
	}
	close := func(name string, got []float64) {
		t.Helper()
		want, _ := g.values(name)
		require.Len(t, got, len(want))
		worst := 0.
		for i, w := range want {
			worst = max(worst, math.Abs(got[i]-float64(w))/max(1e-4, math.Abs(float64(w))))
		}
		report(t, name, worst)
		require.LessOrEqual(t, worst, 2e-6, name)
	}
	sd := table("")
	close("betas", sd.Betas)
	close("alphas_cumprod", sd.AlphasBar)
	close("alphas_cumprod.linear", table(`, "beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02`).AlphasBar)
	close("alphas_cumprod.squaredcos_cap_v2", table(`, "beta_schedule": "squaredcos_cap_v2"`).AlphasBar)
	zero := table(`, "rescale_betas_zero_snr": true`)
	close("alphas_cumprod.zero_snr", zero.AlphasBar)
	require.Zero(t, zero.SNR(999))

	x, noise, times := g.tensor(s, "sample"), g.tensor(s, "noise"), g.ints("timesteps")
	near(t, "add_noise", sd.Add(s, x, noise, times), g.tensor(s, "add_noise"), 1e-6)
	near(t, "velocity", sd.Velocity(s, x, noise, times), g.tensor(s, "velocity"), 1e-6)
}

func TestThreshold(t *testing.T) {
	s := newScope(t)
	c := SchedulerConfig{ThresholdRatio: 0.75, SampleMaxValue: 3}
	x := s.FromFloat32s([]float32{
		-1, 2, -4, 0.5, 0, // absolute values in order: 0 0.5 1 2 4; the quantile is 2
		0.1, 0.2, 0.3, 5, -0.4, // 0.4, below the limit's least value 1
		9, -9, 9, 1.5, 9, // 9, above its largest, 3
	}, 3, 5)
	want := []float32{-0.5, 1, -1, 0.25, 0, 0.1, 0.2, 0.3, 1, -0.4, 1, -1, 1, 0.5, 1}
	require.InDeltaSlice(t, want, c.threshold(s, x).Float32s(), 1e-6)
}

func TestLambdaMinClippedLeavesOutTheNoisiestTimes(t *testing.T) {
	const text = `{"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}`
	sc, err := ParseScheduler([]byte(text), "DPMSolverMultistepScheduler")
	require.NoError(t, err)
	run, err := sc.Start(RunOptions{Steps: 20})
	require.NoError(t, err)
	first := int(run.Times()[0])
	require.Less(t, first, 999)
	require.GreaterOrEqual(t, 0.5*math.Log(sc.Table.SNR(first)), -5.1)
	require.Less(t, 0.5*math.Log(sc.Table.SNR(first+1)), -5.1)
}

func TestSchedulerErrors(t *testing.T) {
	for _, c := range []struct{ class, text, want string }{
		{"", `{"_class_name": "FooScheduler"}`, "want one of DDIMScheduler, PNDMScheduler"},
		{"foo", `{}`, "or of the short names ddim, pndm, dpmsolver++"},
		{"DDIMScheduler", `{"prediction_type": "x"}`, "prediction_type"},
		{"DDIMScheduler", `{"timestep_spacing": "x"}`, "timestep_spacing"},
		{"DDIMScheduler", `{"beta_schedule": "x"}`, "want one of exp, laplace, linear, scaled_linear, sigmoid, squaredcos_cap_v2"},
		{"DDIMScheduler", `{"beta_start": -1}`, "beta 0"},
		{"DDIMScheduler", `{"num_train_timesteps": 0}`, "num_train_timesteps"},
		{"DDIMScheduler", `{"trained_betas": [0.1]}`, "trained_betas has 1"},
	} {
		_, err := ParseScheduler([]byte(c.text), c.class)
		require.ErrorContains(t, err, c.want)
	}
	for _, c := range []struct {
		class, text string
		steps       int
		want        string
	}{
		{"DDIMScheduler", `{}`, 0, "0 steps"},
		{"DDIMScheduler", `{}`, 1001, "1001 steps"},
		{"DDIMScheduler", `{"steps_offset": 1}`, 1000, "reach time 1000"},
		{"DDIMScheduler", `{"rescale_betas_zero_snr": true, "timestep_spacing": "trailing"}`, 5, "no signal"},
		{"PNDMScheduler", `{"rescale_betas_zero_snr": true, "timestep_spacing": "trailing"}`, 5, "no signal"},
		{"PNDMScheduler", `{}`, 3, "at least 4"},
		{"PNDMScheduler", `{"prediction_type": "sample"}`, 3, "prediction_type sample"},
		{"DPMSolverMultistepScheduler", `{"solver_order": 4}`, 9, "solver_order 4"},
		{"DPMSolverMultistepScheduler", `{"algorithm_type": "dpmsolver"}`, 9, "want sigma_min"},
		{"DPMSolverMultistepScheduler", `{"solver_order": 3, "algorithm_type": "sde-dpmsolver++"}`, 9, "solver_order 3"},
		{"DPMSolverMultistepScheduler", `{"use_beta_sigmas": true}`, 9, "use_beta_sigmas"},
		{"DDPMScheduler", `{"variance_type": "learned"}`, 9, "want fixed_small, fixed_small_log or fixed_large"},
		{"DDPMScheduler", `{"rescale_betas_zero_snr": true, "timestep_spacing": "trailing"}`, 5, "no signal"},
		{"LMSDiscreteScheduler", `{"use_beta_sigmas": true}`, 9, "use_beta_sigmas"},
		{"LMSDiscreteScheduler", `{"rescale_betas_zero_snr": true}`, 9, "rescale_betas_zero_snr"},
		{"HeunDiscreteScheduler", `{"rescale_betas_zero_snr": true}`, 9, "rescale_betas_zero_snr"},
		{"EulerDiscreteScheduler", `{"timestep_type": "x"}`, 9, "want discrete or continuous"},
		{"EulerDiscreteScheduler", `{"interpolation_type": "log_linear"}`, 9, "want linear"},
		{"EulerDiscreteScheduler", `{"final_sigmas_type": "x"}`, 9, "want zero or sigma_min"},
		{"EulerDiscreteScheduler", `{"sigma_min": -1}`, 9, "sigma_min -1"},
		{"EulerDiscreteScheduler", `{"use_karras_sigmas": true, "use_exponential_sigmas": true}`, 9, "want at most one"},
		{"EulerAncestralDiscreteScheduler", `{"prediction_type": "sample"}`, 9, "want epsilon or v_prediction"},
		{"EulerAncestralDiscreteScheduler", `{"use_karras_sigmas": true}`, 9, "use_karras_sigmas is not supported"},
		{"UniPCMultistepScheduler", `{"solver_order": 4}`, 9, "solver_order 4"},
		{"UniPCMultistepScheduler", `{"solver_type": "bh3"}`, 9, "want bh1 or bh2"},
		{"UniPCMultistepScheduler", `{"solver_type": "bh1"}`, 9, "want sigma_min"},
		{"UniPCMultistepScheduler", `{"predict_x0": false}`, 9, "want sigma_min"},
		{"UniPCMultistepScheduler", `{"lower_order_final": false}`, 9, "want sigma_min"},
		{"UniPCMultistepScheduler", `{"solver_p": {}}`, 9, "solver_p"},
		{"UniPCMultistepScheduler", `{"final_sigmas_type": "x"}`, 9, "want zero or sigma_min"},
		{"UniPCMultistepScheduler", `{"final_sigmas_type": "sigma_min", "use_karras_sigmas": true}`, 9, "twice"},
		{"LCMScheduler", `{}`, 51, "at most original_inference_steps 50"},
		{"LCMScheduler", `{"original_inference_steps": 0}`, 4, "original_inference_steps 0"},
		{"LCMScheduler", `{"timestep_scaling": 0}`, 4, "timestep_scaling"},
	} {
		sc, err := ParseScheduler([]byte(c.text), c.class)
		require.NoError(t, err)
		_, err = sc.Start(RunOptions{Steps: c.steps})
		require.ErrorContains(t, err, c.want)
	}
}

// TestSchedulerOptionsEqualGolden walks short runs under every option (bench/golden/scheduler_options.py makes them).
func TestSchedulerOptionsEqualGolden(t *testing.T) {
	var cases map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(readFile(t, "schedulers/options.json"), &cases))
	require.Greater(t, len(cases), 70)
	for name, config := range cases {
		t.Run(name, func(t *testing.T) {
			sc, err := ParseScheduler(config, "")
			require.NoError(t, err)
			run, err := sc.Start(RunOptions{Steps: 6})
			require.NoError(t, err)
			g, s := openGolden(t, "schedulers/options.safetensors"), newScope(t)
			times := g.times(name + ".times")
			require.Len(t, run.Times(), len(times))
			for i, at := range run.Times() {
				require.InDelta(t, times[i], at, 2e-7*math.Abs(times[i]), "%v", run.Times())
			}
			init, _ := g.values(name + ".init")
			require.InEpsilon(t, init[0], run.InitSigma(), 4e-7)
			want := g.tensor(s, name+".sample")
			x := s.Scale(g.tensor(s, "start"), float32(run.InitSigma()))
			got := x.Float32s()
			for i, time := range run.Times() {
				var noise *tensor.Tensor
				if run.WantsNoise(i) {
					noise = s.Reshape(s.Slice(g.tensor(s, name+".noise"), 0, i, i+1), x.Shape()...)
				}
				x = run.Step(s, fakeModel(s, s.Scale(x, float32(run.InputScale(i))), time), x, i, noise)
				got = append(got, x.Float32s()...)
			}
			require.Len(t, got, want.Len())
			e := relative(got, want.Float32s())
			report(t, name, e)
			require.LessOrEqual(t, e, schedulerTolerance, string(config))
		})
	}
}

// TestSamplerNames starts a run of each short name over Stable Diffusion's configuration.
func TestSamplerNames(t *testing.T) {
	for _, name := range SamplerNames() {
		sc, err := ParseScheduler(readFile(t, "sd/scheduler/scheduler_config.json"), name)
		require.NoError(t, err)
		calls, err := sc.Calls(20)
		require.NoError(t, err, name)
		require.Equal(t, map[string]int{"pndm": 21, "heun": 39}[name]+map[bool]int{true: 20}[name != "pndm" && name != "heun"], calls, name)
		require.Equal(t, strings.HasSuffix(name, "karras"), sc.Config.UseKarrasSigmas)
		require.Equal(t, strings.Contains(name, "-sde"), sc.Config.AlgorithmType == "sde-dpmsolver++")
	}
	sc, err := ParseScheduler([]byte(`{}`), "dpmsolver++-1")
	require.NoError(t, err)
	require.Equal(t, 1, sc.Config.SolverOrder)
}
