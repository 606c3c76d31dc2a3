package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Size of a chart in SVG units and of the margins that its labels need.
const (
	chartW, chartH               = 560.0, 300.0
	left, right, upper, lower    = 58.0, 14.0, 14.0, 44.0
	plotW, plotH                 = chartW - left - right, chartH - upper - lower
	seriesColours                = 6
	intervalW, intervalH, radius = 220.0, 30.0, 4.5
)

// axis maps values to 0..1 and knows where its ticks are.
type axis struct {
	low, high float64
	log       bool
	ticks     []float64
}

// newAxis spans the values with ticks at 1, 2 or 5 times a power of ten; logarithmic axes have theirs at powers of ten,
// or at 1, 2, 5 times those if the span is short.
func newAxis(low, high float64, log bool, want int) axis {
	if low == high {
		pad := math.Max(math.Abs(low)*0.1, 1e-3)
		low, high = low-pad, high+pad
		if log {
			low, high = low+pad*0.5, high+pad
		}
	}
	a := axis{low: low, high: high, log: log}
	if log {
		steps := []float64{1}
		if math.Log10(high/low) < 2.5 {
			steps = []float64{1, 2, 5}
		}
		for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
			for _, step := range steps {
				if t := step * math.Pow(10, e); t >= low*0.999 && t <= high*1.001 {
					a.ticks = append(a.ticks, t)
				}
			}
		}
		if len(a.ticks) >= 2 {
			return a
		}
		a.ticks = []float64{low, high}
		return a
	}
	rough := (high - low) / float64(want)
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	step := unit
	for _, m := range []float64{1, 2, 5, 10} {
		if step = m * unit; step >= rough {
			break
		}
	}
	a.low, a.high = math.Floor(low/step+1e-9)*step, math.Ceil(high/step-1e-9)*step
	for i := math.Round(a.low / step); i <= math.Round(a.high/step); i++ {
		a.ticks = append(a.ticks, i*step)
	}
	return a
}

// at is the place of v on the axis, 0..1; not finite if v has none.
func (a axis) at(v float64) float64 {
	if a.log {
		return math.Log(v/a.low) / math.Log(a.high/a.low)
	}
	return (v - a.low) / (a.high - a.low)
}

