package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syntic/clip"
	"syntic/clip/bpe"
	"syntic/diffusion"
	"syntic/syntic/config"
	"syntic/syntic/world/weights"
	"syntic/tensor"
	"syntic/tensor/wholefile"
)

// World is the value of a model key that stands for the drawn world's own model.
const World = "world"

// Folders are where the models of a run lie on disk.
type Folders struct {
	CLIP, SD, DETR string
	hash           map[string]string // folder to the hash of its files
}

// unpack writes the drawn world's models to dir, where they do not lie there already, and returns the folder of one of them.
func unpack(dir, name string) (string, error) {
	files, err := fs.Sub(weights.FS, name)
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, name)
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		at := filepath.Join(to, filepath.FromSlash(path))
		if old, err := os.ReadFile(at); err == nil && string(old) == string(data) {
			return nil
		}
		return writeFile(at, func(w io.Writer) error { _, err := w.Write(data); return err })
	})
	if err != nil {
		return "", fmt.Errorf("the drawn world's %s: %w", name, err)
	}
	return to, nil
}

// WorldModel writes one of the drawn world's models, "clip", "sd" or "detr", to a folder in dir and returns that.
func WorldModel(dir, name string) (string, error) { return unpack(dir, name) }

// hashFolder is the SHA-256 of the names and bytes of a folder's files, without training records.
func hashFolder(dir string) (string, error) {
	var files []string
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(path, ".jsonl") {
			files = append(files, path)
		}
		return err
	}); err != nil {
		return "", err
	}
	slices.Sort(files)
	h := sha256.New()
	for _, path := range files {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return "", err
		}
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		info, err := f.Stat()
		if err == nil {
			fmt.Fprintf(h, "%s\n%d\n", filepath.ToSlash(rel), info.Size())
			_, err = io.Copy(h, f)
		}
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// locate finds the folder of each model that is needed; those of the drawn world are written to dir. A model that is not has no folder.
func locate(dir string, r *config.Recipe, need needs) (*Folders, error) {
	f := &Folders{hash: map[string]string{}}
	for _, m := range []struct {
		to                *string
		key, model, world string
		needed            bool
	}{{&f.CLIP, "clip.model", r.CLIP.Model, "clip", true}, {&f.SD, "synth.model", r.Synth.Model, "sd", need.painter},
		{&f.DETR, "objects.model", r.Objects.Model, "detr", need.detector}} {
		if !m.needed {
			continue
		}
		*m.to = m.model
		var err error
		if m.model == World {
			if *m.to, err = unpack(dir, m.world); err != nil {
				return nil, err
			}
		}
		if f.hash[*m.to], err = hashFolder(*m.to); err != nil {
			return nil, badInput("%s: %w: want world, or a folder with the model's files", m.key, err)
		}
	}
	return f, nil
}

// checkModels tells whether the folders of the models that are needed are there, before anything is written.
func checkModels(r *config.Recipe, need needs) error {
	for _, m := range []struct {
		key, model, file string
		needed           bool
	}{{"clip.model", r.CLIP.Model, "config.json", true}, {"synth.model", r.Synth.Model, "model_index.json", need.painter},
		{"objects.model", r.Objects.Model, "config.json", need.detector}} {
		if m.model == World || !m.needed || (m.key == "synth.model" && diffusion.IsLDM(m.model)) {
			continue
		}
		if info, err := os.Stat(m.model); err != nil || !info.IsDir() {
			return badInput("%s: no folder %s: want world, or a folder with %s", m.key, m.model, m.file)
		}
		if _, err := os.Stat(filepath.Join(m.model, m.file)); err != nil {
			return badInput("%s: %s has no %s", m.key, m.model, m.file)
		}
	}
	return nil
}

// encoder is CLIP with its tokenizer.
type encoder struct {
	*clip.Model
	tok *bpe.Tokenizer
}

func openCLIP(dev *tensor.Device, dir string) (*encoder, error) {
	m, err := clip.Load(dir, dev)
	if err != nil {
		return nil, err
	}
	tok, err := bpe.ForModel(dir, bpe.OpenAI)
	if err == nil {
		err = m.Text.CheckTokenizer(tok)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return &encoder{m, tok}, nil
}

// Painter is Stable Diffusion with its text encoder.
type Painter struct {
	*diffusion.Pipeline
	text *clip.TextModel
	tok  *bpe.Tokenizer
	dev  *tensor.Device
}

// clipLargeText is the text encoder of Stable Diffusion 1.x, that of CLIP ViT-L/14, for single-file checkpoints, which do not tell it.
var clipLargeText = clip.TextConfig{VocabSize: 49408, Width: 768, MLP: 3072, Projection: 768, Layers: 12, Heads: 12, MaxPositions: 77,
	Act: "quick_gelu", NormEps: 1e-5, BOS: 49406, EOS: 49407, PAD: 49407}

// OpenPainter opens a folder in the diffusers layout, a single-file checkpoint of Stable Diffusion 1.x, or the drawn world's model if model is
// "world" (written to dir first). sampler is one of [diffusion.SamplerNames] or [diffusion.SchedulerNames], or empty for the model's own. Texts are cleaned as the
// model's origin does it: the drawn world's as openai/CLIP's, others as Hugging Face's tokenizer.
func OpenPainter(dev *tensor.Device, dir, model, sampler string) (p *Painter, err error) {
	clean := bpe.HuggingFace
	if model == World {
		clean = bpe.OpenAI
		if model, err = unpack(dir, "sd"); err != nil {
			return nil, err
		}
	}
	if sampler != "" {
		if err := diffusion.CheckSampler(sampler); err != nil {
			return nil, fmt.Errorf("sampler: %w", err)
		}
	}
	p = &Painter{dev: dev}
	defer func() {
		if err != nil {
			p.Close()
			p, err = nil, inputError{err}
		}
	}()
	if p.Pipeline, err = diffusion.LoadPipeline(dev, model, sampler); err != nil {
		return p, err
	}
	if err := p.openText(model, clean); err != nil {
		return p, err
	}
	if have, want := p.text.Config.Width, p.UNet.Config.CrossAttentionDim; have != want {
		return p, fmt.Errorf("%s: the text encoder's hidden_size is %d, the unet's cross_attention_dim %d: want them equal", model, have, want)
	}
	return p, nil
}

// openText opens text encoder and tokenizer.
func (p *Painter) openText(model string, clean bpe.Cleaning) (err error) {
	if p.text, err = OpenText(p.dev, model); err != nil {
		return err
	}
	if diffusion.IsLDM(model) {
		p.tok, err = bpe.CLIP(clean)
	} else {
		p.tok, err = bpe.Load(filepath.Join(model, "tokenizer"), clean)
	}
	if err != nil {
		return err
	}
	if err := p.text.CheckTokenizer(p.tok); err != nil {
		return fmt.Errorf("%s: %w", model, err)
	}
	return nil
}

// OpenText opens the text encoder of a folder in the diffusers layout or of a single-file checkpoint.
func OpenText(dev *tensor.Device, model string) (*clip.TextModel, error) {
	if !diffusion.IsLDM(model) {
		return clip.LoadText(filepath.Join(model, "text_encoder"), dev)
	}
	f, err := diffusion.LDMText(model)
	if err != nil {
		return nil, err
	}
	return clip.OpenText(f, clipLargeText, dev)
}

// Close frees the models.
func (p *Painter) Close() {
	if p.Pipeline != nil {
		p.Pipeline.Close()
	}
	if p.text != nil {
		p.text.Close()
	}
}

// writeFile writes a file whole or not at all, and makes its folder.
func writeFile(path string, fill func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return wholefile.Write(path, fill)
}
