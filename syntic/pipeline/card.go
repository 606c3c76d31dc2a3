package pipeline

import (
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"syntic/syntic/config"
)

// card writes CARD.md: what the model in the folder is, what it learned from, how it scored, what may be done with it, and which of its choices the
// paper leaves open. It holds no time.
func (f *finish) card() error {
	var b strings.Builder
	r, first := f.w.r, f.l.first.key
	row, err := config.FindRow(first.row)
	if err != nil {
		return err
	}
	recipe := f.l.first.row
	_, notice := f.nature()
	fmt.Fprintf(&b, "# Model card: %s, recipe %s\n\n%s\n\n## What it is\n\n", row.Label, r.Preset, notice)
	fmt.Fprintf(&b, "A captioner of images, trained without a single real image with its caption. Row `%s` of recipe `%s`, seed %d, from %s.\n\n", first.row, r.Preset, first.seed, row.Paper)
	fmt.Fprintf(&b, "- as in the paper: %s\n- differs: %s\n", row.Same, row.Differs)
	d := recipe.Decoder
	fmt.Fprintf(&b, "- decoder: Transformer, %d layers, %d heads, width %d; SHA-256 of its files `%x`\n", d.Layers, d.Heads, d.Width, sha256.Sum256(f.trained[first].Decoder))
	b.WriteString("- use: `syntic caption --model DIR IMAGE...`, DIR being this folder\n\n## What it learned from\n\n")
	f.cardSources(&b, recipe)
	f.cardScores(&b)
	b.WriteString("\n## Limits\n\nCaptions may be wrong, and sound sure. It names what its training texts name, in their words; what a detector does not know it cannot point out. " +
		"It was made for research, not for decisions about people.\n\n## Licences\n\nThe program, and the drawn world with its models, are under the Apache License 2.0. What else went in has its own terms:\n\n")
	for _, s := range licences(recipe, f.w) {
		fmt.Fprintf(&b, "- %s\n", s)
	}
	b.WriteString("\n## Choices that the paper leaves open\n\nWhat is known of SynTIC does not settle these keys; the values are this run's.\n\n| key | value | what is known |\n| --- | --- | --- |\n")
	for _, k := range recipe.Keys() {
		if known := config.LeftOpen(k.Path); known != "" {
			fmt.Fprintf(&b, "| `%s` | `%v` | %s |\n", k.Path, k.Value, known)
		}
	}
	return writeFile(filepath.Join(f.dir, "CARD.md"), func(w io.Writer) error { _, err := io.WriteString(w, b.String()); return err })
}

// cardSources lists texts, models and their hashes.
func (f *finish) cardSources(b io.Writer, r *config.Recipe) {
	w, first := f.w, f.l.first.key
	source := r.Data.Captions
	if first.corpus == webCorpus {
		source = r.Data.Web
	}
	texts := w.corpora[first.corpus]
	fmt.Fprintf(b, "- texts: %d captions of `%s`, SHA-256 `%s`\n", len(texts), source, hashTexts(texts))
	if _, ok := drawn(source); !ok && source != worldWeb {
		fmt.Fprintf(b, "- restval %s\n", map[bool]string{true: "used", false: "not used"}[r.Data.Restval])
	}
	memory := f.l.first.memoryFor(f.l.set)
	held := f.l.first.texts(memory)
	switch {
	case !r.Project.Enabled:
	case memory != first.corpus:
		fmt.Fprintf(b, "- memory at test: %d texts, memory.source `%s`, SHA-256 `%s`\n", len(held), r.Memory.Source, hashTexts(held))
	case len(held) < len(texts):
		fmt.Fprintf(b, "- memory: %d of the same texts\n", len(held))
	default:
		fmt.Fprintf(b, "- memory: the same texts\n")
	}
	for _, m := range []struct{ what, model, folder string }{{"CLIP", r.CLIP.Model, w.folders.CLIP}, {"text to image", r.Synth.Model, w.folders.SD}, {"detector", r.Objects.Model, w.folders.DETR}} {
		switch {
		case m.folder == "" || m.what == "text to image" && r.Train.Features != "synthetic" || m.what == "detector" && !r.Objects.Enabled:
		case m.what == "text to image":
			fmt.Fprintf(b, "- images: %d a caption, drawn by `%s`, SHA-256 `%s`\n", r.Synth.ImagesPerCaption, m.model, w.folders.hash[m.folder])
		default:
			fmt.Fprintf(b, "- %s: `%s`, SHA-256 `%s`\n", m.what, m.model, w.folders.hash[m.folder])
		}
	}
}

