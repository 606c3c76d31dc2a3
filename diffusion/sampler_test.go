package diffusion

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
)

const (
	pipelineTolerance = 5e-5 // of the latents' largest value, after up to 21 calls
	imageTolerance    = 1e-4 // absolute, in 0..1
)

func TestPipelinesEqualGolden(t *testing.T) {
	for _, c := range []struct {
		golden, class, change string
		steps                 int
		guidance              float32
	}{
		{"pipe_ddim", "DDIMScheduler", "", 20, 7.5},
		{"pipe_pndm", "", "", 20, 7.5},
		{"pipe_dpmpp_2m", "DPMSolverMultistepScheduler", "", 20, 7.5},
		{"pipe_dpmpp_2m_karras", "DPMSolverMultistepScheduler", "karras", 20, 7.5},
		{"pipe_euler", "EulerDiscreteScheduler", "", 20, 7.5},
		{"pipe_euler_a", "EulerAncestralDiscreteScheduler", "", 20, 7.5},
		{"pipe_lms", "LMSDiscreteScheduler", "", 20, 7.5},
		{"pipe_unipc", "UniPCMultistepScheduler", "", 20, 7.5},
		{"pipe_ddim_noguidance_wide_b2", "DDIMScheduler", "", 6, 1},
	} {
		t.Run(c.golden, func(t *testing.T) {
			p, s := loadPipeline(t, c.class), newScope(t)
			if c.change == "karras" {
				p.Scheduler.Config.UseKarrasSigmas = true
			}
			g := openGolden(t, "sd/golden/"+c.golden+".safetensors")
			cond, uncond := texts(t, s)
			want := g.image(s, "latents")
			var got []float32
			o := SampleOptions{Init: g.image(s, "init_noise"), Steps: c.steps, Guidance: c.guidance, OnStep: func(step Step) error {
				got = append(got, step.Latents.Float32s()...)
				return nil
			}}
			if _, ok := g.f.Info("noise"); ok {
				noise := g.image(s, "noise")
				for i := range noise.Dim(0) {
					o.Noise = append(o.Noise, s.Reshape(s.Slice(noise, 0, i, i+1), noise.Shape()[1:]...))
				}
			}
			z, err := (&Sampler{p.UNet, p.Scheduler}).Sample(context.Background(), s, cond, uncond, o)
			require.NoError(t, err)
			require.Len(t, got, want.Len())
			e := relative(got, want.Float32s())
			report(t, "all latents", e)
			require.LessOrEqual(t, e, pipelineTolerance)
			near(t, "final latents", z, g.image(s, "final_latents"), pipelineTolerance)

			if _, ok := g.f.Info("image"); !ok {
				return
			}
			image := p.Decode(s, z)
			diff := s.Sub(image, g.image(s, "image")).Float32s()
			worst := float32(0)
			for _, d := range diff {
				worst = max(worst, d, -d)
			}
			report(t, "image, absolute", float64(worst))
			require.LessOrEqual(t, worst, float32(imageTolerance))
		})
	}
}

// TestSampleIsTheSameInAnyBatch compares bits: an image alone, and as the second of three, on other numbers of threads.
func TestSampleIsTheSameInAnyBatch(t *testing.T) {
	for _, class := range []string{"DDIMScheduler", "PNDMScheduler"} {
		p, s := loadPipeline(t, class), newScope(t)
		cond, uncond := texts(t, s)
		three := s.Concat(0, uncond, cond, uncond)
		keys := []tensor.Key{{Seed: 5, Item: 1}, {Seed: 5, Item: 2}, {Seed: 5, Item: 1 << 40}}
		o := SampleOptions{Steps: 3, Height: 12, Width: 9, Eta: 0.7}
		ctx := context.Background()

		o.Keys = keys
		batch, err := p.Images(ctx, s, three, uncond, o)
		require.NoError(t, err)
		require.Equal(t, []int{3, 96, 72, 3}, batch.Shape())
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		o.Keys = keys[1:2]
		alone, err := p.Images(ctx, s, cond, uncond, o)
		require.NoError(t, err)
		require.Equal(t, s.Slice(batch, 0, 1, 2).Float32s(), alone.Float32s(), class)

		o.Keys = []tensor.Key{{Seed: 6, Item: 2}}
		other, err := p.Images(ctx, s, cond, uncond, o)
		require.NoError(t, err)
		require.NotEqual(t, other.Float32s(), alone.Float32s())
	}
}

