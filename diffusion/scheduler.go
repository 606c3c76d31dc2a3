package diffusion

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"syntic/tensor"
)

// classes is every scheduler there is: one file each, listed here. Its defaults are what absent keys of scheduler_config.json mean.
var classes = []schedulerClass{
	{"DDIMScheduler", ddimDefaults, startDDIM},
	{"PNDMScheduler", pndmDefaults, startPNDM},
	{"DPMSolverMultistepScheduler", dpmSolverDefaults, startDPMSolver},
	{"DDPMScheduler", ddpmDefaults, startDDPM},
	{"LMSDiscreteScheduler", lmsDefaults, startLMS},
	{"EulerDiscreteScheduler", eulerDefaults, startEuler},
	{"EulerAncestralDiscreteScheduler", eulerAncestralDefaults, startEulerAncestral},
	{"HeunDiscreteScheduler", heunDefaults, startHeun},
	{"UniPCMultistepScheduler", uniPCDefaults, startUniPC},
	{"LCMScheduler", lcmDefaults, startLCM},
}

type schedulerClass struct {
	name     string
	defaults func(*SchedulerConfig)
	start    func(sc *Scheduler, o RunOptions) (Run, error)
}

// SchedulerNames lists the schedulers by the class names that scheduler_config.json uses.
func SchedulerNames() []string {
	var names []string
	for _, c := range classes {
		names = append(names, c.name)
	}
	return names
}

// SchedulerConfig is scheduler_config.json; keys that the file lacks have the defaults of its class.
type SchedulerConfig struct {
	Class             string    `json:"_class_name"`
	NumTrainTimesteps int       `json:"num_train_timesteps"`
	BetaStart         float64   `json:"beta_start"`
	BetaEnd           float64   `json:"beta_end"`
	BetaSchedule      string    `json:"beta_schedule"` // see betaSchedules
	TrainedBetas      []float64 `json:"trained_betas"`
	RescaleZeroSNR    bool      `json:"rescale_betas_zero_snr"`
	PredictionType    string    `json:"prediction_type"`  // epsilon, v_prediction, sample
	TimestepSpacing   string    `json:"timestep_spacing"` // leading, linspace, trailing
	StepsOffset       int       `json:"steps_offset"`
	SetAlphaToOne     bool      `json:"set_alpha_to_one"`

	ClipSample      bool    `json:"clip_sample"`
	ClipSampleRange float64 `json:"clip_sample_range"`
	Thresholding    bool    `json:"thresholding"`
	ThresholdRatio  float64 `json:"dynamic_thresholding_ratio"`
	SampleMaxValue  float64 `json:"sample_max_value"`

	SkipPRKSteps bool `json:"skip_prk_steps"` // PNDM

	InterpolationType string `json:"interpolation_type"` // Euler
	TimestepType      string `json:"timestep_type"`

	PredictX0        bool            `json:"predict_x0"` // UniPC
	DisableCorrector []int           `json:"disable_corrector"`
	SolverP          json.RawMessage `json:"solver_p"`

	OriginalSteps   int     `json:"original_inference_steps"` // LCM
	TimestepScaling float64 `json:"timestep_scaling"`

	SigmaMin *float64 `json:"sigma_min"` // ends of Karras's and the exponential noise levels; null: those of the times
	SigmaMax *float64 `json:"sigma_max"`

	SolverOrder      int      `json:"solver_order"` // DPM-Solver, UniPC and schedulers of noise levels, from here on
	AlgorithmType    string   `json:"algorithm_type"`
	SolverType       string   `json:"solver_type"`
	LowerOrderFinal  bool     `json:"lower_order_final"`
	EulerAtFinal     bool     `json:"euler_at_final"`
	FinalSigmasType  string   `json:"final_sigmas_type"`
	LambdaMinClipped *float64 `json:"lambda_min_clipped"` // null: nothing is clipped
	VarianceType     *string  `json:"variance_type"`
	UseKarrasSigmas  bool     `json:"use_karras_sigmas"`
	UseExponential   bool     `json:"use_exponential_sigmas"`
	UseBetaSigmas    bool     `json:"use_beta_sigmas"`
	UseLuLambdas     bool     `json:"use_lu_lambdas"`
	UseFlowSigmas    bool     `json:"use_flow_sigmas"`
	UseDynamicShift  bool     `json:"use_dynamic_shifting"`
}

// Scheduler is a configured scheduler; it is not changed by runs, so many may go on at once.
type Scheduler struct {
	Config SchedulerConfig
	Table  *NoiseTable
	class  *schedulerClass
}

// Run is one way from noise to a sample.
type Run interface {
	// Times are the times that the model is told, one for each call of it: more calls than steps where a scheduler wants them.
	Times() []float64
	// InitSigma is the standard deviation of the noise to start from.
	InitSigma() float64
	// InputScale is what the sample is multiplied by for call i of the model; Step takes it unscaled.
	InputScale(i int) float64
	// WantsNoise tells whether Step i adds noise.
	WantsNoise(i int) bool
	// Step makes the next sample of the model's output for Times()[i] and the sample x it was given, both of any one shape; noise is
	// standard normal, and nil where WantsNoise(i) is false. Steps are made in order. The result and what the scheduler remembers live
	// in s, which is one and the same in all steps; what it remembers is freed there when no longer needed, out and x are the caller's.
	Step(s *tensor.Scope, out, x *tensor.Tensor, i int, noise *tensor.Tensor) *tensor.Tensor
}

// RunOptions say how a run goes.
type RunOptions struct {
	Steps int
	Eta   float64 // DDIM's share of noise: 0 none, 1 as DDPM (Song et al. 2020, eq. 16); other schedulers ignore it
	Order int     // of LMS, 1 to 4; 0: 4; other schedulers ignore it
}

