package main

import (
	"context"
	"fmt"
	"os"

	"syntic/cmd/internal/cli"
	"syntic/syntic/pipeline"
	"syntic/tensor"
)

// Sources of noise, values of --rng.
const (
	rngTorch  = "torch"
	rngPhilox = "philox"
)

// defaultRNG is the source that a model's origin uses.
func defaultRNG(model string) string {
	if model == pipeline.World {
		return rngPhilox
	}
	return rngTorch
}

// easel is a model that draws, for generate and replay.
type easel struct {
	painter *pipeline.Painter
	hash    string
	tmp     string // where the drawn world's model lies
}

// openEasel hashes and opens a model. Errors are bad input of --sd.
func openEasel(ctx context.Context, dev *tensor.Device, model, sampler string) (*easel, error) {
	tmp, err := os.MkdirTemp("", "syntic-generate-")
	if err != nil {
		return nil, err
	}
	e := &easel{tmp: tmp}
	if e.painter, err = pipeline.OpenPainter(dev, tmp, model, sampler); err != nil {
		e.Close()
		return nil, cli.BadInput(fmt.Errorf("--sd: %w", err))
	}
	if e.hash, err = pipeline.HashPainter(ctx, model); err != nil {
		e.Close()
		return nil, cli.BadInput(fmt.Errorf("--sd: %w", err))
	}
	return e, nil
}

// Close frees the model.
func (e *easel) Close() {
	if e.painter != nil {
		e.painter.Close()
	}
	os.RemoveAll(e.tmp)
}

// drawing is one image to make, and where it goes.
type drawing struct {
	path string
	parameters
}

// paintPixels is how many pixels are denoised together: activations of more take much memory and no less time.
const paintPixels = 512 * 512

// paintMost is how many images are denoised together, however small.
const paintMost = 8

// batch is how many of the images that begin a list are made together: those that differ in text and noise alone.
func (e *easel) batch(list []drawing) int {
	side := e.painter.UNet.Config.SampleSize * e.painter.VAE.Factor()
	w, h := side, side
	if list[0].width > 0 {
		w, h = list[0].width, list[0].height
	}
	return max(1, min(len(list), paintMost, paintPixels/max(1, w*h)))
}

// paint makes the images batch by batch and gives each, a whole PNG, to done. It shows two stages: images, and the model's calls, which take
// the time. All drawings have the same settings.
func (e *easel) paint(ctx context.Context, bars *cli.Progress, list []drawing, done func(d drawing, data []byte) error) error {
	calls, err := e.painter.Scheduler.Calls(list[0].Steps)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--steps: %w", err))
	}
	images, steps := bars.Stage("images", len(list)), bars.Stage("steps", len(list)*calls)
	defer images.Done()
	defer steps.Done()
	for len(list) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := list[:e.batch(list)]
		list = list[len(now):]
		var prompts []string
		var keys []tensor.Key
		for _, d := range now {
			prompts, keys = append(prompts, d.Prompt), append(keys, d.key())
		}
		p := now[0].parameters
		made, err := e.painter.Paint(ctx, prompts, keys, pipeline.PaintOptions{Steps: p.Steps, Guidance: p.Guidance, Negative: p.Negative, Width: p.width,
			Height: p.height, Torch: p.RNG == rngTorch, OnCall: func() { steps.Add(len(now)) }})
		if err != nil {
			return err
		}
		for i, d := range now {
			data, err := pipeline.EncodePNG(made[i])
			if err != nil {
				return err
			}
			d.width, d.height = made[i].Width, made[i].Height
			if data, err = withText(data, parametersKey, d.text()); err != nil {
				return err
			}
			if err := done(d, data); err != nil {
				return err
			}
			images.Add(1)
		}
	}
	return nil
}
