package bpe

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/tensor/safetensors"
)

// row is one line of strings.jsonl.gz: what openai/CLIP, ftfy 6.3.1 and transformers 5.23 made of a text.
type row struct {
	Text   string
	IDs    []int32
	HF     []int32 // start and end included; absent where it is start, IDs, end
	Decode *string
	Tiny   []int32 // of the cut vocabulary, by transformers
	FTFY   *string
}

func rows(t *testing.T) []row {
	fd, err := os.Open("testdata/strings.jsonl.gz")
	require.NoError(t, err)
	defer fd.Close()
	z, err := gzip.NewReader(fd)
	require.NoError(t, err)
	var out []row
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var r row
		require.NoError(t, json.Unmarshal(s.Bytes(), &r))
		out = append(out, r)
	}
	require.NoError(t, s.Err())
	require.Len(t, out, 3000)
	return out
}

func tokenizer(t *testing.T, clean Cleaning) *Tokenizer {
	tok, err := CLIP(clean)
	require.NoError(t, err)
	require.Equal(t, 49408, tok.Size())
	require.EqualValues(t, 49406, tok.Start())
	require.EqualValues(t, 49407, tok.End())
	return tok
}

func TestGoldenOpenAI(t *testing.T) {
	tok := tokenizer(t, OpenAI)
	decoded := 0
	for i, r := range rows(t) {
		if len(r.IDs) == 0 {
			assert.Empty(t, tok.Encode(r.Text))
		} else {
			assert.Equal(t, r.IDs, tok.Encode(r.Text), "%d: %q", i, r.Text)
		}
		if r.FTFY != nil {
			assert.Equal(t, *r.FTFY, fixText(r.Text), "%d: %q", i, r.Text)
		} else {
			assert.Equal(t, r.Text, fixText(r.Text), "%d", i)
		}
		if r.Decode != nil {
			decoded++
			assert.Equal(t, *r.Decode, tok.Decode(r.IDs), "%d", i)
		}
	}
	assert.Equal(t, 300, decoded)
}

func TestGoldenHuggingFace(t *testing.T) {
	tok := tokenizer(t, HuggingFace)
	tiny, err := Load("testdata/tiny", HuggingFace)
	require.NoError(t, err)
	require.Equal(t, 1000, tiny.Size())
	for i, r := range rows(t) {
		want := r.HF
		if want == nil {
			want = append(append([]int32{49406}, r.IDs...), 49407)
		}
		got := append(append([]int32{tok.Start()}, tok.Encode(r.Text)...), tok.End())
		assert.Equal(t, want, got, "%d: %q", i, r.Text)
		if r.Tiny != nil {
			got := append(append([]int32{998}, tiny.Encode(r.Text)...), 999)
			assert.Equal(t, r.Tiny, got, "%d: %q", i, r.Text)
		}
	}
}

func TestGoldenPadded(t *testing.T) {
	f, err := safetensors.Open("testdata/padded.safetensors")
	require.NoError(t, err)
	defer f.Close()
	col := func(name string) []int64 {
		v, err := f.Int64s(name)
		require.NoError(t, err)
		require.Len(t, v, 300*77)
		return v
	}
	openai, hf, mask := col("openai"), col("hf"), col("hf_mask")
	all := rows(t)
	texts := append(all[:40:40], all[len(all)-260:]...)
	a, b := tokenizer(t, OpenAI), tokenizer(t, HuggingFace)
	for i, r := range texts {
		ids, _, err := a.EncodePadded(r.Text, 77, PadZero)
		require.NoError(t, err)
		ids2, used, err := b.EncodePadded(r.Text, 77, PadEnd)
		require.NoError(t, err)
		for k := range 77 {
			require.EqualValues(t, openai[i*77+k], ids[k], "%d: %q", i, r.Text)
			require.EqualValues(t, hf[i*77+k], ids2[k], "%d: %q", i, r.Text)
			require.Equal(t, mask[i*77+k] == 1, k < used)
		}
	}
	_, _, err = a.EncodePadded("x", 1, PadZero)
	assert.Error(t, err)
}
