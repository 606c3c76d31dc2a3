package pipeline

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

const (
	cocoJSON = `{"images": [{"id": 7}, {"id": 3}], "annotations": [{"id": 1, "image_id": 3, "caption": "a dog\nruns "},
		{"id": 2, "image_id": 7, "caption": "a cat"}, {"id": 4, "image_id": 7, "caption": "two cats"}]}`
	karpathyJSON = `{"dataset": "x", "images": [{"split": "train", "sentences": [{"raw": "one", "tokens": ["one"]}, {"raw": "two"}]},
		{"filename": "t.jpg", "split": "test", "sentences": [{"raw": "three"}]}, {"split": "restval", "sentences": [{"raw": "four"}]}]}`
)

func TestCaptionsOfFiles(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		count      int
		restval    bool
		want       []string
	}{
		"lines":            {"a.txt", "a dog\r\n\n  two \t cats\nlast", 0, false, []string{"a dog", "two cats", "last"}},
		"first lines":      {"a.txt", "\na\nb\nc\n", 2, false, []string{"a", "b"}},
		"coco":             {"a.json", cocoJSON, 0, false, []string{"a cat", "two cats", "a dog runs"}},
		"coco, zipped":     {"a.json.gz", zipped(t, cocoJSON), 0, false, []string{"a cat", "two cats", "a dog runs"}},
		"karpathy":         {"a.json", karpathyJSON, 0, false, []string{"one", "two"}},
		"karpathy, zipped": {"a.json.gz", zipped(t, karpathyJSON), 0, true, []string{"one", "two", "four"}},
	} {
		t.Run(name, func(t *testing.T) {
			texts, err := new(files).captions(write(t, c.file, c.text), "data.captions", c.count, c.restval)
			require.NoError(t, err)
			require.Equal(t, c.want, texts)
		})
	}
}

func TestCaptionsOfTheDrawnWorld(t *testing.T) {
	photo, err := new(files).captions("world", "", 50, true)
	require.NoError(t, err)
	more, err := new(files).captions("world", "", 60, true)
	require.NoError(t, err)
	require.Equal(t, photo, more[:50])
	other, err := new(files).captions("world:other", "", 50, true)
	require.NoError(t, err)
	web, err := new(files).captions("world:web", "", 50, true)
	require.NoError(t, err)
	require.NotEqual(t, photo, other)
	require.NotEqual(t, photo, web)
	all, err := new(files).captions("world", "", 0, true)
	require.NoError(t, err)
	require.Len(t, all, defaultTexts)
}

// TestBadInput names the key and the file, before anything is written.
func TestBadInput(t *testing.T) {
	empty := t.TempDir()
	for name, c := range map[string]struct{ set, want string }{
		"missing file":    {"data.captions=/none/such.txt", "data.captions: /none/such.txt: no such file"},
		"missing JSON":    {"data.captions=/none/such.json", "data.captions: /none/such.json: no such file"},
		"empty file":      {"data.captions=" + write(t, "a.txt", "\n \n"), "a.txt: the file is empty: want captions"},
		"one line":        {"data.captions=" + write(t, "a.txt", "a dog\n"), "a.txt: captions: 1: want at least 2"},
		"one caption":     {"data.count=1", "data.captions: world: captions: 1: want at least 2"},
		"endless line":    {"data.captions=" + write(t, "a.txt", "a dog\n"+strings.Repeat("x", 2<<20)), "a.txt: line 2: 2097152 bytes: want a caption of at most 1048576"},
		"folder":          {"data.captions=" + empty, "data.captions: "},
		"broken JSON":     {"data.captions=" + write(t, "a.json", `{"annotations": [`), "a.json"},
		"other JSON":      {"data.captions=" + write(t, "a.json", `{"x": 1}`), `no "annotations"`},
		"no gzip":         {"data.captions=" + write(t, "a.json.gz", "not zipped at all"), "a.json.gz: named .gz, but not gzipped"},
		"memory":          {"memory.source=" + write(t, "a.txt", "a dog\n"), "memory.source: "},
		"test images":     {"data.test=photos.json", `data.test: photos.json: no such file`},
		"web for tests":   {"data.test=world:web", `data.test "world:web": want world, world:other, world:nocaps, or files`},
		"known for tests": {"data.test=world:known", `data.test "world:known": want world, world:other, world:nocaps, or files`},
		"tests for texts": {"data.captions=world:nocaps", `data.captions: world:nocaps: test images alone: want a source of captions`},
		"format":          {"data.format=xml", `data.format: format "xml": want auto`},
		"clip's folder":   {"clip.model=/none/clip", "clip.model: no folder /none/clip: want world"},
		"sd's folder":     {"synth.model=/none/sd", "synth.model: no folder /none/sd: want world"},
		"detector's":      {"objects.model=/none/detr", "objects.model: no folder /none/detr: want world"},
		"nothing inside":  {"clip.model=" + empty, "clip.model: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			_, err := Do(context.Background(), tensor.CPU(), dir, tiny(t, c.set), nil, "")
			require.ErrorContains(t, err, c.want)
			var bad interface{ BadInput() bool }
			require.ErrorAs(t, err, &bad)
			require.True(t, bad.BadInput())
			require.NoFileExists(t, filepath.Join(dir, "results.json"))
			if !strings.Contains(c.set, "model=") {
				require.NoDirExists(t, dir)
			}
		})
	}
}

func TestOpenModelErrors(t *testing.T) {
	empty := t.TempDir()
	_, err := OpenModel(tensor.CPU(), empty)
	require.ErrorContains(t, err, "no model.json there")
	for text, want := range map[string]string{
		"{":                   "want the JSON of a model",
		`{"format": "other"}`: `format "syntic-model-1"`,
		`{"format": "` + modelFormat + `", "clip": "none"}`: "memory.temperature: 0",
	} {
		_, err := OpenModel(tensor.CPU(), filepath.Dir(write(t, "model.json", text)))
		require.ErrorContains(t, err, want)
		var bad interface{ BadInput() bool }
		require.ErrorAs(t, err, &bad)
	}
}
