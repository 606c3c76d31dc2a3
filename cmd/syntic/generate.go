package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/diffusion"
	"syntic/syntic/config"
	"syntic/syntic/pipeline"
	"syntic/tensor/wholefile"
)

// Limits of one call of generate; a larger number is a slip of the pen.
const (
	maxSide  = 4096
	maxSteps = 1000
	maxCount = 1 << 20
)

type generateOptions struct {
	prompt, texts, out, sd string
	negative, sampler, rng string
	size                   string
	steps, count           int
	guidance               float64
	seed                   uint64
}

func generateCmd() *cobra.Command {
	o := generateOptions{}
	cmd := &cobra.Command{
		Use: "generate --prompt TEXT --out FILE.png", Short: "Draw images of texts with a Stable Diffusion model", Args: cobra.NoArgs,
		Long: "Draw images of texts with the drawn world's tiny model or Stable Diffusion 1.x: a folder in the diffusers layout or a\n" +
			"single-file checkpoint (.safetensors).\n" +
			"Without --steps, --guidance and --sampler, the drawn world's model takes the values of the toy recipe, others those of coco and\n" +
			"their own scheduler.\n" +
			"With --rng torch, image n of all (from 0) has the noise of a PyTorch CPU generator of its own, of seed --seed + n, and is the\n" +
			"image that diffusers makes of that seed; with --rng philox, image k of text i depends on --seed, k and i. How many images are\n" +
			"made together changes nothing. Each PNG says in its tEXt chunk \"parameters\" how it was made, and syntic replay makes it again.",
		Example: "  syntic generate --prompt \"a red ball on the grass\" --out ball.png\n" +
			"  syntic generate --prompt \"a small blue house\" --count 8 --seed 7 --out house.png\n" +
			"  syntic generate --texts captions.txt --sd stable-diffusion-v1-4 --sampler dpmsolver++-karras --steps 20 --out drawn.png",
		RunE: func(cmd *cobra.Command, _ []string) error { return generate(cmd, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.prompt, "prompt", "", "the `text` to draw")
	f.StringVar(&o.texts, "texts", "", "a `file` with a text a line, instead of --prompt")
	f.StringVar(&o.out, "out", "", "`file` of the image, a .png; several are numbered: ball-1.png, ball-2.png")
	f.StringVar(&o.sd, "sd", pipeline.World, "`folder` or file of the model, or world")
	f.StringVar(&o.negative, "negative", "", "`text` that the image is led away from")
	f.StringVar(&o.sampler, "sampler", "", "denoising `method`: "+strings.Join(diffusion.SamplerNames(), ", ")+", or a class name of diffusers")
	f.StringVar(&o.rng, "rng", "", "`source` of the noise: torch or philox (default: torch, for world philox)")
	f.IntVar(&o.steps, "steps", 0, "denoising steps, `N`")
	f.Float64Var(&o.guidance, "guidance", 0, "`scale` of classifier-free guidance; 1: none")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the noise, `N`")
	f.IntVar(&o.count, "count", 1, "`N` images for each text")
	f.StringVar(&o.size, "size", "", "size in pixels, `WxH` (default: the model's)")
	cmd.MarkFlagRequired("out")
	cmd.MarkFlagsOneRequired("prompt", "texts")
	cmd.MarkFlagsMutuallyExclusive("prompt", "texts")
	return cmd
}

func generate(cmd *cobra.Command, o *generateOptions) error {
	width, height, err := o.check(cmd.Flags().Changed)
	if err != nil {
		return cli.Usage(err)
	}
	if err := writable(o.out); err != nil {
		return cli.BadInput(fmt.Errorf("--out: %w", err))
	}
	texts := []string{o.prompt}
	if o.texts != "" {
		if texts, err = readTexts(o.texts); err != nil {
			return cli.BadInput(fmt.Errorf("--texts: %w", err))
		}
	}
	if err := o.complete(cmd.Flags().Changed); err != nil {
		return err
	}
	dev, err := openDevice()
	if err != nil {
		return cli.Usage(err)
	}
	e, err := openEasel(cmd.Context(), dev, o.sd, o.sampler)
	if err != nil {
		return err
	}
	defer e.Close()
	if o.sampler == "" {
		o.sampler = e.painter.Scheduler.Config.Class
	}
	if f := e.painter.VAE.Factor(); width%f != 0 || height%f != 0 {
		return cli.Usage(fmt.Errorf("--size %s: want multiples of %d for this model", o.size, f))
	}
	var list []drawing
	all := len(texts) * o.count
	for i, text := range texts {
		for k := range o.count {
			n := len(list)
			d := drawing{path: o.name(n, all), parameters: parameters{Prompt: text, Negative: o.negative, Model: o.sd, ModelHash: e.hash, Sampler: o.sampler,
				Steps: o.steps, Guidance: o.guidance, RNG: o.rng, Seed: o.seed, Item: i, Image: k, width: width, height: height}}
			if o.rng == rngTorch {
				d.Seed, d.Item, d.Image = o.seed+uint64(n), 0, 0
			}
			list = append(list, d)
		}
	}
	bars := cli.NewProgress(cmd.ErrOrStderr())
	defer bars.Close()
	finished := 0
	err = e.paint(cmd.Context(), bars, list, func(d drawing, data []byte) error {
		if err := wholefile.WriteBytes(d.path, data); err != nil {
			return cli.BadInput(fmt.Errorf("--out: cannot write %s: %w", d.path, reason(err)))
		}
		finished++
		fmt.Fprintln(cmd.OutOrStdout(), d.path)
		return nil
	})
	if err != nil && finished > 0 {
		fmt.Fprintf(bars, "%d of %d images were finished and are kept\n", finished, all)
	}
	return err
}

// check looks at what can be wrong before anything is read. Absent sizes are zeros.
func (o *generateOptions) check(given func(string) bool) (width, height int, err error) {
	switch {
	case !strings.EqualFold(filepath.Ext(o.out), ".png"):
		return 0, 0, fmt.Errorf("--out %q: want a name that ends in .png", o.out)
	case given("steps") && (o.steps < 1 || o.steps > maxSteps):
		return 0, 0, fmt.Errorf("--steps %d: want 1 to %d", o.steps, maxSteps)
	case given("guidance") && !(o.guidance >= 1 && o.guidance <= 50):
		return 0, 0, fmt.Errorf("--guidance %g: want 1 to 50", o.guidance)
	case o.count < 1 || o.count > maxCount:
		return 0, 0, fmt.Errorf("--count %d: want 1 to %d", o.count, maxCount)
	case given("sampler") && diffusion.CheckSampler(o.sampler) != nil:
		return 0, 0, fmt.Errorf("--sampler %q: want one of %s, or a class name of diffusers", o.sampler, strings.Join(diffusion.SamplerNames(), ", "))
	case given("rng") && o.rng != rngTorch && o.rng != rngPhilox:
		return 0, 0, fmt.Errorf("--rng %q: want torch or philox", o.rng)
	case !given("size"):
		return 0, 0, nil
	}
	return parseSize("--size", o.size)
}

// parseSize reads WxH; the error names what it is.
func parseSize(what, size string) (width, height int, err error) {
	var rest string
	n, _ := fmt.Sscanf(size+" .", "%dx%d %s", &width, &height, &rest)
	if n != 3 || rest != "." || width < 1 || height < 1 || width > maxSide || height > maxSide {
		return 0, 0, fmt.Errorf("%s %q: want WxH, each 1 to %d, such as 512x512", what, size, maxSide)
	}
	return width, height, nil
}

// complete takes what was not given from the recipe that fits the model.
func (o *generateOptions) complete(given func(string) bool) error {
	preset := "toy"
	if o.sd != pipeline.World {
		preset = "coco"
	}
	r, err := config.Load(preset, nil)
	if err != nil {
		return err
	}
	if !given("steps") {
		o.steps = r.Synth.Steps
	}
	if !given("guidance") {
		o.guidance = r.Synth.Guidance
	}
	if !given("sampler") && o.sd == pipeline.World {
		o.sampler = r.Synth.Sampler
	}
	if !given("negative") {
		o.negative = r.Synth.Negative
	}
	if !given("rng") {
		o.rng = defaultRNG(o.sd)
	}
	return nil
}

// readTexts reads a text a line; empty lines do not count.
func readTexts(path string) (texts []string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for _, line := range bytes.Split(data, []byte{'\n'}) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			texts = append(texts, string(line))
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s: no texts: want one a line", path)
	}
	return texts, nil
}

// name is the file of image n of all, from 0: numbered from 1 where there are several, with as many digits each.
func (o *generateOptions) name(n, all int) string {
	if all == 1 {
		return o.out
	}
	ext := filepath.Ext(o.out)
	return fmt.Sprintf("%s-%0*d%s", strings.TrimSuffix(o.out, ext), len(fmt.Sprint(all)), n+1, ext)
}
