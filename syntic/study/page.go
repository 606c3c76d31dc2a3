package study

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"syntic/syntic/config"
	"syntic/syntic/pipeline"
	"syntic/syntic/report"
)

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// Label is what people read of a point.
func (r *Result) Label(p Point) string {
	parts := make([]string, len(p.Values))
	for i, v := range p.Values {
		parts[i] = r.Keys[i] + " " + v
	}
	return strings.Join(parts, ", ")
}

func settingLabel(name string) string { return strings.ReplaceAll(name, "_", "-") }

func rowLabel(name string) string {
	if row, err := config.FindRow(name); err == nil {
		return row.Label
	}
	return name
}

// Grid is the sweep as a table: each point's score in CIDEr-D, its interval, and its difference from the first point.
func (r *Result) Grid() report.Grid {
	rows := map[string]bool{}
	for _, c := range r.Points[0].Cells {
		rows[c.Row] = true
	}
	head := slices.Clone(r.Keys)
	if len(rows) > 1 {
		head = append(head, "row")
	}
	g := report.Grid{Title: "Points", Head: append(head, "setting", "CIDEr-D [95 %]", "seeds' deviation", "BLEU-4", "ROUGE-L", "against the first point [95 %]", "p"), Late: true,
		Note: fmt.Sprintf("Scores × 100, means over seeds %s. Intervals: bootstrap over test images, %d resamples, paired for differences; p is two-sided. What another seed would "+
			"change is in the seeds' deviation alone.", seeds(r.Seeds), r.Resamples)}
	if len(rows) == 1 {
		g.Note = "Row: " + rowLabel(r.Points[0].Cells[0].Row) + ". " + g.Note
	}
	if r.Toy {
		g.Warning = "Toy scores, of the drawn world: they compare with nothing published."
	}
	for _, p := range r.Points {
		for _, c := range p.Cells {
			line := slices.Clone(p.Values)
			if len(rows) > 1 {
				line = append(line, c.Row)
			}
			line = append(line, settingLabel(c.Setting), fmt.Sprintf("%s [%s, %s]", tenth(c.Mean["CIDEr"]), tenth(c.Low), tenth(c.High)), deviation(c.BySeed),
				tenth(c.Mean["Bleu_4"]), tenth(c.Mean["ROUGE_L"]))
			if a := c.Against; a != nil {
				line = append(line, pipeline.Differs(a.Difference, a.Low, a.High), pipeline.PValue(a.P, r.Resamples))
			} else {
				line = append(line, "–", "–")
			}
			g.Rows = append(g.Rows, line)
		}
	}
	return g
}

func tenth(x float64) string { return fmt.Sprintf("%.1f", 100*x) }

func seeds(list []int64) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = fmt.Sprint(s)
	}
	return strings.Join(words, ", ")
}

// deviation is the standard deviation over seeds.
func deviation(x []float64) string {
	if len(x) < 2 {
		return "–"
	}
	return tenth(pipeline.Deviation(x))
}

// Charts are the scores over the first axis, where its values are numbers: a curve for each row and each value of the other axes, a chart a setting.
func (r *Result) Charts(extra []report.Series) (out []report.Chart) {
	xs, ok := numbers(r.axes[0].Values)
	if !ok || len(xs) < 2 {
		return nil
	}
	low, high := math.Inf(1), slices.Max(xs) // low: of those above 0
	for _, x := range xs {
		if x > 0 {
			low = min(low, x)
		}
	}
	log := slices.Min(xs) >= 0 && high/low >= 20
	for k, setting := range r.settings() {
		chart := report.Chart{Title: "CIDEr-D by " + r.Keys[0] + ", " + settingLabel(setting), XLabel: r.Keys[0], YLabel: "CIDEr-D × 100", LogX: log,
			Note: "Bands: 95 % bootstrap interval over test images."}
		if chart.LogX {
			chart.XLabel += " (logarithmic)"
			if slices.Min(xs) == 0 {
				chart.Note += " 0 has no place on a logarithmic axis: see the table."
			}
		}
		if len(r.Seeds) > 1 {
			chart.Note += fmt.Sprintf(" Means over %d seeds.", len(r.Seeds))
		}
		curves := map[string]*report.Series{}
		var names []string
		for _, x := range sortedUnique(xs) {
			for _, p := range r.Points {
				if px, _ := numbers(p.Values[:1]); px[0] != x {
					continue
				}
				for _, c := range p.Cells {
					if c.Setting != setting {
						continue
					}
					name := rowLabel(c.Row)
					for j, v := range p.Values[1:] {
						name += ", " + r.Keys[j+1] + " " + v
					}
					s := curves[name]
					if s == nil {
						s = &report.Series{Name: name}
						curves[name], names = s, append(names, name)
					}
					s.X, s.Y = append(s.X, x), append(s.Y, 100*c.Mean["CIDEr"])
					s.Low, s.High = append(s.Low, 100*c.Low), append(s.High, 100*c.High)
				}
			}
		}
		for _, name := range names {
			chart.Series = append(chart.Series, *curves[name])
		}
		if k == 0 {
			chart.Series = append(chart.Series, extra...)
		}
		out = append(out, chart)
	}
	return out
}

