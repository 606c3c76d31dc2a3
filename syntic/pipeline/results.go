package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"

	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/metric"
	"syntic/syntic/plan"
)

// Score is how one row with one seed did in one setting.
type Score struct {
	Setting string             `json:"setting"`
	Row     string             `json:"row"`
	Seed    int64              `json:"seed"`
	Scores  map[string]float64 `json:"scores"` // as pycocoevalcap names and scales them
	Images  int                `json:"images"`

	report *metric.Report
}

// Table is the scores of each row and setting over seeds.
type Table struct {
	Cells       []Cell       `json:"cells"`
	Comparisons []Comparison `json:"comparisons"`
}

// Cell is one row in one setting.
type Cell struct {
	Setting string             `json:"setting"`
	Row     string             `json:"row"`
	Mean    map[string]float64 `json:"mean"` // over seeds
	Seeds   []float64          `json:"cider_by_seed"`
	Low     float64            `json:"cider_low"` // 95 % interval of CIDEr over test images, of the mean over seeds
	High    float64            `json:"cider_high"`
}

// Comparison is the difference in CIDEr of two rows on the same images, of the means over seeds.
type Comparison struct {
	Setting    string  `json:"setting"`
	A          string  `json:"a"`
	B          string  `json:"b"`
	Difference float64 `json:"cider_difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	BySeed     float64 `json:"seed_deviation"` // standard deviation of the difference over seeds; 0 for one seed
}

// setOf tells corpus and test set of a setting.
func setOf(setting string) (corpus, set string) {
	switch setting {
	case "cross_domain":
		return "main", "test-cross"
	case "zero_shot":
		return "web", "test-in"
	}
	return "main", "test-in"
}

// finish turns finished stages into the files that people read.
type finish struct {
	w       *work
	l       *layout
	p       *plan.Pipeline
	run     *Run
	dir     string
	machine string
	trained map[rowKey]*Trained
	tests   map[string]*Tests
}

func (f *finish) all(ctx context.Context) error {
	f.trained, f.tests = map[rowKey]*Trained{}, map[string]*Tests{}
	for set := range f.l.sets {
		t := &Tests{}
		if err := read(f.p, set, func(part *Tests) {
			t.Features, t.Found, t.Boxes = append(t.Features, part.Features...), append(t.Found, part.Found...), append(t.Boxes, part.Boxes...)
			t.References, t.PNG = append(t.References, part.References...), append(t.PNG, part.PNG...)
		}); err != nil {
			return err
		}
		f.tests[set] = t
	}
	for _, key := range f.l.rows {
		if err := read(f.p, key.String(), func(t *Trained) { f.trained[key] = t }); err != nil {
			return err
		}
	}
	if err := f.score(); err != nil {
		return err
	}
	f.run.Table = tabulate(f.w.r, f.run.Results)
	if err := f.write(); err != nil {
		return err
	}
	if err := f.model(); err != nil {
		return err
	}
	return f.page(ctx)
}

func imageID(i int) metric.ImageID { return metric.ImageID(strconv.Itoa(i + 1)) }

func (f *finish) score() error {
	refs := map[string]*metric.References{}
	for set, t := range f.tests {
		r := &metric.References{Path: set, Captions: map[metric.ImageID][]string{}}
		for i, c := range t.References {
			r.IDs = append(r.IDs, imageID(i))
			r.Captions[imageID(i)] = c
		}
		refs[set] = r
	}
	for _, setting := range f.w.r.Eval.Settings {
		corpus, set := setOf(setting)
		for _, row := range f.w.r.Eval.Rows {
			for k := range f.w.r.Seeds {
				key := rowKey{corpus, row, f.w.r.Seed + int64(k)}
				results := &metric.Results{Path: key.String()}
				for i, c := range f.captions(key, set) {
					results.Rows = append(results.Rows, metric.Result{ImageID: imageID(i), Caption: c.Text})
				}
				report, err := metric.Evaluate(refs[set], results, metric.Options{})
				if err != nil {
					return err
				}
				f.run.Results = append(f.run.Results, Score{setting, row, key.seed, report.Scores, report.Images, report})
			}
		}
	}
	return nil
}

func (f *finish) captions(key rowKey, set string) []syntic.Caption {
	t := f.trained[key]
	for i, name := range t.Sets {
		if name == set {
			return t.Texts[i]
		}
	}
	return nil
}

// tabulate takes means over seeds, and intervals over images.
func tabulate(r *config.Recipe, scores []Score) *Table {
	t := &Table{}
	perImage := map[[2]string][]float64{}
	seeds := map[[2]string][]float64{}
	for _, setting := range r.Eval.Settings {
		for _, row := range r.Eval.Rows {
			c := Cell{Setting: setting, Row: row, Mean: map[string]float64{}}
			var mean []float64
			for _, s := range scores {
				if s.Setting != setting || s.Row != row {
					continue
				}
				for name, x := range s.Scores {
					c.Mean[name] += x / float64(r.Seeds)
				}
				c.Seeds = append(c.Seeds, s.Scores["CIDEr"])
				each := s.report.PerImage["CIDEr"]
				if mean == nil {
					mean = make([]float64, len(each))
				}
				for i, x := range each {
					mean[i] += x / float64(r.Seeds)
				}
			}
			c.Low, c.High = c.Mean["CIDEr"], c.Mean["CIDEr"]
			if r.Eval.Bootstrap > 0 {
				b := metric.Bootstrap(mean, r.Eval.Bootstrap, uint64(r.Seed))
				c.Low, c.High = b.Low, b.High
			}
			perImage[[2]string{setting, row}], seeds[[2]string{setting, row}] = mean, c.Seeds
			t.Cells = append(t.Cells, c)
		}
		first := r.Eval.Rows[0]
		for _, row := range r.Eval.Rows[1:] {
			a, b := [2]string{setting, first}, [2]string{setting, row}
			if r.Eval.Bootstrap == 0 {
				continue
			}
			if d, ok := metric.BootstrapPaired(perImage[a], perImage[b], r.Eval.Bootstrap, uint64(r.Seed)); ok {
				t.Comparisons = append(t.Comparisons, Comparison{setting, first, row, d.Mean, d.Low, d.High, deviation(seeds[a], seeds[b])})
			}
		}
	}
	return t
}

// deviation is the standard deviation over seeds of the difference a − b.
func deviation(a, b []float64) float64 {
	n := float64(len(a))
	if n < 2 {
		return 0
	}
	mean, square := 0.0, 0.0
	for i := range a {
		mean += (a[i] - b[i]) / n
	}
	for i := range a {
		d := a[i] - b[i] - mean
		square += d * d
	}
	return math.Sqrt(square / (n - 1))
}

func writeJSON(path string, v any) error {
	return writeFile(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	})
}

type cocoResult struct {
	ImageID int    `json:"image_id"`
	Caption string `json:"caption"`
}

// write makes results.json, captions.json, references.json and, for every row, captions/SETTING-ROW-SEED.json.
func (f *finish) write() error {
	r := f.w.r
	if err := writeFile(filepath.Join(f.dir, "recipe.lock.yaml"), func(w io.Writer) error { _, err := w.Write(r.Lock()); return err }); err != nil {
		return err
	}
	models := map[string]string{}
	for name, folder := range map[string]string{"clip": f.w.folders.CLIP, "sd": f.w.folders.SD, "detr": f.w.folders.DETR} {
		models[name] = f.w.folders.hash[folder]
	}
	if err := writeJSON(filepath.Join(f.dir, "results.json"), map[string]any{"results": f.run.Results, "table": f.run.Table, "models_sha256": models,
		"stages": f.digests(), "scale": "CIDEr is CIDEr-D; scores are fractions as pycocoevalcap gives them, tables show them times 100"}); err != nil {
		return err
	}
	for i, setting := range r.Eval.Settings {
		corpus, set := setOf(setting)
		if i == 0 || set != "test-in" {
			name := "references.json"
			if i > 0 {
				name = "references-" + setting + ".json"
			}
			if err := writeJSON(filepath.Join(f.dir, name), coco(f.tests[set].References)); err != nil {
				return err
			}
		}
		for j, row := range r.Eval.Rows {
			for k := range r.Seeds {
				key := rowKey{corpus, row, r.Seed + int64(k)}
				var rows []cocoResult
				for n, c := range f.captions(key, set) {
					rows = append(rows, cocoResult{n + 1, c.Text})
				}
				if err := writeJSON(filepath.Join(f.dir, "captions", fmt.Sprintf("%s-%s-%d.json", setting, row, key.seed)), rows); err != nil {
					return err
				}
				if i+j+k == 0 {
					if err := writeJSON(filepath.Join(f.dir, "captions.json"), rows); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// digests are the hashes of the stages' output: equal digests, equal work.
func (f *finish) digests() map[string]string {
	out := map[string]string{}
	for _, s := range f.run.Stages {
		out[s.Stage] = s.Digest
	}
	return out
}

// coco is references in the COCO captions format.
func coco(refs [][]string) any {
	type image struct {
		ID int `json:"id"`
	}
	type annotation struct {
		ID      int    `json:"id"`
		ImageID int    `json:"image_id"`
		Caption string `json:"caption"`
	}
	out := struct {
		Images      []image      `json:"images"`
		Annotations []annotation `json:"annotations"`
	}{}
	for i, l := range refs {
		out.Images = append(out.Images, image{i + 1})
		for _, c := range l {
			out.Annotations = append(out.Annotations, annotation{len(out.Annotations) + 1, i + 1, c})
		}
	}
	return out
}
