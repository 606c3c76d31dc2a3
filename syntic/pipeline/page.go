package pipeline

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"

	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/report"
)

// settingLabels are what people read.
var settingLabels = map[string]string{"in_domain": "in-domain", "cross_domain": "cross-domain", "zero_shot": "zero-shot (web texts)"}

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
	d := report.Data{
		Title: "SynTIC on the drawn world",
		Lead:  f.lead(),
		Notice: "These are toy results: 64×64 drawings, tiny models that this program trained itself. They show that the method runs and what its parts do here, " +
			"and are not comparable with published scores on photographs.",
		Facts: []report.Fact{{Name: "captions", Value: fmt.Sprint(len(f.w.corpora[f.l.rows[0].corpus]))}, {Name: "test images", Value: fmt.Sprint(f.run.Results[0].Images)},
			{Name: "seeds", Value: fmt.Sprint(r.Seeds)}, {Name: "machine", Value: f.machine}},
		Table: f.table(),
		Remarks: []string{"CIDEr-D, BLEU and ROUGE-L are computed as pycocoevalcap does, and shown times 100. Document frequencies come from the test set itself.",
			"A row shares synthetic pairs, captions and test images with the others; only what its name says differs."},
	}
	for _, s := range f.run.Stages {
		d.Stages = append(d.Stages, report.Stage{Name: s.Stage, Items: s.Items, Seconds: s.Seconds, Bytes: s.Bytes, Kept: s.Made == 0})
	}
	for _, k := range r.Keys() {
		d.Choices = append(d.Choices, report.Choice{Key: k.Path, Value: fmt.Sprint(k.Value), From: r.Origin(k.Path), Meaning: k.Doc})
	}
	if err := f.synthetic(&d); err != nil {
		return err
	}
	if err := f.unseen(ctx, &d); err != nil {
		return err
	}
	if err := f.curves(&d); err != nil {
		return err
	}
	return writeFile(f.run.Report, func(w io.Writer) error { return report.Render(w, &d) })
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
		word := "no clear difference from"
		if x.Low > 0 {
			word = "ahead of"
		} else if x.High < 0 {
			word = "behind"
		}
		s += fmt.Sprintf(" It is %s DeCap: %+.1f (%+.1f to %+.1f).", word, 100*x.Difference, 100*x.Low, 100*x.High)
	}
	return s
}

// columns of the table: for each setting CIDEr-D, and for the first also BLEU-4 and ROUGE-L.
func (f *finish) columns() (names []string, of [][2]string) {
	for i, s := range f.w.r.Eval.Settings {
		names, of = append(names, "CIDEr-D "+settingLabels[s]), append(of, [2]string{s, "CIDEr"})
		if i == 0 {
			names, of = append(names, "BLEU-4", "ROUGE-L"), append(of, [2]string{s, "Bleu_4"}, [2]string{s, "ROUGE_L"})
		}
	}
	return names, of
}

