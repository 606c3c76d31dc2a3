package metric

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

const twoImages = `{"images":[{"id":1},{"id":2}],"annotations":[{"image_id":1,"caption":"A cat."},{"image_id":2,"caption":"A dog\nruns."},{"image_id":1,"caption":""}]}`

func TestBadReferences(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "the file is empty"},
		{" \n", "the file is empty"},
		{"null", "null: want an object"},
		{"{\"images\": [\n{\"id\" 1}]}", "broken JSON at byte 20 (line 2)"},
		{twoImages[:40], "broken JSON at byte 40 (line 1): unexpected end"},
		{"[]", "array at byte 1 (line 1): want an object"},
		{`{"images":[],"annotations":[]}`, `no "annotations"`},
		{`{"images":[{"id":1},{"id":1}],"annotations":[{"image_id":1,"caption":"a"}]}`, "images[1]: image id 1 is listed twice"},
		{`{"images":[{}],"annotations":[{"image_id":1,"caption":"a"}]}`, `images[0]: no "id"`},
		{`{"annotations":[{"caption":"a"}]}`, `annotations[0]: no "image_id"`},
		{`{"annotations":[{"image_id":1,"caption":null}]}`, "annotations[0], image 1: \"caption\" is missing or null"},
		{`{"annotations":[{"image_id":1,"caption":7}]}`, "number in annotations.caption"},
		{`{"annotations":[{"image_id":1.5,"caption":"a"}]}`, "image id 1.5: want an integer or a string"},
		{`{"images":[{"id":2}],"annotations":[{"image_id":1,"caption":"a"}]}`, "none of the 1 annotations"},
	} {
		path := write(t, "refs.json", c.text)
		_, err := LoadReferences(path)
		require.Error(t, err, c.text)
		assert.ErrorContains(t, err, path)
		assert.ErrorContains(t, err, c.want)
	}
	_, err := LoadReferences(filepath.Join(t.TempDir(), "absent.json"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestBadResults(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "the file is empty"},
		{"[]", "no results"},
		{`{"a":1}`, "object at byte 1 (line 1): want a list"},
		{`[{"image_id":1,"caption":"a"},{"image_id":1,"caption":"b"}]`, "image 1 has two captions, [0] and [1]"},
		{`[{"caption":"a"}]`, `[0]: no "image_id"`},
		{`[{"image_id":1}]`, `[0], image 1: "caption" is missing or null`},
		{`[{"image_id":1,"caption":"a"}`, "broken JSON at byte 29"},
		{"\x1f\x8b\x08", "EOF"},
	} {
		path := write(t, "results.json", c.text)
		_, err := LoadResults(path)
		require.Error(t, err, c.text)
		assert.ErrorContains(t, err, path)
		assert.ErrorContains(t, err, c.want)
	}
}

func TestTruncatedGzip(t *testing.T) {
	whole, err := os.ReadFile("testdata/coco_val2017_odd/results.json.gz")
	require.NoError(t, err)
	_, err = LoadResults(write(t, "results.json.gz", string(whole[:len(whole)/2])))
	assert.ErrorContains(t, err, "unexpected EOF")
}

func TestLoadPlainGzipAndMark(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte(twoImages))
	require.NoError(t, w.Close())
	for _, text := range []string{twoImages, "\xef\xbb\xbf" + twoImages, z.String()} {
		refs, err := LoadReferences(write(t, "refs", text))
		require.NoError(t, err)
		assert.Equal(t, []ImageID{"1", "2"}, refs.IDs)
		assert.Equal(t, map[ImageID][]string{"1": {"A cat.", ""}, "2": {"A dog\nruns."}}, refs.Captions)
	}
}

