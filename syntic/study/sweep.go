package study

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"syntic/syntic/config"
	"syntic/syntic/metric"
	"syntic/syntic/pipeline"
	"syntic/syntic/report"
	"syntic/tensor/wholefile"
)

// Sweep is runs of one recipe with other values of some keys, each with several seeds. Each run has a folder of its own in Dir, so that it can be looked
// at, compared and gone on with like any other; what they share is made once.
type Sweep struct {
	Dir   string
	Axes  []config.Axis
	Seeds []int64
	Job   pipeline.Job                                    // what the runs have in common; Dir and Recipe are set for each
	Tell  func(point, of int, name string, finished bool) // called before each run
	Note  string                                          // of the report, besides its own
	Extra []report.Series                                 // other curves of the chart
}

// Result is what a sweep found.
type Result struct {
	Recipe    string   `json:"recipe"` // its preset
	Toy       bool     `json:"toy"`
	Keys      []string `json:"keys"`
	Seeds     []int64  `json:"seeds"`
	Resamples int      `json:"resamples"`
	Points    []Point  `json:"points"`

	axes []config.Axis
}

// Point is one combination of values.
type Point struct {
	Values  []string `json:"values"` // of the keys
	Folders []string `json:"folders"`
	Cells   []Cell   `json:"cells"` // of rows and settings
}

// Cell is how a row did in a setting: means over seeds, as fractions.
type Cell struct {
	Setting string             `json:"setting"`
	Row     string             `json:"row"`
	Images  int                `json:"images"`
	Mean    map[string]float64 `json:"mean"`
	Low     float64            `json:"cider_low"` // 95 % bootstrap interval over images
	High    float64            `json:"cider_high"`
	BySeed  []float64          `json:"cider_by_seed"`
	Against *Against           `json:"against_first_point,omitempty"`

	reports []*metric.Report
}

