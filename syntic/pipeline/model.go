package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"syntic/clip"
	"syntic/clip/pixels"
	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/detr"
	"syntic/tensor"
)

const modelFormat = "syntic-model-1"

// modelFile is model.json: what a trained captioner needs besides its weights.
type modelFile struct {
	Format  string         `json:"format"`
	CLIP    string         `json:"clip"` // folders, relative to this file or absolute
	DETR    string         `json:"detr"`
	Prompt  string         `json:"prompt"` // of captions, for texts of a new memory
	Project bool           `json:"project"`
	Memory  config.Memory  `json:"memory"`
	Objects config.Objects `json:"objects"`
	Decode  config.Decode  `json:"decode"`

	Retrieve config.Retrieve `json:"retrieve"`
	Patches  config.Patches  `json:"patches"`
	Names    []string        `json:"names,omitempty"` // of the vocabulary of tags
	Gap      bool            `json:"gap,omitempty"`   // there is gap.safetensors
	GPT2     bool            `json:"gpt2,omitempty"`  // the decoder writes GPT-2's tokens; its tokenizer is in gpt2, or GPT-2's own
}

// model writes the folder DIR/model of the first row and seed of the first setting. model.json comes last: a folder without it holds no model.
func (f *finish) model() error {
	r := f.w.r
	row := f.l.first.row
	dir := filepath.Join(f.dir, "model")
	file := modelFile{Format: modelFormat, Prompt: r.CLIP.Prompt, Project: row.Project.Enabled, Memory: row.Memory, Objects: row.Objects, Decode: row.Decode, Retrieve: row.Retrieve, Patches: row.Patches}
	if err := unpackDecoder(f.trained[f.l.first.key].Decoder, dir); err != nil {
		return err
	}
	corpus := f.l.first.memoryFor(f.l.set)
	m, err := f.l.first.memory(f.p, corpus)
	if err != nil {
		return err
	}
	defer m.Release()
	if err := m.Save(filepath.Join(dir, "memory.safetensors")); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "memory.txt"), func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Join(f.l.first.texts(corpus), "\n")+"\n")
		return err
	}); err != nil {
		return err
	}
	at := func(folder string) string {
		if folder == "" {
			return "" // a model that no row uses
		}
		if rel, err := filepath.Rel(dir, folder); err == nil && strings.HasPrefix(rel, filepath.Join("..", "models")) {
			return filepath.ToSlash(rel)
		}
		if abs, err := filepath.Abs(folder); err == nil {
			return abs
		}
		return folder
	}
	file.CLIP, file.DETR = at(f.w.folders.CLIP), at(f.w.folders.DETR)
	if err := f.modelParts(dir, &file); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "model.json"), file)
}

// modelParts writes what only some rows have.
func (f *finish) modelParts(dir string, file *modelFile) error {
	t := f.l.first
	if o := t.row.Objects; t.row.Patches.Enabled || o.Enabled && o.Source != "detector" {
		file.Names = f.w.entities[o.Vocabulary].Names()
	}
	if t.row.Gap.Correct == "images" {
		gap, err := t.gap(f.p)
		if err != nil {
			return err
		}
		file.Gap = true
		if err := gap.Save(filepath.Join(dir, gapFile)); err != nil {
			return err
		}
	}
	if t.row.Decoder.Start == "scratch" {
		return nil
	}
	file.GPT2 = true
	for _, name := range gpt2Files {
		data, err := os.ReadFile(filepath.Join(t.row.Decoder.Start, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, gpt2Folder, name), func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
			return err
		}
	}
	return nil
}

const (
	gapFile    = "gap.safetensors"
	gpt2Folder = "gpt2"
)

// Model captions images of the user.
type Model struct {
	syntic.Captioner
	Texts  []string // of the memory
	enc    *encoder
	det    *detr.Model
	file   modelFile
	memory *syntic.Memory
	sight  *sight
}

