package pipeline

import (
	"context"
	"fmt"
	"math"
	"sort"

	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/report"
)

// How many test images the report shows, from the best to the worst, and how many of the worst.
const (
	unseenImages = 12
	failedImages = 8
)

// unseen shows test images of the first setting, row and seed: of the first ones every so many by rank, from the best score to the worst, and of all
// those with the lowest scores.
func (f *finish) unseen(ctx context.Context, d *report.Data) error {
	score := f.run.Results[0].report.PerImage["CIDEr"]
	var shown, all []int
	for i, png := range f.tests[f.l.set].PNG {
		if all = append(all, i); len(png) > 0 {
			shown = append(shown, i)
		}
	}
	sort.SliceStable(shown, func(a, b int) bool { return score[shown[a]] > score[shown[b]] })
	n := min(unseenImages, len(shown))
	for k := range n {
		x, err := f.example(ctx, shown[k*len(shown)/n])
		if err != nil {
			return err
		}
		d.Unseen = append(d.Unseen, x)
	}
	sort.SliceStable(all, func(a, b int) bool { return score[all[a]] < score[all[b]] })
	for _, i := range all[:min(failedImages, len(all))] {
		x, err := f.example(ctx, i)
		if err != nil {
			return err
		}
		d.Failures = append(d.Failures, x)
	}
	low := 0
	for _, s := range score {
		if s < lowScore {
			low++
		}
	}
	d.FailNote = fmt.Sprintf("The %d test images of all %d whose captions have the lowest CIDEr-D; it is below %.0f for %d of them.", len(d.Failures), len(all), 100*lowScore, low)
	return nil
}

// lowScore is what the report counts images below.
const lowScore = 0.1

// size is that of features.
func (f *finish) size() int {
	t := f.tests[f.l.set]
	return len(t.Features) / len(t.References)
}

// example is test image i with its caption, references, heaviest memory texts and objects.
func (f *finish) example(ctx context.Context, i int) (x report.Example, err error) {
	row, t, e := f.l.first.row, f.tests[f.l.set], f.size()
	png, found, err := f.picture(f.l.set, i)
	if err != nil {
		return x, err
	}
	x = report.Example{Image: png, Caption: f.texts[said{f.l.first.key, f.l.set}][i].Text, References: t.References[i],
		Note: fmt.Sprintf("image %d, CIDEr-D %.0f", i+1, 100*f.run.Results[0].report.PerImage["CIDEr"][i])}
	if row.Project.Enabled {
		texts := f.l.first.texts(f.l.first.memoryFor(f.l.set))
		if x.Memory, err = heaviest(ctx, f.look.memory, texts, f.look.gap.Correct(t.Features[i*e:(i+1)*e]), row.Memory); err != nil {
			return x, err
		}
	}
	for _, b := range found {
		if row.Objects.Enabled && b.Score >= row.Objects.Threshold {
			x.Boxes = append(x.Boxes, report.Box{X0: b.X0, Y0: b.Y0, X1: b.X1, Y1: b.Y1, Label: b.Tag, Score: b.Score})
		}
	}
	if o := row.Objects; o.Enabled && o.Source == "detector" && len(x.Boxes) == 0 {
		x.Note += ", nothing detected"
	}
	return x, nil
}

// heaviest are the three texts that weigh most in the projection of a feature, with their weights; a text that stands in the memory more than once
// has the sum.
func heaviest(ctx context.Context, m *syntic.Memory, texts []string, feature []float32, o config.Memory) ([]report.Neighbour, error) {
	k := m.Size()
	if o.TopK > 0 {
		k = min(k, o.TopK)
	}
	cosine, index, err := m.Neighbours(ctx, feature, nil, k, nil)
	if err != nil {
		return nil, err
	}
	sum := 0.0
	var out []report.Neighbour
	place := map[string]int{}
	for j, c := range cosine {
		weight, text := math.Exp(float64(c-cosine[0])/o.Temperature), texts[index[j]]
		sum += weight
		at, ok := place[text]
		if !ok {
			at = len(out)
			place[text], out = at, append(out, report.Neighbour{Text: text})
		}
		out[at].Weight += weight
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].Weight > out[b].Weight })
	out = out[:min(3, len(out))]
	for j := range out {
		out[j].Weight /= sum
	}
	return out, nil
}
