//go:build cuda

package ondevice

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels/cuda/driver"
	"syntic/kernels/cuda/emu"
)

// program is the command line, compiled with the tag cuda: $SYNTIC_BINARY, for machines without Go, or built here.
func program(t *testing.T) string {
	if path := os.Getenv("SYNTIC_BINARY"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "syntic")
	cmd := exec.Command("go", "build", "-tags", "cuda", "-o", path, "syntic/cmd/syntic")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))
	return path
}

// TestCommands runs the whole method on the device, from captions to scores (syntic run --quick), then the verbs one by one. The models are those of the drawn
// world, as trained.
func TestCommands(t *testing.T) {
	syntic, dir := program(t), t.TempDir()
	run := func(args string) string {
		cmd := exec.Command(syntic, append(strings.Fields(args), "--device", "cuda")...)
		cmd.Dir = dir
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		require.NoError(t, err, "%s: %s", args, said.String())
		return string(out)
	}
	said := run("run --quick --out run")
	assert.Contains(t, said, "report: ")
	assert.Contains(t, said, "quick run: it shows that every step works, its scores mean nothing; toy world")
	for _, file := range []string{"run/results.json", "run/captions.json", "run/report.html"} {
		assert.FileExists(t, filepath.Join(dir, file))
	}
	if driver.Emulated() { // our library of that name works on the emulator's memory
		lib, err := emu.BuildCublasLt()
		require.NoError(t, err)
		t.Setenv("SYNTIC_LIBCUBLASLT", lib)
		t.Setenv("SYNTIC_CUBLASLT_RECORD", filepath.Join(dir, "record.jsonl"))
		said = run("bench tune --sizes 1,40,24,16,0,1,1;2,8,8,8,0,0,6 --formats f32,bf16 --tries 1")
		assert.Contains(t, said, "f32 1×64×24×16 nt, B f32, bias")
		assert.Contains(t, said, "no product for it")
		assert.Contains(t, said, "record: "+filepath.Join(dir, "record.jsonl"))
		require.FileExists(t, filepath.Join(dir, "record.jsonl"))
	}
	run("generate --prompt ball --steps 2 --out ball.png")
	run("encode images ball.png --out features.safetensors")
	assert.NotEmpty(t, strings.TrimSpace(run("caption --model run ball.png")))
	run("train --recipe toy-quick --out trained")
	assert.DirExists(t, filepath.Join(dir, "trained", "model"))
}
