package pipeline

import (
	"context"
	"fmt"

	"syntic/syntic"
	"syntic/syntic/geometry"
	"syntic/syntic/metric"
	"syntic/syntic/report"
)

// How many features, evenly spread, the figures look at, and how many test images' weights; a report shows the weights of fewer.
const (
	figureSample  = 400
	weighedImages = 32
	shownWeights  = 6
	firstRows     = 10
)

// Figures are the numbers behind the report's figures, of the first setting, row and seed.
type Figures struct {
	Features []FeatureKind `json:"features"`
	PCA      [2]float64    `json:"pca_share"` // of the variance of all these features
	Cosines  []CosineKind  `json:"cosines"`
	Weights  *Weights      `json:"memory_weights,omitempty"` // where the row projects

	plane *geometry.Plane
}

// FeatureKind is where features of one kind lie, each at unit length.
type FeatureKind struct {
	Name  string  `json:"name"`
	Count int     `json:"count"`
	Gap   float64 `json:"distance_of_mean_to_texts"` // of the training captions

	rows []float32
}

// CosineKind is how like features of one kind are their own texts.
type CosineKind struct {
	Name  string  `json:"name"`
	Count int     `json:"count"`
	Own   float64 `json:"mean_own"`
	Other float64 `json:"mean_other"` // with the text of the next one

	kind       string
	own, other []float64
}

// Weights is how projections of test images spread over the memory.
type Weights struct {
	Rows      int      `json:"rows"`
	Images    []Spread `json:"images"`
	First     float64  `json:"mean_first_10_rows"`
	Effective float64  `json:"mean_effective_rows"`
}

// Spread is that of one test image.
type Spread struct {
	Image     metric.ImageID `json:"image_id"`
	First     float64        `json:"first_10_rows"`  // share of the weight
	Effective float64        `json:"effective_rows"` // exponential of the entropy

	at    int
	first []float64
}

// Kinds of features, as people and results.json call them.
const (
	realImages         = "real test images"
	syntheticImages    = "synthetic images"
	ownTexts           = "texts"
	refinedImages      = "refined"
	projectedSynthetic = "projected in training"
	projectedReal      = "projected at test"
)

// figures works out the numbers of the figures. They are a function of what the stages made, and are not kept.
func (f *finish) figures(ctx context.Context) error {
	t, e := f.l.first, f.size()
	f.run.Figures = &Figures{}
	var err error
	if f.look, err = t.captioner(f.p, t.memoryFor(f.l.set), e); err != nil {
		return err
	}
	own, err := f.learnt(ctx, e)
	if err != nil {
		return err
	}
	unseen, err := f.seen(ctx, e)
	if err != nil {
		return err
	}
	n, texts := f.run.Figures, own[ownTexts]
	references := unseen[ownTexts]
	for _, pair := range []struct {
		kind     string
		features map[string][]float32
		texts    []float32
		title    string
	}{
		{syntheticImages, own, texts, "synthetic image and its own text"}, {refinedImages, own, texts, "refined and its own text"},
		{projectedSynthetic, own, texts, "projected in training and its own text"}, {realImages, unseen, references, "real image and a reference of its own"},
		{projectedReal, unseen, references, "projected at test and a reference of its own"}, {ownTexts, own, nil, ""},
	} {
		rows := geometry.Unit(pair.features[pair.kind], e)
		if len(rows) == 0 {
			continue
		}
		n.Features = append(n.Features, FeatureKind{pair.kind, len(rows) / e, geometry.Distance(geometry.Mean(rows, e), geometry.Mean(geometry.Unit(texts, e), e)), rows})
		if pair.texts != nil {
			c := CosineKind{Name: pair.title, kind: pair.kind, Count: len(rows) / e, own: geometry.Cosines(rows, pair.texts, e, 0), other: geometry.Cosines(rows, pair.texts, e, 1)}
			c.Own, c.Other = geometry.Average(c.own), geometry.Average(c.other)
			n.Cosines = append(n.Cosines, c)
		}
	}
	var all []float32
	for _, k := range n.Features {
		all = append(all, k.rows...)
	}
	n.plane = geometry.Principal(all, e)
	n.PCA = n.plane.Share
	if t.row.Project.Enabled {
		n.Weights, err = f.weigh(ctx, e)
	}
	return err
}

