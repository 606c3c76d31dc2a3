package pipeline

import (
	"context"
	"errors"
	"fmt"
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
	after, inputs := []string{t.key.texts()}, map[string]string{}
	cfg := r.Section("train", "decoder", "decode.max_tokens", "project.train")
	cfg["seed"] = t.key.seed
	if t.synthetic() {
		maps.Copy(cfg, r.Section("synth.images_per_caption", "synth.combine"))
		after = append(after, t.before()...)
		if r.Refine.Enabled {
			after = append(after, t.refined())
		}
	}
	if r.Project.Train {
		maps.Copy(cfg, memoryKeys(r))
		maps.Copy(cfg, r.Section("memory.exclude_self"))
	}
	if r.Gap.Correct == "texts" || r.Gap.Correct == "images" && (t.synthetic() || t.w.sets[valSet] != nil) {
		maps.Copy(cfg, r.Section("gap", "synth.images_per_caption"))
		after = append(after, t.pairs()...)
	}
	t.aboutKeys(cfg, inputs)
	if t.w.sets[valSet] != nil {
		after = append(after, valSet)
		if r.Project.Enabled && !r.Project.Train { // what watching alone looks at
			maps.Copy(cfg, memoryKeys(r))
		}
		cfg["project.enabled"] = r.Project.Enabled
	}
	if r.Decoder.Start != "scratch" {
		inputs["start"] = t.w.starts[r.Decoder.Start]
	}
	return plan.Stage{
		Name: t.trainer().String(), Version: 3, After: unique(after), Items: t.steps(), Config: cfg, Inputs: inputs,
		SeedRule: "weights, order, draws, noise and dropout from (seed, name or example or step)",
		Make:     t.train,
	}
}

// trainer is the first row of the table, this one at last, whose decoder is trained as this one's is: rows that differ in decoding alone share one.
func (t *rowStage) trainer() rowKey {
	w, key := t.w, t.key
	if name := w.trainers[key.row]; name != "" {
		key.row = name
		return key
	}
	own, name := trainingKeys(t.row), key.row
	for _, row := range config.Rows {
		if row.Name == name {
			break
		}
		if other, err := w.r.Row(row.Name); err == nil && maps.Equal(trainingKeys(other), own) {
			name = row.Name
			break
		}
	}
	if w.trainers == nil {
		w.trainers = map[string]string{}
	}
	w.trainers[key.row] = name
	key.row = name
	return key
}

// trainingKeys are all keys but those that a trained decoder does not depend on.
func trainingKeys(r *config.Recipe) map[string]string {
	out := map[string]string{}
	for _, k := range r.Keys() {
		switch k.Path {
		case "decode.beams", "decode.length_penalty", "decode.rerank", "memory.source":
		default:
			out[k.Path] = fmt.Sprint(k.Value)
		}
	}
	return out
}

