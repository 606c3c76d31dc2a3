package pipeline

import (
	"context"
	"fmt"
	"io"
	"strings"

	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/plan"
	"syntic/syntic/report"
)

// settingLabels are what people read.
var settingLabels = map[string]string{"in_domain": "in-domain", "cross_domain": "cross-domain", "zero_shot": "zero-shot"}

// rowLabel is what the table calls a row.
func rowLabel(name string) string {
	if row, err := config.FindRow(name); err == nil {
		return row.Label
	}
	return name
}

// page writes report.html.
func (f *finish) page(ctx context.Context) error {
	r := f.w.r
	title, notice := f.nature()
	d := report.Data{
		Title: title, Lead: f.lead(), Notice: notice,
		Facts: []report.Fact{{Name: "captions", Value: fmt.Sprint(len(f.w.corpora[f.l.first.key.corpus]))}, {Name: "test images", Value: fmt.Sprint(f.run.Results[0].Images)},
			{Name: "seeds", Value: fmt.Sprint(r.Seeds)}, {Name: "machine", Value: f.machine}},
		Table: f.table(),
		Remarks: []string{"CIDEr-D, BLEU and ROUGE-L are computed as pycocoevalcap does, and shown times 100. Document frequencies come from the test set itself.",
			"A row shares synthetic pairs, captions and test images with the others; only what its name says differs."},
	}
	d.Grids = append(append(append(f.run.Groups(), f.run.Differences()...), PublishedGrids(f.run)...), OpenGrid(r))
	d.Stages = stageTimes(f.run.Stages)
	for _, k := range r.Keys() {
		d.Choices = append(d.Choices, report.Choice{Key: k.Path, Value: fmt.Sprint(k.Value), From: r.Origin(k.Path), Meaning: k.Doc})
	}
	if err := f.synthetic(&d); err != nil {
		return err
	}
	if err := f.unseen(ctx, &d); err != nil {
		return err
	}
	if err := f.draw(&d); err != nil {
		return err
	}
	if err := f.curves(&d); err != nil {
		return err
	}
	return writeFile(f.run.Report, func(w io.Writer) error { return report.Render(w, &d) })
}

// nature says what kind of run this was, and what a reader must know of its numbers.
func (f *finish) nature() (title, notice string) {
	if toy(f.w.r) {
		return "SynTIC on the drawn world", "These are toy results: 64×64 drawings, tiny models that this program trained itself. They show that the method runs and what its parts do here, " +
			"and are not comparable with published scores on photographs."
	}
	words := []string{"Compare these scores with published ones only where all of this agrees.", "CLIP: " + f.w.r.CLIP.Model + ".",
		fmt.Sprintf("Beams: %d.", f.w.r.Decode.Beams), fmt.Sprintf("Restval: %s.", map[bool]string{true: "used", false: "not used"}[f.w.r.Data.Restval])}
	first := f.l.first
	words = append(words, fmt.Sprintf("Memory: %d texts of %s, stored as %s.", len(first.texts(first.memoryFor(f.l.set))), first.row.Memory.Source, first.row.Memory.DType))
	for _, g := range f.run.Results[0].Groups {
		words = append(words, fmt.Sprintf("%s: %d images, CIDEr-D %.1f by itself.", g.Name, g.Images, 100*g.Scores["CIDEr"]))
	}
	return "SynTIC", strings.Join(words, " ")
}

// toy tells whether a run has to do with the drawn world: its texts, its images or its models.
func toy(r *config.Recipe) bool {
	_, texts := drawn(r.Data.Captions)
	_, images := drawn(r.Data.Test)
	return texts || images || r.CLIP.Model == World
}

// Toy tells whether the run has to do with the drawn world, so that its scores compare with nothing published.
func (r *Run) Toy() bool { return toy(r.Recipe) }