func TestMatching(t *testing.T) {
	refs, err := LoadReferences(write(t, "refs.json", twoImages))
	require.NoError(t, err)
	for _, c := range []struct{ results, want string }{
		{`[{"image_id":1,"caption":"a"}]`, "no result for 1 image (2) of 2"},
		{`[{"image_id":1,"caption":"a"},{"image_id":3,"caption":"a"}]`, "results for 1 image (3) that"},
		{`[{"image_id":"1","caption":"a"},{"image_id":2,"caption":"a"}]`, `results for 1 image ("1") that`},
	} {
		results, err := LoadResults(write(t, "results.json", c.results))
		require.NoError(t, err)
		_, err = Evaluate(refs, results, Options{})
		require.Error(t, err)
		assert.ErrorContains(t, err, c.want)
	}
	one, err := LoadResults(write(t, "results.json", `[{"image_id":2,"caption":"a dog runs"}]`))
	require.NoError(t, err)
	r, err := Evaluate(refs, one, Options{AllowMissing: true})
	require.NoError(t, err)
	assert.Equal(t, 1, r.Images)
	assert.Equal(t, 1, r.Missing)
	assert.Equal(t, []ImageID{"2"}, r.IDs)
	assert.InDelta(t, 1, r.Scores["Bleu_3"], 1e-8)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"images":1,"missing":1`)

	refs.Captions = map[ImageID][]string{"1": {"a"}}
	_, err = Evaluate(refs, one, Options{AllowMissing: true})
	assert.ErrorContains(t, err, "no reference captions for 1 image (2)")
}

func TestReportJSON(t *testing.T) {
	r, err := EvaluateSet(&Set{IDs: []ImageID{"7", `"b"`}, Cands: []string{"a cat", "a dog runs"}, Refs: [][]string{{"a cat"}, {"one dog runs"}}})
	require.NoError(t, err)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	assert.Regexp(t, `^\{"scores":\{"Bleu_1":[0-9.e-]+,"Bleu_2":[0-9.e-]+,"Bleu_3":[0-9.e-]+,"Bleu_4":[0-9.e-]+,"ROUGE_L":[0-9.e-]+,"CIDEr":[0-9.e-]+\},"images":2\}$`, string(text))
	var b bytes.Buffer
	require.NoError(t, r.WritePerImage(&b))
	var rows []map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &rows))
	require.Len(t, rows, 2)
	assert.Equal(t, 7.0, rows[0]["image_id"])
	assert.Equal(t, "b", rows[1]["image_id"])
	assert.Equal(t, r.PerImage["CIDEr"][1], rows[1]["CIDEr"])
}

// The files as a user has them, through tokenizer and matching.
func TestEvaluateFiles(t *testing.T) {
	for _, name := range goldenCases {
		t.Run(name, func(t *testing.T) {
			refs, err := LoadReferences(goldenFile(t, name+"/annotations.json.gz"))
			require.NoError(t, err)
			results, err := LoadResults(goldenFile(t, name+"/results.json.gz"))
			require.NoError(t, err)
			r, err := Evaluate(refs, results, Options{})
			require.NoError(t, err)
			var want struct {
				Images int
				Scores map[string]float64
			}
			readGolden(t, name+"/scores.json", &want)
			assert.Equal(t, want.Images, r.Images)
			for _, score := range Names() {
				assertClose(t, want.Scores[score], r.Scores[score], score, "all")
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(twoImages), []byte(`[{"image_id":1,"caption":"a cat"},{"image_id":2,"caption":"don't"}]`))
	f.Add([]byte(`{"annotations":[{"image_id":"x","caption":"\u2028 \ud800 U.S."}]}`), []byte(`[{"image_id":"x","caption":"'n' <b"}]`))
	f.Add([]byte("null"), []byte("[null]"))
	f.Fuzz(func(t *testing.T, references, rows []byte) {
		refs, err := parseReferences("refs", references)
		if err != nil {
			return
		}
		results, err := parseResults("results", rows)
		if err != nil {
			return
		}
		r, err := Evaluate(refs, results, Options{AllowMissing: true})
		if err != nil {
			return
		}
		for name, v := range r.Scores {
			if !(v >= 0 && v <= 10.0000001) {
				t.Fatalf("%s is %v", name, v)
			}
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
	})
}
