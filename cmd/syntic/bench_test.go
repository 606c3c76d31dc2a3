package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/bench"
	"syntic/cmd/internal/cli"
)

func TestBenchKernel(t *testing.T) {
	code, out, errs := execute("bench", "kernel", "box_loss", "--sizes", "test", "--time", "0", "--json")
	require.Equal(t, 0, code, errs)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var head struct {
		Machine bench.Machine
		Ceiling bench.Ceiling
	}
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &head))
	assert.Positive(t, head.Ceiling.Bytes)
	require.Greater(t, len(lines), 1)
	for _, line := range lines[1:] {
		var r bench.Result
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		assert.Equal(t, "box_loss", r.Op)
		assert.Positive(t, r.Seconds)
	}
	for args, want := range map[string]int{
		"bench kernel softmaks":                        cli.ExitUsage,
		"bench kernel softmax --sizes big":             cli.ExitUsage,
		"bench kernel softmax --time -1s":              cli.ExitUsage,
		"bench kernel dropout --sizes 10,200 --time 0": cli.ExitBadInput,
	} {
		code, _, errs := execute(strings.Fields(args)...)
		assert.Equal(t, want, code, "%s: %s", args, errs)
	}
}

func TestSeconds(t *testing.T) {
	for s, want := range map[float64]string{1.5e-8: "15 ns", 2.345e-5: "23.4 µs", 0.25: "250 ms", 61.2: "61.2 s"} {
		assert.Equal(t, want, seconds(s))
	}
}
