package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/cmd/internal/cli"
	"syntic/syntic/metric"
)

const evalCase = "../../syntic/metric/testdata/coco_val2014_fakecap_full/"

func runEval(args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = cli.Main(rootCmd(), append([]string{"eval"}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// The published scores of the coco-caption example: 57.9 40.4 27.9 19.1, ROUGE-L 39.6, CIDEr 60.0.
func TestEvalTableAndPerImage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "images.json")
	code, out, errs := runEval("--refs", evalCase+"annotations.json.gz", "--results", evalCase+"results.json.gz", "--per-image", file)
	require.Zero(t, code, errs)
	for _, want := range []string{"Bleu_1 57.94", "Bleu_2 40.44", "Bleu_3 27.85", "Bleu_4 19.08", "ROUGE_L 39.63", "CIDEr 59.98"} {
		assert.Contains(t, strings.Join(strings.Fields(out), " "), want)
	}
	assert.Contains(t, out, "score × 100")
	assert.Contains(t, out, "1000 images. ")
	assert.Contains(t, out, "it is not METEOR 1.5")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var rows []map[string]float64
	require.NoError(t, json.Unmarshal(text, &rows))
	require.Len(t, rows, 1000)
	assert.Equal(t, 404464.0, rows[0]["image_id"])
	assert.InDelta(t, 0.015163897366094733, rows[0]["CIDEr"], 1e-10)
}

func TestEvalJSON(t *testing.T) {
	code, out, errs := runEval("--refs", evalCase+"annotations.json.gz", "--results", evalCase+"results.json.gz", "--json")
	require.Zero(t, code, errs)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	scores := got["scores"].(map[string]any)
	assert.InDelta(t, 0.5997905185184199, scores["CIDEr"], 1e-9)
	assert.Len(t, scores, 7)
	assert.Contains(t, scores, "METEOR_exact_stem_synonym")
	assert.Equal(t, []any{"exact", "stem", "synonym"}, got["meteor"])
	assert.Len(t, got, 3)
	assert.Equal(t, 1000.0, got["images"])
}

func TestEvalBadInput(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		return path
	}
	refs := file("refs.json", `{"images":[{"id":1},{"id":2}],"annotations":[{"image_id":1,"caption":"a cat"},{"image_id":2,"caption":"a dog"}]}`)
	one := file("one.json", `[{"image_id":1,"caption":"a cat"}]`)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--refs", refs}, 2, "results"},
		{[]string{"--refs", refs, "--results", dir + "/none.json"}, 3, "none.json"},
		{[]string{"--refs", refs, "--results", file("broken.json", `[{"image_id":1`)}, 3, "broken JSON at byte 14"},
		{[]string{"--refs", refs, "--results", one}, 3, "no result for 1 image (2) of 2"},
		{[]string{"--refs", refs, "--results", one, "--allow-missing", "--per-image", dir + "/no/x.json"}, 3, "--per-image"},
	} {
		code, out, errs := runEval(c.args...)
		assert.Equal(t, c.code, code, errs)
		assert.Contains(t, errs, c.want)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
		assert.Empty(t, out)
	}
	code, out, _ := runEval("--refs", refs, "--results", one, "--allow-missing")
	assert.Zero(t, code)
	assert.Contains(t, out, "1 images; 1 without a result left out")
	code, out, _ = runEval("--refs", refs, "--results", one, "--allow-missing", "--json")
	assert.Zero(t, code)
	assert.Contains(t, out, `"images":1,"missing":1,`)
}

// Images beyond the references are refused too, unless --allow-missing, and then told.
func TestEvalExtraImages(t *testing.T) {
	dir := t.TempDir()
	refs, results := filepath.Join(dir, "refs.json"), filepath.Join(dir, "results.json")
	require.NoError(t, os.WriteFile(refs, []byte(`{"annotations":[{"image_id":1,"caption":"a cat"}]}`), 0o666))
	require.NoError(t, os.WriteFile(results, []byte(`[{"image_id":1,"caption":"a cat"},{"image_id":7,"caption":"a dog"}]`), 0o666))
	code, out, errs := runEval("--refs", refs, "--results", results)
	assert.Equal(t, 3, code)
	assert.Empty(t, out)
	assert.Contains(t, errs, "results for 1 image (7)")
	code, out, _ = runEval("--refs", refs, "--results", results, "--allow-missing")
	assert.Zero(t, code)
	assert.Contains(t, out, "1 images; 1 without references left out")
}

func TestEvalMETEORTable(t *testing.T) {
	table := "../../syntic/metric/meteor/testdata/paraphrase-en.gz"
	code, out, errs := runEval("--refs", evalCase+"annotations.json.gz", "--results", evalCase+"results.json.gz", "--meteor", table, "--resamples", "20")
	require.Zero(t, code, errs)
	assert.Contains(t, out, "METEOR 1.5, stages: exact, stem, synonym, paraphrase.")
	code, _, errs = runEval("--refs", evalCase+"annotations.json.gz", "--results", evalCase+"results.json.gz", "--meteor", t.TempDir())
	assert.Equal(t, 3, code)
	assert.Contains(t, errs, "no paraphrase table")
}

