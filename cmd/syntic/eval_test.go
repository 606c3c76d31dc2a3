package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/cmd/internal/cli"
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
	assert.Len(t, scores, 6)
	assert.Len(t, got, 2)
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
	assert.Contains(t, out, `"images":1,"missing":1}`)
}
