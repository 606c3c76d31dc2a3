package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestQuickRun: every step once, in a folder of its own, and said to be no result.
func TestQuickRun(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, errs := execute("run", "--quick")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "SynTIC")
	assert.Contains(t, out, "DeCap")
	assert.Contains(t, out, "quick run: it shows that every step works, its scores mean nothing; toy world: not comparable with published scores")
	assert.Contains(t, out, "report: runs/toy-quick/report.html")
	assert.DirExists(t, "runs/toy-quick/model")
	assert.NoDirExists(t, "runs/toy")
	for _, other := range [][]string{{"--full"}, {"--recipe", "coco"}} {
		code, _, errs = execute(append([]string{"run", "--quick"}, other...)...)
		assert.Equal(t, 2, code)
		assert.Contains(t, errs, "none of the others can be")
	}
}
