package main

import (
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/config"
	"syntic/syntic/pipeline"
	"syntic/tensor"
)

func runCmd() *cobra.Command {
	var flags recipeFlags
	var place folderFlags
	var seed int64
	var full, quick bool
	cmd := &cobra.Command{
		Use: "run", Short: "The whole of SynTIC on the drawn world: synthetic pairs, training, captions, scores, report", Args: cobra.NoArgs,
		Long: "Carry out a recipe from captions to scores: draw an image for each caption, encode and refine it, train the decoders of every row of\n" +
			"the table, caption test images, score. The table goes to stdout. The folder of the run then holds report.html, results.json,\n" +
			"captions.json (COCO results), references.json, metrics.jsonl, CARD.md, recipe.lock.yaml, and model, which syntic caption reads.\n" +
			"A run that was stopped goes on where it was, and one with another recipe in the same folder does again only what differs.",
		Annotations: cli.Resumable,
		Example:     "  syntic run\n  syntic run --quick\n  syntic run --full --out runs/full\n  syntic run --set refine.temperature=0.1 --set eval.rows=syntic,no_refine",
		RunE: func(cmd *cobra.Command, _ []string) error {
			sets := flags.sets
			if quick {
				flags.source = config.Quick
			}
			if full {
				sets = append(config.Full(), sets...)
			}
			if cmd.Flags().Changed("seed") {
				sets = append(sets, fmt.Sprintf("seed=%d", seed))
			}
			r, err := config.Load(flags.source, sets)
			if err != nil {
				return cli.BadInput(err)
			}
			if !cmd.Flags().Changed("out") {
				place.out = flags.folder()
			}
			begin := time.Now()
			run, err := place.do(cmd, r, false)
			if err != nil {
				return err
			}
			return showRun(cmd.OutOrStdout(), cmd.ErrOrStderr(), run, time.Since(begin))
		},
	}
	flags.register(cmd)
	place.register(cmd, "runs/RECIPE")
	cmd.Flags().Int64Var(&seed, "seed", 1, "the run's seed, the same as --set seed=N")
	cmd.Flags().BoolVar(&full, "full", false, "three seeds, all rows of the main table, all settings")
	cmd.Flags().BoolVar(&quick, "quick", false, "every step once, on eight captions, in seconds; the scores mean nothing (recipe "+config.Quick+")")
	cmd.MarkFlagsMutuallyExclusive("quick", "full")
	cmd.MarkFlagsMutuallyExclusive("quick", "recipe")
	return cmd
}

func showRun(out, log io.Writer, run *pipeline.Run, took time.Duration) error {
	rows := run.Rows()
	head := rows[0]
	for i := 1; i < len(head); i++ {
		head[i] = ">" + head[i]
	}
	table := cli.NewTable(head...)
	for _, row := range rows[1:] {
		cells := make([]any, len(row))
		for i := range row {
			cells[i] = row[i]
		}
		table.Row(cells...)
	}
	if err := table.Write(out); err != nil {
		return err
	}
	for _, g := range run.Groups() {
		if err := showGrid(out, g); err != nil {
			return err
		}
	}
	what := ""
	if run.Recipe.Preset == config.Quick {
		what = "quick run: it shows that every step works, its scores mean nothing; "
	}
	if run.Toy() {
		what += "toy world: not comparable with published scores; "
	}
	_, err := fmt.Fprintf(out, "\nscores × 100; %sbrackets: 95 %% interval over test images, mean of %d seeds\nreport: %s\n", what, run.Recipe.Seeds, run.Report)
	fmt.Fprintf(log, "done in %s\n", took.Round(time.Second))
	return err
}

// machine says in words what computes.
func machine(dev *tensor.Device) string {
	return fmt.Sprintf("%d × %s, %s", runtime.GOMAXPROCS(0), runtime.GOARCH, dev)
}