func sortedUnique(x []float64) []float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	return slices.Compact(x)
}

// page is the report of a sweep.
func (s Sweep) page(r *Result) *report.Data {
	d := &report.Data{Title: "Sweep of " + strings.Join(r.Keys, ", "), Lead: r.Lead(),
		Facts: []report.Fact{{Name: "recipe", Value: r.Recipe}, {Name: "points", Value: fmt.Sprint(len(r.Points))}, {Name: "seeds", Value: seeds(r.Seeds)}, {Name: "machine", Value: s.Job.Machine}},
		Grids: []report.Grid{r.Grid()}, Curves: r.Charts(s.Extra)}
	if r.Toy {
		d.Grids[0].Warning = ""
		d.Notice = "These are toy results, of the drawn world: 64×64 drawings and tiny models that this program trained itself. They compare with nothing published."
	}
	if s.Note != "" {
		d.Remarks = append(d.Remarks, s.Note)
	}
	first := r.Points[0].Cells[0]
	d.Table.Metrics = []report.Metric{{Name: "CIDEr-D " + settingLabel(first.Setting), Decimals: 1}, {Name: "BLEU-4", Decimals: 1}, {Name: "ROUGE-L", Decimals: 1}}
	d.Table.Note = "First setting and row. The runs lie beside this file, one a point and seed, each with its own report."
	for _, p := range r.Points {
		c := p.Cells[0]
		cell := &report.Cell{Value: 100 * c.Mean["CIDEr"], Low: 100 * c.Low, High: 100 * c.High}
		for _, x := range c.BySeed {
			cell.Seeds = append(cell.Seeds, 100*x)
		}
		d.Table.Rows = append(d.Table.Rows, report.Row{Name: r.Label(p), Cells: []*report.Cell{cell, flat(c.Mean["Bleu_4"]), flat(c.Mean["ROUGE_L"])}})
	}
	return d
}

func flat(x float64) *report.Cell { return &report.Cell{Value: 100 * x, Low: 100 * x, High: 100 * x} }

// Lead says in words which point is best in the first row and setting, and how sure that is.
func (r *Result) Lead() string {
	best := 0
	for i, p := range r.Points {
		if p.Cells[0].Mean["CIDEr"] > r.Points[best].Cells[0].Mean["CIDEr"] {
			best = i
		}
	}
	c := r.Points[best].Cells[0]
	s := fmt.Sprintf("Best: %s, CIDEr-D %s (95 %% interval over images %s to %s) %s.", r.Label(r.Points[best]), tenth(c.Mean["CIDEr"]), tenth(c.Low), tenth(c.High), settingLabel(c.Setting))
	if a := c.Against; a != nil {
		s += fmt.Sprintf(" Against the first point, %s: %s, p %s.", r.Label(r.Points[0]), pipeline.Differs(a.Difference, a.Low, a.High), pipeline.PValue(a.P, r.Resamples))
	}
	if len(r.Points) > 2 {
		s += " The best of several is flattered by having been picked."
	}
	if len(r.Seeds) < 3 {
		s += " Other seeds may differ."
	}
	return s
}
