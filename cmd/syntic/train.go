package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/config"
	"syntic/syntic/pipeline"
)

func trainCmd() *cobra.Command {
	var flags recipeFlags
	var place folderFlags
	var row string
	cmd := &cobra.Command{
		Use: "train", Short: "Train one row of a recipe and stop with a model that syntic caption reads", Args: cobra.NoArgs,
		Long: "Make what one row of a recipe learns from, train its decoder, and write the folder model, with recipe.lock.yaml, metrics.jsonl and CARD.md.\n" +
			"No test image is needed, and nothing is scored: syntic run with the same recipe and folder goes on from there. A training that was\n" +
			"stopped, by Ctrl-C or by kill -9, goes on from its last checkpoint and ends with the same weights, bit for bit.",
		Annotations: cli.Resumable,
		Example:     "  syntic train --out runs/mine\n  syntic train --recipe coco.yaml --set refine.temperature=0.05 --row syntic",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := flags.load()
			if err != nil {
				return err
			}
			if row == "" {
				row = r.Eval.Rows[0]
			}
			if r, err = r.With("train", "eval.rows="+row, "eval.settings="+r.Eval.Settings[0], "seeds=1"); err != nil {
				return cli.BadInput(err)
			}
			begin := time.Now()
			run, err := place.do(cmd, r, true)
			if err != nil {
				return err
			}
			label, err := config.FindRow(row)
			if err != nil {
				return err
			}
			first, last := run.Losses()
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d steps, loss %.3f to %.3f\nmodel: %s/model, described in %[5]s/CARD.md\ncaption images with it: syntic caption --model %[5]s IMAGE...\n",
				label.Label, run.Steps(), first, last, place.out)
			fmt.Fprintf(cmd.ErrOrStderr(), "done in %s\n", time.Since(begin).Round(time.Second))
			return nil
		},
	}
	flags.register(cmd)
	place.register(cmd, "runs/train")
	cmd.Flags().StringVar(&row, "row", "", "the `row` to train (syntic recipe --rows tells all); the first of eval.rows unless named")
	return cmd
}

// folderFlags are the flags of verbs that do a run in a folder.
type folderFlags struct {
	out   string
	reuse []string
	alone bool
	board bool
}

func (f *folderFlags) register(cmd *cobra.Command, out string) {
	cmd.Flags().StringVar(&f.out, "out", out, "`folder` of the run; what is finished there is not done again")
	cmd.Flags().StringArrayVar(&f.reuse, "reuse", nil, "`folder` of another run whose finished stages may be taken (repeatable); those beside --out always are")
	cmd.Flags().BoolVar(&f.alone, "alone", false, "take no stages of other runs")
	cmd.Flags().BoolVar(&f.board, "tensorboard", false, "write event files for TensorBoard to the folder tensorboard as well")
}

// others are the runs that stages may be taken from.
func (f *folderFlags) others(out string) []string {
	if f.alone {
		return f.reuse
	}
	return append(append([]string{}, f.reuse...), pipeline.Siblings(out)...)
}

// do does a run with progress on stderr.
func (f *folderFlags) do(cmd *cobra.Command, r *config.Recipe, train bool) (*pipeline.Run, error) {
	dev, err := openDevice()
	if err != nil {
		return nil, err
	}
	bars := cli.NewProgress(cmd.ErrOrStderr())
	defer bars.Close()
	job := pipeline.Job{Device: dev, Dir: f.out, Recipe: r, Progress: bars, Machine: machine(dev), Reuse: f.others(f.out), Train: train, Board: f.board}
	return job.Do(cmd.Context())
}