// learnt are features that the first row learnt from, and of their texts, some of each.
func (f *finish) learnt(ctx context.Context, e int) (map[string][]float32, error) {
	t, out := f.l.first, map[string][]float32{}
	texts, _, err := textFeatures(f.p, t.key.corpus)
	if err != nil {
		return nil, err
	}
	if !t.synthetic() {
		out[ownTexts] = geometry.Pick(texts, e, geometry.Evenly(len(texts)/e, figureSample))
		return out, nil
	}
	x, err := t.samples(f.p)
	if err != nil {
		return nil, err
	}
	some := geometry.Evenly(len(x.caption), figureSample)
	out[syntheticImages], out[ownTexts] = geometry.Pick(x.raw, e, some), geometry.Pick(x.ownTexts(texts), e, some)
	last := x.features
	if t.row.Refine.Enabled {
		if err := read(f.p, t.refined(), func(r *syntic.Refined) { last = r.Features }); err != nil {
			return nil, err
		}
		out[refinedImages] = geometry.Pick(last, e, some)
	}
	if t.row.Project.Enabled && t.row.Project.Train {
		m, kept, err := syntic.MemoryOf(t.w.dev, texts, e, t.row.Memory, uint64(t.key.seed))
		if err != nil {
			return nil, err
		}
		defer m.Release()
		var captions []int32
		for _, i := range some {
			captions = append(captions, x.caption[i])
		}
		out[projectedSynthetic], err = m.Project(ctx, geometry.Pick(last, e, some), places(captions, kept), t.row.Memory, nil)
		return out, err
	}
	return out, nil
}

// seen are features of test images, as they are and projected, and of the first reference of each, some of each.
func (f *finish) seen(ctx context.Context, e int) (map[string][]float32, error) {
	t, tests, out := f.l.first, f.tests[f.l.set], map[string][]float32{}
	var described, some []int
	for i, r := range tests.References {
		if len(r) > 0 {
			described = append(described, i)
		}
	}
	var references []string
	for _, at := range geometry.Evenly(len(described), figureSample) {
		i := described[at]
		some, references = append(some, i), append(references, tests.References[i][0])
	}
	var err error
	if out[ownTexts], err = f.look.sight.captions(f.w.r.CLIP.Prompt)(ctx, references); err != nil {
		return nil, err
	}
	out[realImages] = geometry.Pick(tests.Features, e, some)
	if !t.row.Project.Enabled {
		return out, nil
	}
	out[projectedReal], err = f.look.memory.Project(ctx, f.look.gap.Correct(out[realImages]), nil, t.row.Memory, nil)
	return out, err
}

// weigh looks at the weights of some test images over the memory, one image at a time: a memory has many rows.
func (f *finish) weigh(ctx context.Context, e int) (*Weights, error) {
	t, tests := f.l.first, f.tests[f.l.set]
	look := f.look
	out := &Weights{Rows: look.memory.Size()}
	k := out.Rows
	if o := t.row.Memory; o.TopK > 0 {
		k = min(k, o.TopK)
	}
	some := geometry.Evenly(len(tests.References), weighedImages)
	for _, i := range some {
		cosine, _, err := look.memory.Neighbours(ctx, look.gap.Correct(tests.Features[i*e:(i+1)*e]), nil, k, nil)
		if err != nil {
			return nil, err
		}
		w := geometry.Weights(cosine, t.row.Memory.Temperature)
		s := Spread{Image: f.w.sets[f.l.set].id(i), First: geometry.Share(w, firstRows), Effective: geometry.Effective(w), at: i, first: w[:min(firstRows, k)]}
		out.Images = append(out.Images, s)
		out.First, out.Effective = out.First+s.First/float64(len(some)), out.Effective+s.Effective/float64(len(some))
	}
	return out, nil
}