// Against is the paired difference in CIDEr to the same row and setting of the first point.
type Against struct {
	Difference float64 `json:"cider_difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	P          float64 `json:"p"`
}

// Jobs are the runs in their order: points, and for each the seeds. Each takes finished stages of the others.
func (s Sweep) Jobs(points []config.Point) ([]pipeline.Job, error) {
	var out []pipeline.Job
	for _, p := range points {
		for _, seed := range s.Seeds {
			r, err := p.Recipe.With("sweep", fmt.Sprintf("seed=%d", seed), "seeds=1")
			if err != nil {
				return nil, err
			}
			j := s.Job
			j.Dir, j.Recipe = filepath.Join(s.Dir, Name(p.Sets, seed)), r
			j.Reuse = append(pipeline.Siblings(j.Dir), s.Job.Reuse...)
			out = append(out, j)
		}
	}
	return out, nil
}

// Do does the runs, those that are finished excepted, and writes sweep.json, sweep.md with charts as SVG, and report.html. A cancelled ctx ends it with its error; the same sweep
// goes on from there.
func (s Sweep) Do(ctx context.Context, base *config.Recipe) (*Result, error) {
	points, err := base.Points(s.Axes)
	if err != nil {
		return nil, err
	}
	out := &Result{Recipe: base.Preset, Toy: (&pipeline.Run{Recipe: base}).Toy(), Seeds: s.Seeds, Resamples: max(1, base.Eval.Bootstrap), axes: s.Axes}
	for _, a := range s.Axes {
		out.Keys = append(out.Keys, a.Key)
	}
	if err := s.ours(); err != nil {
		return nil, err
	}
	jobs, err := s.Jobs(points)
	if err != nil {
		return nil, err
	}
	for i, p := range points {
		point := Point{}
		for _, set := range p.Sets {
			_, value, _ := strings.Cut(set, "=")
			point.Values = append(point.Values, value)
		}
		var folders []*Folder
		for k := range s.Seeds {
			at := i*len(s.Seeds) + k
			name := filepath.Base(jobs[at].Dir)
			f, err := s.run(ctx, jobs[at], at+1, len(jobs))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			folders, point.Folders = append(folders, f), append(point.Folders, name)
		}
		if point.Cells, err = cells(folders, out.Resamples); err != nil {
			return nil, err
		}
		out.Points = append(out.Points, point)
		out.against(len(out.Points) - 1)
	}
	return out, s.write(out)
}

// Name is the folder of a point of a sweep.
func Name(sets []string, seed int64) string {
	clean := func(r rune) rune {
		if r == '=' || r == '.' || r == '-' || r == '+' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}
	name := strings.Map(clean, strings.Join(sets, " "))
	if len(name) > 120 {
		name = name[:120]
	}
	return fmt.Sprintf("%s_seed=%d", name, seed)
}

// ours refuses a folder that holds a run of its own, whose report this one's would replace.
func (s Sweep) ours() error {
	if _, err := os.Stat(filepath.Join(s.Dir, config.LockName)); err == nil {
		return &NoRun{s.Dir, "holds a run: want another folder for a sweep"}
	}
	return nil
}

// run does one run, unless its folder has it.
func (s Sweep) run(ctx context.Context, j pipeline.Job, at, of int) (*Folder, error) {
	done := false
	if f, err := Open(j.Dir); err == nil && f.Done && len(f.Scores) > 0 {
		lock, err := os.ReadFile(filepath.Join(j.Dir, config.LockName))
		done = err == nil && bytes.Equal(lock, j.Recipe.Lock())
	}
	if s.Tell != nil {
		s.Tell(at, of, filepath.Base(j.Dir), done)
	}
	if done {
		return Open(j.Dir)
	}
	j.Reuse = append(pipeline.Siblings(j.Dir), s.Job.Reuse...) // runs that ended meanwhile as well
	if _, err := j.Do(ctx); err != nil {
		return nil, err
	}
	return Open(j.Dir)
}

// cells are those of the runs of one point, one a seed.
func cells(folders []*Folder, resamples int) ([]Cell, error) {
	var out []Cell
	r := folders[0].Recipe
	for _, setting := range r.Eval.Settings {
		for _, row := range r.Eval.Rows {
			c := Cell{Setting: setting, Row: row, Mean: map[string]float64{}}
			for _, f := range folders {
				reports, err := f.Reports(setting, row)
				if err != nil {
					return nil, err
				}
				c.reports = append(c.reports, reports...)
			}
			for _, report := range c.reports {
				c.BySeed, c.Images = append(c.BySeed, report.Scores["CIDEr"]), report.Images
			}
			for name, in := range metric.MeanIntervals(c.reports, resamples, 0) {
				if c.Mean[name] = in.Mean; name == "CIDEr" {
					c.Low, c.High = in.Low, in.High
				}
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// against holds a point's cells against those of the first point.
func (r *Result) against(i int) {
	if i == 0 {
		return
	}
	for k := range r.Points[i].Cells {
		c := &r.Points[i].Cells[k]
		for _, first := range r.Points[0].Cells {
			if first.Setting != c.Setting || first.Row != c.Row {
				continue
			}
			diffs, err := metric.CompareMeans(c.reports, first.reports, r.Resamples, 0)
			if err != nil {
				continue // tested on other images
			}
			for _, d := range diffs {
				if d.Name == "CIDEr" {
					c.Against = &Against{d.AB.Mean, d.AB.Low, d.AB.High, d.P}
				}
			}
		}
	}
}

func (s Sweep) write(r *Result) error {
	text, err := indented(r)
	if err != nil {
		return err
	}
	if err := wholefile.WriteBytes(filepath.Join(s.Dir, "sweep.json"), text); err != nil {
		return err
	}
	charts := r.Charts(s.Extra)
	md := fmt.Sprintf("# Sweep of %s\n\n%s\n\nRecipe %s, %d points, seeds %s.\n\n%s", strings.Join(r.Keys, ", "), r.Lead(), r.Recipe, len(r.Points), seeds(r.Seeds), r.Grid().Markdown())
	for i, c := range charts {
		svg, err := c.SVG()
		if err != nil {
			return err
		}
		name := fmt.Sprintf("chart-%s.svg", r.settings()[i])
		if err := wholefile.WriteBytes(filepath.Join(s.Dir, name), svg); err != nil {
			return err
		}
		md += fmt.Sprintf("\n![%s](%s)\n", c.Title, name)
	}
	if err := wholefile.WriteBytes(filepath.Join(s.Dir, "sweep.md"), []byte(md)); err != nil {
		return err
	}
	return wholefile.Write(filepath.Join(s.Dir, "report.html"), func(w io.Writer) error { return report.Render(w, s.page(r)) })
}

// settings are those of the points, in the order of the table.
func (r *Result) settings() (out []string) {
	for _, c := range r.Points[0].Cells {
		if !slices.Contains(out, c.Setting) {
			out = append(out, c.Setting)
		}
	}
	return out
}

// numbers are the values of an axis, where all are numbers.
func numbers(values []string) ([]float64, bool) {
	out := make([]float64, len(values))
	for i, v := range values {
		x, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			return nil, false
		}
		out[i] = x
	}
	return out, true
}
