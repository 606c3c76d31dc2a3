package dataset

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func zipOf(t testing.TB, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		require.NoError(t, err)
		_, err = w.Write([]byte(files[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.String()
}

const (
	karpathy = `{"images": [{"filepath": "val2014", "sentids": [1], "filename": "COCO_val2014_000000000042.jpg", "imgid": 0, "split": "test",
		"sentences": [{"tokens": ["x"], "raw": "A dog.", "imgid": 0, "sentid": 1}, {"raw": " two\n dogs "}], "cocoid": 42},
		{"filename": "COCO_train2014_000000000007.jpg", "split": "train", "sentences": [{"raw": "A cat."}], "cocoid": 7},
		{"filename": "COCO_val2014_000000000008.jpg", "split": "restval", "sentences": [{"raw": "A cow."}], "cocoid": 8}], "dataset": "coco"}`
	coco = `{"info": {"images": 3}, "images": [{"id": 7, "file_name": "COCO_train2014_000000000007.jpg"}, {"id": 42, "file_name": "COCO_val2014_000000000042.jpg"},
		{"id": 8, "file_name": "COCO_val2014_000000000008.jpg"}], "licenses": [],
		"annotations": [{"id": 1, "image_id": 42, "caption": "A dog."}, {"id": 2, "image_id": 7, "caption": "A cat."},
		{"id": 3, "image_id": 42, "caption": "two dogs"}, {"id": 4, "image_id": 8, "caption": "A cow."}]}`
)

// shape is what a set says of itself: "split/key: caption | caption" of each image.
func shape(s *Set) (out []string) {
	for i := range s.Images {
		im := &s.Images[i]
		out = append(out, fmt.Sprintf("%s/%s: %s", im.Split, im.Key(), strings.Join(im.Captions, " | ")))
	}
	return out
}

// TestFormats reads each format, recognised and named.
func TestFormats(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		format Format
		want   []string
	}{
		"karpathy":         {karpathy, Karpathy, []string{"test/42: A dog. | two dogs", "train/7: A cat.", "restval/8: A cow."}},
		"zip":              {zipOf(t, "dataset.json", karpathy, "__MACOSX/x", "y"), Karpathy, []string{"test/42: A dog. | two dogs", "train/7: A cat.", "restval/8: A cow."}},
		"coco":             {coco, COCO, []string{"/7: A cat.", "/42: A dog. | two dogs", "/8: A cow."}},
		"annotations only": {`{"annotations": [{"image_id": "b", "caption": "x"}, {"image_id": "a", "caption": "y"}]}`, COCO, []string{"/b: x", "/a: y"}},
		"nocaps as given":  {`{"images": [{"id": 0, "domain": "near-domain"}], "annotations": [{"image_id": 0, "caption": "x"}]}`, COCO, []string{"near_domain/0: x"}},
		"viecap":           {`{"z.jpg": ["a", "b"], "COCO_val2014_000000000042.jpg": ["c"]}`, ByName, []string{"/z.jpg: a | b", "/42: c"}},
		"decap":            {`["a b", "c"]`, Texts, []string{"/: a b", "/: c"}},
		"nocaps":           {`[{"split": "in_domain", "image_id": "0.jpg", "caption": ["a", "b "]}]`, Objects, []string{"in_domain/0: a | b"}},
		"magic":            {`[{"split": "test", "image_name": "5.jpg", "captions": ["a"], "prediction": "p"}]`, Objects, []string{"test/5.jpg: a"}},
		"results":          {`[{"image_id": 5, "caption": "a"}, {"image_id": 5, "caption": "b"}]`, Objects, []string{"/5: a | b"}},
		"tokens":           {"b.jpg#0\tA dog .\r\nb.jpg#1\ttwo\na.jpg#0\tthree\n", Tokens, []string{"/b.jpg: A dog . | two", "/a.jpg: three"}},
		"pipes":            {"image_name| comment_number| comment\nb.jpg| 0| A dog | cat .\nb.jpg| 1| two\n", Pipes, []string{"/b.jpg: A dog | cat . | two"}},
		"commas":           {"image,caption\nb.jpg,\"a \"\"big\"\" dog, running\"\nb.jpg,two\n", Pipes, []string{`/b.jpg: a "big" dog, running | two`}},
		"cc3m":             {"a dog\thttp://x/1.jpg\na cat\thttps://x/2.jpg\n", CC3M, []string{"/: a dog", "/: a cat"}},
		"ss1m":             {"<S> a dog </S>\n<S> two </S>\n", SS1M, []string{"/: a dog", "/: two"}},
		"lines":            {"\xef\xbb\xbfa  dog\r\n\n two\n", Lines, []string{"/: a dog", "/: two"}},
		"gzipped":          {gzipped(t, "a dog\ntwo"), Lines, []string{"/: a dog", "/: two"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "file", c.text)
			for _, format := range []Format{Auto, c.format} {
				s, err := Load(path, Options{Format: format})
				require.NoError(t, err)
				require.Equal(t, c.format, s.Format)
				require.Equal(t, c.want, shape(s))
				require.Len(t, s.SHA256, 64)
				require.NotEmpty(t, s.Format.Describe())
			}
		})
	}
}

// TestPickles reads what Python wrote in each protocol, and runs nothing.
func TestPickles(t *testing.T) {
	for p := range 6 {
		s, err := Load(fmt.Sprintf("testdata/texts%d.pkl", p), Options{})
		require.NoError(t, err)
		require.Equal(t, []string{"/: a dog runs", "/: two cats", `/: it's a "quoted" café`}, shape(s), "protocol %d", p)
		s, err = Load(fmt.Sprintf("testdata/words%d.pkl", p), Options{})
		require.NoError(t, err)
		require.Equal(t, []string{"/: a dog", "/: two cats cats"}, shape(s), "protocol %d", p)
	}
	_, err := Load("testdata/code.pkl", Options{})
	require.ErrorContains(t, err, "instruction 0x63 ('c'): want lists and texts alone")
	_, err = Load("testdata/dict.pkl", Options{})
	require.ErrorContains(t, err, "instruction 0x7d")
	s, err := Load(write(t, t.TempDir(), "old.pkl", "(lp0\nS'it\\'s \\xc3\\xa9 \"x\"'\np1\naS\"b\"\na."), Options{}) // Python 2
	require.NoError(t, err)
	require.Equal(t, []string{`/: it's é "x"`, "/: b"}, shape(s))
	whole, err := os.ReadFile("testdata/texts2.pkl")
	require.NoError(t, err)
	for n := 3; n < len(whole)-1; n++ {
		_, err := Load(write(t, t.TempDir(), "cut", string(whole[:n])), Options{})
		var f *Fault
		require.ErrorAs(t, err, &f, "%d bytes", n)
	}
}

// TestFaults names the file, the place and what is wrong in one line.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {" \n", "the file is empty: want captions"},
		"cut JSON":         {coco[:len(coco)-9], "line 4 (byte 431)"},
		"cut JSON says":    {coco[:len(coco)-9], "the JSON ends too early"},
		"broken JSON":      {`{"images": [}`, "line 1 (byte 13): broken JSON"},
		"other JSON":       {`{"x": 1}`, `no "annotations"`},
		"wrong type":       {`{"images": 3, "annotations": []}`, "number in images"},
		"image twice":      {strings.Replace(coco, `"id": 8`, `"id": 7`, 1), "images[2]: image 7 is listed twice, first as images[0]"},
		"annotation twice": {strings.Replace(coco, `"id": 3`, `"id": 1`, 1), "annotations[2]: id 1 is listed twice, first as annotations[0]"},
		"unknown image":    {strings.Replace(coco, `"image_id": 8`, `"image_id": 9`, 1), `annotations[3]: image_id 9 is not among "images"`},
		"empty caption":    {strings.Replace(coco, "A cow.", " \\n ", 1), "annotations[3]: the caption is empty"},
		"boxes":            {`{"annotations": [{"image_id": 1, "bbox": [1,2,3,4]}]}`, `annotations[0]: no "caption"`},
		"empty raw":        {strings.Replace(karpathy, "A cat.", "", 1), "images[1].sentences[0]: the caption is empty"},
		"no raw":           {strings.Replace(karpathy, `"raw": "A cat."`, `"x": 1`, 1), `images[1].sentences[0]: no "raw"`},
		"no split":         {strings.Replace(karpathy, `"split": "test",`, "", 1), `images[0]: no "split"`},
		"karpathy twice":   {strings.Replace(karpathy, `"cocoid": 8`, `"cocoid": 7`, 1), `images[2]: image "7" is listed twice, first as images[1]`},
		"viecap twice":     {`{"a.jpg": ["x"], "b.jpg": ["x"], "a.jpg": ["y"]}`, `"a.jpg" is listed twice`},
		"viecap none":      {`{"a.jpg": ["x"], "b.jpg": []}`, `"b.jpg": no captions`},
		"names":            {`[{"image": "a.jpg", "img_id": "0"}]`, "names of images and no captions"},
		"not UTF-8":        {"a dog\nb\xffd\n", "line 2 (byte 7): byte 0xff is not UTF-8"},
		"not UTF-8 JSON":   {"[\"a\", \"\xe9\"]", "byte 0xe9 is not UTF-8"},
		"token twice":      {"a.jpg#0\tx\na.jpg#0\ty\n", `line 2: "a.jpg#0" is listed twice, first in line 1`},
		"token line":       {"a.jpg#0\tx\n\nnothing\n", "line 3: \"nothing\": want name.jpg#k"},
		"token empty":      {"a.jpg#0\tx\na.jpg#1\t \n", "line 2: the caption is empty"},
		"list of names":    {"val2014/COCO_val2014_000000000042.jpg 42\n", "line 1: "},
		"cut gzip":         {gzipped(t, strings.Repeat("a dog\n", 50))[:30], "cut off or damaged"},
		"two in a zip":     {zipOf(t, "a.json", "{}", "b.json", "{}"), "2 files in the zip (a.json, b.json): want one"},
		"ss1m empty":       {"<S> a </S>\n<S> </S>\n", "line 2: the caption is empty"},
		"cc3m cut":         {"a\thttp://x\nb\n", "line 2: \"b\": want a caption, a tab"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "file", c.text)
			_, err := Load(path, Options{})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
			require.NotContains(t, err.Error(), "\n")
			var bad interface{ BadInput() bool }
			require.ErrorAs(t, err, &bad)
			require.True(t, bad.BadInput())
		})
	}
	_, err := Load("/none/such", Options{})
	require.EqualError(t, err, "/none/such: no such file or directory")
	_, err = Load(t.TempDir(), Options{})
	require.ErrorContains(t, err, "a folder without train.1.en")
	_, err = ParseFormat("xml")
	require.ErrorContains(t, err, `format "xml": want auto, karpathy`)
	s, err := Load(write(t, t.TempDir(), "odd", "[a line in brackets]\n"), Options{Format: Lines})
	require.NoError(t, err)
	require.Equal(t, []string{"/: [a line in brackets]"}, shape(s))
}

