package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/plan"
)

// samples are images with the captions that they are to be described by, before refinement.
type samples struct {
	raw      []float32            // [S, E], as CLIP gave them
	features []float32            // [S, E], corrected where the row says so
	found    [][]syntic.Detection // [S]
	image    []int32              // [S], number of the image: i·each + k is image k of caption i
	caption  []int32              // [S], number of the caption in the corpus
	e        int
}

// variant is the name of a stage that rows share: that of the recipe as it is, and another one for a row that changes one of paths.
func (t *rowStage) variant(name string, paths ...string) string {
	own, err := json.Marshal(t.row.Section(effective(t.row, paths)...))
	if err != nil {
		panic(err) // scalars
	}
	base, err := json.Marshal(t.w.r.Section(effective(t.w.r, paths)...))
	if err != nil {
		panic(err)
	}
	if string(own) == string(base) {
		return name
	}
	sum := sha256.Sum256(own)
	return name + "-" + hex.EncodeToString(sum[:4])
}

// effective names the sections that a recipe leaves off by the key alone that says so.
func effective(r *config.Recipe, paths []string) []string {
	out := slices.Clone(paths)
	for i, path := range out {
		switch {
		case path == "remap" && !r.Remap.Enabled:
			out[i] = "remap.enabled"
		case path == "gap" && r.Gap.Correct == "none":
			out[i] = "gap.correct"
		}
	}
	return out
}

// pairs are the names of the stages of the row's synthetic pairs: one for each image of a caption.
func (t *rowStage) pairs() (names []string) {
	for k := range t.row.Synth.ImagesPerCaption {
		names = append(names, t.key.pairs(k))
	}
	return names
}

func (t *rowStage) remapped() string {
	return t.variant(t.key.remapped(), "remap", "synth.images_per_caption")
}

func (t *rowStage) refined() string {
	return t.variant(t.key.refined(), "refine", "remap", "gap", "synth.images_per_caption", "synth.combine")
}

// refinedFor is the row that a refinement is shown under: none for the one that all rows share that change nothing before it.
func (t *rowStage) refinedFor() string {
	if t.refined() == t.key.refined() {
		return ""
	}
	return t.key.row
}

// before are the stages whose outputs samples reads.
func (t *rowStage) before() []string {
	names := append(t.pairs(), t.key.texts())
	if t.row.Remap.Enabled {
		names = append(names, t.remapped())
	}
	return names
}

// count is how many samples there are.
func (t *rowStage) count() int {
	n := len(t.w.corpora[t.key.corpus])
	switch r := t.row; {
	case r.Remap.Enabled:
		return syntic.Kept(n, r.Remap.Keep)
	case r.Synth.Combine == "mean":
		return n
	}
	return n * t.row.Synth.ImagesPerCaption
}

// images are the features of the row's synthetic images, [N · images a caption, E], the images of a caption in turn, and what was found in them.
func (t *rowStage) images(in *plan.Pipeline) (features []float32, found [][]syntic.Detection, err error) {
	var parts [][]float32
	var seen [][][]syntic.Detection
	for _, name := range t.pairs() {
		f, s, err := pairFeatures(in, name)
		if err != nil {
			return nil, nil, err
		}
		parts, seen = append(parts, f), append(seen, s)
	}
	if len(parts) == 1 {
		return parts[0], seen[0], nil
	}
	n := len(seen[0])
	e := len(parts[0]) / n
	for i := range n {
		for k := range parts {
			features, found = append(features, parts[k][i*e:(i+1)*e]...), append(found, seen[k][i])
		}
	}
	return features, found, nil
}

// samples reads them.
func (t *rowStage) samples(in *plan.Pipeline) (*samples, error) {
	features, found, err := t.images(in)
	if err != nil {
		return nil, err
	}
	each, n := t.row.Synth.ImagesPerCaption, len(t.w.corpora[t.key.corpus])
	x := &samples{raw: features, found: found, e: len(features) / len(found)}
	for i := range n {
		for k := range each {
			x.image, x.caption = append(x.image, int32(i*each+k)), append(x.caption, int32(i))
		}
	}
	switch {
	case t.row.Remap.Enabled:
		if err := x.remap(in, t.remapped()); err != nil {
			return nil, err
		}
	case t.row.Synth.Combine == "mean" && each > 1:
		x.average(each)
	}
	x.features = x.raw
	gap, err := t.gap(in)
	if err == nil && t.row.Gap.Correct == "images" {
		x.features = gap.Correct(x.raw)
	}
	return x, err
}

