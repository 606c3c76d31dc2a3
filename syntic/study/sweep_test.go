package study

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/syntic/pipeline"
	"syntic/syntic/plan"
	"syntic/tensor"
)

func tiny(t *testing.T, sets ...string) *config.Recipe {
	t.Helper()
	r, err := config.Load("toy", append([]string{"data.count=24", "data.test_count=8", "synth.steps=2", "train.epochs=1", "train.batch=16", "train.warmup=1", "decoder.width=16",
		"decoder.layers=1", "decoder.heads=2", "decoder.ffn=32", "decode.beams=2", "decode.max_tokens=8", "eval.bootstrap=50", "refine.steps=2", "shards.captions=10", "eval.rows=syntic",
		"eval.settings=in_domain"}, sets...))
	require.NoError(t, err)
	return r
}

// counter is a progress that counts items by stage, and ends a context after some of them.
type counter struct {
	items map[string]int
	left  int
	stop  func()
}

func (c *counter) Stage(name string, _ int) plan.Bar { return bar{c, name} }

type bar struct {
	c    *counter
	name string
}

func (b bar) Add(n int) {
	b.c.items[b.name] += n
	if b.c.left--; b.c.left == 0 {
		b.c.stop()
	}
}
func (b bar) Done() {}

// TestSweep varies a key of the decoder and the number of captions, with two seeds, is stopped and goes on, and makes what is shared once.
func TestSweep(t *testing.T) {
	base := tiny(t, "sweep.over=data.share=0.5|1,refine.steps=0|2")
	axes, err := base.Axes()
	require.NoError(t, err)
	dir := t.TempDir()
	count := &counter{items: map[string]int{}, left: 12}
	var told []string
	s := Sweep{Dir: dir, Axes: axes, Seeds: []int64{1, 5}, Job: pipeline.Job{Device: tensor.CPU(), Progress: count},
		Tell: func(_, _ int, name string, finished bool) {
			if finished {
				name += " finished"
			}
			told = append(told, name)
		}}
	ctx, cancel := context.WithCancel(context.Background())
	count.stop = cancel
	_, err = s.Do(ctx, base)
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, filepath.Join(dir, "sweep.json"))
	told = nil
	r, err := s.Do(context.Background(), base)
	require.NoError(t, err)
	require.Len(t, told, 8)
	assert.True(t, strings.HasPrefix(told[7], "data.share=1_refine.steps=2_seed=5"), told[7])
	assert.LessOrEqual(t, count.items["pairs-main-1"], 24+10+4, "24 pairs of a seed are enough for all points, but for what was lost when it was stopped and a shard that is shorter")
	assert.LessOrEqual(t, count.items["pairs-main-5"], 24+4)
	assert.Equal(t, 8, count.items["test-in"])

	require.Len(t, r.Points, 4)
	first, last := r.Points[0].Cells[0], r.Points[3].Cells[0]
	assert.Nil(t, first.Against)
	require.NotNil(t, last.Against)
	assert.InDelta(t, last.Mean["CIDEr"]-first.Mean["CIDEr"], last.Against.Difference, 1e-12)
	assert.Len(t, last.BySeed, 2)
	assert.InDelta(t, (last.BySeed[0]+last.BySeed[1])/2, last.Mean["CIDEr"], 1e-12)
	assert.True(t, last.Low <= last.Mean["CIDEr"] && last.Mean["CIDEr"] <= last.High)
	f, err := Open(filepath.Join(dir, r.Points[3].Folders[1]))
	require.NoError(t, err)
	assert.Equal(t, int64(5), f.Recipe.Seed)
	assert.Equal(t, f.Score("in_domain", "syntic", 5).Scores["CIDEr"], last.BySeed[1])

	told = nil
	again, err := s.Do(context.Background(), base)
	require.NoError(t, err)
	for _, line := range told {
		assert.Contains(t, line, " finished")
	}
	want, err := json.Marshal(r)
	require.NoError(t, err)
	got, err := json.Marshal(again)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(got))
	text, err := os.ReadFile(filepath.Join(dir, "sweep.json"))
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(text))
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), `class="band s1"`)
	assert.Contains(t, string(page), "toy results")
	list, err := List(filepath.Dir(dir))
	require.NoError(t, err)
	assert.Len(t, list, 8)

	s.Dir = filepath.Join(dir, r.Points[0].Folders[0])
	_, err = s.Do(context.Background(), base)
	assert.ErrorContains(t, err, "holds a run: want another folder for a sweep")
}

func TestNames(t *testing.T) {
	assert.Equal(t, "synth.negative=a__b_x=1e-3_seed=3", Name([]string{"synth.negative=a/ b", "x=1e-3"}, 3))
	assert.Less(t, len(Name([]string{"x=" + strings.Repeat("y", 500)}, 1)), 140)
}
