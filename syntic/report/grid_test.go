package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGridsAndBands renders tables before and after the curves, and curves with intervals on a logarithmic axis.
func TestGridsAndBands(t *testing.T) {
	d := &Data{Title: "t", Curves: []Chart{{Title: "c", XLabel: "tau", YLabel: "score", LogX: true,
		Series: []Series{{Name: "a", X: []float64{0, 0.01, 0.1, 1}, Y: []float64{9, 1, 2, 3}, Low: []float64{8, 0, 1, 2}, High: []float64{10, 2, 3, 4}}}}},
		Grids: []Grid{{Title: "Late <one>", Late: true, Fold: "2 keys", Head: []string{"key", "value", "p", "word"}, Rows: [][]string{{"k", "–", "≤ 0.002", "x"}, {"l", "+1.5 [0, 3]", "1"}}},
			{Title: "Early", Warning: "toy", Note: "n", Head: []string{"a"}, Rows: [][]string{{"b"}}}}}
	var b bytes.Buffer
	require.NoError(t, Render(&b, d))
	page := b.String()
	early, curve, late := strings.Index(page, "<h2>Early"), strings.Index(page, `class="band s0"`), strings.Index(page, "<h2>Late &lt;one&gt;")
	assert.True(t, 0 < early && early < curve && curve < late, "%d %d %d", early, curve, late)
	assert.Contains(t, page, "<summary>2 keys</summary>")
	assert.Contains(t, page, `<p class="notice">toy</p>`)
	assert.Contains(t, page, `<td class="n">≤ 0.002</td><td>x</td>`)
	band := page[curve : curve+strings.Index(page[curve:], "/>")]
	assert.Equal(t, 5, strings.Count(band, "L"), "three points there and back; zero has no place on a logarithmic axis")
	assert.Contains(t, page, `>0.1</text>`)

	d.Curves[0].Series[0].Low = d.Curves[0].Series[0].Low[:2]
	assert.EqualError(t, Render(&b, d), "report: chart c, series a: 4 x, 2 and 4 bounds: want as many")
}

func TestRight(t *testing.T) {
	g := Grid{Rows: [][]string{{"1", "–", "–", "x", "", "−0.4 [1, 2]"}, {"2", "3.5", "–", "4", "5"}}}
	for column, want := range []bool{false, true, true, false, true, true, false} {
		assert.Equal(t, want, g.Right(column), "column %d", column)
	}
}
