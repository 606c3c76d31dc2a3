package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/syntic/plan"
	"syntic/syntic/report/tensorboard"
	"syntic/tensor"
)

// curveOf reads the steps of a row's training from metrics.jsonl, and requires that all lines are whole.
func curveOf(t *testing.T, dir, row string) (steps []int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, metricsName))
	require.NoError(t, err)
	for line := range bytes.Lines(text) {
		var p point
		require.NoError(t, json.Unmarshal(line, &p), "%s", line)
		if p.Kind == "train" && p.Row == row {
			steps = append(steps, p.Step)
		}
	}
	return steps
}

// atStep is a progress that calls a function at the n-th tick of a stage; that of a training is of the steps of its checkpoint, the others are steps.
type atStep struct {
	stage string
	n     int
	stop  func()
}

func (s *atStep) Stage(name string, _ int) plan.Bar {
	if name == s.stage {
		return &stopper{s.n, s.stop}
	}
	return plan.Quiet.Stage(name, 0)
}

// TestCurvesAreWrittenAsTrainingGoes stops a run in its second training: both files have its steps up to the last ones, which are read from the device some
// at a time; a run that goes on from the checkpoint has each once,
// and ends with the files of a run that nobody stopped.
func TestCurvesAreWrittenAsTrainingGoes(t *testing.T) {
	sets := []string{"eval.rows=decap,syntic", "train.epochs=25", "shards.checkpoint=20"}
	job := func(dir string, p plan.Progress) Job {
		return Job{Device: tensor.CPU(), Dir: dir, Recipe: tiny(t, sets...), Progress: p, Machine: "a machine", Board: true}
	}
	whole := t.TempDir()
	_, err := job(whole, nil).Do(context.Background())
	require.NoError(t, err)
	require.Len(t, curveOf(t, whole, "syntic"), 50)

	dir := t.TempDir()
	stopped := errStop{}
	func() {
		defer func() { require.Equal(t, stopped, recover()) }()
		_, _ = job(dir, &atStep{"row-main-syntic-1", 1 + 38, func() { panic(stopped) }}).Do(context.Background()) // as a crash: no checkpoint is written at the end
	}()
	require.Equal(t, upTo(36), curveOf(t, dir, "syntic"), "though the checkpoint is of 20 steps")
	require.Len(t, curveOf(t, dir, "decap"), 50)
	file := filepath.Join(dir, "tensorboard", "main-syntic-1", tensorboard.FileName)
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	size, scalars := tensorboard.Before(before, 1000)
	require.Equal(t, len(before), size)
	require.Equal(t, 36*3, scalars)
	metrics := filepath.Join(dir, metricsName)
	text, err := os.ReadFile(metrics)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(metrics, append(text, `{"kind":"train","ro`...), 0o666)) // a line that was not finished

	var seen []int
	_, err = job(dir, &atStep{"row-main-syntic-1", 1 + 2, func() { seen = curveOf(t, dir, "syntic") }}).Do(context.Background())
	require.NoError(t, err)
	require.Equal(t, upTo(20), seen, "none twice, none of those that are done again")
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	kept, _ := tensorboard.Before(before, 20)
	require.Equal(t, before[:kept], after[:kept], "the first steps keep their times")
	_, scalars = tensorboard.Before(after, 1000)
	require.Equal(t, 50*3, scalars)
	want, got := written(t, whole), written(t, dir)
	for name := range want {
		if strings.HasPrefix(name, "tensorboard") { // holds times
			delete(want, name)
			delete(got, name)
		}
	}
	same(t, want, got)
}

type errStop struct{}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// killedRun does a run in a process of its own that is killed, as by kill -9, a moment after so many ticks of a row's training; it tells whether it was.
func killedRun(t *testing.T, dir string, sets []string, row string, ticks int, moment time.Duration) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PIPELINE_TEST_DIR="+dir, fmt.Sprint("PIPELINE_TEST_KILL=", ticks), "PIPELINE_TEST_STAGE=row-main-"+row+"-1",
		"PIPELINE_TEST_MOMENT="+moment.String(), "PIPELINE_TEST_SETS="+strings.Join(sets, "\n"))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok && status.Signaled() && status.Signal() == syscall.SIGKILL, "%v: %s", err, out)
	return true
}

// TestKillRows kills runs in the training of rows, successors among them, at random points and again and again, until one ends: the same weights, captions
// and metrics, byte for byte. SYNTIC_LONG_TESTS=1 takes all rows that train something of their own, and 20 kills of each or more.
func TestKillRows(t *testing.T) {
	rows, least := []string{"viecap", "ifcap", "pcm"}, 1
	if os.Getenv("SYNTIC_LONG_TESTS") != "" {
		rows, least = []string{"syntic", "decap", "capdec", "capdec_ball", "close", "viecap", "ifcap", "tomcap", "sync", "clip_weight", "pcm", "gap", "names", "names_clip", "frequent",
			"retrieved", "images_mean", "images_sample"}, 20
	}
	random := rand.New(rand.NewSource(time.Now().UnixNano()))
	for _, row := range rows {
		t.Run(row, func(t *testing.T) {
			sets := slices.Concat(tinySets, []string{"eval.rows=" + row, "train.epochs=12", "retrieve.captions=6", "retrieve.min_count=2", "shards.checkpoint=3"})
			r, err := config.Load("toy", sets)
			require.NoError(t, err)
			whole := t.TempDir()
			do(t, whole, r)
			want := written(t, whole)
			made := t.TempDir() // all but the training
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			_, err = Job{Device: tensor.CPU(), Dir: made, Recipe: r, Machine: "a machine", Progress: &atStep{"row-main-" + row + "-1", 1, cancel}}.Do(ctx)
			require.ErrorIs(t, err, context.Canceled)
			for kills := 0; kills < least; {
				dir, here := t.TempDir(), 0
				require.NoError(t, os.CopyFS(dir, os.DirFS(made)))
				for killedRun(t, dir, sets, row, 2+random.Intn(9), time.Duration(random.Intn(5000))*time.Microsecond) {
					here++
					require.Less(t, here, 100)
				}
				same(t, want, written(t, dir))
				kills += here
				t.Logf("killed %d times, in all %d: the same bytes", here, kills)
			}
		})
	}
}