// stageKinds are the stages as people read of them, by the beginning of their names.
var stageKinds = []struct{ prefix, label string }{
	{"test-", "test images"}, {"val", "images to watch training"}, {"texts-", "text features"}, {"pairs-", "synthetic pairs"}, {"remapped-", "pairs anew"}, {"refined-", "refinement"}, {"row-", "training decoders (steps)"},
	{"captions-", "captioning test images"},
}

// stageTimes adds up stages of a kind: a table of six rows, three settings and three seeds has some hundred.
func stageTimes(stages []plan.Result) (out []report.Stage) {
	for _, kind := range stageKinds {
		sum, n := report.Stage{Kept: true}, 0
		for _, s := range stages {
			if strings.HasPrefix(s.Stage, kind.prefix) {
				sum.Items, sum.Seconds, sum.Bytes, sum.Kept = sum.Items+s.Items, sum.Seconds+s.Seconds, sum.Bytes+s.Bytes, sum.Kept && s.Made == 0
				n++
			}
		}
		if sum.Name = kind.label; n > 1 {
			sum.Name += fmt.Sprintf(" × %d", n)
		}
		if n > 0 {
			out = append(out, sum)
		}
	}
	return out
}

// lead says the main result in words, whatever it is.
func (f *finish) lead() string {
	t := f.run.Table
	c := t.Cells[0]
	s := fmt.Sprintf("%s reaches CIDEr-D %.1f (95 %% interval over images %.1f to %.1f) %s.", rowLabel(c.Row), 100*c.Mean["CIDEr"], 100*c.Low, 100*c.High, settingLabels[c.Setting])
	for _, x := range t.Comparisons {
		if x.Setting != c.Setting || x.B != "decap" {
			continue
		}
		word := "not clearly different from"
		if 100*x.Low >= 0.05 { // what rounds to 0.0 is no difference
			word = "ahead of"
		} else if 100*x.High <= -0.05 {
			word = "behind"
		}
		s += fmt.Sprintf(" It is %s DeCap: %+.1f (%+.1f to %+.1f).", word, 100*x.Difference, 100*x.Low, 100*x.High)
	}
	if f.w.r.Seeds < 3 {
		s += " Intervals are over images; other seeds may differ."
	}
	return s
}

// columns of the table: for each setting CIDEr-D, and for the first also BLEU-4 and ROUGE-L.
func columns(r *config.Recipe) (names []string, of [][2]string) {
	for i, s := range r.Eval.Settings {
		names, of = append(names, "CIDEr-D "+settingLabels[s]), append(of, [2]string{s, "CIDEr"})
		if i == 0 {
			names, of = append(names, "BLEU-4", "ROUGE-L"), append(of, [2]string{s, "Bleu_4"}, [2]string{s, "ROUGE_L"})
		}
	}
	return names, of
}

