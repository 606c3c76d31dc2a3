package bench

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
)

// drawing is an SVG chart with logarithmic axes.
type drawing struct {
	b                      strings.Builder
	width, height          float64
	left, right, top, foot float64 // margins
	x0, x1, y0, y1         float64 // logarithms (base 10) of the ends of the axes
}

const textColour, gridColour, leaderColour = "#333", "#ddd", "#999"

var colours = []string{"#0b62a4", "#d1495b", "#2e8b57", "#8e5ea2", "#e07b00", "#666666", "#00a0a0", "#8a5a2b"}

// newDrawing has axes around the values, which must be above 0, out to whole decades at most, and room for so many labels to the right of them.
func newDrawing(title, x, y string, xs, ys []float64, labels int) *drawing {
	d := &drawing{width: 860, height: 560, left: 76, right: 24, top: 44, foot: 58}
	if labels > 0 {
		d.width, d.right = d.width+240, d.right+240
		d.height = max(d.height, d.top+labelStep*float64(labels)+d.foot)
	}
	d.x0, d.x1 = ends(xs)
	d.y0, d.y1 = ends(ys)
	fmt.Fprintf(&d.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="sans-serif" font-size="13">`+"\n", d.width, d.height, d.width, d.height)
	fmt.Fprintf(&d.b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	d.text(d.width/2, 24, "middle", textColour, title)
	d.text((d.left+d.width-d.right)/2, d.height-14, "middle", textColour, x)
	fmt.Fprintf(&d.b, `<text transform="translate(18 %.1f) rotate(-90)" text-anchor="middle" fill="%s">%s</text>`+"\n", d.height/2, textColour, escaped(y))
	for _, t := range ticks(d.x0, d.x1) {
		at := d.x(t.value)
		d.line(at, d.top, at, d.height-d.foot, gridColour, 1, "")
		if t.label != "" {
			d.text(at, d.height-d.foot+18, "middle", textColour, t.label)
		}
	}
	for _, t := range ticks(d.y0, d.y1) {
		at := d.y(t.value)
		d.line(d.left, at, d.width-d.right, at, gridColour, 1, "")
		if t.label != "" {
			d.text(d.left-8, at+4, "end", textColour, t.label)
		}
	}
	return d
}

// ends of an axis: a little more than the values.
func ends(values []float64) (low, high float64) {
	low, high = math.Log10(slices.Min(values)), math.Log10(slices.Max(values))
	room := max(0.05*(high-low), 0.08)
	return low - room, high + room
}

type axisTick struct {
	value float64
	label string
}

// ticks of an axis from 10^low to 10^high: 1, 2 and 5 times the powers of ten, labelled if they are few, else the powers alone.
func ticks(low, high float64) (all []axisTick) {
	for e := math.Floor(low); e <= high; e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			if l := math.Log10(v); l < low || l > high || m > 1 && high-low > 3 {
				continue
			}
			all = append(all, axisTick{v, short(v)})
		}
	}
	return all
}

// short writes a number in few signs.
func short(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.size*0.9995 {
			return fmt.Sprintf("%.3g%s", v/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.3g", v)
}

func (d *drawing) x(v float64) float64 {
	return d.left + (math.Log10(v)-d.x0)/(d.x1-d.x0)*(d.width-d.left-d.right)
}

func (d *drawing) y(v float64) float64 {
	return d.height - d.foot - (math.Log10(v)-d.y0)/(d.y1-d.y0)*(d.height-d.top-d.foot)
}

func (d *drawing) line(x1, y1, x2, y2 float64, colour string, width float64, dash string) {
	fmt.Fprintf(&d.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g" stroke-dasharray="%s"/>`+"\n", x1, y1, x2, y2, colour, width, dash)
}

func (d *drawing) text(x, y float64, anchor, colour, text string) {
	fmt.Fprintf(&d.b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s" stroke="white" stroke-width="3" paint-order="stroke">%s</text>`+"\n", x, y, anchor, colour, escaped(text))
}

// dot draws a point; its title shows where a pointer rests.
func (d *drawing) dot(x, y float64, colour, title string) {
	fmt.Fprintf(&d.b, `<circle cx="%.1f" cy="%.1f" r="4.5" fill="%s" stroke="white"><title>%s</title></circle>`+"\n", x, y, colour, escaped(title))
}

func (d *drawing) end() string {
	d.b.WriteString("</svg>\n")
	return d.b.String()
}

func escaped(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}

// label is the text of a point.
type label struct {
	x, y float64 // of the point
	text string
	at   float64 // height of the text, which stands in a column beside the axes
}

const labelStep = 17 // from one label's base line to the next: more than the letters are high

// place gives labels heights in a column from top to foot, in the order of their points, as near to those as they may be without touching each other.
func place(labels []label, top, foot float64) {
	slices.SortStableFunc(labels, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	for i := range labels {
		labels[i].at = max(labels[i].y, top)
		if i > 0 {
			labels[i].at = max(labels[i].at, labels[i-1].at+labelStep)
		}
	}
	for i := len(labels) - 1; i >= 0; i-- {
		labels[i].at = min(labels[i].at, foot)
		if foot = labels[i].at - labelStep; i > 0 && labels[i-1].at <= foot {
			break
		}
	}
}

// column draws labels and a line from each to its point.
func (d *drawing) column(labels []label) {
	const gap = 46
	x := d.width - d.right
	place(labels, d.top, d.height-d.foot)
	for _, l := range labels {
		d.line(l.x, l.y, x+gap-16, l.at, leaderColour, 0.8, "")
		d.line(x+gap-16, l.at, x+gap-4, l.at, leaderColour, 0.8, "")
		d.text(x+gap, l.at+4, "start", textColour, l.text)
	}
}
