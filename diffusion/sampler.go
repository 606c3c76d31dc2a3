package diffusion

import (
	"context"
	"fmt"

	"syntic/tensor"
)

// Sampler turns noise into latents under a text.
type Sampler struct {
	UNet      *UNet
	Scheduler *Scheduler
}

// SampleOptions say what to make. The zero value of a field means its default.
type SampleOptions struct {
	Height, Width int                   // of the latents; absent: the UNet's sample_size
	Steps         int                   // absent: 20
	Guidance      float32               // absent: 7.5; at most 1: none, and the negative text is not looked at
	Eta           float64               // see RunOptions
	Keys          []tensor.Key          // one an image: image b depends on Keys[b], its texts and nothing else; Step is left for the sampler to set
	Torch         []*TorchRand          // one an image, in place of Keys: each goes on through the image's start and the noise of its steps
	Init          *tensor.Tensor        // standard normal numbers [B, Height, Width, C] to start from, instead of theirs
	Noise         []*tensor.Tensor      // standard normal numbers for the first steps, each as Init, instead of theirs
	Eager         bool                  // calls the model op by op where a GPU could replay a graph of the call; the bits are the same
	OnStep        func(step Step) error // called after each call of the model; an error ends the run
}

// Step is what OnStep is told.
type Step struct {
	Index, Calls int            // this call of the model, from 0, and how many there will be
	Time         float64        // what the model was told
	Latents      *tensor.Tensor // after the step, [B, Height, Width, C]; to be read, not kept
}

// Sample makes latents [B, Height, Width, C] in s for texts cond [B or 1, L, C] and negative texts uncond of the same shape, which may be nil
// where guidance is at most 1. It looks at ctx between steps. Peak memory does not grow with the number of steps.
func (m *Sampler) Sample(ctx context.Context, s *tensor.Scope, cond, uncond *tensor.Tensor, o SampleOptions) (latents *tensor.Tensor, err error) {
	defer tensor.Catch(&err)
	if err := m.complete(&o, cond, uncond); err != nil {
		return nil, err
	}
	run, err := m.Scheduler.Start(RunOptions{Steps: o.Steps, Eta: o.Eta})
	if err != nil {
		return nil, err
	}
	r := s.Child() // of the whole run; each step has one within it
	defer r.Close()
	r.NoGrad(func() { latents, err = m.loop(ctx, r, run, cond, uncond, &o) })
	if err != nil {
		return nil, err
	}
	return r.Keep(latents), nil
}

func (m *Sampler) loop(ctx context.Context, r *tensor.Scope, run Run, cond, uncond *tensor.Tensor, o *SampleOptions) (*tensor.Tensor, error) {
	guided := o.Guidance > 1
	x := r.Scale(m.noise(r, o, 0), float32(run.InitSigma()))
	hidden := cond
	if guided {
		var err error
		if hidden, err = pairTexts(r, cond, uncond, x.Dim(0)); err != nil {
			return nil, err
		}
	}
	times := run.Times()
	model := m.UNet.begin(r, x, hidden, times, o.Guidance, o.Eager)
	defer model.end()
	c := r.Apart() // of one call, and again of the next
	defer c.Close()
	for i, t := range times {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("sampling, step %d of %d: %w", i+1, len(times), err)
		}
		in := x
		if k := run.InputScale(i); k != 1 {
			in = c.Scale(x, float32(k))
		}
		out := r.Take(model.call(c, in, i))
		c.Reset()
		var noise *tensor.Tensor
		if run.WantsNoise(i) {
			if len(o.Keys) == 0 && len(o.Torch) == 0 && i >= len(o.Noise) {
				return nil, fmt.Errorf("sampling: noise of step %d is wanted: want a key or generator for each image, or more noise", i+1)
			}
			noise = m.noise(r, o, i+1)
		}
		next := run.Step(r, out, x, i, noise)
		for _, t := range []*tensor.Tensor{x, out, noise} {
			if t != nil && t != next {
				r.Free(t)
			}
		}
		x = next
		if o.OnStep != nil {
			if err := o.OnStep(Step{Index: i, Calls: len(times), Time: t, Latents: x}); err != nil {
				return nil, fmt.Errorf("sampling, step %d of %d: %w", i+1, len(times), err)
			}
		}
	}
	return x, nil
}

