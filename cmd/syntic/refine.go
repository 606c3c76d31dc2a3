package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic"
	"syntic/syntic/config"
)

type refineOptions struct {
	images, texts, out string
	refine             config.Refine
	seed               uint64
}

func refineCmd() *cobra.Command {
	o := refineOptions{refine: config.Default().Refine}
	cmd := &cobra.Command{
		Use: "refine --images FILE --texts FILE --out FILE", Short: "Move image features towards their own texts by a contrastive loss",
		Long: "Move the features of images towards those of their own texts and away from those of others, by gradient steps of a contrastive loss, each\n" +
			"feature staying of unit length: what SynTIC does with the features of generated images. Row i of --images belongs to row i of --texts.\n" +
			"Files are those of syntic encode, or any safetensors file with one matrix. The names of the images go along.",
		Example: "  syntic refine --images drawn.safetensors --texts captions.safetensors --out refined.safetensors --steps 10 --lr 0.01",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return refine(cmd, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.images, "images", "", "`file` of the images' features")
	f.StringVar(&o.texts, "texts", "", "`file` of their texts' features")
	f.StringVar(&o.out, "out", "", "safetensors `file` of the refined features")
	f.Float64Var(&o.refine.Temperature, "temperature", o.refine.Temperature, "of the contrastive loss, `T`")
	f.IntVar(&o.refine.Steps, "steps", o.refine.Steps, "number of steps, `N`")
	f.Float64Var(&o.refine.LR, "lr", o.refine.LR, "step size, `X`")
	f.IntVar(&o.refine.Batch, "batch", o.refine.Batch, "items refined together, each other's negatives, `N`")
	f.StringVar(&o.refine.Optimiser, "optimiser", o.refine.Optimiser, "`adam|gd|momentum`")
	f.Float64Var(&o.refine.Momentum, "momentum", o.refine.Momentum, "share of the last step that --optimiser momentum adds, `X`")
	f.Float64Var(&o.refine.StopRecall, "stop-recall", 0, "end a batch when this share of it finds its own texts, `X`; 0: never")
	f.Float64Var(&o.refine.StopPlateau, "stop-plateau", 0, "end a batch when its loss fell by less than this share in --patience steps, `X`; 0: never")
	f.IntVar(&o.refine.Patience, "patience", o.refine.Patience, "steps that --stop-plateau looks back, `N`")
	f.StringVar(&o.refine.Direction, "direction", o.refine.Direction, "of the loss: `image_to_text|text_to_image|both`")
	f.StringVar(&o.refine.Negatives, "negatives", o.refine.Negatives, "texts to move away from: `batch|memory` (all)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of how items are dealt to batches, `N`")
	for _, name := range []string{"images", "texts", "out"} {
		cmd.MarkFlagRequired(name)
	}
	return cmd
}

// check looks at what a recipe would have checked.
func (o *refineOptions) check() error {
	r := o.refine
	for _, c := range []struct {
		flag, value string
		of          []string
	}{{"optimiser", r.Optimiser, []string{"adam", "gd", "momentum"}}, {"direction", r.Direction, []string{"image_to_text", "text_to_image", "both"}},
		{"negatives", r.Negatives, []string{"batch", "memory"}}} {
		if !slices.Contains(c.of, c.value) {
			return fmt.Errorf("--%s %q: want one of %v", c.flag, c.value, c.of)
		}
	}
	switch {
	case !(r.Temperature > 0 && r.Temperature <= 10):
		return fmt.Errorf("--temperature %g: want more than 0, at most 10", r.Temperature)
	case r.Steps < 0 || r.Steps > 10000:
		return fmt.Errorf("--steps %d: want 0 to 10000", r.Steps)
	case !(r.LR > 0 && r.LR <= 10):
		return fmt.Errorf("--lr %g: want more than 0, at most 10", r.LR)
	case r.Batch < 2 || r.Batch > maxBatch:
		return fmt.Errorf("--batch %d: want 2 to %d", r.Batch, maxBatch)
	case !(r.Momentum >= 0 && r.Momentum < 1):
		return fmt.Errorf("--momentum %g: want 0 or more, below 1", r.Momentum)
	case !(r.StopRecall >= 0 && r.StopRecall <= 1):
		return fmt.Errorf("--stop-recall %g: want 0 to 1", r.StopRecall)
	case !(r.StopPlateau >= 0 && r.StopPlateau < 1):
		return fmt.Errorf("--stop-plateau %g: want 0 or more, below 1", r.StopPlateau)
	case r.Patience < 1 || r.Patience > 10000:
		return fmt.Errorf("--patience %d: want 1 to 10000", r.Patience)
	}
	return nil
}

func refine(cmd *cobra.Command, o *refineOptions) error {
	if err := o.check(); err != nil {
		return cli.Usage(err)
	}
	dev, err := openDevice()
	if err != nil {
		return cli.Usage(err)
	}
	if err := writable(o.out); err != nil {
		return cli.BadInput(fmt.Errorf("--out: %w", err))
	}
	images, texts, err := pairOf("--images", o.images, "--texts", o.texts)
	if err != nil {
		return cli.BadInput(err)
	}
	bars := cli.NewProgress(cmd.ErrOrStderr())
	defer bars.Close()
	r, err := syntic.Refine(cmd.Context(), dev, images.Rows, texts.Rows, images.Size, o.refine, o.seed, bars)
	if err != nil {
		return badInput(err)
	}
	images.Rows = r.Features
	if err := images.Save(o.out); err != nil {
		return err
	}
	return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
		Out          string    `json:"out"`
		Features     int       `json:"features"`
		Size         int       `json:"size"`
		Steps        float64   `json:"steps"` // mean over items
		LossBefore   float64   `json:"loss_before"`
		LossAfter    float64   `json:"loss_after"`
		RecallBefore float64   `json:"r@1_before"`
		RecallAfter  float64   `json:"r@1_after"`
		CosineBefore float64   `json:"cosine_before"`
		CosineAfter  float64   `json:"cosine_after"`
		Loss         []float64 `json:"loss"`             // before each step, and last
		Recall       []float64 `json:"recall,omitempty"` // the same: R@1 among the negatives
	}{o.out, images.Len(), images.Size, r.Steps, r.Loss[0], r.Loss[len(r.Loss)-1], r.Before, r.After, r.CosineBefore, r.CosineAfter, r.Loss, r.Recall})
}
