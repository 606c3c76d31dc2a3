package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/syntic/study"
)

// verb are the arguments of a small run for another verb.
func verb(words []string, dir string, more ...string) []string {
	return append(append([]string{}, words...), smallRun(dir, more...)[1:]...)
}

func TestReproduce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	args := verb([]string{"reproduce", "toy-cross-tt"}, dir, "--set", "eval.settings=cross_domain")
	code, out, errs := execute(append(args, "--plan")...)
	require.Equal(t, 0, code, errs)
	assert.Regexp(t, `synthetic pairs +12 +0 +0 +12 +\S+ +\S+s +\S+ KiB +measured now`, out)
	assert.Regexp(t, `training decoders \(steps\) +2 `, out)
	assert.Contains(t, out, "it assumes that the machine stays as busy")
	assert.NoDirExists(t, dir, "a plan writes nothing")

	code, out, errs = execute(args...)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "Beside what was published: coco-to-flickr30k, cross-domain\nNot comparable: ours are toy scores")
	assert.Regexp(t, `ours: SynTIC, target texts +world .*this run\nSynTIC-TT +B/32 +19\.4 +20\.2 +– +43\.2 +13\.9 +IFCap`, out)
	assert.Regexp(t, `refine\.steps +10 +default +not known`, out)
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "Choices that the paper leaves open")
	assert.Contains(t, string(page), "43.2")

	code, out, errs = execute(append(args, "--plan")...)
	require.Equal(t, 0, code, errs)
	assert.Regexp(t, `synthetic pairs +12 +12 +0 +0\n`, out)
	beside := verb([]string{"reproduce", "toy-cross-tt"}, filepath.Join(filepath.Dir(dir), "b"), "--set", "eval.settings=cross_domain", "--set", "decode.beams=1", "--plan")
	code, out, errs = execute(beside...)
	require.Equal(t, 0, code, errs)
	assert.Regexp(t, `synthetic pairs +12 +0 +12 +0\n`, out, "of the run beside it")
	assert.Regexp(t, `captioning test images +4 +0 +0 +4 `, out)
}

// TestReproduceWithoutFiles tells what is missing, and what to get, in a line.
func TestReproduceWithoutFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range config.Presets() {
		if strings.HasPrefix(name, "toy") {
			continue
		}
		code, out, errs := execute("reproduce", name, "--plan")
		assert.Equal(t, 3, code, name)
		assert.Empty(t, out)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
		assert.Contains(t, errs, "no such file or folder: get ", name)
	}
	code, _, errs := execute("reproduce", "toy-cros")
	assert.Equal(t, 3, code)
	assert.Contains(t, errs, `nearest is "toy-cross"`)
}

func TestSweepAndAblate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sweep")
	args := verb([]string{"sweep", "--over", "refine.steps=0,2", "--seeds", "1,4"}, dir)
	code, plan, errs := execute(append(args, "--plan")...)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, plan, "2 points, seeds 1, 4, in all 4 runs")
	assert.Regexp(t, `synthetic pairs × 4 +48 +0 +24 +24 `, plan, "the second point takes those of the first")
	assert.Regexp(t, `refinement × 4 +48 +0 +0 +48 `, plan)
	assert.Regexp(t, `training decoders \(steps\) × 4 +8 +0 +0 +8 `, plan)
	assert.NoDirExists(t, dir, "a plan writes nothing")
	code, out, errs := execute(args...)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "Toy scores")
	assert.Contains(t, errs, "run 4 of 4: refine.steps=2_seed=4\n")
	assert.Equal(t, 2, strings.Count(errs, "pairs-main-"), "pairs are made once a seed")
	code, out, errs = execute(append(args, "--json")...)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, errs, "run 4 of 4: refine.steps=2_seed=4, finished before\n")
	var r study.Result
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Len(t, r.Points, 2)
	assert.NotNil(t, r.Points[1].Cells[0].Against)
	code, plan, errs = execute(append(args, "--plan")...)
	require.Equal(t, 0, code, errs)
	assert.Regexp(t, `synthetic pairs × 4 +48 +48 +0 +0\n`, plan)
	for _, name := range []string{"sweep.md", "chart-in_domain.svg"} {
		assert.FileExists(t, filepath.Join(dir, name))
	}

	ablation := filepath.Join(filepath.Dir(dir), "ablation")
	code, out, errs = execute(verb([]string{"ablate", "--rows", "syntic,no_objects", "--reuse", filepath.Join(dir, r.Points[0].Folders[0])}, ablation)...)
	require.Equal(t, 0, code, errs)
	assert.Regexp(t, `first row against +setting +CIDEr-D difference`, out)
	assert.Regexp(t, `without objects +in-domain +\S+ \[`, out)
	assert.NotContains(t, errs, "pairs-main-1", "taken from a run of the sweep")

	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "nothing to vary", []string{"sweep"}},
		{2, `--seeds "1,1": want different numbers`, []string{"sweep", "--over", "refine.steps=1", "--seeds", "1,1"}},
		{3, `unknown key "refine.stesp": nearest is "refine.steps"`, []string{"sweep", "--over", "refine.stesp=1,2"}},
		{3, "want key=value,value", []string{"sweep", "--over", "refine.steps"}},
		{3, `no row "sintic"`, []string{"ablate", "--rows", "sintic"}},
		{3, "holds a run: want another folder for a sweep", []string{"sweep", "--over", "refine.steps=1,2", "--out", ablation}},
	} {
		code, _, errs := execute(c.args...)
		assert.Equal(t, c.code, code, c.args)
		assert.Contains(t, errs, c.want)
	}
}