// noise is that of step i; 0 is the start. It is a tensor of r.
func (m *Sampler) noise(r *tensor.Scope, o *SampleOptions, i int) *tensor.Tensor {
	if i == 0 && o.Init != nil {
		return r.Copy(o.Init)
	}
	if i > 0 && i <= len(o.Noise) {
		return r.Copy(o.Noise[i-1])
	}
	if len(o.Torch) > 0 {
		return torchNoise(r, o.Torch, o.Height, o.Width, m.UNet.Config.InChannels)
	}
	keys := make([]tensor.Key, len(o.Keys))
	for b, k := range o.Keys {
		keys[b] = tensor.Key{Seed: k.Seed, Item: k.Item, Step: uint32(i)}
	}
	return Noise(r, keys, o.Height, o.Width, m.UNet.Config.InChannels)
}

// torchNoise draws [C, H, W] for each image, as PyTorch has them in memory, and returns all as [B, H, W, C].
func torchNoise(s *tensor.Scope, images []*TorchRand, h, w, c int) *tensor.Tensor {
	v := make([]float32, len(images)*c*h*w)
	for b, g := range images {
		g.Normal(v[b*c*h*w : (b+1)*c*h*w])
	}
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		return s.Permute(s.FromFloat32s(v, len(images), c, h, w), 0, 2, 3, 1)
	})
}

// complete fills in defaults and checks what the caller gave.
func (m *Sampler) complete(o *SampleOptions, cond, uncond *tensor.Tensor) error {
	c := &m.UNet.Config
	if o.Init != nil {
		sh := o.Init.Shape()
		if len(sh) != 4 || sh[0] < 1 || sh[3] != c.InChannels {
			return fmt.Errorf("init noise %v: want [B, H, W, %d]", sh, c.InChannels)
		}
		if (o.Height != 0 && o.Height != sh[1]) || (o.Width != 0 && o.Width != sh[2]) {
			return fmt.Errorf("init noise %v: want height %d, width %d", sh, o.Height, o.Width)
		}
		o.Height, o.Width = sh[1], sh[2]
	}
	setDefault(&o.Height, c.SampleSize)
	setDefault(&o.Width, c.SampleSize)
	setDefault(&o.Steps, 20)
	setDefault(&o.Guidance, 7.5)
	images := max(len(o.Keys), len(o.Torch))
	if o.Init != nil {
		images = o.Init.Dim(0)
	}
	switch {
	case images == 0:
		return fmt.Errorf("no image asked for: want a key or generator for each, or init noise")
	case len(o.Keys) != 0 && len(o.Torch) != 0:
		return fmt.Errorf("%d keys and %d generators: want one of both", len(o.Keys), len(o.Torch))
	case len(o.Torch) != 0 && len(o.Torch) != images:
		return fmt.Errorf("%d generators for %d images", len(o.Torch), images)
	case len(o.Keys) != 0 && len(o.Keys) != images:
		return fmt.Errorf("%d keys for %d images", len(o.Keys), images)
	case o.Height < 1 || o.Width < 1:
		return fmt.Errorf("latents of %d×%d: want at least 1×1", o.Height, o.Width)
	case cond == nil || cond.Rank() != 3 || cond.Dim(2) != c.CrossAttentionDim || (cond.Dim(0) != images && cond.Dim(0) != 1):
		return fmt.Errorf("texts %v: want [%d or 1, L, %d]", shapeOf(cond), images, c.CrossAttentionDim)
	case o.Guidance > 1 && uncond == nil:
		return fmt.Errorf("guidance %g needs negative texts (those of the empty prompt)", o.Guidance)
	}
	for i, n := range o.Noise {
		if n.Len() != images*o.Height*o.Width*c.InChannels {
			return fmt.Errorf("noise of step %d is %v: want [%d, %d, %d, %d]", i+1, n.Shape(), images, o.Height, o.Width, c.InChannels)
		}
	}
	return nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func shapeOf(t *tensor.Tensor) []int {
	if t == nil {
		return nil
	}
	return t.Shape()
}
