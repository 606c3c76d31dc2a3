package bpe

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// All 616,767 captions of COCO 2014 have the ids of openai/CLIP's tokenizer and, with GPT-2's vocabulary, of the tokenizers library: the hashes are
// of bench/golden/make_token_hashes.py. The captions are no part of the repository: SYNTIC_COCO names the folder of captions_train2014.json.gz and
// captions_val2014.json.gz.
func TestCOCOCaptions(t *testing.T) {
	dir := os.Getenv("SYNTIC_COCO")
	if dir == "" {
		t.Skip("SYNTIC_COCO does not name the folder of COCO's captions")
	}
	clip := tokenizer(t, OpenAI)
	gpt2, err := OwnGPT2()
	require.NoError(t, err)
	a, b, texts, na, nb := sha256.New(), sha256.New(), 0, 0, 0
	for _, part := range []string{"train", "val"} {
		f, err := os.Open(filepath.Join(dir, "captions_"+part+"2014.json.gz"))
		require.NoError(t, err)
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		var file struct{ Annotations []struct{ Caption string } }
		require.NoError(t, json.NewDecoder(z).Decode(&file))
		require.NoError(t, f.Close())
		for _, x := range file.Annotations {
			i, j := clip.Encode(x.Caption), gpt2.Encode(x.Caption)
			writeIDs(a, i)
			writeIDs(b, j)
			texts, na, nb = texts+1, na+len(i), nb+len(j)
		}
	}
	assert.Equal(t, []int{616767, 7120371, 7439227}, []int{texts, na, nb})
	assert.Equal(t, "9a5383b72306d897b541bf8cbfd97ae86e04a264f7557ac90c15ac0ea30b9139", hex.EncodeToString(a.Sum(nil)))
	assert.Equal(t, "2fe47a71646d821c1a1ed4e9fe24b6eb2b5ed1ec76bb7f5a07dcda2278a43d3b", hex.EncodeToString(b.Sum(nil)))
	t.Logf("%d of %d captions identical", texts, texts)
}
