package bpe

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Rows are [kind, text, what ftfy 6.3.1 makes of it]; see testdata/ftfy.py. Clean text must come out alike always. Of broken text
// our rule repairs less than ftfy's statistics do: the numbers of differences are those measured, and may only fall.
func TestAgainstFTFY(t *testing.T) {
	fd, err := os.Open("testdata/ftfy.json.gz")
	require.NoError(t, err)
	defer fd.Close()
	z, err := gzip.NewReader(fd)
	require.NoError(t, err)
	var rows [][3]any
	require.NoError(t, json.NewDecoder(z).Decode(&rows))
	require.Len(t, rows, 900)
	var differ [6]int // of 150 each
	for _, r := range rows {
		if fixText(r[1].(string)) != r[2].(string) {
			differ[int(r[0].(float64))]++
		}
	}
	for kind, most := range [6]struct {
		what string
		most int
	}{{"clean", 0}, {"UTF-8 as windows-1252", 2}, {"as Latin-1", 1}, {"its last word as windows-1252", 20}, {"as another code page", 23}, {"twice as windows-1252", 2}} {
		assert.LessOrEqual(t, differ[kind], most.most, most.what)
	}
}
