package metric

import (
	"errors"
	"fmt"
	"strings"
)

// Options of Evaluate; the zero value is strict.
type Options struct {
	// AllowMissing scores only the images that have a result. Report.Missing then tells how many were left out.
	AllowMissing bool
}

// Report holds the scores of a result file.
type Report struct {
	Scores   map[string]float64   // by name as in Names; fractions, not percent
	Images   int                  // images scored, N
	Missing  int                  // images with references but no result, left out; 0 unless allowed
	IDs      []ImageID            // [N] in the order of the references
	PerImage map[string][]float64 // [N] by name
	BLEU     []BLEUStats          // [N] counts from which BLEU of a resampled corpus is computed
}

// Evaluate tokenises references and results and scores them with every metric. It returns an error, and no score, if results
// miss images (unless allowed), name unknown images, or an image has no reference.
func Evaluate(refs *References, results *Results, o Options) (*Report, error) {
	captions, missing, err := match(refs, results, o)
	if err != nil {
		return nil, err
	}
	set := &Set{}
	var raw, cands []string
	var counts []int
	for _, id := range refs.IDs {
		if c, ok := captions[id]; ok {
			set.IDs = append(set.IDs, id)
			cands = append(cands, c)
			raw = append(raw, refs.Captions[id]...)
			counts = append(counts, len(refs.Captions[id]))
		}
	}
	set.Cands = Tokenize(cands)
	tokenised := Tokenize(raw)
	for _, n := range counts {
		set.Refs, tokenised = append(set.Refs, tokenised[:n:n]), tokenised[n:]
	}
	r, err := EvaluateSet(set)
	if err != nil {
		return nil, err
	}
	r.Missing = missing
	return r, nil
}

// EvaluateSet scores captions that are tokenised already.
func EvaluateSet(set *Set) (*Report, error) {
	c, err := Index(set)
	if err != nil {
		return nil, err
	}
	r := &Report{Scores: map[string]float64{}, Images: c.n, IDs: set.IDs, PerImage: map[string][]float64{}, BLEU: c.BLEUStats()}
	for _, m := range metrics {
		corpus, images := m.Score(c)
		for k, name := range m.Names() {
			r.Scores[name], r.PerImage[name] = corpus[k], images[k]
		}
	}
	return r, nil
}

// match gives the caption of each image and the number of images without.
func match(refs *References, results *Results, o Options) (map[ImageID]string, int, error) {
	if refs == nil || results == nil || len(results.Rows) == 0 {
		return nil, 0, errors.New("metric: no references or no results: want at least one of each")
	}
	known := make(map[ImageID]bool, len(refs.IDs))
	for _, id := range refs.IDs {
		known[id] = true
	}
	captions := make(map[ImageID]string, len(results.Rows))
	var unknown, bare, missing, twice []ImageID
	for _, row := range results.Rows {
		if _, ok := captions[row.ImageID]; ok {
			twice = append(twice, row.ImageID)
		}
		captions[row.ImageID] = row.Caption
		switch {
		case !known[row.ImageID]:
			unknown = append(unknown, row.ImageID)
		case len(refs.Captions[row.ImageID]) == 0:
			bare = append(bare, row.ImageID)
		}
	}
	for _, id := range refs.IDs {
		if _, ok := captions[id]; !ok {
			missing = append(missing, id)
		}
	}
	switch {
	case len(twice) > 0:
		return nil, 0, fmt.Errorf("%s: %s with two captions: want one", results.Path, list(twice))
	case len(unknown) > 0:
		return nil, 0, fmt.Errorf("%s: results for %s that %s does not list", results.Path, list(unknown), refs.Path)
	case len(bare) > 0:
		return nil, 0, fmt.Errorf("%s: no reference captions for %s", refs.Path, list(bare))
	case len(missing) > 0 && !o.AllowMissing:
		return nil, 0, fmt.Errorf("%s: no result for %s of %d in %s: a score over the rest would not be comparable (allow missing images to have it all the same)",
			results.Path, list(missing), len(refs.IDs), refs.Path)
	}
	return captions, len(missing), nil
}

// list names the first few ids: "3 images (1, 2, 3)".
func list(ids []ImageID) string {
	const most = 5
	var b strings.Builder
	noun := "images"
	if len(ids) == 1 {
		noun = "image"
	}
	fmt.Fprintf(&b, "%d %s (", len(ids), noun)
	for i, id := range ids[:min(most, len(ids))] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(id))
	}
	if len(ids) > most {
		b.WriteString(", …")
	}
	b.WriteString(")")
	return b.String()
}
