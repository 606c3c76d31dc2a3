package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "my.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestPresetsAndOrigins(t *testing.T) {
	for _, name := range Presets() {
		r, err := Load(name, nil)
		require.NoError(t, err, name)
		assert.Equal(t, name, r.Preset)
	}
	toy, err := Load("", nil)
	require.NoError(t, err)
	for i, k := range toy.Keys() {
		assert.Equal(t, Default().Keys()[i].Value, k.Value, k.Path)
		assert.NotEmpty(t, k.Doc, k.Path)
		assert.NotEmpty(t, k.Why, k.Path)
	}
	assert.Len(t, reasons, len(toy.Keys()), "no reason of a key that is gone")
	path := write(t, "train:\n  lr: 3e-5\npreset: coco\nsynth: {negative: \"blurred, cut\"}\neval:\n  rows:\n  - syntic\n  - capdec\n")
	r, err := Load(path, []string{"refine.steps=50", "eval.bootstrap=0", "objects.prompt=a {tag}, drawn"})
	require.NoError(t, err)
	assert.Equal(t, 3e-5, r.Train.LR)
	assert.Equal(t, 768, r.Decoder.Width)
	assert.Equal(t, 50, r.Refine.Steps)
	assert.Equal(t, "blurred, cut", r.Synth.Negative)
	assert.Equal(t, "a {tag}, drawn", r.Objects.Prompt)
	assert.Equal(t, []string{"syntic", "capdec"}, r.Eval.Rows)
	assert.Equal(t, "my.yaml:2:7", r.Origin("train.lr"))
	assert.Equal(t, "preset coco", r.Origin("decoder.width"))
	assert.Equal(t, "--set", r.Origin("refine.steps"))
	assert.Equal(t, "default", r.Origin("decoder.heads"))
}

