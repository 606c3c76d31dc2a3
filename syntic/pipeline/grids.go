package pipeline

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"syntic/syntic/config"
	"syntic/syntic/metric"
	"syntic/syntic/published"
	"syntic/syntic/report"
)

// Differences shows the first row's differences to the others; nothing where there are none.
func (r *Run) Differences() []report.Grid {
	t, resamples := r.Table, r.Recipe.Eval.Bootstrap
	g := report.Grid{Title: "Differences", Head: []string{"first row against", "setting", "CIDEr-D difference [95 %]", "p", "deviation over seeds"},
		Note: fmt.Sprintf("Paired bootstrap over test images, %d resamples, of means over seeds; p is two-sided, for no difference. What another seed would change is in the "+
			"last column alone, and unknown for one seed.", resamples)}
	for _, c := range t.Comparisons {
		seeds := "–"
		if cell := t.Cell(c.Setting, c.A); len(cell.Seeds) > 1 {
			seeds = fmt.Sprintf("%.1f", 100*c.BySeed)
		}
		g.Rows = append(g.Rows, []string{rowLabel(c.B), settingLabels[c.Setting], Differs(c.Difference, c.Low, c.High),
			PValue(c.P, resamples), seeds})
	}
	if g.Rows == nil {
		return nil
	}
	return []report.Grid{g}
}