// TestLists splits COCO's annotations as Karpathy's file does: the same captions have the same hashes.
func TestLists(t *testing.T) {
	dir := t.TempDir()
	test := write(t, dir, "test.txt", "val2014/COCO_val2014_000000000042.jpg 42\n")
	s, err := Load(write(t, dir, "coco.json", coco), Options{Lists: &Lists{Test: test}})
	require.NoError(t, err)
	require.Equal(t, []string{"train/7: A cat.", "test/42: A dog. | two dogs", "restval/8: A cow."}, shape(s))
	k, err := Load(write(t, dir, "karpathy.json", karpathy), Options{})
	require.NoError(t, err)
	hashes := func(s *Set) map[string]Count {
		out := map[string]Count{}
		for _, c := range s.Counts() {
			out[c.Split] = c
		}
		return out
	}
	require.Equal(t, hashes(k), hashes(s))
	require.Equal(t, Count{Split: "test", Images: 1, Captions: 2, Words: 4, Distinct: 4, Longest: 2, SHA256: hashes(s)["test"].SHA256}, hashes(s)["test"])
	require.Equal(t, []string{"A cat."}, s.Texts(false))
	require.Equal(t, []string{"A cat.", "A cow."}, s.Texts(true))

	_, err = Load(write(t, dir, "coco.json", coco), Options{Lists: &Lists{Test: write(t, dir, "other.txt", "a.jpg\nb.jpg\n")}})
	require.ErrorContains(t, err, "other.txt: 2 of 2 images have no captions in")
	_, err = Load(write(t, dir, "coco.json", coco), Options{Lists: &Lists{Test: test, Val: test}})
	require.ErrorContains(t, err, "is listed twice, first for val")
	s, err = Load(write(t, dir, "coco.json", coco), Options{Lists: &Lists{Train: test}})
	require.NoError(t, err)
	require.Equal(t, []string{"unlisted", "train"}, s.Splits())
}

