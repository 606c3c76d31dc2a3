package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/config"
	"syntic/syntic/pipeline"
	"syntic/syntic/published"
	"syntic/syntic/report"
	"syntic/syntic/study"
)

func sweepCmd() *cobra.Command {
	var flags recipeFlags
	var place folderFlags
	var over []string
	var seeds, row string
	var json, planOnly bool
	cmd := &cobra.Command{
		Use: "sweep --over KEY=V1,V2,...", Short: "Run a recipe with several values of some keys and seeds: table, differences, p-values, chart", Args: cobra.NoArgs,
		Long: "Do a run for each combination of values and each seed, in a folder of its own below --out. What the runs share, such as synthetic pairs, is\n" +
			"made once. The table shows the mean over seeds of each point with its interval, and the paired difference from the first point with its\n" +
			"p-value; report.html draws them, sweep.json has all digits. A sweep that was stopped goes on where it was.\n" +
			"Values of keys that are lists stand apart by |, as in eval.rows=syntic|syntic,decap.",
		Annotations: cli.Resumable,
		Example: "  syntic sweep --over refine.temperature=0.02,0.05,0.1 --seeds 1,2,3\n  syntic sweep --over refine.steps=0,10,50 --over memory.top_k=0,64 --out runs/steps\n" +
			"  syntic sweep --recipe coco-datasize",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := flags.load()
			if err != nil {
				return err
			}
			if len(over) > 0 {
				r.Sweep.Over = over
			}
			if row == "" {
				row = r.Eval.Rows[0]
			}
			if r, err = r.With("sweep", "eval.rows="+row); err != nil {
				return cli.BadInput(err)
			}
			list, err := parseSeeds(seeds, r)
			if err != nil {
				return cli.Usage(err)
			}
			return sweep(cmd, r, &place, list, json, planOnly)
		},
	}
	flags.register(cmd)
	place.register(cmd, "runs/sweep")
	cmd.Flags().StringArrayVar(&over, "over", nil, "`key=value,value,...` to vary (repeatable); the recipe's sweep.over unless named")
	cmd.Flags().StringVar(&seeds, "seeds", "", "`list` of seeds with commas; the recipe's unless named")
	cmd.Flags().StringVar(&row, "row", "", "the `row`, or rows with commas; the first of eval.rows unless named")
	cmd.Flags().BoolVar(&json, "json", false, "print sweep.json in place of the table")
	cmd.Flags().BoolVar(&planOnly, "plan", false, "show the plan and stop")
	return cmd
}

func parseSeeds(text string, r *config.Recipe) (out []int64, err error) {
	if text == "" {
		for k := range r.Seeds {
			out = append(out, r.Seed+int64(k))
		}
		return out, nil
	}
	seen := map[int64]bool{}
	for _, word := range strings.Split(text, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(word), 10, 64)
		if err != nil || n < 0 || seen[n] {
			return nil, fmt.Errorf("--seeds %q: want different numbers from 0 with commas, such as 1,2,3", text)
		}
		seen[n] = true
		out = append(out, n)
	}
	return out, nil
}

// sweep plans, or does, the sweep that the recipe tells.
func sweep(cmd *cobra.Command, r *config.Recipe, place *folderFlags, seeds []int64, json, planOnly bool) error {
	axes, err := r.Axes()
	if err != nil {
		return err
	}
	if len(axes) == 0 {
		return cli.Usage(fmt.Errorf("nothing to vary: want --over key=value,value, or a recipe with sweep.over"))
	}
	if planOnly {
		return planSweep(cmd, r, place, axes, seeds)
	}
	dev, err := openDevice()
	if err != nil {
		return err
	}
	log := cmd.ErrOrStderr()
	bars := cli.NewProgress(log)
	began := time.Now()
	s := study.Sweep{Dir: place.out, Axes: axes, Seeds: seeds,
		Job: pipeline.Job{Device: dev, Progress: bars, Machine: machine(dev), Reuse: place.others(place.out), Board: place.board},
		Tell: func(at, of int, name string, finished bool) {
			state := ""
			if finished {
				state = ", finished before"
			}
			fmt.Fprintf(bars, "run %d of %d: %s%s\n", at, of, name, state)
		}}
	curve := len(axes) == 1 && axes[0].Key == "data.share"
	if curve && r.Preset == "coco-datasize" {
		s.Extra = publishedCurves()
		s.Note = "Published curves: CIDEr on COCO by share of the training pairs, " + published.Sources["SynC"] + "."
	}
	result, err := s.Do(cmd.Context(), r)
	bars.Close()
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if json {
		return writeJSON(out, result)
	}
	if err := showGrid(out, result.Grid()); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\nreport: %s/report.html\n", result.Lead(), place.out)
	fmt.Fprintf(log, "done in %s\n", time.Since(began).Round(time.Second))
	return nil
}

