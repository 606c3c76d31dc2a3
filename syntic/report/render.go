package report

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	_ "image/gif" // sizes of pictures
	_ "image/jpeg"
	_ "image/png"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	_ "golang.org/x/image/webp"
)

//go:embed report.html.tmpl theme.css chart.css report.css
var files embed.FS

var page = template.Must(template.New("report.html.tmpl").Funcs(template.FuncMap{"right": Grid.Right, "early": func(g []Grid) []Grid { return timed(g, false) }, "late": func(g []Grid) []Grid { return timed(g, true) }}).ParseFS(files, "report.html.tmpl"))

// Render writes the report as one HTML file. The same data give the same bytes. It fails on pictures it cannot read, on
// rows with more cells than metrics and on charts without a finite value, before anything is written.
func Render(w io.Writer, d *Data) error {
	v, err := newView(d)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// view is Data with what the template cannot work out itself.
type view struct {
	*Data
	CSS        template.CSS
	Rows       []rowView
	Synthetic  []pictureView
	Unseen     []exampleView
	Failures   []exampleView
	Space      spaceView
	Histograms []figureView
	Weighings  []weighingView
	Charts     []chartView
	Stages     []stageView
	Total      string
}

type rowView struct {
	Row
	Plot  template.HTML
	Cells []cellView
}

type cellView struct {
	Value, Range, Seeds string
	Best                bool
}

type pictureView struct {
	Picture
	imageView
}

type imageView struct {
	URI           template.URL
	Width, Height int
	Small         bool // so small that its pixels are better seen than smoothed
}

type exampleView struct {
	Example
	imageView
	Boxes  []boxView
	Memory []weighted
	Font   float64
}

type boxView struct {
	X, Y, W, H, TextX, TextY float64
	Label                    string
	Class                    int
}

type weighted struct {
	Text, Weight string
	Percent      float64
}

type chartView struct {
	Chart
	SVG    template.HTML
	Legend bool
}

type stageView struct {
	Stage
	Time, Rate, Size string
	Percent          float64
}

func newView(d *Data) (*view, error) {
	v := &view{Data: d, CSS: template.CSS(css("theme.css", "chart.css", "report.css"))}
	var err error
	if v.Rows, err = rows(d.Table); err != nil {
		return nil, err
	}
	for i, p := range d.Synthetic {
		img, err := picture(p.Image)
		if err != nil {
			return nil, fmt.Errorf("synthetic image %d: %w", i, err)
		}
		v.Synthetic = append(v.Synthetic, pictureView{p, img})
	}
	if v.Unseen, err = examples("unseen", d.Unseen); err != nil {
		return nil, err
	}
	if v.Failures, err = examples("failed", d.Failures); err != nil {
		return nil, err
	}
	if err := v.figures(); err != nil {
		return nil, err
	}
	for _, c := range d.Curves {
		svg, err := c.svg()
		if err != nil {
			return nil, err
		}
		v.Charts = append(v.Charts, chartView{c, svg, len(c.Series) > 1 || len(c.Series) == 1 && c.Series[0].Name != ""})
	}
	v.stages()
	return v, nil
}

// css is embedded style sheets, one behind the other.
func css(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic("report: " + err.Error()) // embedded
		}
		b.Write(text)
	}
	return b.String()
}

func rows(t Table) ([]rowView, error) {
	plots := intervals(t)
	out := make([]rowView, len(t.Rows))
	best := make([]float64, len(t.Metrics))
	for j, m := range t.Metrics {
		best[j] = math.NaN()
		for _, row := range t.Rows {
			if j < len(row.Cells) && row.Cells[j] != nil {
				if x := row.Cells[j].Value; math.IsNaN(best[j]) || (x > best[j]) != m.Lower && x != best[j] {
					best[j] = x
				}
			}
		}
	}
	for i, row := range t.Rows {
		if len(row.Cells) > len(t.Metrics) {
			return nil, fmt.Errorf("row %s: %d cells for %d metrics", row.Name, len(row.Cells), len(t.Metrics))
		}
		out[i] = rowView{Row: row, Plot: plots[i], Cells: make([]cellView, len(t.Metrics))}
		for j, c := range row.Cells {
			if c == nil {
				continue
			}
			number := func(x float64) string { return strconv.FormatFloat(x, 'f', t.Metrics[j].Decimals, 64) }
			cell := cellView{Value: number(c.Value), Best: len(t.Rows) > 1 && c.Value == best[j]}
			if c.Low < c.High {
				cell.Range = number(c.Low) + " – " + number(c.High)
			}
			for k, s := range c.Seeds {
				if k > 0 {
					cell.Seeds += ", "
				}
				cell.Seeds += number(s)
			}
			out[i].Cells[j] = cell
		}
	}
	return out, nil
}

