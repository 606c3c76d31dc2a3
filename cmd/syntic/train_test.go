package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// trainArgs are those of a training that a small run goes on from.
func trainArgs(dir string, more ...string) []string {
	args := smallRun(dir, more...)
	args[0] = "train"
	return args
}

// TestTrainThenRun trains alone, captions with the model, scores it in the same folder, and takes its stages for a run beside it.
func TestTrainThenRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	code, out, errs := execute(trainArgs(dir, "--set", "eval.rows=syntic,decap", "--tensorboard")...)
	require.Equal(t, 0, code, errs)
	assert.Regexp(t, `SynTIC: 2 steps, loss \d\.\d{3} to \d\.\d{3}`, out)
	assert.Contains(t, errs, "row-main-syntic-1: 2/2")
	assert.NotContains(t, errs, "test-in", "no test image is looked at")
	for _, name := range []string{"CARD.md", "SHA256SUMS", "events.jsonl", "metrics.jsonl", "recipe.lock.yaml", "model/model.json", "tensorboard/main-syntic-1/events.out.tfevents.0.syntic"} {
		assert.FileExists(t, filepath.Join(dir, name))
	}
	assert.NoFileExists(t, filepath.Join(dir, "results.json"))
	card, err := os.ReadFile(filepath.Join(dir, "CARD.md"))
	require.NoError(t, err)
	assert.Contains(t, string(card), "toy results")
	assert.Contains(t, string(card), "None: it was trained and not tested")
	assert.Contains(t, string(card), "| `refine.steps` | `10` | not known |")
	image := picture(t, filepath.Join(t.TempDir(), "a.png"), 64, 64)
	code, _, errs = execute("caption", "--model", dir, image)
	require.Equal(t, 0, code, errs)

	code, _, errs = execute(smallRun(dir)...)
	require.Equal(t, 0, code, errs)
	assert.NotContains(t, errs, "row-main-", "the decoder is that of the training")
	assert.Contains(t, errs, "captions-main-syntic-1-test-in")

	beside := filepath.Join(filepath.Dir(dir), "b")
	code, _, errs = execute(smallRun(beside, "--set", "eval.rows=decap,syntic")...)
	require.Equal(t, 0, code, errs)
	assert.NotContains(t, errs, "row-main-syntic-1", "taken from the run beside it")
	assert.NotContains(t, errs, "pairs-main-1")
	assert.Contains(t, errs, "row-main-decap-1")

	t.Run("list", func(t *testing.T) {
		code, out, errs := execute("runs", filepath.Dir(dir), "--json")
		require.Equal(t, 0, code, errs)
		var list []listedRun
		require.NoError(t, json.Unmarshal([]byte(out), &list))
		require.Len(t, list, 2)
		assert.Equal(t, []string{dir, beside}, []string{list[0].Dir, list[1].Dir})
		assert.Equal(t, []string{"decap", "syntic"}, list[1].Rows)
		assert.True(t, list[0].Done)
		code, out, _ = execute("runs", filepath.Dir(dir))
		assert.Zero(t, code)
		assert.Contains(t, out, "not comparable with published scores")
		code, out, _ = execute("runs", t.TempDir())
		assert.Zero(t, code)
		assert.Contains(t, out, "no runs in")
	})
	t.Run("compare", func(t *testing.T) {
		other := filepath.Join(filepath.Dir(dir), "c")
		code, _, errs := execute(smallRun(other, "--set", "eval.rows=decap", "--set", "decode.beams=1")...)
		require.Equal(t, 0, code, errs)
		code, out, errs := execute("runs", dir, beside, other)
		require.Equal(t, 0, code, errs)
		assert.Contains(t, out, "A  "+dir+" (SynTIC)\nB  "+beside+" (SynTIC)\n")
		assert.Contains(t, out, "A  "+dir+" (SynTIC)\nB  "+other+" (DeCap")
		assert.Regexp(t, `decode.beams +3 +3 +1`, out)
		code, out, errs = execute("runs", dir, beside, "--json", "--resamples", "20")
		require.Equal(t, 0, code, errs)
		var all struct {
			Pairs   []jsonPair `json:"pairs"`
			Changes []any      `json:"changes"`
		}
		require.NoError(t, json.Unmarshal([]byte(out), &all))
		require.Len(t, all.Pairs, 1)
		for _, d := range all.Pairs[0].Differences {
			assert.Zero(t, *d.Difference, "the same captions")
			assert.Equal(t, 1.0, d.P)
		}
		assert.Empty(t, all.Changes)
	})
	t.Run("refused", func(t *testing.T) {
		few := filepath.Join(t.TempDir(), "few")
		code, _, errs := execute(smallRun(few, "--set", "data.test_count=3")...)
		require.Equal(t, 0, code, errs)
		for _, c := range []struct {
			want string
			args []string
		}{
			{"tested on 3 images, " + dir + " on 4 that are not the same: their scores do not compare", []string{"runs", few, dir}},
			{"no recipe.lock.yaml: want the folder of a run", []string{"runs", dir, t.TempDir()}},
			{"cannot be read", []string{"runs", filepath.Join(dir, "none")}},
		} {
			code, out, errs := execute(c.args...)
			assert.Equal(t, 3, code)
			assert.Contains(t, errs, c.want)
			assert.Empty(t, out)
		}
	})
}

func TestConfigExplain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(file, []byte("preset: coco\nrefine:\n  steps: 30\n"), 0o666))
	code, out, errs := execute("config", "explain", "refine.steps", "objects", "--recipe", file)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "refine.steps = 30\n  from     mine.yaml:3:10\n  means    number of steps K\n  takes    an integer from 0 to 10000\n  default  10  (")
	assert.Contains(t, out, "  paper    left open: not known\n")
	assert.Contains(t, out, "objects.enabled = true")
	assert.Contains(t, out, "rows     set by no_objects false, decap false")
	code, out, _ = execute("config", "explain", "--open", "--json")
	require.Equal(t, 0, code)
	var keys []explained
	require.NoError(t, json.Unmarshal([]byte(out), &keys))
	assert.Greater(t, len(keys), 25)
	for _, k := range keys {
		assert.NotEmpty(t, k.Open)
	}
	for want, args := range map[string][]string{"unknown key \"refine.stesp\": nearest is \"refine.steps\"": {"refine.stesp"}, "unknown key \"objcts\"": {"objcts"}} {
		code, _, errs := execute(append([]string{"config", "explain"}, args...)...)
		assert.Equal(t, 3, code)
		assert.Contains(t, errs, want)
	}
	code, _, _ = execute("config", "explain")
	assert.Equal(t, 2, code)
	code, out, _ = execute("recipe", "--list")
	assert.Zero(t, code)
	assert.Contains(t, out, "coco-to-flickr30k-tt")
}
