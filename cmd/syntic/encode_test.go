package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic"
)

// features runs a command that writes features and reads them.
func features(t *testing.T, out string, args ...string) *syntic.Features {
	t.Helper()
	code, stdout, errs := execute(append(args, "--out", out)...)
	require.Equal(t, 0, code, errs)
	f, err := syntic.LoadFeatures(out)
	require.NoError(t, err)
	assert.Contains(t, stdout, `"features":`)
	return f
}

func norms(f *syntic.Features) (all []float64) {
	for i := range f.Len() {
		sum := 0.0
		for _, v := range f.Rows[i*f.Size : (i+1)*f.Size] {
			sum += float64(v) * float64(v)
		}
		all = append(all, math.Sqrt(sum))
	}
	return all
}

// TestEncodeProjectRefine walks the way of a feature: images and texts to features, refined, projected.
func TestEncodeProjectRefine(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.MkdirAll(at("photos/more"), 0o777))
	b, a := picture(t, at("photos/more/b.png"), 50, 40), picture(t, at("photos/a.jpg"), 90, 64)
	require.NoError(t, os.WriteFile(at("photos/readme.txt"), []byte("no image"), 0o666))
	list := at("list.txt")
	require.NoError(t, os.WriteFile(list, []byte(b+"\n\n"), 0o666))

	images := features(t, at("images.st"), "encode", "images", at("photos"), "--list", list)
	assert.Equal(t, []string{b, a, b}, images.Names)
	for _, n := range norms(images) {
		assert.InDelta(t, 1, n, 1e-5)
	}
	assert.Equal(t, images.Rows[:images.Size], images.Rows[2*images.Size:], "the same image, the same bits")
	one := features(t, at("one.st"), "encode", "images", a, "--batch", "1", "--no-names")
	assert.Equal(t, images.Rows[images.Size:2*images.Size], one.Rows)
	assert.Nil(t, one.Names)

	lines := at("texts.txt")
	require.NoError(t, os.WriteFile(lines, []byte("a red ball\n\na blue house near a tree\na cat\n"), 0o666))
	texts := features(t, at("texts.st"), "encode", "texts", lines)
	assert.Equal(t, []string{"a red ball", "a blue house near a tree", "a cat"}, texts.Names)
	asJSON := at("texts.json")
	require.NoError(t, os.WriteFile(asJSON, []byte(`["a red ball", "a blue house near a tree", "a cat"]`), 0o666))
	assert.Equal(t, texts.Rows, features(t, at("json.st"), "encode", "texts", asJSON, "--batch", "2").Rows)

	projected := features(t, at("projected.st"), "project", "--bank", at("texts.st"), "--features", at("images.st"), "--k", "1")
	assert.Equal(t, images.Names, projected.Names)
	for i := range projected.Len() { // a blend of one text is that text
		row := projected.Rows[i*projected.Size : (i+1)*projected.Size]
		near := 0
		for j := range texts.Len() {
			dot := 0.0
			for k, v := range texts.Rows[j*texts.Size : (j+1)*texts.Size] {
				dot += float64(v) * float64(row[k])
			}
			if dot > 1-1e-5 {
				near++
			}
		}
		assert.Equal(t, 1, near, i)
	}
	code, stdout, errs := execute("project", "--bank", at("texts.st"), "--features", at("images.st"), "--k", "1", "--dtype", "int8", "--out", at("bytes.st"))
	require.Equal(t, 0, code, errs)
	var held struct {
		DType    string
		Rounding syntic.Rounding
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &held))
	assert.Equal(t, "int8", held.DType)
	assert.Greater(t, held.Rounding.Largest, 0.0)
	assert.Less(t, held.Rounding.Largest, 1.0/254)
	packed, err := syntic.LoadFeatures(at("bytes.st"))
	require.NoError(t, err)
	assert.InDeltaSlice(t, projected.Rows, packed.Rows, 0.005)
	assert.NotEqual(t, projected.Rows, packed.Rows)
	long := features(t, at("long.st"), "project", "--bank", at("texts.st"), "--features", at("images.st"), "--tau", "10", "--no-normalise")
	assert.Less(t, norms(long)[0], 0.999, "blends of different texts are shorter")

	code, stdout, errs = execute("refine", "--images", at("images.st"), "--texts", at("texts.st"), "--out", at("refined.st"), "--steps", "20")
	require.Equal(t, 0, code, errs)
	var r map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	assert.Less(t, r["loss_after"], r["loss_before"])
	assert.Greater(t, r["cosine_after"], r["cosine_before"])
	refined, err := syntic.LoadFeatures(at("refined.st"))
	require.NoError(t, err)
	assert.Equal(t, images.Names, refined.Names)
	same := features(t, at("same.st"), "refine", "--images", at("images.st"), "--texts", at("texts.st"), "--steps", "0")
	require.Len(t, same.Rows, len(images.Rows))
	for i := range same.Rows {
		assert.InDelta(t, images.Rows[i], same.Rows[i], 1e-6)
	}
}

