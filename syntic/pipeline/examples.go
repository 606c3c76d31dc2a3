package pipeline

import (
	"context"
	"slices"

	"syntic/syntic"
	"syntic/syntic/plan"
	"syntic/tensor"
)

// queryItem is the stream of the noise on a text's feature that looks others up; the caption's number is added.
const queryItem = 0x71756572_00000000

// sight is what makes the row's contexts; memory and texts are those that are looked up, where anything is.
func (t *rowStage) sight(e int, memory *syntic.Memory, texts []string) (*sight, error) {
	enc, err := t.w.encoder()
	if err != nil {
		return nil, err
	}
	words, err := t.words()
	if err != nil {
		return nil, err
	}
	return &sight{dev: t.w.dev, enc: enc, words: words, batch: t.w.r.CLIP.Batch, e: e, objects: t.row.Objects, retrieve: t.row.Retrieve, patches: t.row.Patches,
		entities: t.w.entities[t.row.Objects.Vocabulary], memory: memory, texts: texts}, nil
}

// names are those that tags can have.
func (t *rowStage) names() ([]string, error) {
	if o := t.row.Objects; !o.Enabled || o.As != "words" {
		return nil, nil
	} else if o.Source != "detector" {
		return t.w.entities[o.Vocabulary].Names(), nil
	}
	d, err := t.w.detector()
	if err != nil {
		return nil, err
	}
	return d.Config.Labels, nil
}

// lesson is a row's training: its examples and what makes contexts.
type lesson struct {
	*syntic.Examples
	sight *sight
	all   [][]int32 // all captions of the corpus, for the vocabulary
	e     int
}

// examples makes the row's training examples.
func (t *rowStage) examples(ctx context.Context, in *plan.Pipeline) (*lesson, error) {
	r := t.row
	texts, e, err := textFeatures(in, t.key.corpus)
	if err != nil {
		return nil, err
	}
	l := &lesson{Examples: &syntic.Examples{Each: 1}, e: e}
	var memory *syntic.Memory
	var kept []int
	if r.Project.Train || retrieves(r) {
		if memory, kept, err = syntic.MemoryOf(t.w.dev, texts, e, r.Memory, uint64(t.key.seed)); err != nil {
			return nil, err
		}
		defer memory.Release()
	}
	if l.sight, err = t.sight(e, memory, t.texts(t.key.corpus)); err != nil {
		return nil, err
	}
	var own *samples
	if t.synthetic() {
		own, err = t.refinedSamples(in, l, texts)
	} else {
		own, err = t.textSamples(in, l, texts, e)
	}
	if err != nil {
		return nil, err
	}
	for _, text := range t.w.corpora[t.key.corpus] {
		l.all = append(l.all, l.sight.words.Encode(text))
	}
	for i := 0; i < len(own.caption); i += l.Each {
		l.Captions = append(l.Captions, l.all[own.caption[i]])
	}
	self := places(own.caption, kept)
	patches, err := t.patches(in, own)
	if err != nil {
		return nil, err
	}
	if err := t.contexts(ctx, l, own, self, patches); err != nil {
		return nil, err
	}
	if r.Project.Train {
		l.Features, err = memory.Project(ctx, l.Features, self, r.Memory, nil)
	}
	return l, err
}

// refinedSamples are the samples of a row that learns from synthetic images; their features go to l.
func (t *rowStage) refinedSamples(in *plan.Pipeline, l *lesson, texts []float32) (*samples, error) {
	r := t.row
	own, err := t.samples(in)
	if err != nil {
		return nil, err
	}
	l.Features = own.features
	if r.Refine.Enabled {
		if err := read(in, t.refined(), func(f *syntic.Refined) { l.Features = f.Features }); err != nil {
			return nil, err
		}
	}
	if r.Synth.Combine == "sample" {
		l.Each = r.Synth.ImagesPerCaption
	}
	if r.Train.Weight == "clip" {
		l.Weights = syntic.Weights(own.raw, own.ownTexts(texts), own.e, r.Train.WeightScale)
	}
	return own, nil
}

// textSamples are the samples of a row that learns from the captions themselves. What looks texts up is their features with noise.
func (t *rowStage) textSamples(in *plan.Pipeline, l *lesson, texts []float32, e int) (*samples, error) {
	own := &samples{e: e, raw: make([]float32, 0, len(texts))}
	for i := range len(texts) / e {
		key := tensor.Key{Seed: uint64(t.key.seed), Item: queryItem + uint64(i)}
		own.raw = append(own.raw, syntic.Noisy(texts[i*e:(i+1)*e], float32(t.row.Retrieve.NoiseStd), key)...)
		own.caption = append(own.caption, int32(i))
	}
	l.Features = texts
	if t.row.Gap.Correct == "texts" {
		gap, err := t.gap(in)
		if err != nil {
			return nil, err
		}
		l.Features = gap.Correct(texts)
	}
	return own, nil
}

