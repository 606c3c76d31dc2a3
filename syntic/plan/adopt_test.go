package plan

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFinishedShardsOfOtherRunsAreTaken runs the same stages, and others, beside a finished run.
func TestFinishedShardsOfOtherRunsAreTaken(t *testing.T) {
	first := t.TempDir()
	run(t, first, 10)
	want := outputs(t, first)
	beside := func(dir string, steps int) (map[string]int, []Result) {
		c := &calls{n: map[string]int{}}
		p, err := New(dir, testStages(c, steps))
		require.NoError(t, err)
		status := p.Status([]string{first}, nil)
		results, err := p.Run(context.Background(), Options{From: []string{"/no/such/folder", first}})
		require.NoError(t, err)
		for i, s := range status {
			assert.Equal(t, s.Stage.Items, results[i].Items)
			assert.Equal(t, s.Elsewhere == s.Stage.Items, results[i].Made == 0 && results[i].Taken == results[i].Shards, s.Stage.Name)
		}
		return c.n, results
	}
	same := t.TempDir()
	made, results := beside(same, 10)
	assert.Empty(t, made)
	assert.Equal(t, 3, results[0].Taken)
	assert.Equal(t, want, outputs(t, same))
	other := t.TempDir()
	made, _ = beside(other, 20)
	assert.Equal(t, map[string]int{"draw": 3, "encode": 2, "train": 1}, made, "words alone are the same")

	require.NoError(t, os.RemoveAll(first))
	_, _, again := run(t, same, 10)
	assert.Empty(t, again, "what was taken does not need the other run")

	damaged := filepath.Join(firstMatch(t, filepath.Join(same, "words-*")), "00001.bin")
	data, err := os.ReadFile(damaged)
	require.NoError(t, err)
	data[0] ^= 1
	require.NoError(t, os.Remove(damaged)) // a link of other runs' bytes
	require.NoError(t, os.WriteFile(damaged, data, 0o644))
	first = same
	last := t.TempDir()
	made, results = runFrom(t, last, same)
	assert.Equal(t, map[string]int{"words": 1}, made, "a damaged shard is not taken")
	assert.Equal(t, want, outputs(t, last))
	assert.Equal(t, 2, results[0].Taken)
}

func runFrom(t *testing.T, dir, from string) (map[string]int, []Result) {
	t.Helper()
	c := &calls{n: map[string]int{}}
	_, results, err := Run(context.Background(), dir, testStages(c, 10), Options{From: []string{from}})
	require.NoError(t, err)
	return c.n, results
}

func firstMatch(t *testing.T, pattern string) string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return list[0]
}

// TestPiecesOfAnotherPlan makes the shards of a longer plan alone that a shorter one does not have, and those of other inputs.
func TestPiecesOfAnotherPlan(t *testing.T) {
	stages := func(made *[]int, words string, steps int) []Stage {
		return []Stage{{Name: "draw", Items: len(words), ShardSize: 3, Config: map[string]any{"steps": steps}, Inputs: map[string]string{"words": words, "w": "abc"},
			Piece: func(s Shard) map[string]string { return map[string]string{"words": words[s.First : s.First+s.Count]} },
			Make: func(_ context.Context, s Shard, _ *Pipeline, out io.Writer, _ func(int)) error {
				*made = append(*made, s.Index)
				_, err := fmt.Fprintf(out, "%d steps of %s at %d", steps, words[s.First:s.First+s.Count], s.First)
				return err
			}}}
	}
	dir, beside := t.TempDir(), t.TempDir()
	make := func(dir, words string, steps int, from ...string) (made []int, digest string) {
		_, results, err := Run(context.Background(), dir, stages(&made, words, steps), Options{From: from})
		require.NoError(t, err)
		return made, results[0].Digest
	}
	made, _ := make(dir, "abcdefgh", 1)
	assert.Equal(t, []int{0, 1, 2}, made)
	made, longer := make(dir, "abcdefghijkl", 1)
	assert.Equal(t, []int{2, 3}, made, "in the same folder")
	made, digest := make(beside, "abcdefghijkl", 1, dir)
	assert.Empty(t, made)
	assert.Equal(t, longer, digest)
	made, _ = make(beside, "abcXefghijkl", 1, dir)
	assert.Equal(t, []int{1}, made, "other words")
	made, _ = make(beside, "abcdefghijkl", 2, dir)
	assert.Equal(t, []int{0, 1, 2, 3}, made, "other steps")
	made, alone := make(t.TempDir(), "abcdefghijkl", 1)
	assert.Len(t, made, 4)
	assert.Equal(t, longer, alone)

	bad := stages(&made, "abc", 1)
	bad = append(bad, Stage{Name: "x", After: []string{"draw"}, Items: 1, Piece: bad[0].Piece, Make: bad[0].Make})
	_, err := New(dir, bad)
	assert.EqualError(t, err, "stage x: Piece and After: want one of them")
}
