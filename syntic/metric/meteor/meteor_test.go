package meteor

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// golden is what the original program gives (testdata/make.py): for captions the counts without and with a paraphrase table, and
// what its tokenizer and its stemmer make of lines and words.
type golden struct {
	Images []struct {
		Candidate  string
		References []string
		Three      [23]int
		Four       [23]int
		ThreeScore float64 `json:"three_score"`
		FourScore  float64 `json:"four_score"`
	}
	Total        struct{ Three, Four float64 }
	Lines, Stems [][2]string
}

func readGolden(t *testing.T) *golden {
	f, err := os.Open("testdata/cases.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	g := &golden{}
	require.NoError(t, json.NewDecoder(z).Decode(g))
	return g
}

func (g *golden) corpus() (cands []string, refs [][]string) {
	for _, x := range g.Images {
		cands, refs = append(cands, x.Candidate), append(refs, x.References)
	}
	return cands, refs
}

func TestNormalize(t *testing.T) {
	for _, l := range readGolden(t).Lines {
		assert.Equal(t, l[1], strings.Join(Normalize(l[0]), " "), l[0])
	}
}

func TestStem(t *testing.T) {
	for _, w := range readGolden(t).Stems {
		assert.Equal(t, w[1], Stem(w[0]), w[0])
	}
}

func TestWithoutParaphrases(t *testing.T) {
	g := readGolden(t)
	cands, refs := g.corpus()
	s, err := New(cands, refs, Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{"exact", "stem", "synonym"}, s.Stages())
	var total Stats
	for i, x := range s.Images() {
		want := g.Images[i]
		assert.Equal(t, want.Three, x.Numbers(), want.Candidate)
		assert.InDelta(t, want.ThreeScore, x.Score(), 1e-12, want.Candidate)
		total.Add(&x)
	}
	assert.InDelta(t, g.Total.Three, total.Score(), 1e-12)
}

func TestWithParaphrases(t *testing.T) {
	g := readGolden(t)
	cands, refs := g.corpus()
	s, err := New(cands, refs, Options{Paraphrases: "testdata"})
	require.NoError(t, err)
	assert.Equal(t, []string{"exact", "stem", "synonym", "paraphrase"}, s.Stages())
	var total Stats
	paraphrased := 0
	for i, x := range s.Images() {
		want := g.Images[i]
		assert.Equal(t, want.Four, x.Numbers(), want.Candidate)
		assert.InDelta(t, want.FourScore, x.Score(), 1e-12, want.Candidate)
		paraphrased += x.Stage[paraphrase].CandContent + x.Stage[paraphrase].CandFunction
		total.Add(&x)
	}
	assert.InDelta(t, g.Total.Four, total.Score(), 1e-12)
	assert.Greater(t, paraphrased, 50, "the table must matter")
}

func TestSynonyms(t *testing.T) {
	l := loadLexicon()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"car", "automobile", true}, {"cars", "automobile", true}, {"mice", "mouse", true}, {"men", "man", true}, {"happy", "glad", true},
		{"attempts", "try", true}, {"dog", "canine", false}, {"man", "person", false}, {"as", "a", false}, {"glading", "happy", false},
		{"entity", "breathe", true}, // one number of two parts of speech, as in METEOR
		{"zzz", "zzz", false},
	} {
		v := &vocabulary{ids: map[string]int32{}}
		ids := v.intern([]string{c.a, c.b})
		v.describe()
		assert.Equal(t, c.want, v.synonyms(ids[0], ids[1]), "%s and %s: %v %v", c.a, c.b, l.synonymSets(c.a), l.synonymSets(c.b))
	}
}

func TestNoWords(t *testing.T) {
	s, err := New([]string{"", "a cat", ""}, [][]string{{"a cat"}, {""}, {"", ""}}, Options{})
	require.NoError(t, err)
	for _, x := range s.Images() {
		assert.Zero(t, x.Score())
		assert.False(t, math.IsNaN(x.Score()))
	}
}

// Where every word matches every other the search must stay bounded: 250,000 matches.
func TestHostileCaption(t *testing.T) {
	s, err := New([]string{strings.Repeat("a ", 500)}, [][]string{{strings.Repeat("a ", 500) + "b"}}, Options{})
	require.NoError(t, err)
	x := s.Images()[0]
	assert.Equal(t, 500, x.CandMatches)
	assert.Equal(t, 1, x.Chunks)
}

func TestSameForAnyWorkers(t *testing.T) {
	cands, refs := readGolden(t).corpus()
	cands, refs = cands[:70], refs[:70]
	var first []Stats
	for _, workers := range []int{1, 2, 5} {
		was := runtime.GOMAXPROCS(workers)
		s, err := New(cands, refs, Options{Paraphrases: "testdata/paraphrase-en.gz"})
		require.NoError(t, err)
		got := s.Images()
		runtime.GOMAXPROCS(was)
		if first == nil {
			first = got
		}
		require.Equal(t, first, got)
	}
}

func TestBadTables(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		return path
	}
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.Mkdir(empty, 0o777))
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "none.gz"), "none.gz"},
		{empty, "no paraphrase table"},
		{file("broken.jar", "no zip"), "broken.jar"},
		{file("words.txt", "a\nb\nc\n"), "line 1"},
		{file("short.txt", "0.5\na cat\n"), "cut short"},
		{file("nothing.txt", ""), "cut short"},
		{file("broken.gz", "\x1f\x8b\x08"), "broken.gz"},
	} {
		_, err := New([]string{"a cat"}, [][]string{{"a dog"}}, Options{Paraphrases: c.path})
		require.ErrorContains(t, err, c.want)
	}
}
