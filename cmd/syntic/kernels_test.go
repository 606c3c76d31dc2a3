package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/bench"
	"syntic/cmd/internal/cli"
)

// execute runs the command line in this process and returns exit code, stdout and stderr.
func execute(args ...string) (int, string, string) {
	var out, errs bytes.Buffer
	code := cli.Main(rootCmd(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestKernelsTable(t *testing.T) {
	code, out, errs := execute("kernels")
	require.Equal(t, 0, code, errs)
	for _, op := range []string{"gemm", "conv2d", "attention_grad", "project_topk", "adamw"} {
		assert.Contains(t, out, "\n"+op+" ", op)
	}
	code, out, errs = execute("kernels", "softmax", "--kernel", "softmax=go", "--sizes")
	require.Equal(t, 0, code, errs)
	lines := strings.Split(strings.TrimSpace(out), "\n")[4:] // machine, blank, head, rule
	onCPU := 0
	for _, line := range lines {
		if strings.Contains(line, " cuda ") { // where it is linked in
			continue
		}
		onCPU++
		assert.Regexp(t, ` cpu +go +asked for by name$`, line)
	}
	assert.NotZero(t, onCPU)
	code, _, errs = execute("kernels", "softmaks")
	assert.Equal(t, cli.ExitUsage, code)
	assert.Contains(t, errs, `no op "softmaks"`)
}

func TestKernelsJSON(t *testing.T) {
	code, out, errs := execute("kernels", "gemm", "topk", "--json")
	require.Equal(t, 0, code, errs)
	var got struct {
		Machine bench.Machine
		Ops     []bench.Op
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got.Ops, 2)
	assert.Equal(t, "gemm", got.Ops[0].Name)
	assert.NotEmpty(t, got.Ops[0].Picks[0].Variant)
	assert.NotEmpty(t, got.Machine.CPU.Used)
}
