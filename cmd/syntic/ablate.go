package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
)

func ablateCmd() *cobra.Command {
	var flags recipeFlags
	var place folderFlags
	var rows []string
	var seeds int
	cmd := &cobra.Command{
		Use: "ablate", Short: "What each part of the method does: SynTIC, and without refinement, projection, objects", Args: cobra.NoArgs,
		Long: "Run a recipe with the rows of its parts, which share synthetic pairs, captions and test images, and show the first row's paired difference to\n" +
			"each of the others with its interval and p-value. It is syntic run with other rows: the folder is that of a run.",
		Annotations: cli.Resumable,
		Example:     "  syntic ablate --seeds 3\n  syntic ablate --rows syntic,no_objects,decap --set train.epochs=10",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := flags.load()
			if err != nil {
				return err
			}
			sets := []string{"eval.rows=" + strings.Join(rows, ",")}
			if seeds > 0 {
				sets = append(sets, fmt.Sprintf("seeds=%d", seeds))
			}
			if r, err = r.With("ablate", sets...); err != nil {
				return cli.BadInput(err)
			}
			begin := time.Now()
			run, err := place.do(cmd, r, false)
			if err != nil {
				return err
			}
			if err := showRun(cmd.OutOrStdout(), cmd.ErrOrStderr(), run, time.Since(begin)); err != nil {
				return err
			}
			for _, g := range run.Differences() {
				if err := showGrid(cmd.OutOrStdout(), g); err != nil {
					return err
				}
			}
			return nil
		},
	}
	flags.register(cmd)
	place.register(cmd, "runs/ablation")
	cmd.Flags().StringSliceVar(&rows, "rows", []string{"syntic", "no_refine", "no_projection", "no_objects"}, "the `rows`, the first of which the others are held against")
	cmd.Flags().IntVar(&seeds, "seeds", 0, "`number` of seeds; the recipe's unless named")
	return cmd
}