// contexts makes those of the examples, and the function that makes them anew each epoch where tags are dropped.
func (t *rowStage) contexts(ctx context.Context, l *lesson, own *samples, self []int32, patches []float32) error {
	o := t.row.Objects
	var tags [][]string
	var err error
	if t.synthetic() {
		tags, err = l.sight.tags(ctx, own.raw, own.found, self)
	} else {
		tags = t.captionTags(own.caption)
	}
	if err != nil {
		return err
	}
	maker, err := l.sight.maker(ctx, tags)
	if err != nil {
		return err
	}
	if l.Context, err = maker(tags); err != nil {
		return err
	}
	if l.Context.Patches, err = l.sight.patchTokens(ctx, own.raw, patches, true); err != nil {
		return err
	}
	l.Context.Texts = t.row.Retrieve.Tokens
	if l.Context.Retrieved, err = l.sight.retrieved(ctx, own.raw, self); err != nil {
		return err
	}
	if !o.Enabled || o.Drop == 0 {
		return nil
	}
	l.Remake = func(rows []int, epoch int) (*syntic.Context, error) {
		var left [][]string
		for _, row := range rows {
			left = append(left, syntic.DropTags(tags[row], o.Drop, uint64(t.key.seed), row, epoch))
		}
		about, err := maker(left)
		if err == nil {
			picked := l.Context.Pick(rows, l.e)
			about.Texts, about.Retrieved, about.Patches = picked.Texts, picked.Retrieved, picked.Patches
		}
		return about, err
	}
	return nil
}

// captionTags are the names of the vocabulary in captions, as ViECap and IFCap train on them.
func (t *rowStage) captionTags(captions []int32) [][]string {
	out := make([][]string, len(captions))
	o := t.row.Objects
	if !o.Enabled {
		return out
	}
	v := t.w.entities[o.Vocabulary]
	for i, c := range captions {
		names := v.In(t.w.corpora[t.key.corpus][c])
		out[i] = names[:min(len(names), o.MaxTags)]
	}
	return out
}

// places are the places of texts in rows, which rise; -1 for those that are not there.
func places(texts []int32, rows []int) []int32 {
	out := make([]int32, len(texts))
	for i, text := range texts {
		out[i] = -1
		if at, ok := slices.BinarySearch(rows, int(text)); ok {
			out[i] = int32(at)
		}
	}
	return out
}

// watched makes examples of the images of data.val, each with each of its references that the vocabulary has all words of.
func (t *rowStage) watched(ctx context.Context, in *plan.Pipeline, vocabulary *syntic.Vocabulary, e int) (*syntic.Examples, error) {
	c, err := t.captioner(in, t.key.corpus, e)
	if err != nil {
		return nil, err
	}
	defer c.release()
	own, found, err := testFeatures(in, valSet)
	if err != nil {
		return nil, err
	}
	patches, err := testPatches(in, valSet)
	if err != nil {
		return nil, err
	}
	about, _, err := c.sight.context(ctx, own, found, patches)
	if err != nil {
		return nil, err
	}
	v := c.gap.Correct(own)
	if t.row.Project.Enabled {
		if v, err = c.memory.Project(ctx, v, nil, t.row.Memory, nil); err != nil {
			return nil, err
		}
	}
	known := map[int32]bool{}
	for _, id := range vocabulary.IDs() {
		known[id] = true
	}
	x, i := &syntic.Examples{}, 0
	var of []int
	err = read(in, valSet, func(part *Tests) {
		for _, refs := range part.References {
			for _, text := range refs {
				ids := c.sight.words.Encode(text)
				if slices.ContainsFunc(ids, func(id int32) bool { return !known[id] }) {
					continue
				}
				x.Features, x.Captions, of = append(x.Features, v[i*e:(i+1)*e]...), append(x.Captions, ids), append(of, i)
			}
			i++
		}
	})
	if err != nil {
		return nil, err
	}
	if len(x.Captions) == 0 {
		return nil, badInput("data.val: no reference has only words that the training captions have: want decoder.vocabulary full, or other captions")
	}
	x.Context = about.Pick(of, e)
	return x, nil
}