// One system against itself differs by nothing; against one with half of its captions emptied it is ahead for sure.
func TestEvalAgainst(t *testing.T) {
	args := []string{"--refs", evalCase + "annotations.json.gz", "--results", evalCase + "results.json.gz", "--resamples", "200"}
	code, out, errs := runEval(append(args, "--against", evalCase+"results.json.gz", "--json")...)
	require.Zero(t, code, errs)
	var got struct {
		Differences []struct {
			Metric                string
			Difference, Low, High float64
			P                     float64
		}
		Resamples int
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got.Differences, 7)
	for _, d := range got.Differences {
		assert.Zero(t, d.Difference)
		assert.Zero(t, d.Low)
		assert.Equal(t, 1.0, d.P)
	}

	results, err := metric.LoadResults(evalCase + "results.json.gz")
	require.NoError(t, err)
	for i := range results.Rows {
		if i%2 == 0 {
			results.Rows[i].Caption = ""
		}
	}
	text, err := json.Marshal(results.Rows)
	require.NoError(t, err)
	worse := filepath.Join(t.TempDir(), "worse.json")
	require.NoError(t, os.WriteFile(worse, text, 0o666))
	code, out, errs = runEval(append(args, "--against", worse)...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "A − B")
	assert.Contains(t, strings.Join(strings.Fields(out), " "), "≤ 0.01")

	require.NoError(t, os.WriteFile(worse, []byte(`[{"image_id":404464,"caption":"a dog"}]`), 0o666))
	code, _, errs = runEval(append(args, "--against", worse)...)
	assert.Equal(t, 3, code)
	assert.Contains(t, errs, "no result for")
	code, out, errs = runEval(append(args, "--against", worse, "--allow-missing")...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "1 images; 999 without a result left out")
}

func TestEvalCLIPScore(t *testing.T) {
	dir := t.TempDir()
	images := filepath.Join(dir, "images")
	require.NoError(t, os.Mkdir(images, 0o777))
	for name, shade := range map[string]uint8{"x_0001.png": 0, "two.png": 200} {
		im := image.NewGray(image.Rect(0, 0, 40, 30))
		for i := range im.Pix {
			im.Pix[i] = shade
		}
		f, err := os.Create(filepath.Join(images, name))
		require.NoError(t, err)
		require.NoError(t, png.Encode(f, im))
		require.NoError(t, f.Close())
	}
	refs, results := filepath.Join(dir, "refs.json"), filepath.Join(dir, "results.json")
	require.NoError(t, os.WriteFile(refs, []byte(`{"images":[{"id":1},{"id":2,"file_name":"two.png"}],"annotations":[{"image_id":1,"caption":"a red circle"},
		{"image_id":2,"caption":"a blue square"},{"image_id":2,"caption":"a square"}]}`), 0o666))
	require.NoError(t, os.WriteFile(results, []byte(`[{"image_id":1,"caption":"a red circle"},{"image_id":2,"caption":"a blue square"}]`), 0o666))
	args := []string{"--refs", refs, "--results", results, "--clip", "world", "--resamples", "10"}
	code, out, errs := runEval(append(args, "--images", images)...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "CLIPScore_toy")
	assert.Contains(t, out, "a toy CLIP, not the published metric")
	code, out, errs = runEval(append(args, "--images", images, "--json")...)
	require.Zero(t, code, errs)
	var got struct{ Scores map[string]float64 }
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	s, r := got.Scores["CLIPScore_toy"], got.Scores["RefCLIPScore_toy"]
	assert.True(t, s >= 0 && s <= 2.5, s)
	assert.True(t, r >= 0 && r <= 1.5, r)

	require.NoError(t, os.Remove(filepath.Join(images, "two.png")))
	code, _, errs = runEval(append(args, "--images", images)...)
	assert.Equal(t, 3, code)
	assert.Contains(t, errs, "no file for image 2")
	code, _, errs = runEval(args...)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "both --clip and --images")
}

func TestEvalWithoutSPICE(t *testing.T) {
	code, out, errs := runEval("--refs", evalCase+"annotations.json.gz", "--results", evalCase+"results.json.gz", "--spice", t.TempDir(), "--resamples", "10")
	assert.Equal(t, 3, code)
	assert.Empty(t, out)
	assert.Contains(t, errs, "want spice-1.0.jar")
}

// TestEvalTokenised scores captions that pycocoevalcap's tokenizer has tokenised: they are not tokenised again, and the score line says so.
func TestEvalTokenised(t *testing.T) {
	dir := t.TempDir()
	refs, results := filepath.Join(dir, "refs.json"), filepath.Join(dir, "results.json")
	require.NoError(t, os.WriteFile(refs, []byte(`{"images":[{"id":1},{"id":2}],"annotations":[{"image_id":1,"caption":"a \"cat\" , can not"},{"image_id":2,"caption":"b"}]}`), 0o666))
	require.NoError(t, os.WriteFile(results, []byte(`[{"image_id":1,"caption":"a \"cat\" , cannot"},{"image_id":2,"caption":"b"}]`), 0o666))
	code, out, errs := runEval("--refs", refs, "--results", results, "--tokenised", "--json")
	require.Zero(t, code, errs)
	var got struct {
		Scores    map[string]float64 `json:"scores"`
		Tokenised bool               `json:"tokenised"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	assert.True(t, got.Tokenised)
	_, raw, _ := runEval("--refs", refs, "--results", results, "--json")
	assert.NotContains(t, raw, "tokenised")
	assert.Contains(t, raw, `"Bleu_1":0.99`, "as cannot is two tokens")
	assert.InDelta(t, 0.8*0.8187307, got.Scores["Bleu_1"], 1e-6, "four of five tokens, against six: exp(1 - 6/5)")
	_, out, _ = runEval("--refs", refs, "--results", results, "--tokenised")
	assert.Contains(t, out, "2 images; captions taken as tokenised.")
}