// ParseScheduler reads scheduler_config.json; class, where not empty, replaces the class that the file names, and may be one of
// [SamplerNames], which also set options. The error names the key.
func ParseScheduler(data []byte, class string) (*Scheduler, error) {
	var head struct {
		Class string `json:"_class_name"`
	}
	if err := parseJSON(data, &head); err != nil {
		return nil, err
	}
	if class == "" {
		class = head.Class
	}
	class, change, err := findSampler(class)
	if err != nil {
		return nil, err
	}
	c, err := DefaultSchedulerConfig(class)
	if err != nil {
		return nil, err
	}
	for _, text := range [][]byte{data, []byte(change)} {
		if err := parseJSON(text, &c); err != nil {
			return nil, err
		}
	}
	c.Class = class
	return NewScheduler(c)
}

// DefaultSchedulerConfig is what an empty scheduler_config.json of a class means.
func DefaultSchedulerConfig(class string) (SchedulerConfig, error) {
	k, err := findClass(class)
	if err != nil {
		return SchedulerConfig{}, err
	}
	c := SchedulerConfig{
		Class: class, NumTrainTimesteps: 1000, BetaStart: 1e-4, BetaEnd: 0.02, BetaSchedule: "linear", PredictionType: "epsilon",
		TimestepSpacing: "leading", ClipSampleRange: 1, ThresholdRatio: 0.995, SampleMaxValue: 1, InterpolationType: "linear",
		TimestepType: "discrete",
	}
	k.defaults(&c)
	return c, nil
}

// NewScheduler makes the noise tables of a configuration; the error names the key that is wrong.
func NewScheduler(c SchedulerConfig) (*Scheduler, error) {
	k, err := findClass(c.Class)
	if err != nil {
		return nil, err
	}
	for _, e := range []struct {
		key, value string
		known      []string
	}{
		{"prediction_type", c.PredictionType, []string{"epsilon", "v_prediction", "sample"}},
		{"timestep_spacing", c.TimestepSpacing, []string{"leading", "linspace", "trailing"}},
	} {
		if !slices.Contains(e.known, e.value) {
			return nil, fmt.Errorf("%s %q: want one of %s", e.key, e.value, strings.Join(e.known, ", "))
		}
	}
	table, err := NewNoiseTable(&c)
	if err != nil {
		return nil, err
	}
	return &Scheduler{Config: c, Table: table, class: k}, nil
}

// Calls is how many times a run of so many steps calls the model.
func (sc *Scheduler) Calls(steps int) (int, error) {
	run, err := sc.Start(RunOptions{Steps: steps})
	if err != nil {
		return 0, err
	}
	return len(run.Times()), nil
}

// Start begins a run.
func (sc *Scheduler) Start(o RunOptions) (Run, error) {
	if o.Steps < 1 || o.Steps > sc.Config.NumTrainTimesteps {
		return nil, fmt.Errorf("%d steps: want 1 to num_train_timesteps %d", o.Steps, sc.Config.NumTrainTimesteps)
	}
	run, err := sc.class.start(sc, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sc.Config.Class, err)
	}
	return run, nil
}

func findClass(name string) (*schedulerClass, error) {
	for i := range classes {
		if classes[i].name == name {
			return &classes[i], nil
		}
	}
	return nil, fmt.Errorf("_class_name %q: there is no such scheduler; want one of %s", name, strings.Join(SchedulerNames(), ", "))
}

// term is a tensor with its coefficient.
type term struct {
	c float64
	t *tensor.Tensor
}

// combine is the sum of the terms, in their order; terms of coefficient 0 are not looked at (their tensor may be nil).
func combine(s *tensor.Scope, terms ...term) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		terms = slices.DeleteFunc(terms, func(t term) bool { return t.c == 0 })
		if len(terms) < 2 {
			return s.Scale(terms[0].t, float32(terms[0].c))
		}
		sum := s.AddScaled(terms[0].t, float32(terms[0].c), terms[1].t, float32(terms[1].c))
		for _, t := range terms[2:] {
			sum = s.AddScaled(sum, 1, t.t, float32(t.c))
		}
		return sum
	})
}

// bound keeps a clean sample in the range that the configuration asks for.
func (c *SchedulerConfig) bound(s *tensor.Scope, x0 *tensor.Tensor) *tensor.Tensor {
	switch {
	case c.Thresholding:
		return c.threshold(s, x0)
	case c.ClipSample:
		return s.Clamp(x0, float32(-c.ClipSampleRange), float32(c.ClipSampleRange))
	}
	return x0
}

// threshold is dynamic thresholding (Saharia et al. 2022, section 2.3): each image of x is cut at the quantile of its absolute values,
// at least 1 and at most SampleMaxValue, and divided by it. It reads the values on the host: models of latents do not use it.
func (c *SchedulerConfig) threshold(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	v := x.Float32s()
	n := len(v) / x.Dim(0)
	abs := make([]float64, n)
	for b := range x.Dim(0) {
		row := v[b*n : (b+1)*n]
		for i, e := range row {
			abs[i] = max(float64(e), -float64(e))
		}
		slices.Sort(abs)
		at := c.ThresholdRatio * float64(n-1)
		lo := int(at)
		hi := min(lo+1, n-1)
		cut := abs[lo] + (abs[hi]-abs[lo])*(at-float64(lo))
		limit := float32(max(1, min(cut, c.SampleMaxValue)))
		for i, e := range row {
			row[i] = max(-limit, min(limit, e)) / limit
		}
	}
	return s.FromFloat32s(v, x.Shape()...)
}
