package metric

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// goldenCases are scored by pycocoevalcap 1.2. The last one holds Flickr30k captions, which this repository may not carry: it
// runs where SYNTIC_GOLDEN names the folder of the full goldens.
var goldenCases = []string{"coco_degenerate_repeats", "coco_karpathy_test_magic", "coco_val2014_fakecap_full",
	"coco_val2017_heldout", "coco_val2017_odd", "coco_val2017_shuffled", "flickr30k_test_magic"}

func goldenFile(t testing.TB, name string) string {
	path := filepath.Join("testdata", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	dir := os.Getenv("SYNTIC_GOLDEN")
	if dir == "" {
		t.Skipf("%s is not in testdata; SYNTIC_GOLDEN may name the folder that holds metrics/%s", name, name)
	}
	return filepath.Join(dir, "metrics", name)
}

func readGolden(t testing.TB, name string, into any) {
	f, err := os.Open(goldenFile(t, name))
	require.NoError(t, err)
	defer f.Close()
	if filepath.Ext(name) != ".gz" {
		require.NoError(t, json.NewDecoder(f).Decode(into))
		return
	}
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(into))
}

// goldenSet reads the tokenised captions of a case and the per-image scores, both in the order of the latter.
func goldenSet(t testing.TB, name string) (*Set, []map[string]any) {
	var tokenized struct {
		References map[string][]string
		Candidates map[string][]string
	}
	var perImage []map[string]any
	readGolden(t, name+"/tokenized.json.gz", &tokenized)
	readGolden(t, name+"/per_image.json.gz", &perImage)
	s := &Set{}
	for _, row := range perImage {
		id, err := json.Marshal(row["image_id"])
		require.NoError(t, err)
		key := bytes.Trim(id, `"`)
		cand := tokenized.Candidates[string(key)]
		require.Len(t, cand, 1)
		s.IDs = append(s.IDs, ImageID(id))
		s.Cands = append(s.Cands, cand[0])
		s.Refs = append(s.Refs, tokenized.References[string(key)])
	}
	return s, perImage
}

// assertClose asserts equality to 1e-9 relative; a wanted zero must be zero.
func assertClose(t *testing.T, want, got float64, what string, id any) {
	assert.Truef(t, math.Abs(want-got) <= 1e-9*math.Abs(want), "%s of image %v: want %.17g, got %.17g", what, id, want, got)
}

func TestGoldens(t *testing.T) {
	for _, name := range goldenCases {
		t.Run(name, func(t *testing.T) {
			set, perImage := goldenSet(t, name)
			var want struct {
				Images, References int
				Scores             map[string]float64
			}
			readGolden(t, name+"/scores.json", &want)
			require.Len(t, set.Cands, want.Images)
			c, err := Index(set)
			require.NoError(t, err)
			for _, m := range metrics {
				corpus, images := m.Score(c)
				for k, score := range m.Names() {
					require.Contains(t, want.Scores, score)
					assertClose(t, want.Scores[score], corpus[k], score, "all")
					require.Len(t, images[k], want.Images)
					for i, row := range perImage {
						assertClose(t, row[score].(float64), images[k][i], score, row["image_id"])
					}
				}
			}
		})
	}
}

func TestSameBitsForAnyWorkers(t *testing.T) {
	set, _ := goldenSet(t, "coco_val2017_odd")
	var first []float64
	for _, workers := range []int{1, 2, 3, 8} {
		was := runtime.GOMAXPROCS(workers)
		c, err := Index(set)
		require.NoError(t, err)
		var all []float64
		for _, m := range metrics {
			corpus, images := m.Score(c)
			all = append(all, corpus...)
			for _, s := range images {
				all = append(all, s...)
			}
		}
		runtime.GOMAXPROCS(was)
		if first == nil {
			first = all
		}
		require.Equal(t, len(first), len(all))
		for i := range all {
			require.Equal(t, math.Float64bits(first[i]), math.Float64bits(all[i]), "%d workers, value %d", workers, i)
		}
	}
}