// maxPicture bounds an embedded picture in bytes; reports are to be opened and mailed.
const maxPicture = 4 << 20

func picture(data []byte) (imageView, error) {
	if len(data) > maxPicture {
		return imageView{}, fmt.Errorf("%d bytes: want at most %d", len(data), maxPicture)
	}
	size, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return imageView{}, fmt.Errorf("%w: want PNG, JPEG, GIF or WebP", err)
	}
	uri := "data:" + http.DetectContentType(data) + ";base64," + base64.StdEncoding.EncodeToString(data)
	return imageView{template.URL(uri), size.Width, size.Height, size.Width <= 160 && size.Height <= 160}, nil
}

func examples(what string, list []Example) (out []exampleView, err error) {
	for i, e := range list {
		img, err := picture(e.Image)
		if err != nil {
			return nil, fmt.Errorf("%s image %d: %w", what, i, err)
		}
		out = append(out, example(e, img))
	}
	return out, nil
}

func example(e Example, img imageView) exampleView {
	w, h := float64(img.Width), float64(img.Height)
	v := exampleView{Example: e, imageView: img, Font: math.Max(w, h) / 17}
	classes := map[string]int{}
	for _, b := range e.Boxes {
		x0, x1 := math.Max(0, math.Min(b.X0, b.X1)), math.Min(w, math.Max(b.X0, b.X1))
		y0, y1 := math.Max(0, math.Min(b.Y0, b.Y1)), math.Min(h, math.Max(b.Y0, b.Y1))
		if !(x1 > x0 && y1 > y0) { // outside the image, or not a number
			continue
		}
		if _, ok := classes[b.Label]; !ok {
			classes[b.Label] = len(classes) % seriesColours
		}
		label := b.Label + " " + strconv.FormatFloat(b.Score, 'f', 2, 64)
		wide := 0.56 * v.Font * float64(len([]rune(label)))
		textX := math.Max(0.2*v.Font, math.Min(x0+0.2*v.Font, w-wide)) // keep the label inside the image
		textY := y0 - 0.35*v.Font
		if textY < v.Font {
			textY = math.Min(y1+v.Font, h-0.3*v.Font)
		}
		v.Boxes = append(v.Boxes, boxView{x0, y0, x1 - x0, y1 - y0, textX, textY, label, classes[b.Label]})
	}
	for _, m := range e.Memory {
		percent := 100 * math.Max(0, math.Min(1, m.Weight))
		v.Memory = append(v.Memory, weighted{m.Text, strconv.FormatFloat(m.Weight, 'f', 2, 64), percent})
	}
	return v
}

func (v *view) stages() {
	total, longest := 0.0, 0.0
	for _, s := range v.Data.Stages {
		total += s.Seconds
		longest = math.Max(longest, s.Seconds)
	}
	for _, s := range v.Data.Stages {
		out := stageView{Stage: s, Time: duration(s.Seconds), Size: size(s.Bytes)}
		if longest > 0 {
			out.Percent = 100 * s.Seconds / longest
		}
		if s.Items > 0 && s.Seconds > 0 {
			out.Rate = strconv.FormatFloat(float64(s.Items)/s.Seconds, 'g', 3, 64) + "/s"
			if rate := float64(s.Items) / s.Seconds; rate >= 1000 {
				out.Rate = strconv.FormatFloat(rate, 'f', 0, 64) + "/s"
			}
		}
		v.Stages = append(v.Stages, out)
	}
	v.Total = duration(total)
}

func duration(seconds float64) string {
	switch {
	case seconds < 1:
		return fmt.Sprintf("%.0f ms", 1000*seconds)
	case seconds < 60:
		return fmt.Sprintf("%.1f s", seconds)
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

func size(n int64) string {
	switch {
	case n <= 0:
		return ""
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// isNumber tells whether a cell is a number, or stands for one that is missing; what follows it, such as an interval, does not count.
func isNumber(cell string) bool {
	word, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(cell, "≤ "), "−"), " ")
	_, err := strconv.ParseFloat(word, 64)
	return err == nil || cell == "–"
}

// Right tells whether a column stands to the right: its first cell that says something is a number, or none says anything.
func (g Grid) Right(column int) bool {
	dash := false
	for _, row := range g.Rows {
		if column == 0 || column >= len(row) || row[column] == "" {
			continue
		}
		if row[column] != "–" {
			return isNumber(row[column])
		}
		dash = true
	}
	return dash
}

func timed(grids []Grid, late bool) (out []Grid) {
	for _, g := range grids {
		if g.Late == late {
			out = append(out, g)
		}
	}
	return out
}
