package study

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syntic/syntic/config"
	"syntic/syntic/metric"
	"syntic/syntic/pipeline"
)

// Pair is what of two runs is held against each other: a row of one and a row of the other, in one setting, on the same images.
type Pair struct {
	Setting string              `json:"setting"`
	RowA    string              `json:"row_a"`
	RowB    string              `json:"row_b"`
	Images  int                 `json:"images"`
	Seeds   [2]int              `json:"seeds"` // trainings of each
	Diffs   []metric.Difference `json:"-"`
}

// Compare holds b against a: every row and setting that both have, or, where they share no row, the first row of each. n is the number of resamples.
// Runs that were tested on other images, or with other references, cannot be compared; the error says so.
func Compare(a, b *Folder, n int) ([]Pair, error) {
	for _, f := range []*Folder{a, b} {
		if len(f.Scores) == 0 {
			return nil, &NoRun{f.Dir, "no scores, as it has not ended or only trains"}
		}
	}
	var out []Pair
	for _, setting := range a.Recipe.Eval.Settings {
		if !slices.Contains(b.Recipe.Eval.Settings, setting) {
			continue
		}
		if err := sameReferences(a, b, setting); err != nil {
			return nil, err
		}
		for _, rows := range sharedRows(a.Recipe, b.Recipe) {
			ra, err := a.Reports(setting, rows[0])
			if err != nil {
				return nil, err
			}
			rb, err := b.Reports(setting, rows[1])
			if err != nil {
				return nil, err
			}
			p := Pair{Setting: setting, RowA: rows[0], RowB: rows[1], Images: ra[0].Images, Seeds: [2]int{len(ra), len(rb)}}
			if p.Diffs, err = metric.CompareMeans(ra, rb, n, 0); err != nil {
				return nil, fmt.Errorf("%s and %s: %w", a.Dir, b.Dir, err)
			}
			out = append(out, p)
		}
	}
	if out == nil {
		return nil, &NoRun{b.Dir, fmt.Sprintf("it has settings %v, %s has %v: no setting in common", b.Recipe.Eval.Settings, a.Dir, a.Recipe.Eval.Settings)}
	}
	return out, nil
}

func sharedRows(a, b *config.Recipe) (out [][2]string) {
	for _, row := range a.Eval.Rows {
		if slices.Contains(b.Eval.Rows, row) {
			out = append(out, [2]string{row, row})
		}
	}
	if out == nil {
		out = [][2]string{{a.Eval.Rows[0], b.Eval.Rows[0]}}
	}
	return out
}

// sameReferences tells whether two runs were tested on the same images with the same references.
func sameReferences(a, b *Folder, setting string) error {
	x, err := os.ReadFile(filepath.Join(a.Dir, pipeline.ReferencesOf(a.Recipe, setting)))
	if err != nil {
		return err
	}
	y, err := os.ReadFile(filepath.Join(b.Dir, pipeline.ReferencesOf(b.Recipe, setting)))
	if err != nil {
		return err
	}
	if bytes.Equal(x, y) {
		return nil
	}
	ra, err := a.references(setting)
	if err != nil {
		return err
	}
	rb, err := b.references(setting)
	if err != nil {
		return err
	}
	if maps.EqualFunc(ra.Captions, rb.Captions, slices.Equal) {
		return nil
	}
	return &NoRun{b.Dir, fmt.Sprintf("tested on %d images, %s on %d that are not the same: their scores do not compare", len(rb.IDs), a.Dir, len(ra.IDs))}
}

// Change is a key of which two runs have other values.
type Change struct {
	Key    string   `json:"key"`
	Values []string `json:"values"` // in the order of the runs
}

// Changes lists the keys that are not the same in all runs, but for those that never change a result. Where runs share no row, the keys are those of
// their first rows.
func Changes(runs []*Folder) ([]Change, error) {
	apart := slices.ContainsFunc(runs, func(f *Folder) bool {
		rows := sharedRows(runs[0].Recipe, f.Recipe)[0]
		return rows[0] != rows[1]
	})
	recipes := make([]*config.Recipe, len(runs))
	for i, f := range runs {
		if recipes[i] = f.Recipe; !apart {
			continue
		}
		var err error
		if recipes[i], err = f.Recipe.Row(f.Recipe.Eval.Rows[0]); err != nil {
			return nil, err
		}
	}
	differ := map[string]bool{}
	for _, r := range recipes[1:] {
		for _, key := range config.Differing(recipes[0], r) {
			differ[key] = !strings.HasPrefix(key, "eval.")
		}
	}
	var out []Change
	for _, k := range recipes[0].Keys() {
		if !differ[k.Path] {
			continue
		}
		c := Change{Key: k.Path}
		for _, r := range recipes {
			v, err := r.Find(k.Path)
			if err != nil {
				return nil, err
			}
			c.Values = append(c.Values, fmt.Sprint(v.Value))
		}
		out = append(out, c)
	}
	return out, nil
}
