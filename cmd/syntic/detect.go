package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"syntic/clip/pixels"
	"syntic/cmd/internal/cli"
	"syntic/syntic/config"
	"syntic/syntic/detr"
	"syntic/syntic/pipeline"
)

type detectOptions struct {
	detr, list string
	threshold  float64
	json       bool
}

func detectCmd() *cobra.Command {
	var o detectOptions
	cmd := &cobra.Command{
		Use: "detect PATH...", Short: "Find and name the objects in images with DETR",
		Long: "Find the objects in images, files or folders of them: one line each, the image, a tab, score, name and box as x0 y0 x1 y1 in pixels of the\n" +
			"image, from its top left; boxes may reach a little beyond it. Names are those of the model's config.json. What is found in an image\n" +
			"does not depend on the others. An image that cannot be read gets a line on stderr, the others are looked at all the same, and the exit\n" +
			"code is 3.",
		Example: "  syntic detect --detr detr-resnet-50 photo.jpg\n  syntic detect --detr detr-resnet-50 --threshold 0.9 --json photos > objects.jsonl",
		RunE:    func(cmd *cobra.Command, args []string) error { return detect(cmd, args, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.detr, "detr", pipeline.World, "`folder` of the DETR model; world: the drawn world's own")
	f.StringVar(&o.list, "list", "", "a `file` with the path of an image a line")
	f.Float64Var(&o.threshold, "threshold", 0, "least `score` of an object (default: the toy recipe's for world, coco's for a folder)")
	f.BoolVar(&o.json, "json", false, "print a line {\"image\", \"width\", \"height\", \"objects\": [{\"label\", \"id\", \"score\", \"box\"}]} an image")
	return cmd
}

func detect(cmd *cobra.Command, args []string, o *detectOptions) error {
	if len(args) == 0 && o.list == "" {
		return cli.Usage(errors.New("no images: want paths or --list"))
	}
	if !cmd.Flags().Changed("threshold") {
		preset := "toy"
		if o.detr != pipeline.World {
			preset = "coco"
		}
		r, err := config.Load(preset, nil)
		if err != nil {
			return err
		}
		o.threshold = r.Objects.Threshold
	}
	if !(o.threshold >= 0 && o.threshold <= 1) {
		return cli.Usage(fmt.Errorf("--threshold %g: want 0 to 1", o.threshold))
	}
	dev, err := openDevice()
	if err != nil {
		return cli.Usage(err)
	}
	paths, err := listImages(args, o.list)
	if err != nil {
		return cli.BadInput(err)
	}
	dir, remove, err := modelFolder(cmd, "--detr", o.detr, "detr")
	if err != nil {
		return err
	}
	defer remove()
	m, err := detr.Load(dir, dev)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--detr: %w", err))
	}
	defer m.Close()
	var bad error // the last image that could not be read; those before it have been told
	open := newOpener(paths)
	for i, path := range paths {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		im, err := open.take(i)
		if err != nil {
			if bad != nil {
				cli.Complain(cmd.ErrOrStderr(), "syntic", bad)
			}
			bad = err
			continue
		}
		found, err := detr.Detect(cmd.Context(), m, []*pixels.Image{im}, float32(o.threshold))
		if err != nil {
			return errors.Join(bad, err)
		}
		if err := o.print(cmd.OutOrStdout(), path, im, found[0]); err != nil {
			return err
		}
	}
	return cli.BadInput(bad)
}

// object is one of --json.
type object struct {
	Label string     `json:"label"`
	ID    int        `json:"id"`
	Score float32    `json:"score"`
	Box   [4]float32 `json:"box"`
}

func (o *detectOptions) print(out io.Writer, path string, im *pixels.Image, found []detr.Detection) error {
	if !o.json {
		for _, d := range found {
			if _, err := fmt.Fprintf(out, "%s\t%.3f %s %.1f %.1f %.1f %.1f\n", path, d.Score, d.Name, d.Box[0], d.Box[1], d.Box[2], d.Box[3]); err != nil {
				return err
			}
		}
		return nil
	}
	objects := []object{}
	for _, d := range found {
		objects = append(objects, object{d.Name, d.Label, d.Score, d.Box})
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Image   string   `json:"image"`
		Width   int      `json:"width"`
		Height  int      `json:"height"`
		Objects []object `json:"objects"`
	}{path, im.Width, im.Height, objects})
}