func TestDetect(t *testing.T) {
	dir := t.TempDir()
	image := picture(t, filepath.Join(dir, "a.png"), 80, 60)
	code, stdout, errs := execute("detect", dir, "--threshold", "0", "--json")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, errs, "the drawn world's own detr")
	var line struct {
		Image         string
		Width, Height int
		Objects       []object
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &line))
	assert.Equal(t, image, line.Image)
	assert.Equal(t, []int{80, 60}, []int{line.Width, line.Height})
	require.NotEmpty(t, line.Objects)
	for _, o := range line.Objects {
		assert.NotEmpty(t, o.Label)
		assert.Greater(t, o.Box[2], o.Box[0])
	}
	code, stdout, errs = execute("detect", "--detr", "../../syntic/detr/testdata", "--threshold", "0", image)
	require.Equal(t, 0, code, errs)
	assert.Equal(t, 12, strings.Count(stdout, "\n"), "a line a query")
	assert.Contains(t, stdout, "LABEL_")
	code, stdout, errs = execute("detect", "--threshold", "1", image)
	require.Equal(t, 0, code, errs)
	assert.Empty(t, stdout)
	code, stdout, errs = execute("detect", filepath.Join(dir, "none.png"), "--threshold", "0")
	assert.Equal(t, 3, code, errs)
	assert.Empty(t, stdout)
	broken := filepath.Join(dir, "broken.png")
	require.NoError(t, os.WriteFile(broken, []byte("no image"), 0o666))
	code, stdout, errs = execute("detect", broken, image, "--threshold", "0")
	assert.Equal(t, 3, code, errs)
	assert.Contains(t, errs, broken)
	assert.Contains(t, stdout, image, "the others are looked at all the same")
}

// TestEncodeBadInput shows that wrong files end with one line and write nothing.
func TestEncodeBadInput(t *testing.T) {
	dir := t.TempDir()
	at := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		return path
	}
	out := filepath.Join(dir, "out.st")
	broken, good := at("broken/x.jpg", "no image"), picture(t, filepath.Join(dir, "good.png"), 40, 40)
	save := func(name string, size int, rows ...float32) string {
		path := filepath.Join(dir, name)
		require.NoError(t, (&syntic.Features{Rows: rows, Size: size}).Save(path))
		return path
	}
	two, three := save("two.st", 2, 1, 0, 0, 1), save("three.st", 3, 1, 0, 0)
	one := save("one.st", 2, 1, 0)
	for name, c := range map[string]struct {
		code int
		want string
		args []string
	}{
		"no images":         {2, "want paths or --list", []string{"encode", "images"}},
		"empty folder":      {3, "no images in this folder", []string{"encode", "images", filepath.Dir(at("empty/x.txt", ""))}},
		"missing image":     {3, "none.png: no such file", []string{"encode", "images", filepath.Join(dir, "none.png")}},
		"broken image":      {3, broken, []string{"encode", "images", good, broken}},
		"all broken":        {3, "no image of 1 could be read", []string{"encode", "images", "--skip", broken}},
		"no list":           {3, "--list: ", []string{"encode", "images", "--list", filepath.Join(dir, "none.txt")}},
		"batch of none":     {2, "--batch 0: want 1 to", []string{"encode", "images", good, "--batch", "0"}},
		"no clip":           {3, "--clip: ", []string{"encode", "images", good, "--clip", dir}},
		"no texts":          {3, "empty.txt", []string{"encode", "texts", at("empty.txt", "\n")}},
		"another tokenizer": {3, "want the model's own tokenizer", []string{"encode", "texts", at("t.txt", "a cat\n"), "--clip", tinyWithoutTokenizer(t)}},
		"sizes differ":      {3, "have size 2, those of " + three + " 3", []string{"project", "--bank", two, "--features", three}},
		"no bank":           {3, "--bank: ", []string{"project", "--bank", broken, "--features", two}},
		"negative k":        {2, "--k -1: want 0", []string{"project", "--bank", two, "--features", two, "--k", "-1"}},
		"no such dtype":     {2, `--dtype "int4": want f32, f16 or int8`, []string{"project", "--bank", two, "--features", two, "--dtype", "int4"}},
		"no tau":            {2, "--tau 0: want more than 0", []string{"project", "--bank", two, "--features", two, "--tau", "0"}},
		"a text less":       {3, "2 images, 1 texts", []string{"refine", "--images", two, "--texts", one}},
		"no direction":      {2, `--direction "up": want one of`, []string{"refine", "--images", two, "--texts", two, "--direction", "up"}},
		"no step size":      {2, "--lr 0: want more than 0", []string{"refine", "--images", two, "--texts", two, "--lr", "0"}},
		"out in no folder":  {3, "there is no folder", []string{"project", "--bank", two, "--features", two, "--out", filepath.Join(dir, "none", "x")}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{}, c.args...)
			if !strings.Contains(name, "out in") {
				args = append(args, "--out", out)
			}
			code, stdout, errs := execute(args...)
			assert.Equal(t, c.code, code, errs)
			assert.Empty(t, stdout)
			assert.Contains(t, errs, c.want)
			_, err := os.Stat(out)
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
	code, _, errs := execute("encode", "images", broken, good, "--skip", "--out", out)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, errs, "skipped: ")
	f, err := syntic.LoadFeatures(out)
	require.NoError(t, err)
	assert.Equal(t, []string{good}, f.Names)
}

// tinyWithoutTokenizer is a folder of a model of 1,000 ids that has no tokenizer of its own.
func tinyWithoutTokenizer(t *testing.T) string {
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors", "preprocessor_config.json"} {
		data, err := os.ReadFile(filepath.Join("../../clip/testdata/tiny", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o666))
	}
	return dir
}
