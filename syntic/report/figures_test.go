package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// figureData are invented clouds, histograms and weights.
func figureData(t *testing.T) *Data {
	d := &Data{Title: "Layout sample: figures", Notice: "Everything here is invented.", FailNote: "The worst two.", WeighNote: "Weights."}
	d.Space = Space{XLabel: "first <axis>", YLabel: "second & last", Note: "A plane."}
	cloud := func(name string, x, y float64) Cloud {
		c := Cloud{Name: name, Mean: [2]float64{x, y}}
		for i := range 50 {
			c.Points = append(c.Points, [2]float64{x + math.Sin(float64(7*i)), y + 0.5*math.Cos(float64(3*i))})
		}
		return c
	}
	d.Space.Panels = []Panel{{"before", "apart", []Cloud{cloud("images", 0, 0), cloud("texts <b>", 3, 1)}}, {"after", "", []Cloud{cloud("texts <b>", 3, 1), cloud("refined", 2, 1)}}}
	h := Histogram{Title: "own & other", Of: "refined", Note: "Mean."}
	for i := range 100 {
		h.Values, h.Others = append(h.Values, 0.5+0.3*math.Sin(float64(i))), append(h.Others, 0.2*math.Cos(float64(i)))
	}
	d.Cosines = []Histogram{h}
	d.Weights = []Weighing{{Image: scene(t, 1), Title: "a <ball>", First: []float64{0.5, 0.25}, Rest: 0.25, Effective: 3.2, Rows: 40}}
	d.Failures = []Example{{Image: scene(t, 2), Caption: "wrong", References: []string{"right"}}}
	return d
}

// svgs are the drawings of a page, each read by a strict XML reader: the lists of their elements.
func svgs(t *testing.T, text string) (out [][]xml.StartElement) {
	t.Helper()
	for _, one := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(text, -1) {
		var list []xml.StartElement
		r := xml.NewDecoder(strings.NewReader(one))
		for {
			token, err := r.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, one)
			if e, ok := token.(xml.StartElement); ok {
				list = append(list, e.Copy())
			}
		}
		out = append(out, list)
	}
	return out
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return x
}

func TestFigures(t *testing.T) {
	text := render(t, figureData(t))
	for _, id := range []string{"space", "cosines", "weights", "failures"} {
		assert.Contains(t, text, `<section id="`+id+`">`)
	}
	assert.NotRegexp(t, `%!|NaN|Inf|ZgotmplZ|<ball>`, regexp.MustCompile(`base64,[^"]*`).ReplaceAllString(text, ""))
	assert.Contains(t, text, "first 2 rows: 75 % of the weight; 3.2 effective rows of 40")
	list := svgs(t, text)
	require.Len(t, list, 4)
	for k, panel := range list[:2] { // every point of both panels lies inside, and the common cloud in the same place
		size := strings.Fields(attribute(panel[0], "viewBox"))
		points := 0
		for _, e := range panel {
			if !strings.HasPrefix(attribute(e, "class"), "cloud") {
				continue
			}
			for _, p := range regexp.MustCompile(`M(\S+) (\S+?)h0`).FindAllStringSubmatch(attribute(e, "d"), -1) {
				points++
				assert.InDelta(t, number(t, size[2])/2, number(t, p[1]), number(t, size[2])/2)
				assert.InDelta(t, number(t, size[3])/2, number(t, p[2]), number(t, size[3])/2)
			}
		}
		assert.Equal(t, 100, points, "panel %d", k)
	}
	path := func(panel []xml.StartElement, class string) string {
		for _, e := range panel {
			if attribute(e, "class") == class {
				return attribute(e, "d")
			}
		}
		return ""
	}
	assert.NotEmpty(t, path(list[0], "cloud s1"))
	assert.Equal(t, path(list[0], "cloud s1"), path(list[1], "cloud s1"))
	var bars []float64
	for _, e := range list[3] {
		if strings.HasPrefix(attribute(e, "class"), "bin") {
			bars = append(bars, number(t, attribute(e, "height")))
		}
	}
	require.Len(t, bars, 3)
	assert.InDelta(t, bars[0], 2*bars[1], 0.02)
	assert.Equal(t, bars[1], bars[2])
}

func TestHistogramCounts(t *testing.T) {
	values := []float64{0, 0.01, 0.5, 0.999, 1}
	want := make([]float64, bins)
	for b := range want {
		for _, v := range values {
			if low, high := float64(b)/bins, float64(b+1)/bins; v >= low && (v < high || b == bins-1) {
				want[b] += 0.2
			}
		}
	}
	assert.InDeltaSlice(t, want, shares(values, 0, 1), 1e-12)
	list := svgs(t, render(t, figureData(t)))[2]
	tall := 0.0
	for _, e := range list {
		if attribute(e, "class") == "bin s2" { // the colour of the cloud "refined"
			tall += number(t, attribute(e, "height"))
		}
	}
	assert.Greater(t, tall, 0.0)
	assert.Contains(t, render(t, figureData(t)), fmt.Sprintf("mean %.2f", average(figureData(t).Cosines[0].Values)))
}

func average(x []float64) (mean float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	return mean
}

func TestFiguresRefuse(t *testing.T) {
	nan := math.NaN()
	for want, d := range map[string]*Data{
		"features x of panel p":             {Space: Space{Panels: []Panel{{Title: "p", Clouds: []Cloud{{Name: "x", Points: [][2]float64{{0, nan}}}}}}}},
		"histogram h: want values":          {Cosines: []Histogram{{Title: "h"}}},
		"failed image 0":                    {Failures: []Example{{}}},
		"weighed image 0: weights that are": {Weights: []Weighing{{Image: scene(t, 1), First: []float64{nan}}}},
	} {
		assert.ErrorContains(t, Render(io.Discard, d), want)
	}
}

// TestOnePoint draws clouds without any spread.
func TestOnePoint(t *testing.T) {
	text := render(t, &Data{Space: Space{Panels: []Panel{{Title: "p", Clouds: []Cloud{{Name: "x", Points: [][2]float64{{1, 2}}, Mean: [2]float64{1, 2}}}}}},
		Cosines: []Histogram{{Title: "h", Values: []float64{0.5}}}})
	require.Len(t, svgs(t, text), 2)
	assert.NotRegexp(t, `%!|NaN|Inf`, text)
}