// unique keeps the first of equal names.
func unique(names []string) (out []string) {
	for _, name := range names {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// memoryKeys are the keys that every projection depends on.
func memoryKeys(r *config.Recipe) map[string]any {
	return r.Section("memory.size", "memory.dtype", "memory.top_k", "memory.temperature", "memory.normalise")
}

// aboutKeys adds what the contexts of images depend on, besides what the detector found.
func (t *rowStage) aboutKeys(cfg map[string]any, inputs map[string]string) {
	r := t.row
	if retrieves(r) {
		maps.Copy(cfg, r.Section("retrieve", "memory.size", "memory.dtype"))
	} else {
		maps.Copy(cfg, r.Section("retrieve.tokens"))
	}
	if r.Patches.Enabled {
		maps.Copy(cfg, r.Section("patches", "objects.prompt"))
		inputs["vocabulary"] = hashTexts(t.w.entities[r.Objects.Vocabulary].Names())
	} else {
		maps.Copy(cfg, r.Section("patches.enabled"))
	}
	if !r.Objects.Enabled {
		maps.Copy(cfg, r.Section("objects.enabled"))
		return
	}
	maps.Copy(cfg, r.Section("objects"))
	delete(cfg, "objects.model") // its hash is in the stages before
	delete(cfg, "objects.vocabulary")
	if r.Objects.Source != "detector" {
		inputs["vocabulary"] = hashTexts(t.w.entities[r.Objects.Vocabulary].Names())
	} else if r.Objects.As == "words" {
		inputs["detr"] = t.w.detectorHash() // its names
	}
}

// steps is how many steps the training has.
func (t *rowStage) steps() int {
	n := len(t.w.corpora[t.key.corpus])
	if t.synthetic() {
		if n = t.count(); t.row.Synth.Combine == "sample" {
			n /= t.row.Synth.ImagesPerCaption
		}
	}
	return t.row.Train.Epochs * ((n + t.row.Train.Batch - 1) / t.row.Train.Batch)
}

func (t *rowStage) train(ctx context.Context, _ plan.Shard, in *plan.Pipeline, out io.Writer, tick func(int)) error {
	r := t.row
	x, err := t.examples(ctx, in)
	if err != nil {
		return err
	}
	d, err := t.fresh(x)
	if err != nil {
		return err
	}
	defer d.Release()
	o := syntic.TrainOptionsOf(r)
	o.Seed, o.Every, o.Checkpoint = uint64(t.key.seed), r.Shards.Checkpoint, filepath.Join(in.Dir(t.trainer().String()), "training.checkpoint")
	if t.w.sets[valSet] != nil {
		val, err := t.watched(ctx, in, d.Vocab, x.e)
		if err != nil {
			return err
		}
		o.Watch = func() (float64, error) { return d.Loss(ctx, val, r.Decoder.MaxLength, r.Train.Batch) }
	}
	log, done := t.w.rec.training(t.key)
	o.Log = log
	var result Trained
	result.Steps, err = d.Train(ctx, x.Examples, o, ticking{tick})
	if err = errors.Join(err, done()); err != nil {
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

// fresh is the decoder before its training.
func (t *rowStage) fresh(x *lesson) (*syntic.Decoder, error) {
	r, seed := t.row, uint64(t.key.seed)
	names, err := t.names()
	if err != nil {
		return nil, err
	}
	sh := syntic.ShapeOf(r, syntic.Sizes{Features: x.e, Words: x.sight.longestPrompt(names), Patches: x.sight.enc.PatchCount()})
	if r.Decoder.Start != "scratch" {
		d, err := syntic.StartFromGPT2(t.w.dev, r.Decoder.Start, sh, r.Decoder.Init, seed)
		if err != nil {
			return nil, inputError{fmt.Errorf("decoder.start: %w", err)}
		}
		if ids := x.sight.words.Size(); ids > d.Vocab.Size() {
			d.Release()
			return nil, badInput("decoder.start: %s: a tokenizer of %d ids, a model of %d: want vocab.json and merges.txt of this model", r.Decoder.Start, ids, d.Vocab.Size())
		}
		return d, nil
	}
	words := x.sight.words
	vocabulary := syntic.NewVocabulary(append(x.all, x.sight.prompts(names)...), words.End())
	if r.Decoder.Vocabulary == "full" {
		vocabulary = syntic.FullVocabulary(words.Size(), words.End())
	}
	return syntic.NewDecoder(t.w.dev, sh, vocabulary, r.Decoder.Init, seed)
}

// words is the tokenizer of the row's captions.
func (t *rowStage) words() (words, error) {
	if t.row.Decoder.Start == "scratch" {
		enc, err := t.w.encoder()
		if err != nil {
			return nil, err
		}
		return enc.tok, nil
	}
	g, err := gpt2Words(t.row.Decoder.Start)
	if err != nil {
		return nil, inputError{fmt.Errorf("decoder.start: %w", err)}
	}
	return g, nil
}

// captions is the stage that captions a test set with the row's decoder.
func (t *rowStage) captions(set string) plan.Stage {
	r := t.row
	after, inputs := []string{t.trainer().String(), set}, map[string]string{}
	cfg := r.Section("decode", "project.enabled")
	if r.Project.Enabled {
		maps.Copy(cfg, memoryKeys(r))
	}
	if r.Project.Enabled || retrieves(r) {
		after = append(after, textsOf(t.memoryFor(set)))
	}
	if r.Gap.Correct == "images" {
		maps.Copy(cfg, r.Section("gap", "synth.images_per_caption"))
		after = append(append(after, t.pairs()...), t.key.texts())
	}
	if r.Decode.Rerank != "none" {
		maps.Copy(cfg, r.Section("clip.prompt"))
	}
	t.aboutKeys(cfg, inputs)
	return plan.Stage{
		Name: t.key.captions(set), Version: 2, After: unique(after), Items: t.w.sets[set].count, Config: cfg, Inputs: inputs,
		Make: func(ctx context.Context, _ plan.Shard, in *plan.Pipeline, out io.Writer, tick func(int)) error {
			texts, err := t.caption(ctx, in, set, tick)
			if err != nil {
				return err
			}
			return encode(out, texts)
		},
	}
}

// looking is what turns a row's images into the input of its decoder.
type looking struct {
	memory *syntic.Memory // or nil
	gap    *syntic.Gap    // or nil
	sight  *sight
}

// release frees what it holds; nothing of a nil one.
func (c *looking) release() {
	if c != nil && c.memory != nil {
		c.memory.Release()
	}
}

// captioner makes what the row looks at images with, projecting on and retrieving from a corpus.
func (t *rowStage) captioner(in *plan.Pipeline, corpus string, e int) (c *looking, err error) {
	c = &looking{}
	if t.row.Project.Enabled || retrieves(t.row) {
		if c.memory, err = t.memory(in, corpus); err != nil {
			return nil, err
		}
	}
	if t.row.Gap.Correct == "images" {
		if c.gap, err = t.gap(in); err != nil {
			return nil, err
		}
	}
	c.sight, err = t.sight(e, c.memory, t.texts(corpus))
	return c, err
}

func (t *rowStage) caption(ctx context.Context, in *plan.Pipeline, set string, tick func(int)) ([]syntic.Caption, error) {
	w, r := t.w, t.row
	trained, err := readTrained(in, t.trainer())
	if err != nil {
		return nil, err
	}
	d, err := openDecoder(w.dev, trained.Decoder)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	look, err := t.captioner(in, t.memoryFor(set), d.Shape.Features)
	if err != nil {
		return nil, err
	}
	defer look.release()
	v, found, err := testFeatures(in, set)
	if err != nil {
		return nil, err
	}
	patches, err := testPatches(in, set)
	if err != nil {
		return nil, err
	}
	about, _, err := look.sight.context(ctx, v, found, patches)
	if err != nil {
		return nil, err
	}
	c := syntic.Captioner{Decoder: d, Text: look.sight.words, Project: r.Memory, Decode: r.Decode, Gap: look.gap, Encode: look.sight.captions(w.r.CLIP.Prompt)}
	if r.Project.Enabled {
		c.Memory = look.memory
	}
	texts, err := c.Caption(ctx, v, about, only{"caption", tick})
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