// tick writes a tick's value without the noise of binary fractions.
func tick(v float64) string {
	if v != 0 && (math.Abs(v) >= 1e6 || math.Abs(v) < 1e-3) {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
}

// svg draws the curves with axes. Colours come from the page's classes s0, s1, …
func (c Chart) svg() (template.HTML, error) {
	xLow, xHigh, yLow, yHigh := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range c.Series {
		if len(s.X) != len(s.Y) {
			return "", fmt.Errorf("chart %s, series %s: %d x and %d y: want as many", c.Title, s.Name, len(s.X), len(s.Y))
		}
		if s.Low != nil && (len(s.Low) != len(s.X) || len(s.High) != len(s.X)) {
			return "", fmt.Errorf("chart %s, series %s: %d x, %d and %d bounds: want as many", c.Title, s.Name, len(s.X), len(s.Low), len(s.High))
		}
		for i, y := range s.Y {
			if c.drawn(s.X[i], y) {
				xLow, xHigh, yLow, yHigh = math.Min(xLow, s.X[i]), math.Max(xHigh, s.X[i]), math.Min(yLow, y), math.Max(yHigh, y)
				if s.Low != nil {
					yLow, yHigh = math.Min(yLow, s.Low[i]), math.Max(yHigh, s.High[i])
				}
			}
		}
	}
	if xLow > xHigh {
		return "", fmt.Errorf("chart %s: no finite value to draw", c.Title)
	}
	y := newAxis(yLow, yHigh, c.LogY, 5)
	x := newAxis(xLow, xHigh, c.LogX, 6)
	x.low, x.high = xLow, xHigh // curves begin and end at the edges
	if xLow == xHigh {
		x = newAxis(xLow, xHigh, c.LogX, 2)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartW, chartH, html.EscapeString(c.Title))
	for _, t := range y.ticks {
		at := upper + plotH*(1-y.at(t))
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1[3]f"/><text class="tick" text-anchor="end" x="%.1f" y="%.1f">%s</text>`,
			left, chartW-right, at, left-8, at+4, tick(t))
	}
	for _, t := range x.ticks {
		if p := x.at(t); p > -1e-9 && p < 1+1e-9 {
			at := left + plotW*p
			fmt.Fprintf(&b, `<line class="axis" x1="%.1[1]f" x2="%.1[1]f" y1="%.1[2]f" y2="%.1[3]f"/><text class="tick" text-anchor="middle" x="%.1[1]f" y="%.1[4]f">%[5]s</text>`,
				at, upper+plotH, upper+plotH+5, upper+plotH+18, tick(t))
		}
	}
	fmt.Fprintf(&b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1[3]f"/>`, left, chartW-right, upper+plotH)
	fmt.Fprintf(&b, `<text class="label" text-anchor="middle" x="%.1f" y="%.1f">%s</text>`, left+plotW/2, chartH-6, html.EscapeString(c.XLabel))
	fmt.Fprintf(&b, `<text class="label" text-anchor="middle" transform="translate(13 %.1f) rotate(-90)">%s</text>`, upper+plotH/2, html.EscapeString(c.YLabel))
	for i, s := range c.Series {
		b.WriteString(c.band(s, i, x, y))
		var path strings.Builder
		pen, points, px, py := "M", 0, 0.0, 0.0
		for j := range s.X {
			if !c.drawn(s.X[j], s.Y[j]) {
				pen = "M"
				continue
			}
			px, py = left+plotW*x.at(s.X[j]), upper+plotH*(1-y.at(s.Y[j]))
			fmt.Fprintf(&path, "%s%.1f %.1f", pen, px, py)
			pen = "L"
			points++
		}
		fmt.Fprintf(&b, `<path class="curve s%d" d="%s"/>`, i%seriesColours, path.String())
		if points > 0 && points <= 12 { // few points: show where they are
			for j := range s.X {
				if c.drawn(s.X[j], s.Y[j]) {
					fmt.Fprintf(&b, `<circle class="dot s%d" cx="%.1f" cy="%.1f" r="3.5"/>`, i%seriesColours, left+plotW*x.at(s.X[j]), upper+plotH*(1-y.at(s.Y[j])))
				}
			}
		} else if points > 0 {
			fmt.Fprintf(&b, `<circle class="dot s%d" cx="%.1f" cy="%.1f" r="3.5"/>`, i%seriesColours, px, py)
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()), nil
}

// band is the interval of a series, where it has one at two points or more.
func (c Chart) band(s Series, class int, x, y axis) string {
	var there, back []string
	for j := range s.Low {
		if c.drawn(s.X[j], s.Low[j]) && c.drawn(s.X[j], s.High[j]) {
			px := left + plotW*x.at(s.X[j])
			there = append(there, fmt.Sprintf("%.1f %.1f", px, upper+plotH*(1-y.at(s.Low[j]))))
			back = append(back, fmt.Sprintf("%.1f %.1f", px, upper+plotH*(1-y.at(s.High[j]))))
		}
	}
	if len(there) < 2 {
		return ""
	}
	slices.Reverse(back)
	return fmt.Sprintf(`<path class="band s%d" d="M%sZ"/>`, class%seriesColours, strings.Join(append(there, back...), "L"))
}

func (c Chart) drawn(x, y float64) bool {
	return !math.IsNaN(x+y) && !math.IsInf(x, 0) && !math.IsInf(y, 0) && (!c.LogX || x > 0) && (!c.LogY || y > 0)
}

// intervals draws the first metric of each row on a common scale: a point for the mean, a line for the interval, faint
// points for the seeds.
func intervals(t Table) []template.HTML {
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range t.Rows {
		if c := row.first(); c != nil {
			for _, v := range append([]float64{c.Value, c.Low, c.High}, c.Seeds...) {
				low, high = math.Min(low, v), math.Max(high, v)
			}
		}
	}
	out := make([]template.HTML, len(t.Rows))
	if low > high {
		return out
	}
	a := newAxis(low, high, false, 4)
	if low < high { // use the whole width; the numbers stand beside
		a.low, a.high = low, high
	}
	place := func(v float64) float64 { return 8 + (intervalW-16)*a.at(v) }
	for i, row := range t.Rows {
		c := row.first()
		if c == nil {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, `<svg class="interval" viewBox="0 0 %g %g" aria-hidden="true">`, intervalW, intervalH)
		for _, t := range a.ticks {
			if p := a.at(t); p < 0 || p > 1 {
				continue
			}
			fmt.Fprintf(&b, `<line class="grid" x1="%.1[1]f" x2="%.1[1]f" y1="0" y2="%[2]g"/>`, place(t), intervalH)
		}
		mid := intervalH / 2
		fmt.Fprintf(&b, `<line class="range" x1="%.1f" x2="%.1f" y1="%g" y2="%[3]g"/>`, place(c.Low), place(c.High), mid)
		for _, v := range c.Seeds {
			fmt.Fprintf(&b, `<circle class="seed" cx="%.1f" cy="%g" r="2.5"/>`, place(v), mid)
		}
		fmt.Fprintf(&b, `<circle class="mean" cx="%.1f" cy="%g" r="%g"/></svg>`, place(c.Value), mid, radius)
		out[i] = template.HTML(b.String())
	}
	return out
}

func (r Row) first() *Cell {
	if len(r.Cells) == 0 || r.Cells[0] == nil || math.IsNaN(r.Cells[0].Value) {
		return nil
	}
	return r.Cells[0]
}