func TestErrorsNameTheFaultAndTheCure(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"refine:\n  stesp: 3\n", `my.yaml:2:3: unknown key "refine.stesp": nearest is "refine.steps"`},
		{"refin:\n  steps: 3\n", `my.yaml:1:1: unknown key "refin": nearest is "refine"`},
		{"steps: 3\n", `my.yaml:1:1: unknown key "steps": nearest is "seeds"`},
		{"refine.steps: 3\nrefine:\n  steps: many\n", `my.yaml:3:10: refine.steps: "many": want an integer from 0 to 10000`},
		{"refine: {steps: 1.5}", `my.yaml:1:17: refine.steps: "1.5": want an integer from 0 to 10000`},
		{"refine: {lr: .nan}", `my.yaml:1:14: refine.lr: want a number above 0 to 10`},
		{"refine: {enabled: yes}", `my.yaml:1:19: refine.enabled: "yes": want true or false`},
		{"refine: {steps: \"3\"}", `my.yaml:1:17: refine.steps: want an integer from 0 to 10000`},
		{"refine: 3", `my.yaml:1:9: refine: want keys with values`},
		{"seed:\n", `my.yaml:1:7: seed: "": want an integer from 0`},
		{"eval: {rows: syntic}", `my.yaml:1:14: eval.rows: want a list, such as [a, b]`},
		{"eval: {rows: [sintic]}", `my.yaml:1:14: eval.rows: no row "sintic": nearest is "syntic", there are syntic, no_refine, no_projection, no_objects, decap, capdec`},
		{"eval: {rows: [decap, decap]}", `my.yaml:1:14: eval.rows: "decap" twice`},
		{"refine: {temperature: 0}", `my.yaml:1:23: refine.temperature: 0: want a number above 0 to 10`},
		{"decoder: {dropout: 1}", `my.yaml:1:20: decoder.dropout: 1: want a number from 0 and below 1`},
		{"synth: {sampler: ddimm}", `my.yaml:1:18: synth.sampler: ddimm: want ddim, pndm, dpmsolver++`},
		{"decoder: {heads: 3}", `my.yaml:1:18: decoder.heads: 3: want a divisor of decoder.width 128`},
		{"project: {enabled: false}", `default: project.train: true: want false, as project.enabled is false`},
		{"objects: {as: words, neutral: \"\"}", `my.yaml:1:31: objects.neutral: empty: want a word for no tags`},
		{"objects: {words_prompt: none}", `my.yaml:1:25: objects.words_prompt: "none": want a text with {tags} in it`},
		{"objects: {vocabulary: \"\"}", `objects.vocabulary: empty: want world, coco or a file`},
		{"retrieve: {captions: 3}", `retrieve.min_count: 5: want at most retrieve.captions 3`},
		{"remap: {enabled: true}\nsynth: {combine: mean}", `my.yaml:2:18: synth.combine: mean: want all`},
		{"gap: {correct: texts}", `my.yaml:1:16: gap.correct: texts: want none or images`},
		{"train: {features: text, weight: clip}\nrefine: {enabled: false}\nobjects: {enabled: false}", `train.weight: clip: want none`},
		{"train: {features: text}\nrefine: {enabled: false}", `objects.enabled: true: want false, or objects.source classifier or retrieval`},
		{"train: {features: text}\nremap: {enabled: true}", `my.yaml:2:18: remap.enabled: true: want false`},
		{"decoder: {start: \"\"}", `decoder.start: empty: want scratch, or a folder of GPT-2`},
		{"memory: {size: 4, top_k: 5}", `my.yaml:1:26: memory.top_k: 5: want at most memory.size 4`},
		{"memory: {size: 1}", `memory.size: 1: want 2 or more`},
		{"patches: {enabled: true}\nsynth: {combine: mean}", `my.yaml:1:20: patches.enabled: true: want false, as synth.combine is mean`},
		{"train: {features: text}\nrefine: {enabled: false}\nobjects: {enabled: false}\npatches: {enabled: true}", `my.yaml:4:20: patches.enabled: true: want false`},
		{"memory: {dtype: int4}", `memory.dtype: int4: want f32, f16, int8`},
		{"decode: {rerank: best}", `decode.rerank: best: want none, clip, fusion`},
		{"refine: {momentum: 1}", `refine.momentum: 1: want a number from 0 and below 1`},
		{"clip: {prompt: none}", `my.yaml:1:16: clip.prompt: "none": want a text with {text} in it`},
		{"preset: koko", `my.yaml:1:9: preset: no preset "koko": nearest is "coco"; syntic recipe --list shows all`},
		{"seed: 1\nseed: 2\n", `my.yaml:2:1: mapping key "seed" already defined at [1:1]`},
		{"sweep: {over: [refine.steps]}", `my.yaml:1:15: sweep.over: "refine.steps": want key=value,value, such as refine.steps=5,10,20`},
		{"data: {share: 0}", `my.yaml:1:15: data.share: 0: want a number above 0 to 1`},
		{"a: [1\n", `my.yaml:1:4: `},
		{"x: &x 1\nseed: *x\n", `my.yaml:1:1: unknown key "x"`},
		{"seed: &x 1\n", `my.yaml:1:7: seed: want an integer from 0`},
		{"---\nseed: 1\n---\nseed: 2\n", `my.yaml: several documents: want one`},
		{"- seed\n", `my.yaml:1:1: recipe: want keys with values`},
	} {
		text := strings.Replace(c.text, "refine.steps: 3\n", "\n", 1)
		_, err := Load(write(t, text), nil)
		if assert.Error(t, err, c.text) {
			assert.Contains(t, err.Error(), c.want, c.text)
			var bad *Error
			assert.ErrorAs(t, err, &bad)
			assert.True(t, bad.BadInput())
		}
	}
	for set, want := range map[string]string{
		"refine.stesp=3": `--set refine.stesp=3: unknown key "refine.stesp": nearest is "refine.steps"`,
		"refine.steps":   `--set refine.steps: want key=value, such as refine.steps=20`,
		"refine.steps=x": `--set refine.steps=x: refine.steps: "x": want an integer from 0 to 10000`,
		"seeds=0":        `--set: seeds: 0: want an integer from 1 to 100`,
		"preset=coco":    `--set preset=coco: the preset cannot be overridden: name it in place of the recipe file, or in it`,
	} {
		_, err := Load("", []string{set})
		assert.EqualError(t, err, want)
	}
	_, err := Load("tooy", nil)
	assert.EqualError(t, err, `recipe tooy: no such file, and no preset "tooy": nearest is "toy"; syntic recipe --list shows all`)
	_, err = Load(filepath.Join(t.TempDir(), "none.yaml"), nil)
	assert.ErrorContains(t, err, "no such file")
	_, err = Load(t.TempDir(), nil)
	assert.ErrorContains(t, err, "not a recipe")
	_, err = Load(write(t, strings.Repeat("#", maxRecipe+1)), nil)
	assert.ErrorContains(t, err, "not a recipe")
}