func (f *finish) table() report.Table {
	names, of := columns(f.w.r)
	out := report.Table{Note: fmt.Sprintf("Means over %d seeds; intervals of CIDEr-D are 95 %% bootstrap intervals over test images (%d resamplings). Cross-domain: images of the other domain; zero-shot: trained on web texts.", f.w.r.Seeds, f.w.r.Eval.Bootstrap)}
	for _, n := range names {
		out.Metrics = append(out.Metrics, report.Metric{Name: n, Decimals: 1})
	}
	for _, name := range f.w.r.Eval.Rows {
		row := report.Row{Name: rowLabel(name)}
		for _, c := range of {
			cell := f.run.Table.Cell(c[0], name)
			x := 100 * cell.Mean[c[1]]
			rc := &report.Cell{Value: x, Low: x, High: x}
			if c[1] == "CIDEr" {
				rc.Low, rc.High = 100*cell.Low, 100*cell.High
				for _, s := range cell.Seeds {
					rc.Seeds = append(rc.Seeds, 100*s)
				}
			}
			row.Cells = append(row.Cells, rc)
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// Cell is that of a row in a setting; an empty one where there is none.
func (t *Table) Cell(setting, row string) *Cell {
	for i := range t.Cells {
		if t.Cells[i].Setting == setting && t.Cells[i].Row == row {
			return &t.Cells[i]
		}
	}
	return &Cell{}
}

// synthetic shows the first images made of captions for the first setting and seed.
func (f *finish) synthetic(d *report.Data) error {
	name := f.l.first.key.pairs(0)
	if !f.l.have[name] {
		return nil
	}
	at := 0
	return read(f.p, name, func(p *Pairs) {
		for j, png := range p.PNG {
			if len(png) == 0 || len(d.Synthetic) == reportImages {
				continue
			}
			note := "nothing detected"
			if tags := syntic.SelectTags(p.Found[j], f.w.r.Objects); len(tags) > 0 {
				note = "detected: " + strings.Join(tags, ", ")
			}
			d.Synthetic = append(d.Synthetic, report.Picture{Image: png, Caption: f.w.corpora[f.l.first.key.corpus][at+j], Note: note})
		}
		at += len(p.PNG)
	})
}

// curves shows the decoder's training and the refinement.
func (f *finish) curves(d *report.Data) error {
	loss := report.Chart{Title: "Training the decoder", XLabel: "step", YLabel: "cross entropy", Note: "First seed; mean of ten steps."}
	for _, key := range f.l.rows {
		if key.seed != f.l.first.key.seed || key.corpus != f.l.first.key.corpus {
			continue
		}
		s := report.Series{Name: rowLabel(key.row)}
		steps := f.trained[key].Steps
		for i := 0; i+10 <= len(steps); i += 10 {
			y := 0.0
			for _, p := range steps[i : i+10] {
				y += p.Loss / 10
			}
			s.X, s.Y = append(s.X, float64(i+5)), append(s.Y, y)
		}
		if len(s.X) > 1 {
			loss.Series = append(loss.Series, s)
		}
		if val := watchedCurve(steps, rowLabel(key.row)); len(val.X) > 0 {
			loss.Series = append(loss.Series, val)
			loss.Note = "First seed; mean of ten steps. Unseen: images of data.val, without label smoothing."
		}
	}
	if len(loss.Series) > 0 {
		d.Curves = append(d.Curves, loss)
	}
	name := f.l.first.refined()
	if !f.l.have[name] {
		return nil
	}
	return read(f.p, name, func(x *syntic.Refined) {
		s := report.Series{Name: "InfoNCE"}
		for i, y := range x.Loss {
			s.X, s.Y = append(s.X, float64(i)), append(s.Y, y)
		}
		d.Curves = append(d.Curves, report.Chart{Title: "Refining synthetic features", XLabel: "step", YLabel: "contrastive loss", Series: []report.Series{s},
			Note: fmt.Sprintf("A feature finds its own text (R@1 among at most 2,048) in %.0f %% of cases before, %.0f %% after; cosine to it %.2f before, %.2f after.",
				100*x.Before, 100*x.After, x.CosineBefore, x.CosineAfter)})
	})
}

// watchedCurve is the loss on images of data.val after each epoch.
func watchedCurve(steps []syntic.TrainStep, row string) report.Series {
	s := report.Series{Name: row + ", unseen"}
	for _, p := range steps {
		if p.Val != 0 {
			s.X, s.Y = append(s.X, float64(p.Step+1)), append(s.Y, p.Val)
		}
	}
	return s
}

// Rows is the table as lines of cells for a terminal, the header first.
func (r *Run) Rows() [][]string {
	names, of := columns(r.Recipe)
	out := [][]string{append([]string{"row"}, names...)}
	for _, name := range r.Recipe.Eval.Rows {
		line := []string{rowLabel(name)}
		for _, c := range of {
			cell := r.Table.Cell(c[0], name)
			text := fmt.Sprintf("%.1f", 100*cell.Mean[c[1]])
			if c[1] == "CIDEr" && cell.High > cell.Low {
				text += fmt.Sprintf(" [%.1f, %.1f]", 100*cell.Low, 100*cell.High)
			}
			line = append(line, text)
		}
		out = append(out, line)
	}
	return out
}
