package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/cmd/internal/cli"
)

func runSyntic(args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = cli.Main(rootCmd(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestDataCheck(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	good := file("a.json", `{"images": [{"id": 1, "file_name": "COCO_val2014_000000000001.jpg"}, {"id": 2, "file_name": "COCO_train2014_000000000002.jpg"}],
		"annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}, {"id": 2, "image_id": 2, "caption": "two cats"}]}`)
	test := file("test.txt", "COCO_val2014_000000000001.jpg\n")

	code, out, errs := runSyntic("data", "check", good, "--test-list", test)
	require.Equal(t, 0, code, errs)
	require.Contains(t, out, "coco")
	require.Contains(t, out, "not COCO, Karpathy test, which has 5000 images and 25010 captions")
	require.Contains(t, out, "training captions: 1 (no split restval here)")

	code, out, _ = runSyntic("data", "check", "--json", good)
	require.Equal(t, 0, code)
	var r dataReport
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, 2, r.Train)
	require.Equal(t, 2, r.Splits[0].Captions)

	for _, args := range [][]string{{file("cut.json", `{"images": [`)}, {good, good}, {"/none/such"}, {good, "--images", dir}, {good, "--test-list", good}} {
		code, out, errs = runSyntic(append([]string{"data", "check"}, args...)...)
		require.Equal(t, 3, code, errs)
		require.Empty(t, out)
		require.Regexp(t, "^syntic: [^\n]+\n$", errs)
	}
	code, _, errs = runSyntic("data", "check", good, "--format", "xml")
	require.Equal(t, 2, code, errs)
	code, out, _ = runSyntic("data", "formats")
	require.Equal(t, 0, code)
	require.Contains(t, out, "multi30k")
}
