package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/bench"
	"syntic/cmd/internal/cli"
)

// benchPart is the variable by which processes that a test starts are bench serve.
const benchPart = "SYNTIC_TEST_BENCH"

func TestBenchModel(t *testing.T) {
	t.Setenv(benchPart, "1")
	dir := t.TempDir()
	saved, svg := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "a.svg")
	code, out, errs := execute("bench", "model", "gemm/77x512x512", "infonce/n512/f32", "--threads", "1,2", "--time", "0s", "--rounds", "3", "--save", saved, "--roofline", svg, "--ops")
	if code != 0 && strings.Contains(errs, "bf16") {
		t.Skip("no bfloat16 here: " + errs)
	}
	assert.Equal(t, cli.ExitBadInput, code, "a roofline of two numbers of threads: %s", errs)
	assert.Contains(t, out, "gemm/77x512x512/bf16")
	assert.Contains(t, out, "infonce/n512/f32, 2 threads")
	assert.Equal(t, 3, strings.Count(out, " ×"), "gains with two threads: %s", out)
	all, err := bench.ReadRecords(saved)
	require.NoError(t, err)
	require.Len(t, all, 6)
	for i, r := range all {
		assert.Equal(t, 1+i%2, r.Threads)
		assert.Equal(t, r.Threads, r.Machine.Threads)
		assert.GreaterOrEqual(t, r.N, 3)
		assert.InEpsilon(t, 1.0, r.HalfShare()+map[bool]float64{false: 1}[strings.HasSuffix(r.Case, "bf16")], 1e-9, r.Case)
		assert.Positive(t, r.Share)
	}
	code, out, errs = execute("bench", "compare", saved, saved)
	require.Equal(t, 0, code, errs)
	assert.Equal(t, 6, strings.Count(out, "same"))
	code, _, errs = execute("bench", "plot", saved, "--out", svg)
	assert.Equal(t, cli.ExitBadInput, code)
	assert.Contains(t, errs, "two sizes")

	code, out, errs = execute("bench", "model", "gemm/77x512x512/f32", "--time", "0s", "--rounds", "3", "--format", "gobench", "--roofline", svg)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "cpu: ")
	assert.Equal(t, 3, strings.Count(out, "BenchmarkGemm/77x512x512/f32-"), out)
	_, err = os.Stat(svg)
	assert.NoError(t, err)
	code, out, errs = execute("bench", "model", "gemm/77x512x512/f32", "--time", "0s", "--rounds", "3", "--json")
	require.Equal(t, 0, code, errs)
	var r bench.Record
	require.NoError(t, json.Unmarshal([]byte(out), &r))
}

func TestBenchModelRefuses(t *testing.T) {
	for args, want := range map[string]int{
		"bench model clip":                             cli.ExitUsage,
		"bench model gemm --threads 0":                 cli.ExitUsage,
		"bench model gemm --threads two":               cli.ExitUsage,
		"bench model gemm --rounds 0":                  cli.ExitUsage,
		"bench model gemm --format xml":                cli.ExitUsage,
		"bench model gemm --save no/such/folder/x":     cli.ExitBadInput,
		"bench model gemm --roofline no/such/folder/x": cli.ExitBadInput,
		"bench compare none.jsonl none.jsonl":          cli.ExitBadInput,
		"bench plot none.jsonl --out x.svg":            cli.ExitBadInput,
		"bench pipeline --repeats 0":                   cli.ExitUsage,
		"bench pipeline --set nothing=1":               cli.ExitBadInput,
		"bench pipeline --roofline x.svg":              cli.ExitUsage,
	} {
		code, _, errs := execute(strings.Fields(args)...)
		assert.Equal(t, want, code, "%s: %s", args, errs)
	}
	code, out, _ := execute("bench", "model")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "sd-unet/512/bf16")
}

func TestBenchCompareRefusesUnlikeMachines(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, m bench.Machine) string {
		line, err := json.Marshal(bench.Record{Case: "x/y/f32", Engine: "e", Samples: []float64{1, 2}, Machine: m})
		require.NoError(t, err)
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, line, 0o666))
		return path
	}
	a, b := write("a", bench.Machine{Threads: 1}), write("b", bench.Machine{Threads: 2})
	code, _, errs := execute("bench", "compare", a, b)
	assert.Equal(t, cli.ExitBadInput, code)
	assert.Contains(t, errs, "numbers of threads 1 and 2: want one machine, or --across-machines")
	code, out, errs := execute("bench", "compare", a, b, "--across-machines", "--json")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, `"ratio":1`)
}

func TestBenchPipeline(t *testing.T) {
	args := append([]string{"bench", "pipeline", "--json", "--repeats", "2"}, smallRun("")[3:]...)
	code, out, errs := execute(args...)
	require.Equal(t, 0, code, errs)
	stages := map[string]bench.Record{}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var r bench.Record
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		stages[strings.Split(r.Case, "/")[1]] = r
		assert.Equal(t, 2, r.N, r.Case)
		assert.Positive(t, r.PerSecond)
	}
	require.NotEmpty(t, stages)
}

// TestBenchPeersWithoutPeers measures ours alone and names the others.
func TestBenchPeersWithoutPeers(t *testing.T) {
	t.Setenv(benchPart, "1")
	scripts, saved := filepath.Join("..", "..", "bench", "peers"), filepath.Join(t.TempDir(), "a.jsonl")
	code, out, errs := execute("bench", "peers", "--python", "/no/such/python", "--scripts", scripts, "--case", "gemm/77x2048x512/f32", "--time", "0s", "--rounds", "2", "--save", saved)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "onednn, openblas-avx512, numpy: none")
	assert.Contains(t, out, "without result:\n  GEMM M = 77, f32: onednn: ")
	code, out, errs = execute("bench", "peers", "--from", saved, "--details")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "gemm/77x2048x512/f32")
	for args, want := range map[string]int{
		"bench peers":                                              cli.ExitUsage,
		"bench peers --python x --case nothing":                    cli.ExitUsage,
		"bench peers --python x --rounds 0":                        cli.ExitUsage,
		"bench peers --python x --scripts no/such/folder":          cli.ExitBadInput,
		"bench peers --from no/such/file":                          cli.ExitBadInput,
		"bench peers --python x --save no/x --scripts " + scripts:  cli.ExitBadInput,
		"bench peers --python x --format xml --scripts " + scripts: cli.ExitUsage,
	} {
		code, _, errs := execute(strings.Fields(args)...)
		assert.Equal(t, want, code, "%s: %s", args, errs)
	}
}
