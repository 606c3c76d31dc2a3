package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/cmd/internal/cli"
)

// smallRun are the arguments of a run that takes a second or two.
func smallRun(dir string, more ...string) []string {
	args := []string{"run", "--out", dir}
	for _, set := range []string{"data.count=12", "data.test_count=4", "synth.steps=2", "eval.rows=syntic", "eval.settings=in_domain", "train.epochs=1",
		"decoder.width=32", "decoder.heads=4", "decode.beams=3", "memory.top_k=0", "decoder.ffn=32", "train.batch=6", "eval.bootstrap=10"} {
		args = append(args, "--set", set)
	}
	return append(args, more...)
}

// small is a run that tests share and only read; TestMain removes it.
var small struct {
	once sync.Once
	dir  string
	errs string
	code int
}

func smallModel(t *testing.T) string {
	t.Helper()
	small.once.Do(func() {
		dir, err := os.MkdirTemp("", "syntic-test-")
		if err != nil {
			small.code, small.errs = 1, err.Error()
			return
		}
		small.dir = dir
		small.code, _, small.errs = execute(smallRun(filepath.Join(dir, "run"))...)
	})
	require.Equal(t, 0, small.code, small.errs)
	return filepath.Join(small.dir, "run")
}

func TestMain(m *testing.M) {
	if args := os.Getenv(fullArgs); args != "" {
		os.Exit(playFull(args))
	}
	if os.Getenv(benchPart) != "" && len(os.Args) > 1 && os.Args[1] == "bench" { // started by bench model
		os.Exit(cli.Main(rootCmd(), os.Args[1:], os.Stdout, os.Stderr))
	}
	code := m.Run()
	if small.dir != "" {
		os.RemoveAll(small.dir)
	}
	os.Exit(code)
}

// picture draws something of a size and writes it as the name's ending says.
func picture(t *testing.T, path string, width, height int) string {
	t.Helper()
	im := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			im.SetNRGBA(x, y, color.NRGBA{uint8(x * 5), uint8(y * 3), uint8(x ^ y), 255})
		}
	}
	var b bytes.Buffer
	if strings.HasSuffix(path, ".png") {
		require.NoError(t, png.Encode(&b, im))
	} else {
		require.NoError(t, jpeg.Encode(&b, im, nil))
	}
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
	return path
}

func TestCaption(t *testing.T) {
	model, dir := smallModel(t), t.TempDir()
	a, b := picture(t, filepath.Join(dir, "a.png"), 64, 64), picture(t, filepath.Join(dir, "b.jpg"), 130, 50)
	code, out, errs := execute("caption", "--model", model, a, b)
	require.Equal(t, 0, code, errs)
	assert.Empty(t, errs)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	require.Len(t, lines, 2)
	assert.True(t, strings.HasPrefix(lines[0], a+"\t"), lines[0])
	assert.True(t, strings.HasPrefix(lines[1], b+"\t"), lines[1])

	code, out, errs = execute("caption", "--model", filepath.Join(model, "model"), b)
	require.Equal(t, 0, code, errs)
	assert.Equal(t, lines[1]+"\n", out, "the same whatever else is captioned, from the run's folder or its folder model")
}

func TestCaptionJSON(t *testing.T) {
	model, dir := smallModel(t), t.TempDir()
	var paths []string
	for i := range captionImages + 2 { // two batches
		paths = append(paths, picture(t, filepath.Join(dir, string(rune('a'+i))+".png"), 40+i, 64))
	}
	code, out, errs := execute(append([]string{"caption", "--json", "--beam", "2", "--neighbours", "4", "--model", model}, paths...)...)
	require.Equal(t, 0, code, errs)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, len(paths))
	for i, line := range lines {
		var got struct {
			captionLine
			Raw map[string]json.RawMessage `json:"-"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &got))
		require.NoError(t, json.Unmarshal([]byte(line), &got.Raw))
		assert.Equal(t, paths[i], got.Image)
		assert.NotEmpty(t, got.Caption)
		assert.Negative(t, got.LogProb)
		assert.Positive(t, got.Seconds)
		assert.True(t, strings.HasPrefix(string(got.Raw["objects"]), "["), line)
		require.Len(t, got.Neighbours, 4)
		for k, n := range got.Neighbours {
			assert.NotEmpty(t, n.Text)
			assert.LessOrEqual(t, n.Cosine, got.Neighbours[max(0, k-1)].Cosine)
		}
	}
	code, out, errs = execute("caption", "--json", "--neighbours", "0", "--model", model, paths[0])
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, `"neighbours":[]`)
}

func TestCaptionGoesOnAfterBadImages(t *testing.T) {
	model, dir := smallModel(t), t.TempDir()
	good := picture(t, filepath.Join(dir, "good.png"), 64, 64)
	bad := filepath.Join(dir, "bad.png")
	require.NoError(t, os.WriteFile(bad, []byte("no image"), 0o666))
	none := filepath.Join(dir, "none.jpg")
	code, out, errs := execute("caption", "--model", model, bad, good, none, good)
	assert.Equal(t, 3, code)
	assert.Equal(t, 2, strings.Count(out, good+"\t"), out)
	lines := strings.Split(strings.TrimSpace(errs), "\n")
	require.Len(t, lines, 2, errs)
	for i, path := range []string{bad, none} {
		assert.True(t, strings.HasPrefix(lines[i], "syntic: image"), lines[i])
		assert.Contains(t, lines[i], path)
	}
}

// TestCaptionWithAnotherMemory gives texts, and their features as encode writes them: the same captions, and those texts as neighbours.
func TestCaptionWithAnotherMemory(t *testing.T) {
	dir, model := t.TempDir(), smallModel(t)
	photo, texts, features := picture(t, filepath.Join(dir, "a.png"), 64, 64), filepath.Join(dir, "texts.txt"), filepath.Join(dir, "texts.safetensors")
	require.NoError(t, os.WriteFile(texts, []byte("a red car on the grass\na blue fish at night\ntwo green stars\n"), 0o666))
	code, _, errs := execute("encode", "texts", texts, "--out", features)
	require.Equal(t, 0, code, errs)
	seconds := regexp.MustCompile(`"seconds":[^,}]*`)
	var lines []string
	for _, memory := range []string{texts, features} {
		code, out, errs := execute("caption", "--model", model, "--json", "--memory", memory, photo)
		require.Equal(t, 0, code, errs)
		assert.Contains(t, out, "two green stars")
		lines = append(lines, seconds.ReplaceAllString(out, ""))
	}
	assert.Equal(t, lines[0], lines[1])
	code, _, errs = execute("caption", "--model", model, "--memory", filepath.Join(dir, "none.txt"), photo)
	assert.Equal(t, 3, code)
	assert.Contains(t, errs, "--memory: ")
	code, _, errs = execute("caption", "--model", model, "--memory", photo, photo)
	assert.Equal(t, 3, code)
	assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
}
