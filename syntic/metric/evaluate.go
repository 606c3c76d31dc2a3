package metric

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"syntic/syntic/metric/meteor"
)

// Options of Evaluate; the zero value is strict.
type Options struct {
	// AllowMissing scores only the images that have both references and a result. Report.Missing and Report.Extra then tell how
	// many were left out.
	AllowMissing bool
	// METEOR asks for METEOR too, with its options; nil leaves it out.
	METEOR *meteor.Options
	// Tokenised takes captions as they are: tokens with a space between, as Tokenize and pycocoevalcap's tokenizer leave them.
	Tokenised bool
}

// Report holds the scores of a result file.
type Report struct {
	Names    []string             // of the scores, in order
	Scores   map[string]float64   // by name; fractions, not percent
	Images   int                  // images scored, N
	Missing  int                  // images with references but no result, left out; 0 unless allowed
	Extra    int                  // images with a result but no references, left out; 0 unless allowed
	IDs      []ImageID            // [N] in the order of the references
	PerImage map[string][]float64 // [N] by name
	BLEU     []BLEUStats          // [N] counts from which BLEU of a resampled corpus is computed
	METEOR   []meteor.Stats       // [N] the same for METEOR; nil if not asked for
	Stages   []string             // of METEOR that ran
	Set      *Set                 // the captions scored, tokenised
	CLIP     string               // which model CLIPScore is of; "" without it
	AsIs     bool                 // captions were taken as tokenised
}

// meteorName is METEOR only if all of its stages ran; else it names those that did, so that such a score is never taken for METEOR 1.5.
func meteorName(stages []string) string {
	if slices.Contains(stages, "paraphrase") {
		return "METEOR"
	}
	return "METEOR_" + strings.Join(stages, "_")
}

// Add puts a score with one value for each image at the end of the report; that of the corpus is their mean.
func (r *Report) Add(name string, perImage []float64) {
	r.Names = append(r.Names, name)
	r.Scores[name], r.PerImage[name] = mean(perImage), perImage
}

// Evaluate tokenises references and results and scores them with every metric. It returns an error, and no score, if results miss
// images or name unknown ones (unless allowed), or an image has no reference.
func Evaluate(refs *References, results *Results, o Options) (*Report, error) {
	captions, missing, extra, err := match(refs, results, o)
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
	tokenised := raw
	if set.Cands = cands; !o.Tokenised {
		set.Cands, tokenised = Tokenize(cands), Tokenize(raw)
	}
	for _, n := range counts {
		set.Refs, tokenised = append(set.Refs, tokenised[:n:n]), tokenised[n:]
	}
	r, err := EvaluateSet(set)
	if err != nil {
		return nil, err
	}
	r.Missing, r.Extra, r.AsIs = missing, extra, o.Tokenised
	if o.METEOR != nil {
		if err := r.addMETEOR(set, *o.METEOR); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// EvaluateSet scores captions that are tokenised already.
func EvaluateSet(set *Set) (*Report, error) {
	c, err := Index(set)
	if err != nil {
		return nil, err
	}
	r := &Report{Names: Names(), Scores: map[string]float64{}, Images: c.n, IDs: set.IDs, PerImage: map[string][]float64{}, BLEU: c.BLEUStats(), Set: set}
	for _, m := range metrics {
		corpus, images := m.Score(c)
		for k, name := range m.Names() {
			r.Scores[name], r.PerImage[name] = corpus[k], images[k]
		}
	}
	return r, nil
}

// addMETEOR puts METEOR behind BLEU, as pycocoevalcap orders them.
func (r *Report) addMETEOR(set *Set, o meteor.Options) error {
	s, err := meteor.New(set.Cands, set.Refs, o)
	if err != nil {
		return fmt.Errorf("METEOR: %w", err)
	}
	r.METEOR, r.Stages = s.Images(), s.Stages()
	var total meteor.Stats
	perImage := make([]float64, len(r.METEOR))
	for i := range r.METEOR {
		total.Add(&r.METEOR[i])
		perImage[i] = r.METEOR[i].Score()
	}
	name := meteorName(r.Stages)
	r.Names = slices.Insert(r.Names, maxN, name)
	r.Scores[name], r.PerImage[name] = total.Score(), perImage
	return nil
}

// match gives the caption of each image to score and the numbers of images without a result and of results without references.
func match(refs *References, results *Results, o Options) (captions map[ImageID]string, without, extra int, err error) {
	if refs == nil || results == nil || len(results.Rows) == 0 {
		return nil, 0, 0, errors.New("metric: no references or no results: want at least one of each")
	}
	known := make(map[ImageID]bool, len(refs.IDs))
	for _, id := range refs.IDs {
		known[id] = true
	}
	captions = make(map[ImageID]string, len(results.Rows))
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
		err = fmt.Errorf("%s: %s with two captions: want one", results.Path, list(twice))
	case len(unknown) > 0 && !o.AllowMissing:
		err = fmt.Errorf("%s: results for %s that %s does not list", results.Path, list(unknown), refs.Path)
	case len(unknown) == len(results.Rows):
		err = fmt.Errorf("%s: none of its images is in %s", results.Path, refs.Path)
	case len(bare) > 0:
		err = fmt.Errorf("%s: no reference captions for %s", refs.Path, list(bare))
	case len(missing) > 0 && !o.AllowMissing:
		err = fmt.Errorf("%s: no result for %s of %d in %s: a score over the rest would not be comparable (allow missing images to have it all the same)",
			results.Path, list(missing), len(refs.IDs), refs.Path)
	}
	return captions, len(missing), len(unknown), err
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
