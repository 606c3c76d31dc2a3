package plan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// calls counts the shards that were made, by stage.
type calls struct {
	mu sync.Mutex
	n  map[string]int
}

// testStages is draw (7 items, shards of 3) -> encode (7, 4) -> train (1), and words (5, 2) beside them.
func testStages(c *calls, steps int) []Stage {
	make := func(name string, reads ...string) func(context.Context, Shard, *Pipeline, io.Writer, func(int)) error {
		return func(ctx context.Context, s Shard, in *Pipeline, out io.Writer, tick func(int)) error {
			if c != nil {
				c.mu.Lock()
				c.n[name]++
				c.mu.Unlock()
			}
			for i := s.First; i < s.First+s.Count; i++ {
				fmt.Fprintf(out, "%s item %d of %d steps\n", name, i, steps)
				tick(1)
			}
			for _, stage := range reads {
				for i := range in.Stage(stage).Shards() {
					data, err := in.Read(stage, i)
					if err != nil {
						return err
					}
					fmt.Fprintf(out, "read %q\n", data)
				}
			}
			return nil
		}
	}
	return []Stage{
		{Name: "words", Items: 5, ShardSize: 2, Make: make("words")},
		{Name: "draw", Config: map[string]any{"steps": steps, "a": 1.5}, SeedRule: "(seed, item)", Items: 7, ShardSize: 3, Make: make("draw")},
		{Name: "encode", After: []string{"draw"}, Inputs: map[string]string{"weights": "abc"}, Items: 7, ShardSize: 4, Make: make("encode", "draw")},
		{Name: "train", After: []string{"encode", "words"}, Items: 1, Make: make("train", "encode", "words")},
	}
}

func run(t *testing.T, dir string, steps int) (*Pipeline, []Result, map[string]int) {
	t.Helper()
	c := &calls{n: map[string]int{}}
	p, results, err := Run(context.Background(), dir, testStages(c, steps), Options{})
	require.NoError(t, err)
	return p, results, c.n
}

// outputs is the relative path and bytes of every data file and plan, and fails on anything unexpected.
func outputs(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == lockName {
			return err
		}
		name := entry.Name()
		data, err := os.ReadFile(path)
		switch {
		case strings.HasSuffix(name, ".bin") || name == "plan.json":
			out[strings.TrimPrefix(path, dir)] = string(data)
		default:
			assert.Regexp(t, `^\d{5}\.json$`, name, "leftover")
		}
		return err
	}))
	return out
}

func TestRunMakesWhatIsMissingAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	p, first, made := run(t, dir, 10)
	assert.Equal(t, map[string]int{"words": 3, "draw": 3, "encode": 2, "train": 1}, made)
	assert.Equal(t, []int{3, 3, 2, 1}, []int{first[0].Made, first[1].Made, first[2].Made, first[3].Made})
	assert.Equal(t, Shard{2, 6, 1}, p.Stage("draw").Shard(2))
	data, err := p.Read("draw", 2)
	require.NoError(t, err)
	assert.Equal(t, "draw item 6 of 10 steps\n", string(data))

	before := outputs(t, dir)
	_, again, made := run(t, dir, 10)
	assert.Empty(t, made)
	for i := range again {
		assert.Equal(t, first[i].Digest, again[i].Digest)
		assert.Equal(t, first[i].Bytes, again[i].Bytes)
		assert.Zero(t, again[i].Made)
	}
	assert.Equal(t, before, outputs(t, dir))

	_, other, made := run(t, dir, 20)
	assert.Equal(t, map[string]int{"draw": 3, "encode": 2, "train": 1}, made, "words do not depend on the steps")
	assert.Equal(t, first[0].ID, other[0].ID)
	assert.NotEqual(t, first[3].ID, other[3].ID)
	assert.NotEqual(t, first[3].Digest, other[3].Digest)
	_, _, made = run(t, dir, 10)
	assert.Empty(t, made, "going back costs nothing")
}

