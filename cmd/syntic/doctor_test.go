package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/bench"
	"syntic/cmd/internal/cli"
	"syntic/syntic/world"
	"syntic/syntic/world/weights"
)

func TestDoctor(t *testing.T) {
	defer func(before fs.FS) { builtin = before }(builtin)
	builtin = packed(fmt.Sprintf("%016x", world.Fingerprint()))
	dir := t.TempDir()
	code, out, errs := execute("doctor", "--json", "--out", filepath.Join(dir, "not", "there", "yet"))
	require.Equal(t, 0, code, errs)
	var list []finding
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	var subjects []string
	for _, f := range list {
		subjects = append(subjects, f.Subject)
		assert.NotEmpty(t, f.Found, f.Subject)
		assert.NotEmpty(t, f.Advice, f.Subject)
		assert.NotEqual(t, stateProblem, f.State, f.Subject)
	}
	assert.Equal(t, []string{"cpu", "cores", "memory", "gpu", "weights", "disk", "folder", "go"}, subjects)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "the examination leaves nothing behind")

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	code, out, errs = execute("doctor", "--out", filepath.Join(file, "run"))
	assert.Equal(t, cli.ExitBadInput, code)
	assert.Contains(t, out, "\nfolder ")
	assert.Contains(t, errs, "syntic: folder: cannot write in ")
}

func TestFindingsOfOtherMachines(t *testing.T) {
	m := bench.Machine{CPU: bench.Processor{Name: "x", Found: "avx512", Used: "avx2"}, Threads: 1, Arch: "amd64"}
	assert.Contains(t, examineCPU(m).Advice, "unset SYNTIC_ISA")
	assert.Equal(t, stateNote, examineCores(m).State)
	assert.Contains(t, examineGPU(m).Found, "none used: this binary has no CUDA kernels")
	m.CUDA = true
	assert.Equal(t, stateNote, examineGPU(m).State)
	m.GPUs = []bench.GPU{{Name: "H200", Memory: 139 << 30}}
	assert.Equal(t, "cuda:0 H200, 139 GiB", examineGPU(m).Found)
	m.CPU.Used, m.CPU.Found = "go", "go"
	assert.Contains(t, examineCPU(m).Advice, "AVX2 and FMA")

	assert.Equal(t, stateNote, examineMemory(1<<30, 8<<30).State)
	assert.Equal(t, stateOK, examineMemory(3<<30, 8<<30).State)
	assert.Equal(t, stateNote, examineMemory(0, 0).State)
	free, total := meminfo([]byte("MemTotal:  2048 kB\nMemFree: 1 kB\nMemAvailable: 1024 kB\n"))
	assert.Equal(t, [2]int64{1 << 20, 2 << 20}, [2]int64{free, total})
}

// packed is a folder of models that looks complete, for a world of the given fingerprint.
func packed(fingerprint string) fstest.MapFS {
	file := &fstest.MapFile{Data: make([]byte, 3<<20)}
	return fstest.MapFS{
		"clip/model.safetensors": file, "detr/model.safetensors": file, "sd/unet/diffusion_pytorch_model.safetensors": file,
		"sd/vae/diffusion_pytorch_model.safetensors": file, "sd/README.md": file, weights.WorldFile: {Data: []byte(fingerprint)},
	}
}

func TestWeightsBelongToTheWorld(t *testing.T) {
	now := fmt.Sprintf("%016x", world.Fingerprint())
	files := packed(now + "\n")
	assert.Equal(t, finding{"weights", stateOK, "clip 3.0 MiB, sd 6.0 MiB, detr 3.0 MiB; trained on world " + now + ", which this binary draws", "nothing to do"}, examineWeights(files))
	assert.Equal(t, stateNote, examineWeights(packed("0123456789abcdef")).State)
	delete(files, weights.WorldFile)
	assert.Contains(t, examineWeights(files).Found, "not recorded")
	delete(files, "detr/model.safetensors")
	f := examineWeights(files)
	assert.Equal(t, stateProblem, f.State, "a run needs every model")
	assert.Contains(t, f.Found, "not in this binary: detr;")
}
