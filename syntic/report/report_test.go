package report

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scene draws a disc and a square on a ground, 64×64, as PNG: a stand-in for a picture of the drawn world.
func scene(t *testing.T, i int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 64, 64))
	disc := []color.RGBA{{210, 60, 50, 255}, {60, 110, 210, 255}, {230, 190, 50, 255}, {120, 70, 170, 255}}[i%4]
	ground := []color.RGBA{{90, 160, 80, 255}, {225, 205, 150, 255}, {40, 45, 80, 255}}[i%3]
	for y := range 64 {
		for x := range 64 {
			c := color.RGBA{uint8(150 + y), uint8(190 + y/2), 235, 255}
			if y > 40 {
				c = ground
			}
			if x > 38 && x < 56 && y > 28 && y < 48 {
				c = color.RGBA{160, 110, 70, 255}
			}
			if (x-20)*(x-20)+(y-36)*(y-36) < 121 {
				c = disc
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	return b.Bytes()
}

// exampleData is invented from end to end, and says so in the page.
func exampleData(t *testing.T) *Data {
	t.Helper()
	d := &Data{
		Title:  "Layout sample: SynTIC on the drawn world",
		Lead:   "A decoder that has read 2,000 captions and seen only images drawn from them describes images it has never met.",
		Notice: "Every number, curve and sentence on this page is invented to show the layout. Nothing here was measured.",
		Facts:  []Fact{{"recipe", "toy"}, {"seeds", "1, 2, 3"}, {"captions", "2,000"}, {"test images", "500"}, {"machine", "2 cores, AVX-512"}, {"time", "2m41s"}},
		Table:  Table{Metrics: []Metric{{"CIDEr-D", 1, false}, {"BLEU-4", 1, false}, {"ROUGE-L", 1, false}, {"Perplexity", 2, true}}, Note: "Intervals: bootstrap over images and seeds. Invented."},
	}
	for i, name := range []string{"SynTIC", "without refinement", "without projection", "without objects", "DeCap", "CapDec"} {
		v := 50 - 4*float64(i)
		row := Row{Name: name}
		for j := range d.Table.Metrics {
			x := v / float64(j+1)
			row.Cells = append(row.Cells, &Cell{x, x - 3, x + 2.5, []float64{x - 1.4, x + 0.2, x + 1.2}})
		}
		if i == 4 {
			row.Note = "texts, projection at test"
			row.Cells[3] = nil
		}
		d.Table.Rows = append(d.Table.Rows, row)
	}
	for i := range 24 {
		d.Synthetic = append(d.Synthetic, Picture{scene(t, i), fmt.Sprintf("a ball beside a small brown box, sample %d", i+1), "detector: ball .98"})
	}
	for i := range 4 {
		d.Unseen = append(d.Unseen, Example{
			Image: scene(t, i+1), Caption: "a blue ball lies to the left of a brown box on the beach",
			References: []string{"a ball and a box on sand", "a blue ball next to a box at the beach", "a box & a ball <together>", "there is a ball near a brown box", "two things on the beach"},
			Memory:     []Neighbour{{"a large blue ball on the beach", 0.62}, {"a box beside a ball", 0.27}, {"a blue cup on sand with a very long sentence that has to wrap somewhere", 0.08}, {"a brown box", 0.03}},
			Boxes:      []Box{{9, 25, 31, 47, "ball", 0.98}, {38, 28, 56, 48, "box", 0.91}, {70, 70, 90, 90, "outside", 1}},
			Note:       "CIDEr-D 71.3",
		})
	}
	loss := Chart{Title: "Decoder training", XLabel: "step", YLabel: "cross entropy", Note: "Mean of 20 steps."}
	refine := Chart{Title: "Refinement", XLabel: "step", YLabel: "contrastive loss", LogY: true}
	recall := Chart{Title: "Own text found first (R@1)", XLabel: "refinement step", YLabel: "share of features"}
	for k, name := range []string{"SynTIC", "without refinement", "DeCap"} {
		s := Series{Name: name}
		for i := range 120 {
			s.X = append(s.X, float64(i*10))
			s.Y = append(s.Y, 1.2+0.15*float64(k)+4*math.Exp(-float64(i)/(18+4*float64(k)))+0.05*math.Sin(float64(i*(k+3))))
		}
		loss.Series = append(loss.Series, s)
	}
	var a, b Series
	for i := range 11 {
		a.X, a.Y = append(a.X, float64(i)), append(a.Y, 3.2*math.Exp(-0.5*float64(i)))
		b.X, b.Y = append(b.X, float64(i)), append(b.Y, 1-0.85*math.Exp(-0.6*float64(i)))
	}
	refine.Series, recall.Series = []Series{a}, []Series{b}
	d.Curves = []Chart{loss, refine, recall}
	d.Stages = []Stage{{"generate", 2000, 71.2, 12 << 20, true}, {"encode", 2000, 4.1, 1 << 20, true}, {"refine", 2000, 0.8, 1 << 20, false}, {"train", 12000, 44.6, 3 << 20, false}, {"caption", 500, 6.3, 40 << 10, false}}
	d.Choices = []Choice{{"refine.steps", "10", "default", "number of steps K"}, {"refine.temperature", "0.05", "--set", "tau_r of the contrastive loss"}, {"synth.negative", "", "default", "negative prompt"}}
	d.Remarks = []string{"The page is a sample; a real report lists the limits of its run here."}
	return d
}

func render(t *testing.T, d *Data) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Render(&b, d))
	return b.String()
}