// TestSampleDrawsTorchNumbers makes the goldens' images from their seed alone, in one batch with others.
func TestSampleDrawsTorchNumbers(t *testing.T) {
	for golden, class := range map[string]string{"pipe_ddim": "DDIMScheduler", "pipe_euler_a": "EulerAncestralDiscreteScheduler"} {
		p, s := loadPipeline(t, class), newScope(t)
		cond, uncond := texts(t, s)
		g := openGolden(t, "sd/golden/"+golden+".safetensors")
		require.Equal(t, g.image(s, "init_noise").Float32s(), torchNoise(s, []*TorchRand{NewTorchRand(2024)}, 8, 8, 4).Float32s())
		o := SampleOptions{Torch: []*TorchRand{NewTorchRand(2023), NewTorchRand(2024)}}
		z, err := (&Sampler{p.UNet, p.Scheduler}).Sample(context.Background(), s, cond, uncond, o)
		require.NoError(t, err)
		near(t, golden, s.Slice(z, 0, 1, 2), g.image(s, "final_latents"), pipelineTolerance)

		o.Torch = []*TorchRand{NewTorchRand(2024)}
		alone, err := (&Sampler{p.UNet, p.Scheduler}).Sample(context.Background(), s, cond, uncond, o)
		require.NoError(t, err)
		require.Equal(t, s.Slice(z, 0, 1, 2).Float32s(), alone.Float32s())
	}
}

// TestSampleTakesGivenNoise gives the keys' own noise by hand.
func TestSampleTakesGivenNoise(t *testing.T) {
	p, s := loadPipeline(t, "DDIMScheduler"), newScope(t)
	cond, _ := texts(t, s)
	o := SampleOptions{Steps: 2, Guidance: 1, Eta: 1, Keys: []tensor.Key{{Seed: 5, Item: 1}}}
	sampler := &Sampler{p.UNet, p.Scheduler}
	want, err := sampler.Sample(context.Background(), s, cond, nil, o)
	require.NoError(t, err)
	draw := func(step uint32) *tensor.Tensor { return s.Randn(tensor.Key{Seed: 5, Item: 1, Step: step}, 1, 8, 8, 4) }
	o = SampleOptions{Steps: 2, Guidance: 1, Eta: 1, Init: draw(0), Noise: []*tensor.Tensor{draw(1), draw(2)}}
	got, err := sampler.Sample(context.Background(), s, cond, nil, o)
	require.NoError(t, err)
	require.Equal(t, want.Float32s(), got.Float32s())
	o.Noise = nil
	_, err = sampler.Sample(context.Background(), s, cond, nil, o)
	require.ErrorContains(t, err, "noise of step 1")
}

func TestSampleStops(t *testing.T) {
	p, s := loadPipeline(t, ""), newScope(t)
	cond, uncond := texts(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	sampler := &Sampler{p.UNet, p.Scheduler}
	o := SampleOptions{Keys: make([]tensor.Key, 1), OnStep: func(step Step) error {
		calls++
		if step.Index == 1 {
			cancel()
		}
		return nil
	}}
	_, err := sampler.Sample(ctx, s, cond, uncond, o)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "step 3 of 21")
	require.Equal(t, 2, calls)

	stop := errors.New("enough")
	o.OnStep = func(Step) error { return stop }
	_, err = sampler.Sample(context.Background(), s, cond, uncond, o)
	require.ErrorIs(t, err, stop)
}

