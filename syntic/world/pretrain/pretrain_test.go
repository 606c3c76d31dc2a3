package pretrain

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"syntic/clip"
	"syntic/diffusion"
	"syntic/nn"
	"syntic/syntic/detr"
	"syntic/syntic/world"
	"syntic/tensor"
)

// short makes a training of a few steps with no scores.
func short(t *testing.T, name string, steps int, models string) *Job {
	j, err := New(tensor.CPU(), name, steps, 1, Options{Models: models})
	require.NoError(t, err)
	j.Scores = func(context.Context) (map[string]float64, error) { return map[string]float64{"none": 1}, nil }
	return j
}

func values(j *Job) (out [][]float32) {
	for _, p := range j.Params {
		out = append(out, p.Float32s())
	}
	return out
}

func TestATrainingStopsAnywhereAndGoesOnWithTheSameBits(t *testing.T) {
	dev, dir := tensor.CPU(), t.TempDir()
	whole := short(t, "vae", 4, "")
	require.NoError(t, Run(context.Background(), dev, whole, Options{Dir: filepath.Join(dir, "whole"), Checkpoint: time.Hour}))

	ctx, stop := context.WithCancel(context.Background())
	o := Options{Dir: filepath.Join(dir, "parts"), Checkpoint: time.Hour}
	first := short(t, "vae", 4, "")
	loss := first.Loss
	first.Loss = func(s *tensor.Scope, step int) (*tensor.Tensor, error) {
		if step == 1 {
			stop()
		}
		return loss(s, step)
	}
	require.ErrorIs(t, Run(ctx, dev, first, o), context.Canceled)
	second := short(t, "vae", 4, "")
	require.NoError(t, Run(context.Background(), dev, second, o))
	require.Equal(t, values(whole), values(second))

	v, err := diffusion.LoadVAE(dev, filepath.Join(o.Dir, "model"))
	require.NoError(t, err)
	require.Len(t, v.Config.LatentsStd, 4)
	data, err := os.ReadFile(filepath.Join(o.Dir, "curve.jsonl"))
	require.NoError(t, err)
	var p Point
	require.NoError(t, json.Unmarshal([]byte(strings.TrimSpace(string(data))), &p))
	require.Equal(t, 4, p.Step)
	require.Equal(t, 64, p.Samples)
	require.Equal(t, 1.0, p.Scores["none"])
}

func TestEveryModelTrainsSavesAndLoads(t *testing.T) {
	dev, dir := tensor.CPU(), t.TempDir()
	for _, name := range []string{"vae", "clip", "detr", "unet"} {
		j := short(t, name, 1, dir)
		require.NoError(t, Run(context.Background(), dev, j, Options{Dir: filepath.Join(dir, name), Checkpoint: time.Hour}), name)
	}
	to := t.TempDir()
	require.NoError(t, Pack(dir, to))
	m, err := clip.Load(filepath.Join(to, "clip"), dev)
	require.NoError(t, err)
	require.Equal(t, 128, m.Config.Projection)
	_, err = diffusion.LoadPipeline(dev, filepath.Join(to, "sd"), "PNDMScheduler")
	require.NoError(t, err)
	_, err = clip.LoadText(filepath.Join(to, "sd", "text_encoder"), dev)
	require.NoError(t, err)
	d, err := detr.Load(filepath.Join(to, "detr"), dev)
	require.NoError(t, err)
	require.Len(t, d.Config.Labels, len(world.DetectorKinds))
	require.Error(t, Pack(t.TempDir(), t.TempDir()))

	for name, from := range map[string]string{"vae": filepath.Join(to, "sd", "vae"), "unet": filepath.Join(to, "sd")} { // begun with those weights
		j, err := New(dev, name, 1, 2, Options{Models: dir, From: from})
		require.NoError(t, err)
		saved := filepath.Join(dir, name, "model", "again")
		require.NoError(t, j.Save(saved))
		a, b := "diffusion_pytorch_model.safetensors", filepath.Join(from, "diffusion_pytorch_model.safetensors")
		if name == "unet" {
			a, b = filepath.Join("text_encoder", "model.safetensors"), filepath.Join(from, "text_encoder", "model.safetensors")
		}
		one, err := os.ReadFile(filepath.Join(saved, a))
		require.NoError(t, err)
		two, err := os.ReadFile(b)
		require.NoError(t, err)
		require.Equal(t, two, one, name)
		_, err = New(dev, name, 1, 2, Options{Models: dir, From: t.TempDir()})
		require.Error(t, err)
	}

	j := short(t, "vae-decoder", 2, dir)
	require.NoError(t, Run(context.Background(), dev, j, Options{Dir: filepath.Join(dir, "vae-decoder"), Checkpoint: time.Hour}))
	before, after := modelValues(t, filepath.Join(to, "sd", "vae")), map[string][]float32(nil)
	require.NoError(t, Pack(dir, to))
	after = modelValues(t, filepath.Join(to, "sd", "vae"))
	for name := range before {
		if strings.HasPrefix(name, "encoder.") || strings.HasPrefix(name, "quant_conv.") {
			require.Equal(t, before[name], after[name], name)
		}
	}
	require.NotEqual(t, before["decoder.conv_out.weight"], after["decoder.conv_out.weight"])
}