// panels are the kinds of features that each panel of the figure shows.
var panels = []struct {
	title string
	kinds []string
}{
	{"Before refinement and projection", []string{realImages, syntheticImages, ownTexts}},
	{"After", []string{ownTexts, refinedImages, projectedSynthetic, projectedReal}},
}

// draw makes the figures of the numbers.
func (f *finish) draw(d *report.Data) error {
	n := f.run.Figures
	plane, e := n.plane, f.size()
	axis := func(name string, k int) string {
		return fmt.Sprintf("%s principal component, %.0f %% of the variance", name, 100*plane.Share[k])
	}
	d.Space = report.Space{XLabel: axis("first", 0), YLabel: axis("second", 1),
		Note: fmt.Sprintf("Features at unit length, at most %d of a kind, in the plane of the first two principal components of all of them together; "+
			"both panels have the same axes.", figureSample)}
	for _, p := range panels {
		panel := report.Panel{Title: p.title}
		for _, name := range p.kinds {
			for _, k := range n.Features {
				if k.Name != name {
					continue
				}
				panel.Clouds = append(panel.Clouds, cloudOf(plane, k, e))
				if name != ownTexts {
					panel.Note += fmt.Sprintf(", %s %.2f", name, k.Gap)
				}
			}
		}
		if panel.Note != "" {
			panel.Note = "Distance of means to that of training texts, in all dimensions: " + panel.Note[2:] + "."
			d.Space.Panels = append(d.Space.Panels, panel)
		}
	}
	for _, c := range n.Cosines {
		d.Cosines = append(d.Cosines, report.Histogram{Title: c.Name, Of: c.kind, Values: c.own, Others: c.other,
			Note: fmt.Sprintf("Mean %.3f; with another's text %.3f. %d pairs.", c.Own, c.Other, c.Count)})
	}
	return f.drawWeights(d)
}

func cloudOf(plane *geometry.Plane, k FeatureKind, e int) report.Cloud {
	c := report.Cloud{Name: k.Name}
	for i := range k.Count {
		at := plane.At(k.rows[i*e : (i+1)*e])
		c.Points = append(c.Points, at)
		for a := range at {
			c.Mean[a] += at[a] / float64(k.Count)
		}
	}
	return c
}

func (f *finish) drawWeights(d *report.Data) error {
	w := f.run.Figures.Weights
	if w == nil {
		return nil
	}
	d.WeighNote = fmt.Sprintf("How a test image's projection spreads over the %d rows of the memory: the %d heaviest rows, and all others together. Effective rows: as many of equal "+
		"weight would be as spread (exponential of the entropy). Mean of %d images: %.0f %% on the first %d rows, %.1f effective rows.",
		w.Rows, min(firstRows, w.Rows), len(w.Images), 100*w.First, firstRows, w.Effective)
	texts := f.texts[said{f.l.first.key, f.l.set}]
	for _, i := range geometry.Evenly(len(w.Images), shownWeights) {
		s := w.Images[i]
		png, _, err := f.picture(f.l.set, s.at)
		if err != nil {
			return err
		}
		d.Weights = append(d.Weights, report.Weighing{Image: png, Title: texts[s.at].Text, First: s.first, Rest: max(0, 1-s.First), Effective: s.Effective, Rows: w.Rows})
	}
	return nil
}

// picture is test image i for the report, and what was detected in it, in its pixels.
func (f *finish) picture(set string, i int) (png []byte, found []Box, err error) {
	t := f.tests[set]
	if len(t.PNG[i]) > 0 {
		return t.PNG[i], t.Boxes[i], nil
	}
	im, _, err := f.w.sets[set].at(i)
	if err != nil {
		return nil, nil, err
	}
	png, scale, err := thumbnail(im, true)
	return png, scaled(append([]Box(nil), t.Boxes[i]...), scale), err
}