// OpenModel opens the folder of a run, or its folder model.
func OpenModel(dev *tensor.Device, dir string) (m *Model, err error) {
	path := filepath.Join(dir, "model.json")
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join(dir, "model", "model.json")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, badInput("model %s: no model.json there or in its folder model: want a folder that syntic run wrote", dir)
	}
	m = &Model{}
	defer func() {
		if err != nil {
			m.Close()
			m = nil
		}
	}()
	if err := json.Unmarshal(data, &m.file); err != nil || m.file.Format != modelFormat {
		return m, badInput("%s: want the JSON of a model, format %q (%v)", path, modelFormat, err)
	}
	m.file.complete()
	if err := m.file.check(); err != nil {
		return m, badInput("%s: %w", path, err)
	}
	dir = filepath.Dir(path)
	folder := func(p string) string {
		if filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(dir, filepath.FromSlash(p))
	}
	if m.enc, err = openCLIP(dev, folder(m.file.CLIP)); err != nil {
		return m, inputError{err}
	}
	if m.file.Objects.Enabled && m.file.Objects.Source == "detector" {
		if m.det, err = detr.Load(folder(m.file.DETR), dev); err != nil {
			return m, inputError{err}
		}
	}
	if m.Decoder, err = syntic.LoadDecoder(dev, dir); err != nil {
		return m, inputError{err}
	}
	if m.memory, err = syntic.LoadMemory(dev, filepath.Join(dir, "memory.safetensors")); err != nil {
		return m, inputError{err}
	}
	texts, err := os.ReadFile(filepath.Join(dir, "memory.txt"))
	if err != nil {
		return m, inputError{err}
	}
	m.Texts = strings.Split(strings.TrimSuffix(string(texts), "\n"), "\n")
	if len(m.Texts) != m.memory.Size() {
		return m, badInput("%s: %d texts in memory.txt, %d features in memory.safetensors: want as many", dir, len(m.Texts), m.memory.Size())
	}
	if err := m.fit(dir); err != nil {
		return m, err
	}
	m.Project, m.Decode = m.file.Memory, m.file.Decode
	if m.file.Project {
		m.Memory = m.memory
	}
	return m, m.openParts(dev, dir)
}

// openParts opens what only some models have.
func (m *Model) openParts(dev *tensor.Device, dir string) (err error) {
	s := &sight{dev: dev, enc: m.enc, words: m.enc.tok, batch: captionBatch, e: m.Decoder.Shape.Features, objects: m.file.Objects, retrieve: m.file.Retrieve, patches: m.file.Patches,
		memory: m.memory, texts: m.Texts}
	if m.file.GPT2 {
		if s.words, err = gpt2Words(filepath.Join(dir, gpt2Folder)); err != nil {
			return inputError{err}
		}
	}
	if len(m.file.Names) > 0 {
		if s.entities, err = syntic.NewEntities(m.file.Names); err != nil {
			return badInput("%s: names of model.json: %w", dir, err)
		}
	} else if s.patches.Enabled || s.objects.Enabled && s.objects.Source != "detector" {
		return badInput("%s: no names in model.json: want those of the vocabulary, as objects.source is %s, patches.enabled %t", dir, s.objects.Source, s.patches.Enabled)
	}
	if m.file.Gap {
		if m.Gap, err = syntic.LoadGap(filepath.Join(dir, gapFile), s.e); err != nil {
			return inputError{err}
		}
	}
	m.sight, m.Text, m.Encode = s, s.words, s.captions(m.file.Prompt)
	return nil
}

// complete gives keys that older models lack the value that means what they did.
func (f *modelFile) complete() {
	d := config.Default()
	if f.Memory.DType == "" {
		f.Memory.DType = d.Memory.DType
	}
	if f.Retrieve.Captions == 0 {
		f.Retrieve = d.Retrieve
	}
	if f.Patches.Tags == 0 {
		f.Patches = d.Patches
	}
	if f.Decode.Rerank == "" {
		f.Decode.Rerank = d.Decode.Rerank
	}
	if o := &f.Objects; o.As == "" {
		o.As, o.WordsPrompt, o.Vocabulary, o.Temperature = d.Objects.As, d.Objects.WordsPrompt, d.Objects.Vocabulary, d.Objects.Temperature
	}
}

