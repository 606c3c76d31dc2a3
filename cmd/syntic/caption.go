package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syntic/clip/pixels"
	"syntic/cmd/internal/cli"
	"syntic/syntic/pipeline"
)

// A batch of images ends at either of these, so that memory stays bounded whatever their sizes.
const (
	captionImages = 16
	captionPixels = 1 << 24 // decoded and held at once, but for a single larger image
)

// maxRatio is the largest ratio of an image's sides.
const maxRatio = 100

// Largest values of --beam and --neighbours.
const (
	maxBeams      = 64
	maxNeighbours = 1000
)

type captionOptions struct {
	model, memory     string
	json              bool
	beams, neighbours int
}

func captionCmd() *cobra.Command {
	var o captionOptions
	cmd := &cobra.Command{
		Use: "caption IMAGE...", Short: "Caption images of your own with a model that syntic run trained",
		Long: "Caption images (JPEG, PNG, WebP, GIF, BMP) with a model that syntic run trained: one line each, the path, a tab, the caption.\n" +
			"An image that cannot be read gets a line on stderr, the others are captioned all the same, and the exit code is 3.\n" +
			"An image's caption does not depend on the others.",
		Example: "  syntic caption photo.jpg\n  syntic caption --model runs/full --beam 5 --json photos/*.jpg > captions.jsonl\n" +
			"  syntic caption --memory texts-of-my-domain.txt photo.jpg",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error { return caption(cmd, paths, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "runs/toy", "`folder` of a run, or its folder model")
	f.StringVar(&o.memory, "memory", "", "project on the texts of this `file` (lines, or any corpus that syntic data check reads), or on features of texts that syntic encode wrote")
	f.BoolVar(&o.json, "json", false, "print a line {\"image\", \"caption\", \"log_prob\", \"objects\", \"neighbours\", \"seconds\"} each")
	f.IntVar(&o.beams, "beam", 0, "`width` of the beam search; 1: greedy (default: the model's)")
	f.IntVar(&o.neighbours, "neighbours", 3, "--json shows the `N` training texts nearest to the image")
	return cmd
}

func caption(cmd *cobra.Command, paths []string, o captionOptions) error {
	switch given := cmd.Flags().Changed; {
	case given("beam") && (o.beams < 1 || o.beams > maxBeams):
		return cli.Usage(fmt.Errorf("--beam %d: want 1 to %d", o.beams, maxBeams))
	case o.neighbours < 0 || o.neighbours > maxNeighbours:
		return cli.Usage(fmt.Errorf("--neighbours %d: want 0 to %d", o.neighbours, maxNeighbours))
	}
	dev, err := openDevice()
	if err != nil {
		return cli.Usage(err)
	}
	m, err := pipeline.OpenModel(dev, o.model)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--model: %w", err))
	}
	defer m.Close()
	if o.memory != "" {
		if err := m.SwapMemory(cmd.Context(), dev, o.memory); err != nil {
			return fmt.Errorf("--memory: %w", err)
		}
	}
	if o.beams > 0 {
		m.Decode.Beams = o.beams
	}
	if !o.json {
		o.neighbours = 0 // not shown
	}
	c := captioner{m: m, o: o, out: cmd.OutOrStdout()}
	var bad error // the last image that could not be read; those before it have been told
	for _, path := range paths {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		im, err := openImage(path)
		if err != nil {
			if bad != nil {
				cli.Complain(cmd.ErrOrStderr(), "syntic", bad)
			}
			bad = err
			continue
		}
		if err := c.add(cmd.Context(), path, im); err != nil {
			return err
		}
	}
	if err := c.flush(cmd.Context()); err != nil {
		return errors.Join(bad, err)
	}
	return cli.BadInput(bad)
}

// openImage reads an image that the models can take: their resizing would make a line of a very long one, or far more pixels than it has.
func openImage(path string) (*pixels.Image, error) {
	im, err := pixels.Open(path)
	if err == nil && max(im.Width, im.Height) > maxRatio*min(im.Width, im.Height) {
		return nil, fmt.Errorf("image %s: %d×%d pixels: want a longer side of at most %d times the shorter", path, im.Width, im.Height, maxRatio)
	}
	return im, err
}

// captioner gathers images and captions them a batch at a time, in order.
type captioner struct {
	m      *pipeline.Model
	o      captionOptions
	out    io.Writer
	paths  []string
	images []*pixels.Image
	pixels int
}

// captionLine is a line of --json. Objects and neighbours are lists even where they are empty.
type captionLine struct {
	Image string `json:"image"`
	pipeline.Captioned
	Seconds float64 `json:"seconds"` // a share of its batch's time
}

// add takes an image; the batch that it does not fit into is captioned first.
func (c *captioner) add(ctx context.Context, path string, im *pixels.Image) error {
	n := im.Width * im.Height
	if len(c.images) == captionImages || c.pixels+n > captionPixels {
		if err := c.flush(ctx); err != nil {
			return err
		}
	}
	c.paths, c.images, c.pixels = append(c.paths, path), append(c.images, im), c.pixels+n
	return nil
}

// flush captions the batch and prints its lines.
func (c *captioner) flush(ctx context.Context) error {
	if len(c.images) == 0 {
		return nil
	}
	begin := time.Now()
	found, err := c.m.CaptionImages(ctx, c.images, c.o.neighbours)
	if err != nil {
		return err
	}
	seconds := time.Since(begin).Seconds() / float64(len(found))
	for i, f := range found {
		if err := c.print(captionLine{c.paths[i], f, seconds}); err != nil {
			return err
		}
	}
	c.paths, c.images, c.pixels = nil, nil, 0
	return nil
}

func (c *captioner) print(line captionLine) error {
	if !c.o.json {
		_, err := fmt.Fprintf(c.out, "%s\t%s\n", line.Image, strings.Join(strings.Fields(line.Caption), " "))
		return err
	}
	if line.Objects == nil {
		line.Objects = []pipeline.Box{}
	}
	if line.Neighbours == nil {
		line.Neighbours = []pipeline.Neighbour{}
	}
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	return e.Encode(line)
}
