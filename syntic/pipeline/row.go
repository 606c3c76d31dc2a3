package pipeline

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/plan"
)

// Trained is what a row's training gives: the decoder and its curve.
type Trained struct {
	Decoder []byte // decoder.json and decoder.safetensors, as a tar
	Steps   []syntic.TrainStep
}

// rowStage is one row and seed on one corpus: it trains a decoder and captions test sets with it.
type rowStage struct {
	w   *work
	row *config.Recipe // with the row's overrides
	key rowKey
}

// synthetic tells whether the row learns from synthetic images.
func (t *rowStage) synthetic() bool { return t.row.Train.Features == "synthetic" }

// training is the stage that trains the decoder. It depends on those keys alone that the row's training looks at.
func (t *rowStage) training() plan.Stage {
	r := t.row
	after := []string{t.key.texts()}
	cfg := r.Section("train", "decoder", "decode.max_tokens", "project.train")
	cfg["seed"] = t.key.seed
	if t.synthetic() {
		after = append(after, t.key.pairs())
		if r.Refine.Enabled {
			after = append(after, t.key.refined())
		}
	}
	if r.Project.Train {
		maps.Copy(cfg, memoryKeys(r))
		maps.Copy(cfg, r.Section("memory.exclude_self"))
	}
	maps.Copy(cfg, objectKeys(r))
	if t.w.sets[valSet] != nil {
		after = append(after, valSet)
		if r.Project.Enabled && !r.Project.Train { // what watching alone looks at
			maps.Copy(cfg, memoryKeys(r))
		}
		cfg["project.enabled"] = r.Project.Enabled
	}
	return plan.Stage{
		Name: t.key.String(), Version: 2, After: after, Items: t.steps(), Config: cfg,
		SeedRule: "weights, order, noise and dropout from (seed, name or example or step)",
		Make:     t.train,
	}
}

// memoryKeys are the keys that every projection depends on.
func memoryKeys(r *config.Recipe) map[string]any {
	return r.Section("memory.size", "memory.dtype", "memory.top_k", "memory.temperature", "memory.normalise")
}

// objectKeys are the keys that a row with objects depends on, besides what the detector found.
func objectKeys(r *config.Recipe) map[string]any {
	if !r.Objects.Enabled {
		return r.Section("objects.enabled")
	}
	return r.Section("objects.enabled", "objects.threshold", "objects.prompt", "objects.pooling", "objects.max_tags", "objects.none", "objects.neutral")
}

// steps is how many steps the training has.
func (t *rowStage) steps() int {
	n := len(t.w.corpora[t.key.corpus])
	if t.synthetic() {
		n *= t.row.Synth.ImagesPerCaption
	}
	return t.row.Train.Epochs * ((n + t.row.Train.Batch - 1) / t.row.Train.Batch)
}

func (t *rowStage) train(ctx context.Context, _ plan.Shard, in *plan.Pipeline, out io.Writer, tick func(int)) error {
	w, r := t.w, t.row
	x, e, err := t.examples(ctx, in)
	if err != nil {
		return err
	}
	enc, err := w.encoder()
	if err != nil {
		return err
	}
	vocabulary := syntic.NewVocabulary(x.Captions, enc.tok.End())
	if r.Decoder.Vocabulary == "full" {
		vocabulary = syntic.FullVocabulary(enc.tok.Size(), enc.tok.End())
	}
	d, err := syntic.NewDecoder(w.dev, syntic.ShapeOf(r, e), vocabulary, r.Decoder.Init, uint64(t.key.seed))
	if err != nil {
		return err
	}
	defer d.Release()
	o := syntic.TrainOptionsOf(r)
	o.Seed, o.Every, o.Checkpoint = uint64(t.key.seed), r.Shards.Checkpoint, filepath.Join(in.Dir(t.key.String()), "training.checkpoint")
	if w.sets[valSet] != nil {
		val, err := t.watched(ctx, in, vocabulary, e)
		if err != nil {
			return err
		}
		o.Watch = func() (float64, error) { return d.Loss(ctx, val, r.Decoder.MaxLength, r.Train.Batch) }
	}
	var result Trained
	if result.Steps, err = d.Train(ctx, x, o, ticking{tick}); err != nil {
		return err
	}
	if result.Decoder, err = packDecoder(d); err != nil {
		return err
	}
	if err := os.Remove(o.Checkpoint); err != nil && !os.IsNotExist(err) {
		return err
	}
	return encode(out, &result)
}