func (f *finish) table() report.Table {
	names, of := f.columns()
	out := report.Table{Note: fmt.Sprintf("Means over %d seeds; intervals of CIDEr-D are 95 %% bootstrap intervals over test images (%d resamplings).", f.w.r.Seeds, f.w.r.Eval.Bootstrap)}
	for _, n := range names {
		out.Metrics = append(out.Metrics, report.Metric{Name: n, Decimals: 1})
	}
	for _, name := range f.w.r.Eval.Rows {
		row := report.Row{Name: rowLabel(name)}
		for _, c := range of {
			cell := f.run.Table.cell(c[0], name)
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

func (t *Table) cell(setting, row string) *Cell {
	for i := range t.Cells {
		if t.Cells[i].Setting == setting && t.Cells[i].Row == row {
			return &t.Cells[i]
		}
	}
	return &Cell{}
}

// synthetic shows the first images made of captions.
func (f *finish) synthetic(d *report.Data) error {
	for _, key := range f.l.rows {
		name := fmt.Sprintf("pairs-%s-%d", key.corpus, key.seed)
		if !f.l.have[name] || key.corpus != f.l.rows[0].corpus {
			continue
		}
		at, each := 0, f.w.r.Synth.ImagesPerCaption
		return read(f.p, name, func(p *Pairs) {
			for j, png := range p.PNG {
				if i := at + j; png != nil && len(d.Synthetic) < reportImages {
					note := "nothing detected"
					if tags := syntic.SelectTags(p.Found[j], f.w.r.Objects); len(tags) > 0 {
						note = "detected: " + strings.Join(tags, ", ")
					}
					d.Synthetic = append(d.Synthetic, report.Picture{Image: png, Caption: f.w.corpora[key.corpus][i/each], Note: note})
				}
			}
			at += len(p.PNG)
		})
	}
	return nil
}

// unseenImages is how many test images the report shows.
const unseenImages = 12

// unseen shows test images, those of the middle of the scores as well as the best and worst: every so many by rank.
func (f *finish) unseen(ctx context.Context, d *report.Data) error {
	first := f.run.Results[0]
	key := f.l.rows[0]
	corpus, set := setOf(first.Setting)
	t, captions := f.tests[set], f.captions(key, set)
	source, stage := corpus, "texts-"+corpus
	if f.w.corpora["memory"] != nil {
		source, stage = "memory", "texts-memory"
	}
	m, err := f.w.memoryOf(f.p, stage)
	if err != nil {
		return err
	}
	defer m.Release()
	var shown []int
	for i, png := range t.PNG {
		if png != nil {
			shown = append(shown, i)
		}
	}
	each := first.report.PerImage["CIDEr"]
	sort.SliceStable(shown, func(a, b int) bool { return each[shown[a]] > each[shown[b]] })
	e := m.Features()
	for k := range min(unseenImages, len(shown)) {
		i := shown[k*len(shown)/min(unseenImages, len(shown))]
		cosine, index, err := m.Neighbours(ctx, t.Features[i*e:(i+1)*e], nil, min(3, m.Size()), nil)
		if err != nil {
			return err
		}
		x := report.Example{Image: t.PNG[i], Caption: captions[i].Text, References: t.References[i],
			Note: fmt.Sprintf("image %d, CIDEr-D %.0f; neighbours with their cosine", i+1, 100*each[i])}
		for j := range cosine {
			x.Memory = append(x.Memory, report.Neighbour{Text: f.w.corpora[source][index[j]], Weight: float64(max(0, cosine[j]))})
		}
		for _, b := range t.Boxes[i] {
			if b.Score >= f.w.r.Objects.Threshold {
				x.Boxes = append(x.Boxes, report.Box{X0: b.X0, Y0: b.Y0, X1: b.X1, Y1: b.Y1, Label: b.Tag, Score: b.Score})
			}
		}
		d.Unseen = append(d.Unseen, x)
	}
	return nil
}

// curves shows the decoder's training and the refinement.
func (f *finish) curves(d *report.Data) error {
	loss := report.Chart{Title: "Training the decoder", XLabel: "step", YLabel: "cross entropy", Note: "First seed; mean of ten steps."}
	for _, key := range f.l.rows {
		if key.seed != f.w.r.Seed || key.corpus != f.l.rows[0].corpus {
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
	}
	if len(loss.Series) > 0 {
		d.Curves = append(d.Curves, loss)
	}
	name := fmt.Sprintf("refined-%s-%d", f.l.rows[0].corpus, f.w.r.Seed)
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

// Rows is the table as lines of cells for a terminal, the header first.
func (r *Run) Rows() [][]string {
	f := &finish{w: &work{r: r.Recipe}, run: r}
	names, of := f.columns()
	out := [][]string{append([]string{"row"}, names...)}
	for _, name := range r.Recipe.Eval.Rows {
		line := []string{rowLabel(name)}
		for _, c := range of {
			cell := r.Table.cell(c[0], name)
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
