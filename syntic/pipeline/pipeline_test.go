package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"syntic/clip/pixels"
	"syntic/diffusion"
	"syntic/syntic/config"
	"syntic/syntic/metric"
	"syntic/syntic/plan"
	"syntic/syntic/world"
	"syntic/tensor"
)

// tiny is a recipe of 24 captions and 10 test images, with the smallest decoder, one row and one setting, and the overrides of sets.
func tiny(t testing.TB, sets ...string) *config.Recipe {
	t.Helper()
	r, err := config.Load("toy", slices.Concat(tinySets, sets))
	require.NoError(t, err)
	return r
}

var tinySets = []string{"data.count=24", "data.test_count=10", "synth.steps=2", "train.epochs=1", "train.batch=16", "train.warmup=1",
	"decoder.width=16", "decoder.layers=1", "decoder.heads=2", "decoder.ffn=32", "decode.beams=2", "decode.max_tokens=8", "eval.bootstrap=20", "refine.steps=2",
	"shards.captions=10", "shards.images=6", "eval.rows=syntic", "eval.settings=in_domain"}

// whole are all rows, all settings, two seeds.
func whole() []string { return append(config.Full(), "seeds=2") }

func do(t testing.TB, dir string, r *config.Recipe) *Run {
	t.Helper()
	run, err := Do(context.Background(), tensor.CPU(), dir, r, nil, "a machine")
	require.NoError(t, err)
	return run
}

// made counts the shards that a run made, by stage.
func made(run *Run) map[string]int {
	out := map[string]int{}
	for _, s := range run.Stages {
		if s.Made > 0 {
			out[s.Stage] = s.Made
		}
	}
	return out
}

// written are the files that a run leaves for people, but for the report, which shows times: path to bytes.
func written(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if path == "stages" || path == "models" {
				return fs.SkipDir
			}
			return err
		}
		switch path {
		case "report.html", ".syntic.lock", eventsName:
			return nil
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		out[path] = string(data)
		if path == SumsName { // but for the report's
			out[path] = regexp.MustCompile(`.*  report.html\n`).ReplaceAllString(out[path], "")
		}
		return err
	}))
	return out
}

// same holds what two runs wrote against each other, file by file.
func same(t testing.TB, want, got map[string]string) {
	t.Helper()
	require.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got)))
	for path := range want {
		require.True(t, want[path] == got[path], "%s differs", path)
	}
}

// TestWholeRun runs all rows in all settings with two seeds, again, and with keys changed.
func TestWholeRun(t *testing.T) {
	dir := t.TempDir()
	run := do(t, dir, tiny(t, whole()...))
	want := written(t, dir)
	t.Run("files", func(t *testing.T) { checkFiles(t, dir, run, want) })
	t.Run("nothing is made twice", func(t *testing.T) {
		again := do(t, dir, tiny(t, whole()...))
		require.Empty(t, made(again))
		same(t, want, written(t, dir))
	})
	t.Run("beams change captions alone", func(t *testing.T) {
		got := made(do(t, dir, tiny(t, append(whole(), "decode.beams=1")...)))
		require.Len(t, got, 3*6*2)
		for name := range got {
			require.Contains(t, name, "captions-")
		}
	})
	t.Run("refinement changes what is refined", func(t *testing.T) {
		got := made(do(t, dir, tiny(t, append(whole(), "refine.lr=0.02")...)))
		require.Len(t, got, 4*1+3*4+3*6) // corpora and seeds: refined features, decoders of three rows; and their captions
		for name := range got {
			require.Regexp(t, "^(refined-|(row|captions)-(main|web)-(syntic|no_projection|no_objects)-)", name)
		}
	})
	t.Run("sizes and processors change nothing", func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		other := t.TempDir()
		do(t, other, tiny(t, append(whole(), "synth.batch=5", "clip.batch=3", "shards.captions=7", "shards.images=100")...))
		got := written(t, other)
		delete(got, "recipe.lock.yaml") // holds the sizes
		delete(want, "recipe.lock.yaml")
		delete(got, SumsName)
		delete(want, SumsName)
		same(t, want, got)
	})
}

