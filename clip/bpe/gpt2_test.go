package bpe

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The ids of a small vocabulary by the tokenizers library (bench/golden/make_gpt2_tokens.py), with which transformers' GPT2TokenizerFast agrees.
func TestGPT2(t *testing.T) {
	tok, err := LoadGPT2("testdata/gpt2")
	require.NoError(t, err)
	assert.Equal(t, 1500, tok.Size())
	assert.EqualValues(t, 0, tok.End())
	texts := rows(t)
	fd, err := os.Open("testdata/gpt2/strings.jsonl.gz")
	require.NoError(t, err)
	defer fd.Close()
	z, err := gzip.NewReader(fd)
	require.NoError(t, err)
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<20)
	n, decoded := 0, 0
	for ; s.Scan(); n++ {
		var r struct {
			Text   *string
			IDs    []int32
			Cut    []int32
			Decode *string
		}
		require.NoError(t, json.Unmarshal(s.Bytes(), &r))
		if r.Text == nil {
			r.Text = &texts[n].Text
		}
		got := tok.Encode(*r.Text)
		if len(r.IDs) == 0 {
			assert.Empty(t, got)
		} else {
			require.Equal(t, r.IDs, got, "%d: %q", n, *r.Text)
		}
		if r.Decode != nil {
			decoded++
			assert.Equal(t, *r.Decode, tok.Decode(r.IDs))
			assert.Equal(t, append([]int32{}, r.Cut...), append([]int32{}, tok.EncodeCut(*r.Text, 8)...))
		}
	}
	require.NoError(t, s.Err())
	assert.Equal(t, 3500, n)
	assert.Equal(t, 350, decoded)
	t.Logf("%d of %d strings identical", n, n)
}

// tokenizer.json, with merges in either form, and added_tokens.json.
func TestGPT2Folders(t *testing.T) {
	want, err := LoadGPT2("testdata/gpt2")
	require.NoError(t, err)
	text := "It's a test,\n  isn't it?<|endoftext|> naïve 日本 12 345"
	vocab, err := os.ReadFile("testdata/gpt2/vocab.json")
	require.NoError(t, err)
	lines, err := os.ReadFile("testdata/gpt2/merges.txt")
	require.NoError(t, err)
	merges := strings.Split(strings.TrimSpace(string(lines)), "\n")[1:]
	pairs := make([][]string, len(merges))
	for i, m := range merges {
		pairs[i] = strings.Split(m, " ")
	}
	for _, m := range []any{merges, pairs} {
		b, err := json.Marshal(map[string]any{"added_tokens": []any{map[string]any{"id": 0, "content": "<|endoftext|>"}},
			"model": map[string]any{"type": "BPE", "vocab": json.RawMessage(vocab), "merges": m}})
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), b, 0o644))
		got, err := LoadGPT2(dir)
		require.NoError(t, err)
		assert.Equal(t, want.Encode(text), got.Encode(text))
	}
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/gpt2")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "added_tokens.json"), []byte(`{"<|pad|>": 1500, "<|pad|>x": 1501}`), 0o644))
	more, err := LoadGPT2(dir)
	require.NoError(t, err)
	assert.Equal(t, 1502, more.Size())
	assert.Equal(t, []int32{1501, 1500, 0}, more.Encode("<|pad|>x<|pad|><|endoftext|>"))
	assert.Equal(t, "<|pad|>x", more.Decode([]int32{1501, -1, 9999}))

	is, err := IsCLIP("testdata/tiny")
	require.NoError(t, err)
	assert.True(t, is)
	is, err = IsCLIP("testdata/gpt2")
	require.NoError(t, err)
	assert.False(t, is)
}

func TestLoadGPT2Refuses(t *testing.T) {
	_, err := LoadGPT2("testdata/tiny")
	assert.ErrorContains(t, err, "this is CLIP's tokenizer")
	_, err = Load("testdata/gpt2", OpenAI)
	assert.ErrorContains(t, err, `no piece "<|startoftext|>"`)
	_, err = LoadGPT2(t.TempDir())
	assert.ErrorContains(t, err, "vocab.json")
	_, err = LoadGPT2("gpt2.go")
	assert.ErrorContains(t, err, "want a folder")
	for name, c := range map[string]struct{ file, text, want string }{
		"cut":              {"tokenizer.json", `{"model": {`, "tokenizer.json: unexpected end"},
		"other model":      {"tokenizer.json", `{"model": {"type": "Unigram"}}`, `model.type "Unigram": want BPE`},
		"merge":            {"tokenizer.json", `{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}}`, "merge 0"},
		"merge of numbers": {"tokenizer.json", `{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [1]}}`, "merge 0"},
		"empty token":      {"tokenizer.json", `{"added_tokens": [{"id": 1}], "model": {"type": "BPE", "vocab": {"a": 0}}}`, "an empty token"},
		"no bytes":         {"tokenizer.json", `{"model": {"type": "BPE", "vocab": {"a": 0}}}`, `no piece`},
		"absurd id":        {"tokenizer.json", `{"model": {"type": "BPE", "vocab": {"a": 2000000000}}}`, "id 2000000000"},
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o644))
		_, err := LoadGPT2(dir)
		require.ErrorContains(t, err, c.want, name)
		assert.ErrorContains(t, err, dir)
	}
}

func FuzzGPT2(f *testing.F) {
	tok, err := LoadGPT2("testdata/gpt2")
	require.NoError(f, err)
	for _, s := range []string{"", " ", "a  b\n", "it's '", "\xff", "<|endoftext|>x", " \u00a0 1½"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { // nothing is lost
		assert.Equal(t, strings.ToValidUTF8(s, "\ufffd"), tok.Decode(tok.Encode(s)))
	})
}

// GPT-2's own vocabulary is the original's, id by id, and gives the 3,000 strings the ids that the tokenizers library gives
// (bench/golden/make_token_hashes.py).
func TestOwnGPT2(t *testing.T) {
	tok, err := OwnGPT2()
	require.NoError(t, err)
	require.Equal(t, 50257, tok.Size())
	assert.EqualValues(t, 50256, tok.End())
	h := sha256.New()
	for id, piece := range tok.t.pieces {
		fmt.Fprintf(h, "%d %s\n", id, piece)
	}
	assert.Equal(t, "069daad39dc37a5e524fa56dabd4e3721844e429140b8e9bc13c8049f4759894", hex.EncodeToString(h.Sum(nil)))
	h, n := sha256.New(), 0
	for _, r := range rows(t) {
		ids := tok.Encode(r.Text)
		n += len(ids)
		writeIDs(h, ids)
	}
	assert.Equal(t, 50962, n)
	assert.Equal(t, "a6b2840f834af42a1d4da54fc0f8197ee1232cee3aab3a9db297a1b3ce66ee05", hex.EncodeToString(h.Sum(nil)))
}

func writeIDs(w io.Writer, ids []int32) {
	var b []byte
	for i, id := range ids {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	_, _ = w.Write(append(b, '\n'))
}