func TestSampleErrors(t *testing.T) {
	p, s := loadPipeline(t, ""), newScope(t)
	cond, uncond := texts(t, s)
	sampler := &Sampler{p.UNet, p.Scheduler}
	one := make([]tensor.Key, 1)
	for want, c := range map[string]struct {
		cond, uncond *tensor.Tensor
		o            SampleOptions
	}{
		"no image asked for":      {cond, uncond, SampleOptions{}},
		"needs negative texts":    {cond, nil, SampleOptions{Keys: one}},
		"texts []":                {nil, uncond, SampleOptions{Keys: one}},
		"want [3 or 1, L, 48]":    {s.Concat(0, cond, cond), uncond, SampleOptions{Keys: make([]tensor.Key, 3)}},
		"negative texts [1 5 48]": {cond, s.Slice(uncond, 1, 0, 5), SampleOptions{Keys: one}},
		"init noise [1 8 8 3]":    {cond, uncond, SampleOptions{Init: s.Zeros(1, 8, 8, 3)}},
		"2 keys and 1 generators": {cond, uncond, SampleOptions{Keys: make([]tensor.Key, 2), Torch: make([]*TorchRand, 1)}},
		"2 generators for 1":      {cond, uncond, SampleOptions{Torch: make([]*TorchRand, 2), Init: s.Zeros(1, 8, 8, 4)}},
		"2 keys for 1 images":     {cond, uncond, SampleOptions{Keys: make([]tensor.Key, 2), Init: s.Zeros(1, 8, 8, 4)}},
		"-1 steps":                {cond, uncond, SampleOptions{Keys: one, Steps: -1}},
	} {
		_, err := sampler.Sample(context.Background(), s, c.cond, c.uncond, c.o)
		require.ErrorContains(t, err, want)
	}
	_, err := LoadPipeline(tensor.CPU(), "testdata/sd", "FooScheduler")
	require.ErrorContains(t, err, "scheduler_config.json")
	_, err = LoadPipeline(tensor.CPU(), t.TempDir(), "")
	require.ErrorContains(t, err, "model_index.json")
}

// TestPipelineSaves writes a folder and reads it back.
func TestPipelineSaves(t *testing.T) {
	for _, class := range SchedulerNames() {
		p := loadPipeline(t, class)
		p.Scheduler.Config.StepsOffset = 3
		p.VAE.Config.LatentsMean, p.VAE.Config.LatentsStd = make([]float64, 4), []float64{1, 2, 3, 4}
		dir := filepath.Join(t.TempDir(), "model")
		require.NoError(t, p.Save(dir, "F32"))
		q, err := LoadPipeline(tensor.CPU(), dir, "")
		require.NoError(t, err)
		defer q.Close()
		require.Equal(t, p.Scheduler.Config, q.Scheduler.Config)
		require.Equal(t, p.UNet.Config, q.UNet.Config)
		require.Equal(t, p.VAE.Config, q.VAE.Config)
		for i, parts := range [][2]any{{p.UNet, q.UNet}, {p.VAE, q.VAE}} {
			want, got := nn.Parameters(parts[0]), nn.Parameters(parts[1])
			require.Len(t, got, len(want), i)
			for j := range want {
				require.Equal(t, want[j].Tensor.Data(), got[j].Tensor.Data(), want[j].Name)
			}
		}
	}
}

func loadPipeline(t *testing.T, class string) *Pipeline {
	t.Helper()
	p, err := LoadPipeline(tensor.CPU(), "testdata/sd", class)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// texts is the states of the goldens' prompt and negative prompt, [1, 77, 48] each.
func texts(t *testing.T, s *tensor.Scope) (cond, uncond *tensor.Tensor) {
	both := openGolden(t, "sd/golden/unet.inputs.safetensors").tensor(s, "encoder_hidden_states")
	return s.Slice(both, 0, 0, 1), s.Slice(both, 0, 1, 2)
}