// examples makes the row's training examples, with features of size e.
func (t *rowStage) examples(ctx context.Context, in *plan.Pipeline) (x *syntic.Examples, e int, err error) {
	w, r := t.w, t.row
	own, e, err := textFeatures(in, t.key.corpus)
	if err != nil {
		return nil, 0, err
	}
	x = &syntic.Examples{Features: own}
	each := 1
	if t.synthetic() {
		each = r.Synth.ImagesPerCaption
		images, found, err := pairFeatures(in, t.key)
		if err != nil {
			return nil, 0, err
		}
		if r.Refine.Enabled {
			if err := read(in, t.key.refined(), func(f *syntic.Refined) { images = f.Features }); err != nil {
				return nil, 0, err
			}
		}
		x.Features = images
		if x.Objects, err = w.objects(ctx, found, r.Objects, e); err != nil {
			return nil, 0, err
		}
	}
	enc, err := w.encoder()
	if err != nil {
		return nil, 0, err
	}
	var self []int32
	for i, text := range w.corpora[t.key.corpus] {
		ids := enc.tok.Encode(text)
		for range each {
			self, x.Captions = append(self, int32(i)), append(x.Captions, ids)
		}
	}
	if !r.Project.Train {
		return x, e, nil
	}
	memory, rows, err := syntic.MemoryOf(w.dev, own, e, r.Memory, uint64(t.key.seed))
	if err != nil {
		return nil, 0, err
	}
	defer memory.Release()
	x.Features, err = memory.Project(ctx, x.Features, places(self, rows), r.Memory, nil)
	return x, e, err
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
	w, r := t.w, t.row
	v, found, err := testFeatures(in, valSet)
	if err != nil {
		return nil, err
	}
	if r.Project.Enabled {
		m, err := t.memory(in, t.key.corpus)
		if err != nil {
			return nil, err
		}
		defer m.Release()
		if v, err = m.Project(ctx, v, nil, r.Memory, nil); err != nil {
			return nil, err
		}
	}
	enc, err := w.encoder()
	if err != nil {
		return nil, err
	}
	known := map[int32]bool{}
	for _, id := range vocabulary.IDs() {
		known[id] = true
	}
	x, i := &syntic.Examples{}, 0
	var of [][]syntic.Detection
	err = read(in, valSet, func(part *Tests) {
		for _, refs := range part.References {
			for _, text := range refs {
				ids := enc.tok.Encode(text)
				if slices.ContainsFunc(ids, func(id int32) bool { return !known[id] }) {
					continue
				}
				x.Features, x.Captions, of = append(x.Features, v[i*e:(i+1)*e]...), append(x.Captions, ids), append(of, found[i])
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
	x.Objects, err = w.objects(ctx, of, r.Objects, e)
	return x, err
}

// captions is the stage that captions a test set with the row's decoder.
func (t *rowStage) captions(set string) plan.Stage {
	r := t.row
	after := []string{t.key.String(), set}
	cfg := r.Section("decode", "project.enabled")
	if r.Project.Enabled {
		after = append(after, textsOf(t.memoryFor(set)))
		maps.Copy(cfg, memoryKeys(r))
	}
	maps.Copy(cfg, objectKeys(r))
	return plan.Stage{
		Name: t.key.captions(set), Version: 1, After: after, Items: t.w.sets[set].count, Config: cfg,
		Make: func(ctx context.Context, _ plan.Shard, in *plan.Pipeline, out io.Writer, tick func(int)) error {
			texts, err := t.caption(ctx, in, set, tick)
			if err != nil {
				return err
			}
			return encode(out, texts)
		},
	}
}

func (t *rowStage) caption(ctx context.Context, in *plan.Pipeline, set string, tick func(int)) ([]syntic.Caption, error) {
	w, r := t.w, t.row
	trained, err := readTrained(in, t.key)
	if err != nil {
		return nil, err
	}
	d, err := openDecoder(w.dev, trained.Decoder)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	enc, err := w.encoder()
	if err != nil {
		return nil, err
	}
	c := syntic.Captioner{Decoder: d, Text: enc.tok, Project: r.Memory, Decode: r.Decode}
	if r.Project.Enabled {
		if c.Memory, err = t.memory(in, t.memoryFor(set)); err != nil {
			return nil, err
		}
		defer c.Memory.Release()
	}
	v, found, err := testFeatures(in, set)
	if err != nil {
		return nil, err
	}
	objects, err := w.objects(ctx, found, r.Objects, d.Shape.Features)
	if err != nil {
		return nil, err
	}
	texts, err := c.Caption(ctx, v, objects, only{"caption", tick})
	for i := range texts {
		texts[i].Others = nil
	}
	return texts, err
}

// memory is that of a corpus's texts.
func (t *rowStage) memory(in *plan.Pipeline, corpus string) (*syntic.Memory, error) {
	features, e, err := textFeatures(in, corpus)
	if err != nil {
		return nil, err
	}
	m, _, err := syntic.MemoryOf(t.w.dev, features, e, t.row.Memory, uint64(t.key.seed))
	return m, err
}

// objects makes the decoder's object input of detections; nil where o has none.
func (w *work) objects(ctx context.Context, found [][]syntic.Detection, o config.Objects, e int) (*syntic.Objects, error) {
	if !o.Enabled {
		return nil, nil
	}
	m, err := w.encoder()
	if err != nil {
		return nil, err
	}
	return m.objects(ctx, found, o, e, w.r.CLIP.Batch)
}

// ticking shows the progress of a library call as the stage's own.
type ticking struct{ tick func(int) }

func (t ticking) Stage(string, int) plan.Bar { return t }
func (t ticking) Add(n int)                  { t.tick(n) }
func (t ticking) Done()                      {}

// only shows the progress of one part of a library call as the stage's own.
type only struct {
	name string
	tick func(int)
}

func (t only) Stage(name string, n int) plan.Bar {
	if name == t.name {
		return ticking{t.tick}
	}
	return plan.Quiet.Stage(name, n)
}
