package bpe

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Both ways of merging agree, on words with many repeats and on random letters.
func TestMergeShortAndLongAgree(t *testing.T) {
	tok := tokenizer(t, OpenAI)
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 400; n++ {
		letters := "abcdefghijklmnopqrstuvwxyzéñ"
		if n%3 == 0 {
			letters = "aal"
		}
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = tok.bytes[letters[r.IntN(len(letters))]]
		}
		ids[n-1] = tok.finals['e']
		short := tok.mergeShort(append([]int32(nil), ids...))
		require.Equal(t, short, tok.mergeLong(ids), "%d", n)
	}
}

func TestEncodeTwiceAndAtOnce(t *testing.T) {
	tok := tokenizer(t, OpenAI)
	want := tok.Encode("A photo of a cat, and a DOG!")
	assert.Equal(t, []int32{320, 1125, 539, 320, 2368, 267, 537, 320, 1929, 256}, want) // ids of openai/CLIP
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				assert.Equal(t, want, tok.Encode("A photo of a cat, and a DOG!"))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, "a photo of a cat , and a dog ! ", tok.Decode(want))
	assert.Equal(t, "\ufffd", tok.Decode([]int32{tok.bytes[0xe2], -1, 1 << 30}))
	assert.NotPanics(t, func() { tok.Encode("\xff\xfe\xc0") })
}

func TestTrain(t *testing.T) {
	corpus := []string{"a red ball on a table", "a red box under a table", "the blue ball, the red ball!", "two balls on the green grass"}
	tok, err := Train(corpus, 540)
	require.NoError(t, err)
	assert.Equal(t, 540, tok.Size())
	assert.EqualValues(t, 538, tok.Start())
	assert.EqualValues(t, 539, tok.End())
	assert.Equal(t, "al", tok.pieces[512]) // four times, as are "ba" and "re": the first in order of spelling
	for _, s := range corpus {
		assert.Equal(t, strings.NewReplacer(",", " ,", "!", " !").Replace(s)+" ", tok.Decode(tok.Encode(s)))
	}
	corpus[0], corpus[3] = corpus[3], corpus[0]
	again, err := Train(corpus, 540)
	require.NoError(t, err)
	assert.Equal(t, tok.pieces, again.pieces)

	dir := t.TempDir()
	require.NoError(t, tok.Save(dir))
	back, err := Load(dir, OpenAI)
	require.NoError(t, err)
	assert.Equal(t, tok.pieces, back.pieces)
	assert.Equal(t, tok.merges, back.merges)

	small, err := Train([]string{"ab ab"}, 1000)
	require.NoError(t, err)
	assert.Equal(t, 515, small.Size())
	_, err = Train(corpus, 513)
	assert.ErrorContains(t, err, "at least 514")
	_, err = Train([]string{"  "}, 600)
	assert.ErrorContains(t, err, "no words")
}

// A folder written by transformers comes out byte for byte.
func TestSaveAsHuggingFace(t *testing.T) {
	tok, err := Load("testdata/tiny", HuggingFace)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, tok.Save(dir))
	want, err := os.ReadFile("testdata/tiny/merges.txt")
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "merges.txt"))
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
	want, err = os.ReadFile("testdata/tiny/vocab.json")
	require.NoError(t, err)
	got, err = os.ReadFile(filepath.Join(dir, "vocab.json"))
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(got))
}

func TestLoadRefuses(t *testing.T) {
	good, err := os.ReadFile("testdata/tiny/vocab.json")
	require.NoError(t, err)
	merges, err := os.ReadFile("testdata/tiny/merges.txt")
	require.NoError(t, err)
	for _, c := range []struct{ vocab, merges, want string }{
		{"{", string(merges), "vocab.json: unexpected end"},
		{"[1]", string(merges), "want an object of piece to id"},
		{`{"a": 1e12}`, string(merges), "vocab.json"},
		{`{"a": 2000000000}`, string(merges), "id 2000000000"},
		{`{"a": 0, "b": 0}`, string(merges), "belongs to both"},
		{`{"a": 0}`, string(merges), "no piece"},
		{string(good), "#version: 0.2\na b c\n", "merges line 2"},
		{string(good), "#version: 0.2\ni n\nq zzz\n", "no piece"},
		{string(good), "#version: 0.2\ni n\ni n\n", "given twice"},
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "vocab.json"), []byte(c.vocab), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "merges.txt"), []byte(c.merges), 0o644))
		_, err := Load(dir, OpenAI)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, dir)
	}
	_, err = Load(filepath.Join(t.TempDir(), "none"), OpenAI)
	assert.ErrorIs(t, err, os.ErrNotExist)
	bad := filepath.Join(t.TempDir(), "x.gz")
	require.NoError(t, os.WriteFile(bad, []byte("not gzip"), 0o644))
	_, err = Load(bad, OpenAI)
	assert.ErrorContains(t, err, bad)
	full, err := Load("merges.txt.gz", OpenAI) // the layout of bpe_simple_vocab_16e6.txt.gz, cut to what CLIP uses
	require.NoError(t, err)
	assert.Equal(t, 49408, full.Size())
}