// TestRender checks the sample page; with SYNTIC_REPORT=FILE it also writes the page there to be looked at.
func TestRender(t *testing.T) {
	text := render(t, exampleData(t))
	if path := os.Getenv("SYNTIC_REPORT"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	assert.Equal(t, text, render(t, exampleData(t)), "the same data give the same bytes")
	assert.NotContains(t, text, "ZgotmplZ", "the template engine refused a value")
	assert.Contains(t, text, html.EscapeString("a box & a ball <together>"))
	assert.NotContains(t, text, "<together>")
	bare := regexp.MustCompile(`base64,[^"]*`).ReplaceAllString(text, "")
	assert.NotRegexp(t, `%!|BADINDEX|EXTRA|NaN|Inf`, bare, "a number was written wrongly")
	for _, id := range []string{"scores", "unseen", "synthetic", "curves", "stages", "choices", "remarks"} {
		assert.Contains(t, text, `<section id="`+id+`">`)
	}
	assert.NotContains(t, text, "outside 1.00", "a box outside the image is not drawn")
	assert.Contains(t, text, "ball 0.98")
	assert.Equal(t, 28, strings.Count(text, `src="data:image/png;base64,`))
	assert.Equal(t, 3, strings.Count(text, `<svg class="chart"`))
	assert.Equal(t, 6, strings.Count(text, `<svg class="interval"`))
	assert.Equal(t, 4, strings.Count(text, `class="n best"`), "one best in each column")
}

func TestNothingOutsideIsReferenced(t *testing.T) {
	text := render(t, exampleData(t))
	for _, form := range []string{`(?i)\b(src|href)="[^d"]`, `url\(`, `@import`, `<script`, `<link`, `https?://`} {
		assert.NotRegexp(t, regexp.MustCompile(form), text)
	}
}

func TestEmptyPartsAreLeftOut(t *testing.T) {
	text := render(t, &Data{Title: "empty"})
	assert.NotContains(t, text, "<section")
	assert.NotContains(t, text, "<dl")
}

func TestRenderRefuses(t *testing.T) {
	for want, d := range map[string]*Data{
		"synthetic image 0":           {Synthetic: []Picture{{Image: []byte("<svg onload=x>")}}},
		"unseen image 0":              {Unseen: []Example{{Image: make([]byte, maxPicture+1)}}},
		"no finite value":             {Curves: []Chart{{Title: "x", Series: []Series{{X: []float64{1}, Y: []float64{math.NaN()}}}}}},
		"2 x and 1 y":                 {Curves: []Chart{{Title: "x", Series: []Series{{X: []float64{1, 2}, Y: []float64{1}}}}}},
		"row a: 1 cells for 0 metric": {Table: Table{Rows: []Row{{Name: "a", Cells: []*Cell{{}}}}}},
	} {
		var b bytes.Buffer
		assert.ErrorContains(t, Render(&b, d), want)
		assert.Zero(t, b.Len(), "nothing is written")
	}
}

func TestAxis(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		log       bool
		ticks     []string
	}{
		{0, 1, false, []string{"0", "0.2", "0.4", "0.6", "0.8", "1"}},
		{1.2, 5.1, false, []string{"1", "2", "3", "4", "5", "6"}},
		{-3, 47, false, []string{"-10", "0", "10", "20", "30", "40", "50"}},
		{1e-4, 1, true, []string{"0.0001", "0.001", "0.01", "0.1", "1"}},
		{0.02, 3.2, true, []string{"0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"}},
		{1.1, 1.4, true, []string{"1.1", "1.4"}},
	} {
		a := newAxis(c.low, c.high, c.log, 5)
		var got []string
		for _, v := range a.ticks {
			got = append(got, tick(v))
			assert.InDelta(t, 0.5, a.at(v), 0.5+1e-3)
		}
		assert.Equal(t, c.ticks, got)
	}
	for _, log := range []bool{false, true} { // a constant still has an axis
		a := newAxis(2, 2, log, 5)
		assert.Greater(t, a.at(2), 0.0)
		assert.Less(t, a.at(2), 1.0)
	}
}

func TestGapsInCurves(t *testing.T) {
	svg, err := Chart{LogY: true, Series: []Series{{X: []float64{0, 1, 2, 3, 4}, Y: []float64{1, 2, 0, math.NaN(), 4}}}}.svg()
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(regexp.MustCompile(`d="[^"]*"`).FindString(string(svg)), "M"), "two pieces")
	assert.NotRegexp(t, `%!|NaN|Inf`, svg)
}

func TestUnits(t *testing.T) {
	assert.Equal(t, []string{"250 ms", "12.3 s", "2m5s"}, []string{duration(0.25), duration(12.34), duration(125)})
	assert.Equal(t, []string{"", "512 B", "1.5 KiB", "3.0 MiB", "2.0 GiB"}, []string{size(0), size(512), size(1536), size(3 << 20), size(2 << 30)})
}