func TestIDsAreCanonical(t *testing.T) {
	a, err := New("x", testStages(nil, 1))
	require.NoError(t, err)
	b, err := New("y", testStages(nil, 1))
	require.NoError(t, err)
	for range 20 { // the order of maps does not matter
		assert.Equal(t, a.ID("train"), b.ID("train"))
		b, _ = New("y", testStages(nil, 1))
	}
	for name, change := range map[string]func(*Stage){
		"config": func(s *Stage) { s.Config = map[string]any{"steps": 2} }, "version": func(s *Stage) { s.Version++ },
		"inputs": func(s *Stage) { s.Inputs = map[string]string{"weights": "abd"} }, "items": func(s *Stage) { s.Items++ },
		"shard size": func(s *Stage) { s.ShardSize++ }, "seed rule": func(s *Stage) { s.SeedRule = "other" },
	} {
		stages := testStages(nil, 1)
		change(&stages[1])
		b, err := New("x", stages)
		require.NoError(t, err)
		assert.NotEqual(t, a.ID("draw"), b.ID("draw"), name)
		assert.NotEqual(t, a.ID("train"), b.ID("train"), name)
		assert.Equal(t, a.ID("words"), b.ID("words"), name)
	}
}

func TestNewRefuses(t *testing.T) {
	make := testStages(nil, 1)[0].Make
	for _, stages := range [][]Stage{
		{{Name: "../x", Items: 1, Make: make}}, {{Name: "a", Items: 0, Make: make}}, {{Name: "a", Items: 1}},
		{{Name: "a", Items: 1, Make: make}, {Name: "a", Items: 1, Make: make}},
		{{Name: "a", Items: 1, Make: make, After: []string{"b"}}, {Name: "b", Items: 1, Make: make}},
		{{Name: "a", Items: 1, Make: make, Config: map[string]any{"f": func() {}}}},
	} {
		_, err := New("x", stages)
		assert.Error(t, err)
	}
}

func TestDamageIsFoundAndRemade(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, s *planned){
		"data gone":        func(t *testing.T, s *planned) { require.NoError(t, os.Remove(s.data(1))) },
		"data cut":         func(t *testing.T, s *planned) { require.NoError(t, os.Truncate(s.data(1), 5)) },
		"record gone":      func(t *testing.T, s *planned) { require.NoError(t, os.Remove(s.record(1))) },
		"record cut":       func(t *testing.T, s *planned) { require.NoError(t, os.Truncate(s.record(1), 9)) },
		"record of others": func(t *testing.T, s *planned) { require.NoError(t, os.Rename(s.record(0), s.record(1))) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p, _, _ := run(t, dir, 10)
			before := outputs(t, dir)
			harm(t, p.stage("draw"))
			_, _, made := run(t, dir, 10)
			assert.NotZero(t, made["draw"])
			assert.Zero(t, made["train"], "the bytes are the same, so nothing after them changes")
			assert.Equal(t, before, outputs(t, dir))
		})
	}
}

// TestFlippedBitIsFoundOnFirstUse: the size agrees, so only the hash can tell.
func TestFlippedBitIsFoundOnFirstUse(t *testing.T) {
	dir := t.TempDir()
	p, _, _ := run(t, dir, 10)
	path := p.stage("draw").data(1)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[3] ^= 1
	require.NoError(t, os.WriteFile(path, data, 0o644))

	fresh, err := New(dir, testStages(nil, 10))
	require.NoError(t, err)
	_, err = fresh.Read("draw", 1)
	var damaged *DamagedError
	require.ErrorAs(t, err, &damaged)
	assert.Contains(t, err.Error(), "00001.bin: damaged")
	_, _, made := run(t, dir, 10)
	assert.Equal(t, map[string]int{"draw": 1}, made)
	_, err = fresh.Read("draw", 1)
	assert.NoError(t, err)
}

func TestSecondFinisher(t *testing.T) {
	dir := t.TempDir()
	p, _, _ := run(t, dir, 10)
	s := p.stage("draw")
	same := func(w io.Writer) error { _, err := io.WriteString(w, "draw item 6 of 10 steps\n"); return err }
	assert.NoError(t, s.commit(&p.mu, s.Shard(2), same), "equal bytes are fine, though the record's seconds differ")
	outputs(t, dir) // no leftovers

	other := func(w io.Writer) error { _, err := io.WriteString(w, "something else\n"); return err }
	err := s.commit(&p.mu, s.Shard(2), other)
	var conflict *ConflictError
	require.ErrorAs(t, err, &conflict)
	kept, err := os.ReadFile(conflict.Kept)
	require.NoError(t, err)
	assert.Equal(t, "something else\n", string(kept))
	data, err := p.Read("draw", 2)
	require.NoError(t, err)
	assert.Equal(t, "draw item 6 of 10 steps\n", string(data))
}