// modelValues are the numbers of a VAE's parameters.
func modelValues(t *testing.T, dir string) map[string][]float32 {
	v, err := diffusion.LoadVAE(tensor.CPU(), dir)
	require.NoError(t, err)
	defer v.Close()
	out := map[string][]float32{}
	for _, p := range nn.Parameters(v) {
		out[p.Name] = p.Float32s()
	}
	return out
}

func TestUnknownTrainingsAndMissingModelsAreNamed(t *testing.T) {
	_, err := New(tensor.CPU(), "gan", 1, 1, Options{})
	require.EqualError(t, err, `world train "gan": want vae, clip, unet, vae-decoder, detr`)
	_, err = New(tensor.CPU(), "unet", 1, 1, Options{Models: t.TempDir()})
	require.ErrorContains(t, err, "train the VAE first")
}

func TestBatchesAreAFunctionOfTheStep(t *testing.T) {
	a, b := newSource(4, 0, true, domainOf), newSource(4, 2, true, domainOf)
	a.batch()
	a.batch()
	require.Equal(t, a.batch(), b.batch())
}

func TestLatentsAreAFunctionOfTheStep(t *testing.T) {
	dev := tensor.CPU()
	vae, err := diffusion.NewVAE(dev, VAEConfig())
	require.NoError(t, err)
	nn.Init(vae, 1)
	take := func(p *latentPool, step int) ([]float32, []string) {
		s := tensor.NewScope(dev)
		defer s.Close()
		z, captions := p.take(s, step)
		require.Equal(t, []int{2, 16, 16, 4}, z.Shape())
		return z.Float32s(), captions
	}
	whole, late := &latentPool{vae: vae, batch: 2}, &latentPool{vae: vae, batch: 2}
	z0, _ := take(whole, 0)
	z1, first := take(whole, 1)
	require.NotEqual(t, z0, z1)
	z, captions := take(late, 1)
	require.Equal(t, z1, z)
	require.Equal(t, first, captions)
	z, captions = take(late, poolBatches+1) // met again
	require.Equal(t, z1, z)
	require.NotEqual(t, first, captions, "another caption of the same scenes")
	z, _ = take(late, poolBatches) // not met yet by this one
	require.Equal(t, z0, z)
}

func TestTokenizerKnowsEveryWordOfCaptions(t *testing.T) {
	tok, err := Tokenizer()
	require.NoError(t, err)
	for _, d := range []world.Domain{world.Photo, world.Crayon} {
		for _, w := range world.Vocabulary(d) {
			require.Len(t, tok.Encode(w), 1, w)
		}
	}
}

func TestHeldOutCaptionsDiffer(t *testing.T) {
	_, captions := singles(5)
	require.Len(t, captions, 5)
	b := distinct(8)
	require.Len(t, b.Captions, 8)
	require.Len(t, pictures(b.Pixels), 8)
}