// check holds the choices to the ranges that they have in a recipe.
func (f *modelFile) check() error {
	r := config.Default()
	r.CLIP.Prompt, r.Memory, r.Objects, r.Decode, r.Retrieve, r.Patches = f.Prompt, f.Memory, f.Objects, f.Decode, f.Retrieve, f.Patches
	r.Data.Count = 0
	return r.Validate()
}

// fit tells whether the parts agree on their sizes.
func (m *Model) fit(dir string) error {
	e := m.Decoder.Shape.Features
	switch {
	case m.enc.Config.Projection != e:
		return badInput("%s: CLIP's features have size %d, the decoder's %d: want the CLIP that it was trained with", dir, m.enc.Config.Projection, e)
	case m.memory.Features() != e:
		return badInput("%s: features of size %d in memory.safetensors: want %d, the decoder's", dir, m.memory.Features(), e)
	case m.file.Project && m.file.Memory.TopK > m.memory.Size():
		return badInput("%s: memory.top_k %d in model.json: want at most %d, the memory's texts", dir, m.file.Memory.TopK, m.memory.Size())
	}
	return nil
}

// Close frees the models.
func (m *Model) Close() {
	if m.enc != nil {
		m.enc.Close()
	}
	if m.det != nil {
		m.det.Close()
	}
	if m.Decoder != nil {
		m.Decoder.Release()
	}
	if m.memory != nil {
		m.memory.Release()
	}
}

// Captioned is what was made of one image.
type Captioned struct {
	Caption    string      `json:"caption"`
	LogProb    float64     `json:"log_prob"`
	Objects    []Box       `json:"objects"`        // those that the caption was given, in pixels
	Tags       []string    `json:"tags,omitempty"` // names that the decoder was given, whatever they came from
	Neighbours []Neighbour `json:"neighbours"`
}

// Neighbour is a text of the memory.
type Neighbour struct {
	Text   string  `json:"text"`
	Cosine float64 `json:"cosine"`
}

// captionBatch is how many images or tags are encoded together; it changes no result.
const captionBatch = 16

// CaptionImages captions images; an image's caption does not depend on the others.
func (m *Model) CaptionImages(ctx context.Context, images []*pixels.Image, neighbours int) (out []Captioned, err error) {
	defer tensor.Catch(&err)
	v, err := clip.EncodeImages(ctx, m.enc.Model, len(images), func(i int) (*pixels.Image, error) { return images[i], nil }, captionBatch, nil)
	if err != nil {
		return nil, err
	}
	out = make([]Captioned, len(images))
	var found [][]detr.Detection
	if m.det != nil {
		if found, err = detr.Detect(ctx, m.det, images, minScore); err != nil {
			return nil, err
		}
		for i, l := range found {
			for _, b := range boxes(l) {
				if b.Score >= m.file.Objects.Threshold {
					out[i].Objects = append(out[i].Objects, b)
				}
			}
		}
	}
	var patches []float32
	if m.file.Patches.Enabled {
		if patches, err = clip.EncodePatches(ctx, m.enc.Model, len(images), func(i int) (*pixels.Image, error) { return images[i], nil }, captionBatch); err != nil {
			return nil, err
		}
	}
	about, tags, err := m.sight.context(ctx, v, tagged(found), patches)
	if err != nil {
		return nil, err
	}
	texts, err := m.Caption(ctx, v, about, nil)
	if err != nil {
		return nil, err
	}
	neighbours = min(neighbours, m.memory.Size())
	var cosine []float32
	var index []int32
	if neighbours > 0 {
		if cosine, index, err = m.memory.Neighbours(ctx, v, nil, neighbours, nil); err != nil {
			return nil, err
		}
	}
	for i := range out {
		out[i].Caption, out[i].LogProb, out[i].Tags = texts[i].Text, texts[i].LogProb, tags[i]
		for k := range neighbours {
			at := i*neighbours + k
			out[i].Neighbours = append(out[i].Neighbours, Neighbour{m.Texts[index[at]], float64(cosine[at])})
		}
	}
	return out, nil
}

// String names the model's parts.
func (m *Model) String() string {
	return fmt.Sprintf("decoder of %d layers, memory of %d texts", len(m.Decoder.Model.Blocks), m.memory.Size())
}