func TestTwoRunsInOneFolder(t *testing.T) {
	dir := t.TempDir()
	unlock, err := Lock(dir)
	require.NoError(t, err)
	_, _, err = Run(context.Background(), dir, testStages(nil, 1), Options{})
	assert.EqualError(t, err, fmt.Sprintf("output folder %s: in use by process %d: wait until it ends, or choose another folder", dir, os.Getpid()))
	unlock()
	run(t, dir, 1)
}

// TestSharedFolder: two unlocked runs at once make the same shards and meet without harm.
func TestSharedFolder(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			_, _, err := Run(context.Background(), dir, testStages(nil, 10), Options{Locked: true})
			assert.NoError(t, err)
		})
	}
	all.Wait()
	single := t.TempDir()
	run(t, single, 10)
	assert.Equal(t, outputs(t, single), outputs(t, dir))
}

func TestUnusableFolders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		_, _, err := Run(context.Background(), dir, testStages(nil, 1), Options{})
		var folder *FolderError
		require.ErrorAs(t, err, &folder, dir)
		assert.True(t, folder.BadInput())
		assert.Contains(t, err.Error(), "a file is in the way")
	}
	defer func() { failpoint = func(string) error { return nil } }()
	dir := t.TempDir()
	for _, cause := range []struct {
		err  error
		want string
	}{{syscall.ENOSPC, "free some space and run again; finished shards are kept"}, {syscall.EACCES, "choose a folder that can be written"},
		{syscall.EROFS, "choose a folder that can be written"}} {
		for _, point := range []string{"plan-written", "data-opened", "data-written", "record-written"} {
			failpoint = func(name string) error {
				if name == point {
					return &os.PathError{Op: "write", Path: "x", Err: cause.err}
				}
				return nil
			}
			_, _, err := Run(context.Background(), dir, testStages(nil, 1), Options{})
			var folder *FolderError
			require.ErrorAs(t, err, &folder, point)
			assert.ErrorContains(t, err, cause.want)
			outputs(t, dir) // nothing half-written
			if point == "plan-written" {
				failpoint = func(string) error { return nil }
				require.NoError(t, os.RemoveAll(dir))
			}
		}
		require.NoError(t, os.RemoveAll(dir))
	}
}

func TestFailureAndCancelLeaveNoTrace(t *testing.T) {
	dir := t.TempDir()
	stages := testStages(nil, 10)
	ok := stages[1].Make
	ctx, cancel := context.WithCancel(context.Background())
	stages[1].Make = func(ctx context.Context, s Shard, in *Pipeline, out io.Writer, tick func(int)) error {
		_ = ok(ctx, s, in, out, tick)
		if s.Index == 1 {
			return errors.New("device lost")
		}
		return nil
	}
	_, results, err := Run(ctx, dir, stages, Options{})
	assert.EqualError(t, err, "stage draw: shard 1 (items 3 to 5): device lost")
	assert.Len(t, results, 1)
	assert.Len(t, outputs(t, dir), 1+3+1+1, "two plans, three shards of words, one of draw")

	stages[1].Make = func(ctx context.Context, s Shard, in *Pipeline, out io.Writer, tick func(int)) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	_, _, err = Run(ctx, dir, stages, Options{})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Len(t, outputs(t, dir), 1+3+1+1)
}

type counter struct {
	mu     sync.Mutex
	stages []string
	n      int
}

func (c *counter) Stage(name string, total int) Bar {
	c.stages = append(c.stages, fmt.Sprint(name, " ", total))
	return c
}
func (c *counter) Add(n int) { c.mu.Lock(); c.n += n; c.mu.Unlock() }
func (c *counter) Done()     {}

func TestProgressCountsWhatIsLeft(t *testing.T) {
	dir := t.TempDir()
	p, _, _ := run(t, dir, 10)
	require.NoError(t, os.Remove(p.stage("draw").record(2)))
	require.NoError(t, os.Remove(p.stage("draw").record(0)))
	c := &counter{}
	_, _, err := Run(context.Background(), dir, testStages(nil, 10), Options{Progress: c})
	require.NoError(t, err)
	assert.Equal(t, []string{"draw 4"}, c.stages)
	assert.Equal(t, 4, c.n)
}
