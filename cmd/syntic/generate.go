package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/config"
	"syntic/syntic/pipeline"
	"syntic/tensor"
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
	negative, sampler      string
	size                   string
	steps, count           int
	guidance               float64
	seed                   uint64
}

func generateCmd() *cobra.Command {
	o := generateOptions{}
	cmd := &cobra.Command{
		Use: "generate --prompt TEXT --out FILE.png", Short: "Draw images of texts with a Stable Diffusion model", Args: cobra.NoArgs,
		Long: "Draw images of texts with the drawn world's tiny model or a Stable Diffusion 1.x folder in the diffusers layout.\n" +
			"Without --steps, --guidance and --sampler, the drawn world's model takes the values of the toy recipe, a folder those of coco.\n" +
			"Image k of text i depends on the texts, --seed, k and i alone. Each PNG says in its tEXt chunk \"parameters\" how it was made.",
		Example: "  syntic generate --prompt \"a red ball on the grass\" --out ball.png\n" +
			"  syntic generate --prompt \"a small blue house\" --count 8 --seed 7 --out house.png\n" +
			"  syntic generate --texts captions.txt --sd stable-diffusion-v1-4 --sampler dpmsolver++ --steps 20 --out drawn.png",
		RunE: func(cmd *cobra.Command, _ []string) error { return generate(cmd, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.prompt, "prompt", "", "the `text` to draw")
	f.StringVar(&o.texts, "texts", "", "a `file` with a text a line, instead of --prompt")
	f.StringVar(&o.out, "out", "", "`file` of the image, a .png; several are numbered: ball-1.png, ball-2.png")
	f.StringVar(&o.sd, "sd", pipeline.World, "`folder` of the model, or world")
	f.StringVar(&o.negative, "negative", "", "`text` that the image is led away from")
	f.StringVar(&o.sampler, "sampler", "", "denoising `method`: ddim, pndm or dpmsolver++")
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
	batch, err := o.complete(cmd.Flags().Changed)
	if err != nil {
		return err
	}
	dev, err := tensor.Open(globals.Device)
	if err != nil {
		return cli.Usage(err)
	}
	tmp, err := os.MkdirTemp("", "syntic-generate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	p, err := pipeline.OpenPainter(dev, tmp, o.sd, o.sampler)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--sd: %w", err))
	}
	defer p.Close()
	if f := p.VAE.Factor(); width%f != 0 || height%f != 0 {
		return cli.Usage(fmt.Errorf("--size %s: want multiples of %d for this model", o.size, f))
	}
	bars := cli.NewProgress(cmd.ErrOrStderr())
	defer bars.Close()
	bar := bars.Stage("generate", len(texts)*o.count)
	defer bar.Done()
	return o.paint(cmd.Context(), p, texts, batch, pipeline.PaintOptions{Steps: o.steps, Guidance: o.guidance, Negative: o.negative, Width: width, Height: height},
		func(path string) {
			bar.Add(1)
			fmt.Fprintln(cmd.OutOrStdout(), path)
		})
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
	case given("sampler") && o.sampler != "ddim" && o.sampler != "pndm" && o.sampler != "dpmsolver++":
		return 0, 0, fmt.Errorf("--sampler %q: want ddim, pndm or dpmsolver++", o.sampler)
	case !given("size"):
		return 0, 0, nil
	}
	var rest string
	n, _ := fmt.Sscanf(o.size+" .", "%dx%d %s", &width, &height, &rest)
	if n != 3 || rest != "." || width < 1 || height < 1 || width > maxSide || height > maxSide {
		return 0, 0, fmt.Errorf("--size %q: want WxH, each 1 to %d, such as 512x512", o.size, maxSide)
	}
	return width, height, nil
}

// complete takes what was not given from the recipe that fits the model, and says how many images are denoised together.
func (o *generateOptions) complete(given func(string) bool) (batch int, err error) {
	preset := "toy"
	if o.sd != pipeline.World {
		preset = "coco"
	}
	r, err := config.Load(preset, nil)
	if err != nil {
		return 0, err
	}
	if !given("steps") {
		o.steps = r.Synth.Steps
	}
	if !given("guidance") {
		o.guidance = r.Synth.Guidance
	}
	if !given("sampler") {
		o.sampler = r.Synth.Sampler
	}
	if !given("negative") {
		o.negative = r.Synth.Negative
	}
	return r.Synth.Batch, nil
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

// drawing is one image to make: image k of text i.
type drawing struct {
	text string
	i, k int
	path string
}

// key is the noise of a drawing, the same as that of synthetic pairs in a run.
func (d drawing) key(seed uint64) tensor.Key {
	return tensor.Key{Seed: seed, Item: uint64(d.k)<<32 + uint64(d.i)}
}

// paint makes the images batch by batch, writes each whole, and tells done its path.
func (o *generateOptions) paint(ctx context.Context, p *pipeline.Painter, texts []string, batch int, po pipeline.PaintOptions, done func(path string)) error {
	var list []drawing
	for i, text := range texts {
		for k := range o.count {
			list = append(list, drawing{text, i, k, o.name(len(list), len(texts)*o.count)})
		}
	}
	for len(list) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := list[:min(batch, len(list))]
		list = list[len(now):]
		var prompts []string
		var keys []tensor.Key
		for _, d := range now {
			prompts, keys = append(prompts, d.text), append(keys, d.key(o.seed))
		}
		images, err := p.Paint(ctx, prompts, keys, po)
		if err != nil {
			return err
		}
		for j, d := range now {
			data, err := pipeline.EncodePNG(images[j])
			if err != nil {
				return err
			}
			if data, err = withText(data, "parameters", o.parameters(d, images[j].Width, images[j].Height)); err != nil {
				return err
			}
			if err := wholefile.WriteBytes(d.path, data); err != nil {
				return cli.BadInput(fmt.Errorf("--out: cannot write %s: %w", d.path, reason(err)))
			}
			done(d.path)
		}
	}
	return nil
}

// name is the file of image n of all, from 0: numbered from 1 where there are several, with as many digits each.
func (o *generateOptions) name(n, all int) string {
	if all == 1 {
		return o.out
	}
	ext := filepath.Ext(o.out)
	return fmt.Sprintf("%s-%0*d%s", strings.TrimSuffix(o.out, ext), len(fmt.Sprint(all)), n+1, ext)
}