// publishedCurves are the data-size curves that others published.
func publishedCurves() (out []report.Series) {
	for _, method := range []string{"SynTIC", "PCM-Net", "PCM-Net + SynC"} {
		x, y := published.Curve(method)
		out = append(out, report.Series{Name: method + ", published", X: x, Y: y})
	}
	return out
}

// planSweep shows the plan of all runs of a sweep together.
func planSweep(cmd *cobra.Command, r *config.Recipe, place *folderFlags, axes []config.Axis, seeds []int64) error {
	points, err := r.Points(axes)
	if err != nil {
		return err
	}
	dev, err := openDevice()
	if err != nil {
		return err
	}
	s := study.Sweep{Dir: place.out, Axes: axes, Seeds: seeds, Job: pipeline.Job{Device: dev, Reuse: place.others(place.out)}}
	jobs, err := s.Jobs(points)
	if err != nil {
		return err
	}
	bars := cli.NewProgress(cmd.ErrOrStderr())
	for i := range jobs {
		jobs[i].Progress = bars
	}
	e, err := pipeline.PlanAll(cmd.Context(), jobs)
	bars.Close()
	if err != nil {
		return err
	}
	return writePlan(cmd.OutOrStdout(), fmt.Sprintf("plan of a sweep of recipe %s in %s: %d points, seeds %s, in all %d runs; rows %s; settings %s; up to %d captions\n"+
		"of other runs: also what runs before make, as each thing is made once", r.Preset, place.out, len(points), words(seeds), e.Runs, strings.Join(r.Eval.Rows, ", "),
		strings.Join(r.Eval.Settings, ", "), e.Texts), e)
}

func words(list []int64) string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = strconv.FormatInt(n, 10)
	}
	return strings.Join(out, ", ")
}

// reproduceSweep plans and carries out a recipe that has points of its own, and shows the published curve beside it.
func reproduceSweep(cmd *cobra.Command, r *config.Recipe, place *folderFlags, planOnly bool) error {
	seeds, err := parseSeeds("", r)
	if err != nil {
		return err
	}
	axes, err := r.Axes()
	if err != nil {
		return err
	}
	if err := planSweep(cmd, r, place, axes, seeds); err != nil || planOnly {
		return err
	}
	if err := sweep(cmd, r, place, seeds, false, false); err != nil {
		return err
	}
	return showCurve(cmd.OutOrStdout(), r)
}

func showCurve(w io.Writer, r *config.Recipe) error {
	g := report.Grid{Title: "Published: CIDEr on COCO by share of the training pairs", Head: []string{"share", "SynTIC", "PCM-Net", "PCM-Net + SynC"}, Note: published.Sources["SynC"]}
	if (&pipeline.Run{Recipe: r}).Toy() {
		g.Warning = "Not comparable with the toy scores above; the form of the curve may be looked at."
	}
	at := map[float64]map[string]float64{}
	var shares []float64
	for _, method := range g.Head[1:] {
		x, y := published.Curve(method)
		for i := range x {
			if at[x[i]] == nil {
				at[x[i]] = map[string]float64{}
			}
			at[x[i]][method] = y[i]
		}
		if method == "SynTIC" {
			shares = x
		}
	}
	for _, x := range shares {
		line := []string{fmt.Sprintf("%g", x)}
		for _, method := range g.Head[1:] {
			v, ok := at[x][method]
			if !ok {
				v = math.NaN()
			}
			line = append(line, pipeline.Decimal(v))
		}
		g.Rows = append(g.Rows, line)
	}
	for _, g := range []report.Grid{g, pipeline.OpenGrid(r)} {
		if err := showGrid(w, g); err != nil {
			return err
		}
	}
	return nil
}
