package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/config"
	"syntic/syntic/pipeline"
	"syntic/syntic/report"
)

func reproduceCmd() *cobra.Command {
	var flags recipeFlags
	var place folderFlags
	var planOnly bool
	cmd := &cobra.Command{
		Use: "reproduce RECIPE", Short: "Say what a recipe will take, carry it out, and show the published rows beside ours", Args: cobra.ExactArgs(1),
		Long: "First the plan: every kind of stage with its number of items, what is finished here or in a run beside this one, time and disk. Rates come from\n" +
			"finished shards, or are measured now on a few items. Then the run, as syntic run does it. Then each row beside the published one, with\n" +
			"its interval, and every key that the paper leaves open with the value that was used. Scores on the drawn world compare with nothing.\n" +
			"A recipe with sweep.over, such as coco-datasize, is carried out as syntic sweep does it.",
		Annotations: cli.Resumable,
		Example:     "  syntic reproduce toy --plan\n  syntic reproduce toy-cross-tt\n  syntic reproduce coco --set data.images=/data/coco",
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.source = args[0]
			r, err := flags.load()
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("out") {
				place.out = flags.folder()
			}
			if len(r.Sweep.Over) > 0 {
				return reproduceSweep(cmd, r, &place, planOnly)
			}
			if err := showPlan(cmd, &place, r); err != nil || planOnly {
				return err
			}
			begin := time.Now()
			run, err := place.do(cmd, r, false)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintln(out)
			if err := showRun(out, cmd.ErrOrStderr(), run, time.Since(begin)); err != nil {
				return err
			}
			return showPublished(out, run)
		},
	}
	cmd.Flags().StringArrayVar(&flags.sets, "set", nil, "override `key=value`, such as refine.steps=20 (repeatable)")
	place.register(cmd, "runs/RECIPE")
	cmd.Flags().BoolVar(&planOnly, "plan", false, "show the plan and stop")
	return cmd
}

// showPlan prints what a run will do and take.
func showPlan(cmd *cobra.Command, place *folderFlags, r *config.Recipe) error {
	dev, err := openDevice()
	if err != nil {
		return err
	}
	bars := cli.NewProgress(cmd.ErrOrStderr())
	e, err := pipeline.Job{Device: dev, Dir: place.out, Recipe: r, Progress: bars, Reuse: place.others(place.out)}.Plan(cmd.Context())
	bars.Close()
	if err != nil {
		return err
	}
	return writePlan(cmd.OutOrStdout(), fmt.Sprintf("plan of recipe %s in %s: %d captions; rows %s; settings %s; seeds %d", r.Preset, place.out, e.Texts, strings.Join(r.Eval.Rows, ", "),
		strings.Join(r.Eval.Settings, ", "), r.Seeds), e)
}

// writePlan prints an estimate.
func writePlan(out io.Writer, head string, e *pipeline.Estimate) error {
	fmt.Fprintf(out, "%s\n\n", head)
	t := cli.NewTable("stage", ">items", ">finished", ">of other runs", ">to make", ">items/s", ">time", ">disk", "rate")
	for _, k := range e.Kinds() {
		todo := k.Items - k.Done - k.Elsewhere
		if todo == 0 {
			t.Row(k.Kind, k.Items, k.Done, k.Elsewhere, 0, "", "", "", "")
			continue
		}
		t.Row(k.Kind, k.Items, k.Done, k.Elsewhere, todo, fmt.Sprintf("%.3g", k.Rate), duration(k.Seconds), cli.Bytes(k.Bytes), k.Measured)
	}
	t.Rule()
	t.Row("all", "", "", "", "", "", duration(e.Seconds), cli.Bytes(e.Disk), "")
	if err := t.Write(out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\ntime: items over a rate; it assumes that the machine stays as busy as it was while measuring (%s), that captions are as long as they\n"+
		"may be, and leaves out scoring and writing. disk: with the model's folder, and the checkpoint of a training (%s), which goes when it ends.\n",
		duration(e.Probe), cli.Bytes(e.Peak))
	return err
}

// duration is a time as people read it.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case seconds >= 48*3600:
		return fmt.Sprintf("%.1f days", seconds/86400)
	case seconds >= 60:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1fs", seconds)
}

// showPublished prints the published rows beside those of a run, and the keys that the paper leaves open.
func showPublished(w io.Writer, run *pipeline.Run) error {
	grids := pipeline.PublishedGrids(run)
	if len(grids) == 0 {
		fmt.Fprintln(w, "\nno published scores at hand for these settings")
	}
	for _, g := range append(grids, pipeline.OpenGrid(run.Recipe)) {
		if err := showGrid(w, g); err != nil {
			return err
		}
	}
	return nil
}

// showGrid prints a table of a report.
func showGrid(w io.Writer, g report.Grid) error {
	fmt.Fprintf(w, "\n%s\n", g.Title)
	if g.Warning != "" {
		fmt.Fprintln(w, g.Warning)
	}
	head := make([]string, len(g.Head))
	for i, h := range g.Head {
		if head[i] = h; g.Right(i) {
			head[i] = ">" + h
		}
	}
	t := cli.NewTable(head...)
	for _, row := range g.Rows {
		cells := make([]any, len(row))
		for i := range row {
			cells[i] = row[i]
		}
		t.Row(cells...)
	}
	fmt.Fprintln(w)
	if err := t.Write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, wrapped(g.Note, 140))
	return err
}

// wrapped breaks a text into lines of at most width bytes, but for longer words.
func wrapped(text string, width int) string {
	var b strings.Builder
	n := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case n+1+len(word) > width:
			b.WriteByte('\n')
			n = 0
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += len(word)
	}
	return b.String()
}
