package syntic

import (
	"bufio"
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/plan"
	"syntic/tensor"
)

// killDir is the variable that makes the test binary train a decoder in that folder, to be killed.
const killDir = "SYNTIC_TEST_TRAIN"

// killedTraining trains with everything that a checkpoint has to bring back: shuffling, noise, dropout, warm-up, momenta. It writes a line a step.
func killedTraining(dir string, tick func()) error {
	x := toy(100, 3)
	sh := Shape{Features: toyE, Width: 32, Layers: 2, Heads: 4, FFN: 64, Positions: 16, Layout: "tokens", Slots: 3, Null: true}
	d, err := NewDecoder(tensor.CPU(), sh, NewVocabulary(x.Captions, toyEnd), 0.05, 7)
	if err != nil {
		return err
	}
	defer d.Release()
	o := toyOptions()
	o.Train.Epochs, o.Dropout, o.Train.Noise, o.Train.NoiseStd, o.Train.LabelSmoothing = 20, 0.1, true, 0.1, 0.1
	o.Checkpoint, o.Every = filepath.Join(dir, "training.checkpoint"), 3
	if _, err := d.Train(context.Background(), x, o, eachStep(tick)); err != nil {
		return err
	}
	return d.Save(dir)
}

// eachStep is a progress that calls a function at each step.
type eachStep func()

func (f eachStep) Stage(string, int) plan.Bar { return f }
func (f eachStep) Add(int)                    { f() }
func (f eachStep) Skip(int)                   {}
func (f eachStep) Done()                      {}

func TestMain(m *testing.M) {
	dir := os.Getenv(killDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := killedTraining(dir, func() { fmt.Println("step") }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// killAfter starts the training in a folder and kills it, as by kill -9, a moment after so many steps; 0 lets it end. It tells how many steps it
// made, and whether it was killed.
func killAfter(t *testing.T, dir string, steps int, moment time.Duration) (made int, killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if made++; made == steps {
			time.Sleep(moment)
			require.NoError(t, cmd.Process.Kill()) // SIGKILL
		}
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return made, true
	}
	require.NoError(t, err, errs.String())
	return made, false
}

// TestKillInTraining kills trainings at random points, between steps and in the midst of them and of the writing of checkpoints, goes on, and holds the
// weights against those of a training that nobody stopped. SYNTIC_LONG_TESTS=1 takes 20 points in place of 3.
func TestKillInTraining(t *testing.T) {
	const total = 20 * 7
	points := 3
	if os.Getenv("SYNTIC_LONG_TESTS") != "" {
		points = 20
	}
	weights := func(dir string) string {
		data, err := os.ReadFile(filepath.Join(dir, decoderWeights))
		require.NoError(t, err)
		return string(data)
	}
	whole := t.TempDir()
	made, killed := killAfter(t, whole, 0, 0)
	require.False(t, killed)
	require.Equal(t, total, made)
	random := rand.New(rand.NewSource(time.Now().UnixNano()))
	for range points {
		dir, at, moment := t.TempDir(), 1+random.Intn(total-10), time.Duration(random.Intn(3000))*time.Microsecond
		made, killed := killAfter(t, dir, at, moment)
		require.True(t, killed)
		again, killed := killAfter(t, dir, 0, 0)
		require.False(t, killed)
		t.Logf("killed %v after step %d of %d, which were %d by then; went on with %d", moment, at, total, made, again)
		assert.Less(t, again, total-at+5, "it went on from a checkpoint, not from the beginning")
		assert.True(t, weights(whole) == weights(dir), "killed %v after step %d: other weights", moment, at)
	}
	dir, kills := t.TempDir(), 0
	for { // one training, killed again and again
		_, killed := killAfter(t, dir, 4+random.Intn(30), time.Duration(random.Intn(3000))*time.Microsecond)
		if !killed {
			break
		}
		require.Less(t, kills, 100)
		kills++
	}
	t.Logf("one training, killed %d times", kills)
	assert.Positive(t, kills)
	assert.True(t, weights(whole) == weights(dir), "killed %d times: other weights", kills)
}
