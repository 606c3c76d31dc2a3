package report

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestChartFile holds that a chart's own file is whole XML with its colours, title and legend.
func TestChartFile(t *testing.T) {
	c := Chart{Title: "a < b", XLabel: "x", YLabel: "y", Series: []Series{{Name: "one & two", X: []float64{1, 2}, Y: []float64{3, 4}, Low: []float64{2, 3}, High: []float64{4, 5}},
		{Name: strings.Repeat("long ", 30), X: []float64{1}, Y: []float64{2}}}}
	svg, err := c.SVG()
	require.NoError(t, err)
	d, texts := xml.NewDecoder(strings.NewReader(string(svg))), ""
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if data, ok := token.(xml.CharData); ok {
			texts += string(data) + "\n"
		}
	}
	for _, want := range []string{"a < b\n", "one & two\n", "prefers-color-scheme: dark", ".band.s0"} {
		assert.Contains(t, texts, want)
	}
	assert.Contains(t, string(svg), `class="band s0"`)
	assert.NotContains(t, string(svg), `<svg class=`)
	_, err = Chart{Series: []Series{{X: []float64{1}, Y: []float64{math.NaN()}}}}.SVG()
	assert.ErrorContains(t, err, "no finite value")
}

func TestGridMarkdown(t *testing.T) {
	g := Grid{Warning: "Toy.", Head: []string{"key", "score", "note"}, Rows: [][]string{{"a|b", "1.5 [1.0, 2.0]", "x"}, {"c", "–"}}, Note: "That is all."}
	assert.Equal(t, "**Toy.**\n\n| key | score | note |\n| --- | ---: | --- |\n| a\\|b | 1.5 [1.0, 2.0] | x |\n| c | – |  |\n\nThat is all.\n", g.Markdown())
}
