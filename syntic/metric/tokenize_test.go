package metric

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ptbLine is a caption, its tokens in the order of the golden file, and its tokens when it is alone in a file.
type ptbLine struct {
	raw, tokens, words, alone string
	dependent                 bool // on the next line
}

func readPTB(t *testing.T, path string) []ptbLine {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var lines []ptbLine
	s := bufio.NewScanner(z)
	for s.Scan() {
		var v []string
		require.NoError(t, json.Unmarshal(s.Bytes(), &v))
		l := ptbLine{v[0], v[1], v[2], v[1], len(v) > 3}
		if l.dependent {
			l.alone = v[3]
		}
		lines = append(lines, l)
	}
	require.NoError(t, s.Err())
	require.NotEmpty(t, lines)
	return lines
}

// The floors are what the lexer reached when they were last raised; they only go up. The file holds real and deliberately
// mangled COCO captions; SYNTIC_PTB_DUMP=1 prints those that differ.
func TestTokenizerShare(t *testing.T) {
	lines := readPTB(t, "testdata/ptb_tokenizer.jsonl.gz")
	equal, equalWords := 0, 0
	for _, l := range lines {
		got := TokenizePTB([]string{l.raw})[0]
		if got == l.alone {
			equal++
		} else if os.Getenv("SYNTIC_PTB_DUMP") != "" {
			t.Logf("\n  raw  %s\n  want %s\n  got  %s", l.raw, l.alone, got)
		}
		if withoutPunctuation(got) == withoutPunctuation(l.alone) {
			equalWords++
		}
	}
	share, shareWords := float64(equal)/float64(len(lines)), float64(equalWords)/float64(len(lines))
	t.Logf("%d captions, each alone: %.4f %% equal, %.4f %% once punctuation is removed", len(lines), 100*share, 100*shareWords)
	assert.GreaterOrEqual(t, share, shareFloor)
	assert.GreaterOrEqual(t, shareWords, shareFloor)
}

const shareFloor = 0.9999

// In the whole golden file, in its order, the next caption counts too.
func TestTokenizerWholeFile(t *testing.T) {
	dir := os.Getenv("SYNTIC_GOLDEN")
	if dir == "" {
		t.Skip("SYNTIC_GOLDEN may name the folder that holds metrics/ptb_tokenizer.jsonl.gz with Flickr captions")
	}
	lines := readPTB(t, dir+"/metrics/ptb_tokenizer.jsonl.gz")
	raw := make([]string, len(lines))
	for i, l := range lines {
		raw[i] = l.raw
	}
	equal, dependent, equalDependent := 0, 0, 0
	for i, got := range TokenizePTB(raw) {
		l := lines[i]
		require.Equal(t, l.words, withoutPunctuation(l.tokens))
		same := got == l.tokens
		if same {
			equal++
		} else if os.Getenv("SYNTIC_PTB_DUMP") != "" {
			t.Logf("\n  raw  %s\n  want %s\n  got  %s", l.raw, l.tokens, got)
		}
		if l.dependent {
			dependent++
			if same {
				equalDependent++
			}
		}
	}
	t.Logf("%d captions in order: %.4f %% equal; of %d that depend on the next one %d equal", len(lines), 100*float64(equal)/float64(len(lines)), dependent, equalDependent)
	assert.GreaterOrEqual(t, float64(equal)/float64(len(lines)), shareFloor)
}

func TestFinalAbbreviation(t *testing.T) {
	for _, c := range []struct{ line, next, want string }{
		{"a sign that reads K.", "An intersection", "a sign that reads k ."},
		{"a sign that reads K.", "yellow bus", "a sign that reads k."},
		{"a flat screen T.V. ", "A white sink", "a flat screen t.v. ."},
		{"a flat screen T.V. ", "", "a flat screen t.v."},
		{"onto Sunset Blvd.", "City buses", "onto sunset blvd. ."},
		{"corner of 12th Ave.", "A bird", "corner of 12th ave."},
	} {
		lines := []string{c.line, c.next}
		if c.next == "" {
			lines = lines[:1]
		}
		assert.Equal(t, c.want, TokenizePTB(lines)[0])
	}
}

// What the reference makes of abbreviations, signs and words with apostrophes that the golden captions do not have.
func TestRareTokens(t *testing.T) {
	for _, c := range [][2]string{
		{"the Dept. of Fish", "the dept. of fish"}, {"the Univ. Was here", "the univ. . was here"}, {"Jekyll Rd.", "jekyll rd. ."},
		{"as Fig. 21 and a fig. it", "as fig. 21 and a fig . it"}, {"home from mass.", "home from mass ."}, {"in Mass. was", "in mass. was"},
		{"the pl. was", "the pl . was"}, {"a Ph. Charging", "a ph. charging"},
		{">> A herd", ">> a herd"}, {"a <3@user b", "a <3@user b"}, {"<me@example.com>", "<me@example.com>"}, {"350.org", "350 . org"},
		{"cars. &nbsp;", "cars ."}, {"&quot;a&quot;", "`` a ''"},
		{"Dunkin' Donuts", "dunkin' donuts"}, {"hors d' oevures", "hors d' oevures"}, {"an ol' man", "an ol' man"}, {"li'l nor'easter", "li'l nor'easter"},
		{"'till death", "'till death"}, {"hors d'oeuvre", "hors d'oeuvre"},
	} {
		assert.Equal(t, c[1], TokenizePTB(c[:1])[0])
	}
}

// A caption of one endless word must not cost the square of its length: at 30 s it does.
func TestHostileCaption(t *testing.T) {
	began := time.Now()
	for _, unit := range []string{"a,"} {
		TokenizePTB([]string{strings.Repeat(unit, 20_000)})
	}
	assert.Less(t, time.Since(began), 30*time.Second)
}
