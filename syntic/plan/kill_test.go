//go:build !windows

package plan

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary play a run that is killed, as by kill -9, at the n-th fail point it passes.
func TestMain(m *testing.M) {
	dir := os.Getenv("PLAN_TEST_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	left, _ := strconv.Atoi(os.Getenv("PLAN_TEST_KILL"))
	failpoint = func(string) error {
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	if _, _, err := Run(context.Background(), dir, testStages(nil, 10), Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(dir string, kill int) (killed bool, err error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PLAN_TEST_DIR="+dir, fmt.Sprint("PLAN_TEST_KILL=", kill))
	out, err := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return true, nil
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return false, err
}

// TestKillAtEveryFailPoint kills a run at each point of its protocol in turn, runs again, and compares the end state.
func TestKillAtEveryFailPoint(t *testing.T) {
	want := t.TempDir()
	run(t, want, 10)
	const all = 4*5 + 9*10 // five points for each plan, ten for each shard
	step := 3              // each kind of point is met; SYNTIC_LONG_TESTS=1 visits them all
	if os.Getenv("SYNTIC_LONG_TESTS") != "" {
		step = 1
	}
	for n := 1; n <= all; n += step {
		dir := t.TempDir()
		killed, err := child(dir, n)
		require.NoError(t, err)
		require.True(t, killed, "point %d", n)
		killed, err = child(dir, 0)
		require.NoError(t, err)
		require.False(t, killed)
		require.Equal(t, outputs(t, want), outputs(t, dir), "killed at point %d", n)
	}
	killed, err := child(t.TempDir(), all+1)
	require.NoError(t, err)
	assert.False(t, killed, "there is no further point")
}

// TestKillAgainAndAgain never lets a run go further than a few points, and the work still gets done.
func TestKillAgainAndAgain(t *testing.T) {
	want, dir := t.TempDir(), t.TempDir()
	run(t, want, 10)
	for tries := 0; ; tries++ {
		require.Less(t, tries, 200)
		killed, err := child(dir, 7+tries%5+tries/20)
		require.NoError(t, err)
		if !killed {
			break
		}
	}
	assert.Equal(t, outputs(t, want), outputs(t, dir))
}

func TestLeftoversAreCleanedInStageFoldersOnly(t *testing.T) {
	dir := t.TempDir()
	p, _, _ := run(t, dir, 10)
	theirs := filepath.Join(dir, "photos", "a.tmp-1")
	require.NoError(t, os.Mkdir(filepath.Dir(theirs), 0o755))
	require.NoError(t, os.WriteFile(theirs, nil, 0o644))
	ours := filepath.Join(p.Dir("draw"), "00001.bin.tmp-77")
	require.NoError(t, os.WriteFile(ours, nil, 0o644))
	run(t, dir, 10)
	assert.FileExists(t, theirs)
	assert.NoFileExists(t, ours)
}
