package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/config"
	"syntic/syntic/pipeline"
	"syntic/syntic/study"
)

func runsCmd() *cobra.Command {
	var json bool
	var resamples int
	cmd := &cobra.Command{
		Use: "runs [DIR | RUN RUN...]", Short: "List the runs in a folder, or compare two or more: scores, differences, the keys that differ",
		Long: "With one folder, runs unless named, list the runs in it. With the folders of two or more runs, show the scores of each beside those of the\n" +
			"first, the paired difference with its 95 % bootstrap interval and p-value, and the keys that are not the same. Rows that two runs share\n" +
			"are compared with each other; runs that share none by their first rows. Runs on other test images are refused.",
		Example: "  syntic runs\n  syntic runs runs/a runs/b\n  syntic runs runs/a runs/b --json",
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if resamples < 1 {
				return cli.Usage(fmt.Errorf("--resamples %d: want at least 1", resamples))
			}
			if len(dirs) < 2 {
				return listRuns(cmd.OutOrStdout(), append(dirs, "runs")[0], json)
			}
			var runs []*study.Folder
			for _, dir := range dirs {
				f, err := study.Open(dir)
				if err != nil {
					return err
				}
				runs = append(runs, f)
			}
			return compareRuns(cmd.OutOrStdout(), runs, resamples, json)
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "print one object")
	cmd.Flags().IntVar(&resamples, "resamples", 1000, "`number` of paired bootstrap resamples")
	return cmd
}

// listedRun is a run as JSON shows it.
type listedRun struct {
	Dir    string             `json:"dir"`
	Recipe string             `json:"recipe"`
	Done   bool               `json:"done"`
	Rows   []string           `json:"rows"`
	Seeds  int                `json:"seeds"`
	Time   string             `json:"time"`
	Bytes  int64              `json:"bytes"`
	Toy    bool               `json:"toy"`
	Score  map[string]float64 `json:"cider_of_first_row,omitempty"` // by setting, the mean over seeds
}

func listed(f *study.Folder) listedRun {
	l := listedRun{f.Dir, f.Recipe.Preset, f.Done, f.Recipe.Eval.Rows, f.Recipe.Seeds, f.Time.UTC().Format("2006-01-02 15:04"), f.Bytes, f.Toy(), map[string]float64{}}
	for _, s := range f.Scores {
		if s.Row == l.Rows[0] {
			l.Score[s.Setting] += s.Scores["CIDEr"] / float64(l.Seeds)
		}
	}
	return l
}

func listRuns(w io.Writer, dir string, json bool) error {
	runs, err := study.List(dir)
	if err != nil {
		return err
	}
	out := []listedRun{}
	for _, f := range runs {
		out = append(out, listed(f))
	}
	if json {
		return writeJSON(w, out)
	}
	if len(out) == 0 {
		_, err := fmt.Fprintf(w, "no runs in %s\n", dir)
		return err
	}
	t := cli.NewTable("run", "recipe", "rows", ">seeds", ">CIDEr-D of the first row", "state", "UTC", ">size")
	toy := false
	for i, l := range out {
		state := "done"
		switch {
		case !l.Done:
			state = "not ended"
		case len(runs[i].Scores) == 0:
			state = "trained"
		}
		var scores []string
		for _, s := range runs[i].Recipe.Eval.Settings {
			if v, ok := l.Score[s]; ok {
				scores = append(scores, fmt.Sprintf("%s %.1f", strings.ReplaceAll(s, "_", "-"), 100*v))
			}
		}
		rows := strings.Join(l.Rows, " ")
		if len(l.Rows) > 3 {
			rows = fmt.Sprintf("%s and %d more", l.Rows[0], len(l.Rows)-1)
		}
		toy = toy || l.Toy
		t.Row(l.Dir, l.Recipe, rows, l.Seeds, strings.Join(scores, ", "), state, l.Time, cli.Bytes(l.Bytes))
	}
	if err := t.Write(w); err != nil {
		return err
	}
	note := "\nscores × 100"
	if toy {
		note += "; runs on the drawn world are toys, not comparable with published scores"
	}
	_, err = fmt.Fprintln(w, note+"; files that runs share count in each")
	return err
}

// jsonPair is study.Pair as JSON shows it.
type jsonPair struct {
	A string `json:"a"`
	B string `json:"b"`
	study.Pair
	Differences []jsonDifference `json:"differences"` // of b − a
}

func compareRuns(w io.Writer, runs []*study.Folder, resamples int, json bool) error {
	changes, err := study.Changes(runs)
	if err != nil {
		return err
	}
	var all []jsonPair
	for i, b := range runs[1:] {
		pairs, err := study.Compare(b, runs[0], resamples)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			j := jsonPair{A: runs[0].Dir, B: b.Dir, Pair: p}
			j.RowA, j.RowB, j.Seeds = p.RowB, p.RowA, [2]int{p.Seeds[1], p.Seeds[0]}
			for _, d := range p.Diffs {
				j.Differences = append(j.Differences, jsonDifference{d.Name, number(d.B), number(d.A), number(d.AB.Mean), number(d.AB.Low), number(d.AB.High), d.P})
			}
			all = append(all, j)
			if json {
				continue
			}
			if err := showPair(w, j, p, i > 0 || len(all) > 1, resamples); err != nil {
				return err
			}
		}
	}
	if json {
		return writeJSON(w, map[string]any{"pairs": all, "changes": changes, "resamples": resamples})
	}
	fmt.Fprintln(w)
	if len(changes) == 0 {
		fmt.Fprintln(w, "no key differs")
	} else {
		head := []string{"key that differs"}
		for _, f := range runs {
			head = append(head, f.Dir)
		}
		t := cli.NewTable(head...)
		for _, c := range changes {
			cells := []any{c.Key}
			for _, v := range c.Values {
				cells = append(cells, v)
			}
			t.Row(cells...)
		}
		if err := t.Write(w); err != nil {
			return err
		}
	}
	note := fmt.Sprintf("\nscores × 100; intervals and two-sided p: paired bootstrap over images, %d resamples. They do not hold what another seed would change.", resamples)
	for _, f := range runs {
		if f.Toy() {
			note += "\nThe drawn world is a toy: not comparable with published scores."
			break
		}
	}
	_, err = fmt.Fprintln(w, note)
	return err
}

func showPair(w io.Writer, j jsonPair, p study.Pair, gap bool, resamples int) error {
	if gap {
		fmt.Fprintln(w)
	}
	label := func(dir, row string, seeds int) string {
		name := row
		if r, err := config.FindRow(row); err == nil {
			name = r.Label
		}
		if seeds > 1 {
			name += fmt.Sprintf(", %d seeds", seeds)
		}
		return dir + " (" + name + ")"
	}
	fmt.Fprintf(w, "%s, %d images\nA  %s\nB  %s\n", strings.ReplaceAll(j.Setting, "_", "-"), j.Images, label(j.A, j.RowA, j.Seeds[0]), label(j.B, j.RowB, j.Seeds[1]))
	t := cli.NewTable("metric", ">A", ">B", ">B − A", ">95 % interval", ">p")
	for _, d := range p.Diffs {
		t.Row(d.Name, hundred(d.B), hundred(d.A), fmt.Sprintf("%+.2f", 100*d.AB.Mean), hundred(d.AB.Low)+" – "+hundred(d.AB.High), pipeline.PValue(d.P, resamples))
	}
	return t.Write(w)
}