func TestJoin(t *testing.T) {
	dir := t.TempDir()
	a, b := write(t, dir, "a.txt", "one\n"), write(t, dir, "b.json", coco)
	s, err := LoadAll([]string{a, b}, Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"/: one", "/7: A cat.", "/42: A dog. | two dogs", "/8: A cow."}, shape(s))
	_, err = LoadAll([]string{b, b}, Options{})
	require.ErrorContains(t, err, `image "7" is in`)
}

func TestMulti30k(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"train.1.en": "a dog\ntwo cats\n", "train.2.en": "dog\ncats\n", "train_images.txt": "5.jpg\n3.jpg\n",
		"test_2016_images.txt": "9.jpg\n"} {
		write(t, dir, name, text)
	}
	write(t, dir, "test_2016.1.en.gz", gzipped(t, "a cow\n"))
	s, err := Load(dir, Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"train/5.jpg: a dog | dog", "train/3.jpg: two cats | cats", "test/9.jpg: a cow"}, shape(s))
	write(t, dir, "train.2.en", "dog\n")
	_, err = Load(dir, Options{})
	require.ErrorContains(t, err, "train.2.en: 1 lines, but train_images.txt names 2 images")
	write(t, dir, "train.2.en.gz", gzipped(t, "dog\ncats\n"))
	_, err = Load(dir, Options{})
	require.ErrorContains(t, err, "train.2.en, packed and not: want one of them")
}

func TestIdentify(t *testing.T) {
	s := &Set{Images: []Image{{Name: "COCO_val2014_000000000042.jpg", Split: "test", Captions: []string{"x"}}}}
	require.Equal(t, "not COCO, Karpathy test, which has 5000 images and 25010 captions", s.Identify(s.Counts()[0]))
	require.Equal(t, "COCO, Karpathy test", s.Identify(Count{SHA256: "8df21c3315bb6fe3ed0630e9a64611af068598cad1821f6d3355f97b1a51f894"}))
	require.Equal(t, "as many as COCO, Karpathy test, but other captions or ids", s.Identify(Count{Split: "test", Images: 5000, Captions: 25010}))
	lines := &Set{Images: []Image{{Captions: []string{"x"}}}}
	require.Empty(t, lines.Identify(lines.Counts()[0]))
}
