package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

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
	Groups  []Group            `json:"groups,omitempty"` // nocaps' domains

	report *metric.Report
}

// Group is the score of a part of the images, with document frequencies of that part alone, as peers score nocaps' domains: the score of all is not
// a mean of theirs.
type Group struct {
	Name   string             `json:"name"`
	Images int                `json:"images"`
	Scores map[string]float64 `json:"scores"`

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
	P          float64 `json:"p"`              // two-sided, of the paired bootstrap over images
	BySeed     float64 `json:"seed_deviation"` // standard deviation of the difference over seeds; 0 for one seed
}

// finish turns finished stages into the files that people read.
type finish struct {
	w       *work
	l       *layout
	p       *plan.Pipeline
	run     *Run
	dir     string
	machine string
	board   bool // event files of TensorBoard

	trained map[rowKey]*Trained
	texts   map[said][]syntic.Caption
	tests   map[string]*Tests
	look    *looking // of the first row, for the figures; nil until they ask for it
}

// said names the captions of a row for a set of test images.
type said struct {
	key rowKey
	set string
}

func (f *finish) all(ctx context.Context) error {
	if err := f.load(); err != nil {
		return err
	}
	defer func() { f.look.release() }()
	f.run.curve = f.trained[f.l.first.key].Steps
	steps := []func() error{f.score, func() error { return f.figures(ctx) }, f.write, f.metrics, f.model, f.card, func() error { return f.page(ctx) }}
	if f.w.trainOnly {
		steps = []func() error{f.metrics, f.model, f.card}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return writeSums(f.dir)
}

// load reads what the stages made.
func (f *finish) load() error {
	f.trained, f.texts, f.tests = map[rowKey]*Trained{}, map[said][]syntic.Caption{}, map[string]*Tests{}
	for _, set := range f.l.sets {
		t := &Tests{}
		f.tests[set] = t
		if err := read(f.p, set, func(part *Tests) {
			t.Features, t.Found, t.Boxes = append(t.Features, part.Features...), append(t.Found, part.Found...), append(t.Boxes, part.Boxes...)
			t.References, t.PNG = append(t.References, part.References...), append(t.PNG, part.PNG...)
		}); err != nil {
			return err
		}
	}
	for _, key := range f.l.rows {
		var err error
		if f.trained[key], err = readTrained(f.p, f.l.of[key].trainer()); err != nil {
			return err
		}
		for _, set := range f.l.sets {
			stage := key.captions(set)
			if !f.l.have[stage] {
				continue
			}
			if err := read(f.p, stage, func(t *[]syntic.Caption) { f.texts[said{key, set}] = *t }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *finish) score() error {
	refs := map[string]*metric.References{}
	for name, t := range f.tests {
		set := f.w.sets[name]
		r := &metric.References{Path: name, Captions: map[metric.ImageID][]string{}}
		for i, c := range t.References {
			r.IDs = append(r.IDs, set.id(i))
			r.Captions[set.id(i)] = c
		}
		refs[name] = r
	}
	err := f.each(func(s setting, key rowKey) error {
		set := f.w.sets[s.set]
		results := &metric.Results{Path: key.String()}
		for i, c := range f.texts[said{key, s.set}] {
			results.Rows = append(results.Rows, metric.Result{ImageID: set.id(i), Caption: c.Text})
		}
		report, err := metric.Evaluate(refs[s.set], results, metric.Options{})
		if err != nil {
			return err
		}
		score := Score{Setting: s.name, Row: key.row, Seed: key.seed, Scores: report.Scores, Images: report.Images, report: report}
		if score.Groups, err = groupScores(set, refs[s.set], results); err != nil {
			return err
		}
		f.run.Results = append(f.run.Results, score)
		return nil
	})
	if err == nil {
		f.run.Table = tabulate(f.w.r, f.run.Results)
	}
	return err
}

// groupScores scores each group of a set's images by itself; none where it has no groups.
func groupScores(set *imageSet, refs *metric.References, results *metric.Results) (out []Group, err error) {
	names, of := set.groups()
	for _, name := range names {
		r := &metric.References{Path: name, Captions: map[metric.ImageID][]string{}}
		part := &metric.Results{Path: results.Path}
		for _, i := range of[name] {
			r.IDs = append(r.IDs, set.id(i))
			r.Captions[set.id(i)] = refs.Captions[set.id(i)]
			part.Rows = append(part.Rows, results.Rows[i])
		}
		report, err := metric.Evaluate(r, part, metric.Options{})
		if err != nil {
			return nil, err
		}
		out = append(out, Group{name, report.Images, report.Scores, report})
	}
	return out, nil
}

// each visits settings, rows and seeds.
func (f *finish) each(do func(setting, rowKey) error) error {
	for _, s := range settingsOf(f.w.r) {
		for _, row := range f.w.r.Eval.Rows {
			for k := range f.w.r.Seeds {
				if err := do(s, rowKey{s.corpus, row, f.w.r.Seed + int64(k)}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// tabulate takes means over seeds, intervals over images, and compares the first row with the others.
func tabulate(r *config.Recipe, scores []Score) *Table {
	t := &Table{}
	for _, setting := range r.Eval.Settings {
		var first *Cell
		var base []*metric.Report
		for _, row := range r.Eval.Rows {
			c, reports := cellOf(r, setting, row, scores)
			t.Cells = append(t.Cells, c)
			if first == nil {
				first, base = &c, reports
				continue
			}
			if r.Eval.Bootstrap == 0 {
				continue
			}
			diffs, err := metric.CompareMeans(base, reports, r.Eval.Bootstrap, uint64(r.Seed))
			if err != nil {
				continue // of other images: there are none such in a run
			}
			for _, d := range diffs {
				if d.Name == "CIDEr" {
					t.Comparisons = append(t.Comparisons, Comparison{setting, first.Row, row, d.AB.Mean, d.AB.Low, d.AB.High, d.P, deviation(first.Seeds, c.Seeds)})
				}
			}
		}
	}
	return t
}

// cellOf takes the means over seeds of one row in one setting.
func cellOf(r *config.Recipe, setting, row string, scores []Score) (c Cell, reports []*metric.Report) {
	c = Cell{Setting: setting, Row: row, Mean: map[string]float64{}}
	for _, s := range scores {
		if s.Setting != setting || s.Row != row {
			continue
		}
		for name, x := range s.Scores {
			c.Mean[name] += x / float64(r.Seeds)
		}
		c.Seeds = append(c.Seeds, s.Scores["CIDEr"])
		reports = append(reports, s.report)
	}
	c.Low, c.High = c.Mean["CIDEr"], c.Mean["CIDEr"]
	if r.Eval.Bootstrap > 0 {
		b := metric.MeanIntervals(reports, r.Eval.Bootstrap, uint64(r.Seed))["CIDEr"]
		c.Low, c.High = b.Low, b.High
	}
	return c, reports
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
	ImageID metric.ImageID `json:"image_id"`
	Caption string         `json:"caption"`
}

// write makes results.json, captions.json and references.json (of the first setting, row and seed), references-SETTING.json of settings with other
// test images, and for each row captions/SETTING-ROW-SEED.json and scores/SETTING-ROW-SEED.json, the scores of each image. None of them holds a time,
// nor anything else that differs between equal runs. results.json also has the numbers of the report's figures.
func (f *finish) write() error {
	models := map[string]string{}
	for name, folder := range map[string]string{"clip": f.w.folders.CLIP, "sd": f.w.folders.SD, "detr": f.w.folders.DETR} {
		if folder != "" {
			models[name] = f.w.folders.hash[folder]
		}
	}
	decoders := map[string]string{}
	for _, key := range f.l.rows {
		decoders[key.String()] = fmt.Sprintf("%x", sha256.Sum256(f.trained[key].Decoder))
	}
	if err := writeJSON(filepath.Join(f.dir, "results.json"), map[string]any{"results": f.run.Results, "table": f.run.Table, "figures": f.run.Figures, "models_sha256": models,
		"decoders_sha256": decoders, "scale": "CIDEr is CIDEr-D; scores are fractions as pycocoevalcap gives them, tables show them times 100"}); err != nil {
		return err
	}
	if err := f.references(); err != nil {
		return err
	}
	for _, s := range f.run.Results {
		if err := writeFile(filepath.Join(f.dir, "scores", fileOf(s.Setting, s.Row, s.Seed)), s.report.WritePerImage); err != nil {
			return err
		}
	}
	first := true
	return f.each(func(s setting, key rowKey) error {
		var rows []cocoResult
		for i, c := range f.texts[said{key, s.set}] {
			rows = append(rows, cocoResult{f.w.sets[s.set].id(i), c.Text})
		}
		if first {
			first = false
			if err := writeJSON(filepath.Join(f.dir, "captions.json"), rows); err != nil {
				return err
			}
		}
		return writeJSON(filepath.Join(f.dir, CaptionsOf(s.name, key.row, key.seed)), rows)
	})
}

func fileOf(setting, row string, seed int64) string {
	return fmt.Sprintf("%s-%s-%d.json", setting, row, seed)
}

// ReferencesOf names the file of a run's folder that has the references of a setting: settings that test on the same images share one.
func ReferencesOf(r *config.Recipe, setting string) string {
	for i, s := range settingsOf(r) {
		if s.set == settingOf(setting).set {
			if i == 0 {
				break
			}
			return "references-" + s.name + ".json"
		}
	}
	return "references.json"
}

// CaptionsOf names the file of a run's folder that has the captions of a row.
func CaptionsOf(setting, row string, seed int64) string {
	return filepath.Join("captions", fileOf(setting, row, seed))
}

// references writes those of each set of test images once.
func (f *finish) references() error {
	written := map[string]bool{}
	for _, s := range settingsOf(f.w.r) {
		name := ReferencesOf(f.w.r, s.name)
		if written[name] {
			continue
		}
		written[name] = true
		if err := writeJSON(filepath.Join(f.dir, name), coco(f.w.sets[s.set], f.tests[s.set].References)); err != nil {
			return err
		}
	}
	return nil
}

// coco is the references of a set in the COCO captions format.
func coco(set *imageSet, refs [][]string) any {
	type image struct {
		ID   metric.ImageID `json:"id"`
		Name string         `json:"file_name,omitempty"`
	}
	type annotation struct {
		ID      int            `json:"id"`
		ImageID metric.ImageID `json:"image_id"`
		Caption string         `json:"caption"`
	}
	out := struct {
		Images      []image      `json:"images"`
		Annotations []annotation `json:"annotations"`
	}{}
	for i, l := range refs {
		im := image{ID: set.id(i)}
		if set.images != nil {
			im.Name = set.images[i].Name
		}
		out.Images = append(out.Images, im)
		for _, c := range l {
			out.Annotations = append(out.Annotations, annotation{len(out.Annotations) + 1, set.id(i), c})
		}
	}
	return out
}