// checkFiles holds files against each other and the run.
func checkFiles(t *testing.T, dir string, run *Run, files map[string]string) {
	require.Len(t, run.Results, 3*6*2)
	require.Len(t, run.Table.Cells, 3*6)
	require.Len(t, run.Table.Comparisons, 3*5)
	require.Len(t, run.Rows(), 7)
	for _, s := range run.Results {
		require.Equal(t, 10, s.Images)
		path := fmt.Sprintf("captions/%s-%s-%d.json", s.Setting, s.Row, s.Seed)
		require.Contains(t, files, path)
		refs := "references.json"
		if s.Setting == "cross_domain" {
			refs = "references-cross_domain.json"
		}
		r, err := metric.LoadReferences(filepath.Join(dir, refs))
		require.NoError(t, err)
		c, err := metric.LoadResults(filepath.Join(dir, path))
		require.NoError(t, err)
		report, err := metric.Evaluate(r, c, metric.Options{})
		require.NoError(t, err)
		require.Equal(t, report.Scores, s.Scores, path)
	}
	require.Equal(t, files["captions/in_domain-syntic-1.json"], files["captions.json"])
	require.NotContains(t, files, "references-zero_shot.json")
	var results struct {
		Results  []Score           `json:"results"`
		Decoders map[string]string `json:"decoders_sha256"`
		Models   map[string]string `json:"models_sha256"`
	}
	require.NoError(t, json.Unmarshal([]byte(files["results.json"]), &results))
	require.Len(t, results.Results, 36)
	require.Len(t, results.Decoders, 2*6*2)
	distinct := map[string]bool{}
	for _, sum := range results.Decoders {
		distinct[sum] = true
	}
	require.Len(t, distinct, 24, "each row learns something else")
	require.Len(t, results.Models, 3)
	require.NotContains(t, strings.ToLower(files["results.json"]), "second")
	page, err := os.ReadFile(run.Report)
	require.NoError(t, err)
	require.Contains(t, string(page), "a machine")
	require.Equal(t, 24+10+failedImages+shownWeights, strings.Count(string(page), "src=\"data:image/png"), "synthetic and test images, those of the worst and of the weights")
}

// captionAgain opens the folder's model and holds its captions against captions.json.
func captionAgain(t *testing.T, dir string, run *Run) {
	t.Helper()
	m, err := OpenModel(tensor.CPU(), dir)
	require.NoError(t, err)
	defer m.Close()
	domain := world.Photo
	if run.Recipe.Eval.Settings[0] == "cross_domain" {
		domain = world.Crayon
	}
	var images []*pixels.Image
	for i := range 3 {
		im, _, err := drawnImage(domain, world.Test, i)
		require.NoError(t, err)
		images = append(images, im)
	}
	got, err := m.CaptionImages(context.Background(), images, 2)
	require.NoError(t, err)
	want, err := metric.LoadResults(filepath.Join(dir, "captions.json"))
	require.NoError(t, err)
	for i, c := range got {
		require.Equal(t, want.Rows[i].Caption, c.Caption)
		require.Len(t, c.Neighbours, 2)
	}
}

// TestTargetTexts holds the row with target texts against the one without: the same decoder, other captions only where the domain is another.
func TestTargetTexts(t *testing.T) {
	dir := t.TempDir()
	run := do(t, dir, tiny(t, "eval.settings=cross_domain,in_domain", "eval.rows=syntic_tt,syntic", "memory.temperature=0.1"))
	names := made(run)
	require.Contains(t, names, "texts-target")
	require.NotContains(t, names, "texts-memory")
	files := written(t, dir)
	require.Equal(t, files["captions/in_domain-syntic-1.json"], files["captions/in_domain-syntic_tt-1.json"])
	require.Equal(t, strings.Join(sceneTexts(world.Crayon, 24, false), "\n")+"\n", files["model/memory.txt"])
	m, err := OpenModel(tensor.CPU(), dir)
	require.NoError(t, err)
	defer m.Close()
	m.Memory = nil // as the other row's
	require.NoError(t, m.SwapMemory(context.Background(), tensor.CPU(), write(t, "texts.txt", strings.Join(sceneTexts(world.Photo, 24, false), "\n"))))
	require.Equal(t, 24, m.Memory.Size())
	im, _, err := drawnImage(world.Crayon, world.Test, 0)
	require.NoError(t, err)
	got, err := m.CaptionImages(context.Background(), []*pixels.Image{im}, 2)
	require.NoError(t, err)
	var want []metric.Result
	require.NoError(t, json.Unmarshal([]byte(files["captions/cross_domain-syntic-1.json"]), &want))
	require.Equal(t, want[0].Caption, got[0].Caption)
	err = m.SwapMemory(context.Background(), tensor.CPU(), write(t, "empty.txt", "\n"))
	var bad interface{ BadInput() bool }
	require.ErrorAs(t, err, &bad)
}