func TestLockReadsBack(t *testing.T) {
	r, err := Load("coco", []string{`synth.negative=a "b": c # d \ é`, "eval.rows=syntic,decap", "train.lr=2.5e-7"})
	require.NoError(t, err)
	lock := r.Lock()
	again, err := Load(write(t, string(lock)), nil)
	require.NoError(t, err, string(lock))
	for i, k := range r.Keys() {
		assert.Equal(t, k.Value, again.Keys()[i].Value, k.Path)
		assert.Contains(t, string(lock), "# "+k.Doc)
	}
	assert.Equal(t, lock, r.Lock())
	assert.Contains(t, string(lock), "  lr: 2.5e-07 # --set\n")
	assert.Contains(t, string(lock), "  width: 768 # preset coco\n")
	assert.Contains(t, string(lock), "  heads: 4 # default\n")
}

func TestRowsChangeOnlyWhatTheySay(t *testing.T) {
	for _, preset := range []string{"toy", "coco", "flickr30k"} { // those that others start from
		r, err := Load(preset, nil)
		require.NoError(t, err)
		before, keys := r.Lock(), r.Keys()
		for _, row := range Rows {
			assert.NotContains(t, []string{row.Label, row.Paper, row.Same, row.Differs}, "", row.Name)
			variant, err := r.Row(row.Name)
			require.NoError(t, err, row.Name)
			changed := 0
			for i, k := range variant.Keys() {
				if k.Type != "list of texts" && k.Value != keys[i].Value {
					changed++
					assert.Equal(t, "row "+row.Name, variant.Origin(k.Path))
				}
			}
			assert.Equal(t, len(row.Set), changed, "%s: every override of a row changes the preset", row.Name)
		}
		assert.True(t, bytes.Equal(before, r.Lock()), "Row leaves the recipe alone")
	}
	full, err := Load("", Full())
	require.NoError(t, err)
	assert.Equal(t, 3, full.Seeds)
	assert.Len(t, full.Eval.Rows, 6)
	_, err = full.Row("syntik")
	assert.ErrorContains(t, err, `nearest is "syntic"`)
}

func TestSection(t *testing.T) {
	s := Default().Section("refine", "seed")
	assert.Len(t, s, 13)
	assert.Equal(t, 10, s["refine.steps"])
	assert.Panics(t, func() { Default().Section("refine.none") })
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		d    int
	}{{"", "", 0}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"steps", "stesp", 2}, {"lr", "lr", 0}} {
		assert.Equal(t, c.d, distance(c.a, c.b), "%s %s", c.a, c.b)
		assert.Equal(t, c.d, distance(c.b, c.a))
	}
}

func FuzzApply(f *testing.F) {
	f.Add([]byte("refine: {steps: 3}"))
	f.Add([]byte("a: &x [*x, {<<: *x}]\n? b\n: !!int 3"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := Default()
		r.origin = map[string]string{}
		_ = r.apply("fuzz", text) // must not panic
	})
}