// cardScores is the table of the row that the card is of.
func (f *finish) cardScores(b io.Writer) {
	fmt.Fprint(b, "\n## Scores\n\n")
	if len(f.run.Results) == 0 {
		fmt.Fprint(b, "None: it was trained and not tested. `syntic run` with the same recipe and folder tests it.\n")
		return
	}
	label := ""
	if toy(f.w.r) {
		label = "**Toy scores**, of the drawn world: they compare with nothing published. "
	}
	fmt.Fprintf(b, "%sScores × 100, of captions of images that no part of training saw; CIDEr is CIDEr-D.\n\n| setting | images | seed | ", label)
	names := f.run.Results[0].report.Names
	fmt.Fprintf(b, "%s |\n| --- | --- | --- |%s\n", strings.Join(names, " | "), strings.Repeat(" --- |", len(names)))
	for _, s := range f.run.Results {
		if s.Row != f.l.first.key.row {
			continue
		}
		fmt.Fprintf(b, "| %s | %d | %d |", settingLabels[s.Setting], s.Images, s.Seed)
		for _, name := range names {
			fmt.Fprintf(b, " %.1f |", 100*s.Scores[name])
		}
		fmt.Fprintln(b)
	}
}

// known terms of what people bring, by a part of the name; as their makers publish them.
var terms = []struct{ part, terms string }{
	{"coco", "COCO's captions: CC BY 4.0; the pictures have the terms of Flickr"},
	{"flickr30k", "Flickr30k: for research and teaching that is not commercial; the pictures have the terms of Flickr"},
	{"flickr8k", "Flickr8k: for research and teaching that is not commercial; the pictures have the terms of Flickr"},
	{"ss1m", "SS1M: descriptions from Shutterstock, gathered for research; no licence of their authors is known"},
	{"nocaps", "nocaps' captions: CC BY 2.0; the pictures are Open Images'"},
	{"stable-diffusion-v1", "Stable Diffusion 1.x: CreativeML Open RAIL-M, which forbids some uses and binds what is made with it"},
	{"clip-vit", "OpenAI's CLIP: MIT for the code; its model card asks that it be not deployed untested"},
	{"detr-resnet", "DETR: Apache License 2.0; it was trained on COCO's boxes"},
}

// licences say under what terms the recipe's sources are, as far as their names tell.
func licences(r *config.Recipe, w *work) (out []string) {
	sources := []string{r.CLIP.Model, r.Data.Captions}
	if w.folders.SD != "" {
		sources = append(sources, r.Synth.Model)
	}
	if w.folders.DETR != "" {
		sources = append(sources, r.Objects.Model)
	}
	if r.Memory.Source != "training" && r.Memory.Source != "target" {
		sources = append(sources, r.Memory.Source)
	}
	for _, s := range r.Eval.Settings {
		if s == "zero_shot" {
			sources = append(sources, r.Data.Web)
		}
	}
	seen := map[string]bool{}
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	for _, s := range sources {
		if s == World || strings.HasPrefix(s, World+":") {
			continue
		}
		found := false
		for _, t := range terms {
			if strings.Contains(strings.ToLower(filepath.Base(s)), t.part) {
				add(t.terms)
				found = true
			}
		}
		if !found {
			add("`" + filepath.Base(s) + "`: terms not known to this program; see where it came from")
		}
	}
	if out == nil {
		out = []string{"nothing: this run used the drawn world alone"}
	}
	return out
}