// TestVariants runs recipes that leave parts out or bring others in, all in one folder, as they share stages.
func TestVariants(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "texts.txt")
	require.NoError(t, os.WriteFile(file, []byte("a red circle\n\n  two   blue stars \na green square\n"), 0o644))
	for _, sets := range [][]string{
		{},
		{"refine.enabled=false", "synth.keep=none"},
		{"project.enabled=false", "project.train=false", "eval.bootstrap=0"},
		{"objects.enabled=false", "memory.top_k=2"},
		{"decoder.vocabulary=full", "objects.none=neutral_prompt", "memory.source=world:other"},
		{"data.captions=" + file, "synth.images_per_caption=2", "synth.batch=3", "objects.pooling=per_tag", "objects.threshold=0.1", "synth.keep=all", "data.count=0"},
		{"eval.settings=zero_shot", "eval.rows=decap"},
		{"eval.rows=gap", "data.val=world", "data.val_count=3"},
		{"eval.rows=ifcap", "data.val=world", "data.val_count=3", "memory.dtype=int8", "memory.size=12"},
		{"objects.pooling=max", "objects.drop=0.5", "decoder.prefix_tokens=3", "decoder.prefix_layout=concat"},
		{"objects.pooling=per_tag", "objects.as=words", "objects.drop=0.5", "synth.images_per_caption=2", "synth.combine=sample", "train.weight=clip", "decode.rerank=clip"},
		{"memory.size=9", "memory.dtype=int8", "data.val=world", "data.val_count=3"},
		{"memory.source=world:other", "memory.size=9", "memory.dtype=f16", "memory.top_k=3"},
		{"eval.settings=cross_domain,in_domain,zero_shot", "eval.rows=syntic_tt,decap"},
		{"eval.settings=cross_domain,in_domain", "eval.rows=capdec,syntic", "memory.source=" + file},
		{"eval.settings=zero_shot,in_domain", "data.count=6", "eval.rows=decap,syntic"},
	} {
		t.Run(strings.ReplaceAll(strings.Join(sets, " "), filepath.Dir(file), ""), func(t *testing.T) {
			r := tiny(t, sets...)
			run := do(t, dir, r)
			require.Len(t, run.Results, len(r.Eval.Settings)*len(r.Eval.Rows))
			files := written(t, dir)
			require.Equal(t, files[fmt.Sprintf("captions/%s-%s-1.json", r.Eval.Settings[0], r.Eval.Rows[0])], files["captions.json"])
			captionAgain(t, dir, run)
		})
	}
	require.FileExists(t, filepath.Join(dir, "references-in_domain.json"), "after cross_domain came first")
}

// stopper is a progress that does something at the n-th item.
type stopper struct {
	left int
	stop func()
}

func (s *stopper) Stage(string, int) plan.Bar { return s }
func (s *stopper) Done()                      {}
func (s *stopper) Add(int) {
	if s.left--; s.left == 0 {
		s.stop()
	}
}

// TestCancelledRunGoesOn ends a run by its context in several places, and goes on.
func TestCancelledRunGoesOn(t *testing.T) {
	want, dir := t.TempDir(), t.TempDir()
	do(t, want, tiny(t))
	tries := 0
	for ; ; tries++ {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Do(ctx, tensor.CPU(), dir, tiny(t), &stopper{2 + tries, cancel}, "a machine")
		cancel()
		if err == nil {
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		require.NoFileExists(t, filepath.Join(dir, "results.json"))
	}
	require.Greater(t, tries, 2)
	same(t, written(t, want), written(t, dir))
	left, err := filepath.Glob(filepath.Join(dir, "stages", "*", "training.checkpoint"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestMain lets the test binary play a run that is killed, as by kill -9, at the n-th item, of all or of one stage, or a moment after.
func TestMain(m *testing.M) {
	dir := os.Getenv("PIPELINE_TEST_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	n, _ := strconv.Atoi(os.Getenv("PIPELINE_TEST_KILL"))
	r, err := config.Load("toy", strings.Split(os.Getenv("PIPELINE_TEST_SETS"), "\n"))
	kill := func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	var progress plan.Progress = &stopper{n, kill}
	if stage := os.Getenv("PIPELINE_TEST_STAGE"); stage != "" {
		moment, _ := time.ParseDuration(os.Getenv("PIPELINE_TEST_MOMENT"))
		progress = &atStep{stage, n, func() { time.AfterFunc(moment, kill) }}
	}
	if err == nil {
		_, err = Do(context.Background(), tensor.CPU(), dir, r, progress, "a machine")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestKillAgainAndAgain kills runs in one folder, each a little later than the one before, until one ends.
func TestKillAgainAndAgain(t *testing.T) {
	want, dir := t.TempDir(), t.TempDir()
	do(t, want, tiny(t))
	tries := 0
	for ; ; tries++ {
		require.Less(t, tries, 20)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "PIPELINE_TEST_DIR="+dir, fmt.Sprint("PIPELINE_TEST_KILL=", 2+tries), "PIPELINE_TEST_SETS="+strings.Join(tinySets, "\n"))
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		require.True(t, ok && status.Signaled() && status.Signal() == syscall.SIGKILL, "%v: %s", err, out)
	}
	require.Greater(t, tries, 2)
	same(t, written(t, want), written(t, dir))
}

// TestRecipesTakeEverySampler holds the recipe's values against the samplers there are.
func TestRecipesTakeEverySampler(t *testing.T) {
	field, ok := reflect.TypeFor[config.Synth]().FieldByName("Sampler")
	require.True(t, ok)
	require.Equal(t, strings.Join(diffusion.SamplerNames(), "|"), field.Tag.Get("oneof"))
}
