package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"syntic/cmd/internal/cli"
)

// fullArgs is the variable that makes the test binary play the command with these arguments, a JSON list, where no file grows beyond fullBytes:
// what a full disk does, without one.
const (
	fullArgs  = "SYNTIC_TEST_FULL"
	fullBytes = 200 << 10
)

func playFull(args string) int {
	var list []string
	if err := json.Unmarshal([]byte(args), &list); err != nil {
		panic(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: fullBytes, Max: fullBytes}); err != nil {
		panic(err)
	}
	return cli.Main(rootCmd(), list, os.Stdout, os.Stderr)
}

// TestFullFolder runs out of space in a run: code 3, one line, no temporary files; and with space again the run goes on.
func TestFullFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	args := append(smallRun(dir), "--device", "cpu") // auto says on stderr why there is no GPU
	list, err := json.Marshal(args)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fullArgs+"="+string(list))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	require.Error(t, cmd.Run())
	assert.Equal(t, 3, cmd.ProcessState.ExitCode(), errs.String())
	assert.Equal(t, 1, strings.Count(errs.String(), "syntic: "), errs.String())
	assert.Contains(t, errs.String(), "syntic: output folder "+dir)
	assert.Contains(t, errs.String(), "free some space and run again")
	require.NoError(t, filepath.WalkDir(dir, func(path string, f os.DirEntry, err error) error {
		assert.NotContains(t, f.Name(), ".tmp-", path)
		return err
	}))
	assert.NoFileExists(t, filepath.Join(dir, "report.html"))

	code, _, text := execute(args...)
	require.Equal(t, 0, code, text)
	assert.FileExists(t, filepath.Join(dir, "report.html"))
}

// TestRunNamesDamagedModels shows which file is damaged when a stage opens it: one line after the progress, code 3.
func TestRunNamesDamagedModels(t *testing.T) {
	s := sandbox{t, t.TempDir(), smallModel(t)}
	unet := s.sd("sd", "unet/diffusion_pytorch_model.safetensors", half)
	other := s.model("other", "models/detr/model.safetensors", header(without))
	for set, want := range map[string]string{
		"synth.model=" + unet: "unet/diffusion_pytorch_model.safetensors",
		"objects.model=" + filepath.Join(other, "models", "detr"): "1 missing: ",
	} {
		code, out, errs := execute(smallRun(s.path("run"), "--set", set)...)
		assert.Equal(t, 3, code, errs)
		assert.Empty(t, out)
		assert.Equal(t, 1, strings.Count(errs, "syntic: "), errs)
		assert.Contains(t, errs, want)
		assert.NoFileExists(t, s.path("run/results.json"))
	}
}