// remap takes other pairs.
func (x *samples) remap(in *plan.Pipeline, stage string) error {
	return read(in, stage, func(r *syntic.Remapped) {
		var raw []float32
		var found [][]syntic.Detection
		for _, image := range r.Image {
			raw, found = append(raw, x.raw[int(image)*x.e:(int(image)+1)*x.e]...), append(found, x.found[image])
		}
		x.raw, x.found, x.image, x.caption = raw, found, r.Image, r.Caption
	})
}

// average makes one sample of each images of a caption: the mean of the features, which have unit length, and all that was found.
func (x *samples) average(each int) {
	n := len(x.found) / each
	raw, found, caption := make([]float32, n*x.e), make([][]syntic.Detection, n), make([]int32, n)
	for i := range n {
		mean := raw[i*x.e : (i+1)*x.e]
		for k := range each {
			at := i*each + k
			for d, v := range x.raw[at*x.e : (at+1)*x.e] {
				mean[d] += v / float32(each)
			}
			found[i] = slices.Concat(found[i], x.found[at])
		}
		caption[i] = int32(i)
	}
	x.raw, x.found, x.image, x.caption = raw, found, nil, caption
}

// gap is the correction that the row asks for; nil for none. Its statistics are of all synthetic images and all texts.
func (t *rowStage) gap(in *plan.Pipeline) (*syntic.Gap, error) {
	o := t.row.Gap
	if o.Correct == "none" {
		return nil, nil
	}
	images, _, err := t.images(in)
	if err != nil {
		return nil, err
	}
	texts, e, err := textFeatures(in, t.key.corpus)
	if err != nil {
		return nil, err
	}
	if o.Correct == "texts" {
		images, texts = texts, images
	}
	return syntic.NewGap(images, texts, e, o.Std)
}

// ownTexts are the features of the samples' captions, [S, E].
func (x *samples) ownTexts(texts []float32) []float32 {
	own := make([]float32, 0, len(x.raw))
	for _, i := range x.caption {
		own = append(own, texts[int(i)*x.e:(int(i)+1)*x.e]...)
	}
	return own
}

// patches are those of the samples' images, [S, P, E]; nil where the row has none.
func (t *rowStage) patches(in *plan.Pipeline, x *samples) (out []float32, err error) {
	if !t.row.Patches.Enabled {
		return nil, nil
	}
	var parts [][]float32
	for _, name := range t.pairs() {
		p, err := pairPatches(in, name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	each := len(parts)
	w := len(parts[0]) / len(t.w.corpora[t.key.corpus])
	for _, image := range x.image {
		i := int(image) / each
		out = append(out, parts[int(image)%each][i*w:(i+1)*w]...)
	}
	return out, nil
}

// remapping is the stage that pairs captions anew.
func (t *rowStage) remapping() plan.Stage {
	w, o := t.w, t.row.Remap
	return plan.Stage{
		Name: t.remapped(), Version: 1, Items: len(w.corpora[t.key.corpus]), After: append(t.pairs(), t.key.texts()), Config: t.row.Section("remap"),
		Make: func(ctx context.Context, _ plan.Shard, in *plan.Pipeline, out io.Writer, tick func(int)) error {
			images, _, err := t.images(in)
			if err != nil {
				return err
			}
			texts, e, err := textFeatures(in, t.key.corpus)
			if err != nil {
				return err
			}
			r, err := syntic.Remap(ctx, w.dev, images, texts, e, texts, o, only{"retrieve", tick})
			if err != nil {
				return err
			}
			return encode(out, r)
		},
	}
}

// refining is the stage that refines the samples' features.
func (t *rowStage) refining() plan.Stage {
	w, r := t.w, t.row
	cfg := r.Section(effective(r, []string{"refine", "gap", "synth.images_per_caption", "synth.combine"})...)
	cfg["seed"] = t.key.seed
	return plan.Stage{
		Name: t.refined(), Version: 3, Items: t.count(), After: t.before(), SeedRule: "batches dealt from (seed)", Config: cfg,
		Make: func(ctx context.Context, _ plan.Shard, in *plan.Pipeline, out io.Writer, tick func(int)) error {
			x, err := t.samples(in)
			if err != nil {
				return err
			}
			if len(x.caption) != t.count() {
				return fmt.Errorf("%d samples: want %d", len(x.caption), t.count())
			}
			texts, e, err := textFeatures(in, t.key.corpus)
			if err != nil {
				return err
			}
			f, err := syntic.Refine(ctx, w.dev, x.features, x.ownTexts(texts), e, r.Refine, uint64(t.key.seed), only{"refine", tick})
			if err != nil {
				return err
			}
			if err := w.rec.refined(t.key.corpus, t.refinedFor(), t.key.seed, f); err != nil {
				return err
			}
			return encode(out, f)
		},
	}
}