// Groups is a table for each setting whose test images are of several groups, such as nocaps' domains: CIDEr-D of each by itself, and of all.
func (r *Run) Groups() (out []report.Grid) {
	resamples := max(1, r.Recipe.Eval.Bootstrap)
	for _, setting := range r.Recipe.Eval.Settings {
		g := report.Grid{Title: "By domain, " + settingLabels[setting], Head: []string{"row"},
			Note: fmt.Sprintf("CIDEr-D, means over %d seeds, 95 %% bootstrap intervals over images. Each domain is scored by itself, with document frequencies of its own references, "+
				"as others do: entire, which is all images scored together, is no mean of them.", r.Recipe.Seeds)}
		for _, row := range r.Recipe.Eval.Rows {
			line := []string{rowLabel(row)}
			parts, names := map[string][]*metric.Report{}, []string{}
			for _, s := range r.Results {
				if s.Setting != setting || s.Row != row || s.Groups == nil {
					continue
				}
				for _, x := range append(slices.Clone(s.Groups), Group{Name: "entire", Images: s.Images, report: s.report}) {
					if parts[x.Name] == nil {
						names = append(names, x.Name)
						if len(g.Rows) == 0 {
							g.Head = append(g.Head, fmt.Sprintf("%s, %d images", strings.ReplaceAll(x.Name, "_", "-"), x.Images))
						}
					}
					parts[x.Name] = append(parts[x.Name], x.report)
				}
			}
			for _, name := range names {
				in := metric.MeanIntervals(parts[name], resamples, uint64(r.Recipe.Seed))["CIDEr"]
				cell := fmt.Sprintf("%.1f", 100*in.Mean)
				if r.Recipe.Eval.Bootstrap > 0 {
					cell += fmt.Sprintf(" [%.1f, %.1f]", 100*in.Low, 100*in.High)
				}
				line = append(line, cell)
			}
			if len(names) > 0 {
				g.Rows = append(g.Rows, line)
			}
		}
		if len(g.Rows) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// Differs is a difference of scores × 100 with its interval.
func Differs(difference, low, high float64) string {
	return fmt.Sprintf("%s [%s, %s]", Signed(100*difference), Signed(100*low), Signed(100*high))
}

// Signed is a number with one digit and its sign; what rounds to zero has none.
func Signed(x float64) string {
	switch s := fmt.Sprintf("%.1f", math.Abs(x)); {
	case s == "0.0":
		return s
	case x < 0:
		return "−" + s
	default:
		return "+" + s
	}
}

// PValue shows no more than the resamples can tell.
func PValue(p float64, resamples int) string {
	if least := 2 / float64(resamples+1); p <= least {
		return fmt.Sprintf("≤ %.2g", least)
	}
	return fmt.Sprintf("%.2g", p)
}

// PublishedGrids are the rows of a run beside the published ones, a table for each setting of which some are at hand.
func PublishedGrids(run *Run) (out []report.Grid) {
	for _, setting := range run.Recipe.Eval.Settings {
		task := published.Task(run.Recipe.Preset, setting)
		others := published.Rows(task)
		if len(others) == 0 {
			continue
		}
		g := report.Grid{Title: fmt.Sprintf("Beside what was published: %s, %s", task, settingLabels[setting]),
			Late: true, Head: []string{"row", "image encoder", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr-D", "SPICE", "source"}}
		if run.Toy() {
			g.Warning = "Not comparable: ours are toy scores, of drawings and of models that this program trained itself."
		}
		var marks []string
		theirs := func(r published.Row) {
			line := []string{r.Method, r.Encoder}
			for _, name := range published.Metrics {
				line = append(line, Decimal(r.Scores[name]))
			}
			g.Rows = append(g.Rows, append(line, r.Source))
			for _, mark := range strings.Split(r.Source, "; ") {
				if !slices.Contains(marks, mark) {
					marks = append(marks, mark)
				}
			}
		}
		missing, stand := 0, map[string]bool{}
		for _, name := range run.Recipe.Eval.Rows {
			c := run.Table.Cell(setting, name)
			label, as := "ours: "+rowLabel(name), name
			if row, err := run.Recipe.Row(name); err == nil && name == "syntic" && row.Memory.Source == "target" {
				label, as = label+", target texts", "syntic_tt"
			}
			stand[as] = true
			g.Rows = append(g.Rows, []string{label, run.Recipe.CLIP.Model, Decimal(100 * c.Mean["Bleu_4"]), "–", Decimal(100 * c.Mean["ROUGE_L"]),
				fmt.Sprintf("%.1f [%.1f, %.1f]", 100*c.Mean["CIDEr"], 100*c.Low, 100*c.High), "–", "this run"})
			if r, ok := published.Of(task, as); ok {
				theirs(r)
			} else {
				missing++
			}
		}
		for _, r := range others {
			if !stand[r.OurRow] {
				theirs(r)
			}
		}
		for i, mark := range marks {
			marks[i] = mark + ": " + published.Sources[mark] + "."
		}
		g.Note = strings.Join(marks, " ") + " Brackets: 95 % bootstrap interval over test images. METEOR and SPICE of this run: syntic eval."
		if missing > 0 {
			g.Note += fmt.Sprintf(" Of %d of our rows no published scores are at hand.", missing)
		}
		out = append(out, g)
	}
	return out
}

// Decimal is a score with one digit, or a dash.
func Decimal(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return fmt.Sprintf("%.1f", x)
}

// OpenGrid is the keys that the paper leaves open with the values of a recipe.
func OpenGrid(r *config.Recipe) report.Grid {
	g := report.Grid{Title: "Choices that the paper leaves open", Head: []string{"key", "value", "from", "what is known"},
		Note: "What is known of SynTIC does not settle these keys: its authors published no code.", Late: true}
	for _, o := range config.OpenKeys {
		k, err := r.Find(o.Key)
		if err != nil {
			continue
		}
		g.Rows = append(g.Rows, []string{k.Path, fmt.Sprint(k.Value), r.Origin(k.Path), o.Known})
	}
	g.Fold = fmt.Sprintf("%d keys, the values of this run, and what is known of each", len(g.Rows))
	return g
}

// deviation is the standard deviation over seeds of the difference a − b.
func deviation(a, b []float64) float64 {
	diff := make([]float64, len(a))
	for i := range a {
		diff[i] = a[i] - b[i]
	}
	return Deviation(diff)
}

// Deviation is the standard deviation of a sample; 0 of fewer than two.
func Deviation(x []float64) float64 {
	n := float64(len(x))
	if n < 2 {
		return 0
	}
	mean, square := 0.0, 0.0
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		square += (v - mean) * (v - mean)
	}
	return math.Sqrt(square / (n - 1))
}
