package pipeline

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/plan"
)

func hashTexts(texts []string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d %s\n", len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func prompted(texts []string, prompt string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = strings.ReplaceAll(prompt, "{text}", t)
	}
	return out
}

// Trained is what a row's stage gives: the decoder, its curve, and the captions of each test set.
type Trained struct {
	Decoder []byte // decoder.json and decoder.safetensors, as a tar
	Steps   []syntic.TrainStep
	Sets    []string           // names of the test sets, in order
	Texts   [][]syntic.Caption // [set][image]
}

// rowStage trains the decoder of one row and seed on one corpus and captions the test sets with it.
type rowStage struct {
	w                     *work
	row                   *config.Recipe // with the row's overrides
	seed                  int64
	corpus                string
	pairs, texts, refined string // names of stages; pairs and refined only where the row uses them
	memory                string // stage of the texts that test images are projected on, "" for the training's
	sets                  []string
}

func (t *rowStage) stage(name string) plan.Stage {
	after := []string{t.texts}
	if t.row.Train.Features == "synthetic" {
		after = append(after, t.pairs)
		if t.row.Refine.Enabled {
			after = append(after, t.refined)
		}
	}
	if t.memory != "" {
		after = append(after, t.memory)
	}
	after = append(after, t.sets...)
	cfg := map[string]any{"seed": t.seed, "images_per_caption": t.row.Synth.ImagesPerCaption,
		"recipe": fmt.Sprint(t.row.Section("project", "memory", "objects", "decoder", "train", "decode", "refine"))}
	return plan.Stage{
		Name: name, Version: 1, After: after, Items: t.steps(), Config: cfg,
		Inputs:   map[string]string{"captions": hashTexts(t.w.corpora[t.corpus])},
		SeedRule: "weights, order, noise and dropout from (seed, name or example or step)",
		Make:     t.make,
	}
}

// steps is how many steps the training has.
func (t *rowStage) steps() int {
	n := len(t.w.corpora[t.corpus])
	if t.row.Train.Features == "synthetic" {
		n *= t.row.Synth.ImagesPerCaption
	}
	return max(1, t.row.Train.Epochs*((n+t.row.Train.Batch-1)/t.row.Train.Batch))
}

// make reads what the row needs and trains.
func (t *rowStage) make(ctx context.Context, _ plan.Shard, in *plan.Pipeline, out io.Writer, tick func(int)) error {
	w, r := t.w, t.row
	x, memory, e, err := t.examples(ctx, in)
	if err != nil {
		return err
	}
	defer memory.Release()
	enc, err := w.encoder()
	if err != nil {
		return err
	}
	d, err := syntic.NewDecoder(w.dev, syntic.ShapeOf(r, e), syntic.NewVocabulary(x.Captions, enc.tok.End()), r.Decoder.Init, uint64(t.seed))
	if err != nil {
		return err
	}
	defer d.Release()
	o := syntic.TrainOptionsOf(r)
	o.Seed = uint64(t.seed)
	var result Trained
	if result.Steps, err = d.Train(ctx, x, o, ticking{tick}); err != nil {
		return err
	}
	if result.Decoder, err = packDecoder(d); err != nil {
		return err
	}
	c := syntic.Captioner{Decoder: d, Text: enc.tok, Project: r.Memory, Decode: r.Decode}
	if r.Project.Enabled {
		c.Memory = memory
		if t.memory != "" {
			if c.Memory, err = w.memoryOf(in, t.memory); err != nil {
				return err
			}
			defer c.Memory.Release()
		}
	}
	for _, set := range t.sets {
		v, found, err := testFeatures(in, set)
		if err != nil {
			return err
		}
		objects, err := w.objects(ctx, found, r, e)
		if err != nil {
			return err
		}
		texts, err := c.Caption(ctx, v, objects, nil)
		if err != nil {
			return err
		}
		for i := range texts {
			texts[i].Others = nil
		}
		result.Sets, result.Texts = append(result.Sets, set), append(result.Texts, texts)
	}
	return encode(out, &result)
}

// memoryOf makes a memory of the features of a stage.
func (w *work) memoryOf(in *plan.Pipeline, texts string) (*syntic.Memory, error) {
	var f []float32
	if err := read(in, texts, func(part *[]float32) { f = append(f, *part...) }); err != nil {
		return nil, err
	}
	return syntic.NewMemory(w.dev, f, len(f)/in.Stage(texts).Items)
}

