package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"syntic/bench"
	"syntic/cmd/internal/cli"
	"syntic/syntic/config"
)

func benchCompareCmd() *cobra.Command {
	var across, asJSON bool
	cmd := &cobra.Command{
		Use: "compare A.jsonl B.jsonl", Short: "Two files of measurements: what got faster, what slower", Args: cobra.ExactArgs(2),
		Long: "Compare two files that bench model, pipeline or peers wrote: for every case that both have, the median of A over the median of B (above 1: B is\n" +
			"faster), its 95 % bootstrap interval, and the p-value of the Mann-Whitney test on all samples. A difference counts below p = 0.01 with\n" +
			"an interval that leaves 1 out. Samples of one run are alike in what disturbed them: differences of a few per cent need runs that were alternated.\n" +
			"Files of unlike machines (processor, instruction set, cores, threads, clock governor) are refused; source and Go version may differ.",
		Example: "  syntic bench compare before.jsonl after.jsonl",
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := bench.ReadRecords(args[0])
			if err != nil {
				return err
			}
			b, err := bench.ReadRecords(args[1])
			if err != nil {
				return err
			}
			changes, lonely, err := bench.CompareRecords(a, b, across)
			if err != nil {
				return err
			}
			return showChanges(cmd.OutOrStdout(), cmd.ErrOrStderr(), changes, lonely, asJSON)
		},
	}
	cmd.Flags().BoolVar(&across, "across-machines", false, "compare although the machines differ")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	return cmd
}

func showChanges(out, log io.Writer, changes []bench.Change, lonely []string, asJSON bool) error {
	for _, l := range lonely {
		fmt.Fprintln(log, l)
	}
	if len(changes) == 0 {
		return cli.BadInput(errors.New("no case is in both files"))
	}
	if asJSON {
		lines := json.NewEncoder(out)
		for _, c := range changes {
			if err := lines.Encode(c); err != nil {
				return err
			}
		}
		return nil
	}
	table := cli.NewTable("case", "engine", ">threads", ">A", ">B", ">ratio", ">95 %", ">p", "B is")
	for _, c := range changes {
		table.Row(c.Case, c.Engine, c.Threads, seconds(c.A.Median), seconds(c.B.Median), fmt.Sprintf("%.3f", c.Ratio), fmt.Sprintf("%.3f–%.3f", c.Low, c.High), fmt.Sprintf("%.2g", c.P), c.Verdict())
	}
	return table.Write(out)
}

func benchPlotCmd() *cobra.Command {
	var out, title string
	cmd := &cobra.Command{
		Use: "plot FILE.jsonl... --out FILE.svg", Short: "Draw cost against size, or a roofline, from measurements", Args: cobra.MinimumNArgs(1),
		Long: "Draw seconds against the number of rows, a line for each workload, class, engine and number of threads that was measured at two sizes or\n" +
			"more: infonce by pairs, project and topk by the size of the bank.",
		Example: "  syntic bench model infonce/*/f32 project/*/f32 --save cost.jsonl\n  syntic bench plot cost.jsonl --out cost.svg",
		RunE: func(_ *cobra.Command, paths []string) error {
			var all []bench.Record
			for _, path := range paths {
				records, err := bench.ReadRecords(path)
				if err != nil {
					return err
				}
				all = append(all, records...)
			}
			svg, err := bench.PlotCost(title, bench.SeriesOf(all))
			if err != nil {
				return cli.BadInput(fmt.Errorf("%s: %w", strings.Join(paths, ", "), err))
			}
			if err := os.WriteFile(out, []byte(svg), 0o666); err != nil {
				return cli.BadInput(fmt.Errorf("--out: %w", err))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "SVG `file` to write")
	cmd.Flags().StringVar(&title, "title", "cost against size", "what stands above the plot")
	cmd.MarkFlagRequired("out")
	return cmd
}

func benchPipelineCmd() *cobra.Command {
	var o recordFlags
	var flags recipeFlags
	repeats := 1
	cmd := &cobra.Command{
		Use: "pipeline", Short: "Time the stages of a run: items a second of each", Args: cobra.NoArgs,
		Long: "Carry out a recipe, by default the drawn world's, in an empty folder that is removed afterwards, and tell for every stage how many items a second\n" +
			"it made. Times of the toy say nothing of the real models' sizes: for those see bench model.",
		Example: "  syntic bench pipeline --repeats 3 --save pipeline.jsonl\n  syntic bench pipeline --set data.train=200 --set train.epochs=1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if repeats < 1 {
				return cli.Usage(fmt.Errorf("--repeats %d: want 1 or more", repeats))
			}
			r, err := config.Load(flags.source, flags.sets)
			if err != nil {
				return cli.BadInput(err)
			}
			if o.roofline != "" {
				return cli.Usage(errors.New("--roofline: stages are not counted in operations; see bench model"))
			}
			sink, err := o.open(cmd.OutOrStdout())
			if err != nil {
				return err
			}
			bars := cli.NewProgress(cmd.ErrOrStderr())
			all, err := bench.MeasurePipeline(cmd.Context(), r, repeats, bars)
			bars.Close()
			if err != nil {
				return err
			}
			for _, rec := range all {
				if err := sink.add(rec); err != nil {
					return err
				}
			}
			if o.format == "table" {
				table := cli.NewTable("stage", ">items", ">items/s", ">an item", ">runs")
				for _, rec := range all {
					table.Row(strings.Split(rec.Case, "/")[1], rec.Calls, fmt.Sprintf("%.4g", rec.PerSecond), seconds(rec.Median), rec.N)
				}
				if err := table.Write(cmd.OutOrStdout()); err != nil {
					return err
				}
			}
			return sink.close()
		},
	}
	flags.register(cmd)
	o.register(cmd)
	cmd.Flags().IntVar(&repeats, "repeats", 1, "`number` of runs")
	return cmd
}
