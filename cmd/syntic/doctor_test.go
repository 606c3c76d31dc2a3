package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/bench"
	"syntic/cmd/internal/cli"
	"syntic/syntic/world"
)

func TestDoctor(t *testing.T) {
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
	assert.Contains(t, errs, "syntic: folder: cannot write: ")
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

func TestWeightsBelongToTheWorld(t *testing.T) {
	defer func(before func() ([]string, uint64, error)) { builtinWeights = before }(builtinWeights)
	for _, c := range []struct {
		print uint64
		err   error
		state string
	}{{world.Fingerprint(), nil, stateOK}, {1, nil, stateNote}, {0, errors.New("header cut off"), stateProblem}} {
		builtinWeights = func() ([]string, uint64, error) { return []string{"clip", "vae"}, c.print, c.err }
		assert.Equal(t, c.state, examineWeights().State)
	}
}