// examples makes the row's training examples, and the memory of its texts.
func (t *rowStage) examples(ctx context.Context, in *plan.Pipeline) (x *syntic.Examples, memory *syntic.Memory, e int, err error) {
	w, r := t.w, t.row
	var own []float32
	if err := read(in, t.texts, func(f *[]float32) { own = append(own, *f...) }); err != nil {
		return nil, nil, 0, err
	}
	n := len(w.corpora[t.corpus])
	e = len(own) / n
	if memory, err = syntic.NewMemory(w.dev, own, e); err != nil {
		return nil, nil, 0, err
	}
	defer func() {
		if err != nil {
			memory.Release()
		}
	}()
	x = &syntic.Examples{Features: own}
	each := 1
	if r.Train.Features == "synthetic" {
		each = r.Synth.ImagesPerCaption
		var images []float32
		var found [][]syntic.Detection
		if err := read(in, t.pairs, func(p *Pairs) { images, found = append(images, p.Features...), append(found, p.Found...) }); err != nil {
			return nil, nil, 0, err
		}
		if r.Refine.Enabled {
			images = nil
			if err := read(in, t.refined, func(f *syntic.Refined) { images = append(images, f.Features...) }); err != nil {
				return nil, nil, 0, err
			}
		}
		x.Features = images
		if x.Objects, err = w.objects(ctx, found, r, e); err != nil {
			return nil, nil, 0, err
		}
	}
	self := make([]int32, n*each)
	enc, err := w.encoder()
	if err != nil {
		return nil, nil, 0, err
	}
	for i, text := range w.corpora[t.corpus] {
		ids := enc.tok.Encode(text)
		for k := range each {
			self[i*each+k] = int32(i)
			x.Captions = append(x.Captions, ids)
		}
	}
	if r.Project.Train {
		if x.Features, err = memory.Project(ctx, x.Features, self, r.Memory, nil); err != nil {
			return nil, nil, 0, err
		}
	}
	return x, memory, e, nil
}

// objects makes the decoder's object input of detections; nil where the recipe has none.
func (w *work) objects(ctx context.Context, found [][]syntic.Detection, r *config.Recipe, e int) (*syntic.Objects, error) {
	if !r.Objects.Enabled {
		return nil, nil
	}
	tags := make([][]string, len(found))
	for i, f := range found {
		tags[i] = syntic.SelectTags(f, r.Objects)
	}
	names, prompts := syntic.TagPrompts(tags, r.Objects)
	var features []float32
	if len(prompts) > 0 {
		var err error
		if features, err = w.encodeTexts(ctx, prompts, nil); err != nil {
			return nil, err
		}
	}
	table, err := syntic.NewTagTable(names, features, e)
	if err != nil {
		return nil, err
	}
	return table.Objects(tags, r.Objects)
}

func testFeatures(in *plan.Pipeline, set string) (v []float32, found [][]syntic.Detection, err error) {
	err = read(in, set, func(t *Tests) { v, found = append(v, t.Features...), append(found, t.Found...) })
	return v, found, err
}

// packDecoder is the decoder's files as one tar, without times, so that equal decoders have equal bytes.
func packDecoder(d *syntic.Decoder) ([]byte, error) {
	dir, err := os.MkdirTemp("", "syntic-decoder-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := d.Save(dir); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	files := tar.NewWriter(&b)
	list, err := os.ReadDir(dir) // by name
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		if err := files.WriteHeader(&tar.Header{Name: f.Name(), Mode: 0o644, Size: int64(len(data))}); err != nil {
			return nil, err
		}
		if _, err := files.Write(data); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), files.Close()
}

// unpackDecoder writes the files of packDecoder to a folder.
func unpackDecoder(data []byte, dir string) error {
	files := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := files.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, filepath.Base(h.Name)), func(w io.Writer) error { _, err := io.Copy(w, files); return err }); err != nil {
			return err
		}
	}
}

// ticking shows the progress of a library call as the stage's own.
type ticking struct{ tick func(int) }

func (t ticking) Stage(string, int) plan.Bar { return t }
func (t ticking) Add(n int)                  { t.tick(n) }
func (t ticking) Done()                      {}
