package report

import (
	"fmt"
	"html"
	"strings"
)

// Sizes of what stands above a chart in a file of its own, in SVG units.
const (
	titleH, legendH = 30.0, 20.0
	letterW         = 6.6 // of a legend's text, on average
)

// SVG is the chart as a file of its own, with title, legend and colours, for light and dark pages. It fails where Render would.
func (c Chart) SVG() ([]byte, error) {
	plot, err := c.svg()
	if err != nil {
		return nil, err
	}
	var legend strings.Builder
	x, y := left, titleH+legendH/2
	for i, s := range c.Series {
		if s.Name == "" {
			continue
		}
		wide := 20 + letterW*float64(len([]rune(s.Name))) + 16
		if x > left && x+wide > chartW {
			x, y = left, y+legendH
		}
		fmt.Fprintf(&legend, `<path class="curve s%d" d="M%.1f %.1fh14"/><text class="label" x="%.1f" y="%.1f">%s</text>`, i%seriesColours, x, y, x+20, y+4, html.EscapeString(s.Name))
		x += wide
	}
	top := titleH
	if legend.Len() > 0 {
		top = y + legendH/2
	}
	_, inner, _ := strings.Cut(string(plot), ">")
	inner = strings.TrimSuffix(inner, "</svg>")
	return []byte(fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]g %[2]g" width="%[1]g" height="%[2]g" font-family="system-ui, sans-serif">
<style>%[3]s</style>
<rect width="100%%" height="100%%" fill="var(--card)"/>
<text x="%[4]g" y="20" font-size="14" font-weight="600" fill="var(--ink)">%[5]s</text>
%[6]s
<g class="chart" transform="translate(0 %[8]g)">%[7]s</g>
</svg>
`, chartW, top+chartH, css("theme.css", "chart.css"), left, html.EscapeString(c.Title), legend.String(), inner, top)), nil
}

// Markdown is the table as GitHub's Markdown has them: numbers to the right, warning above, note below.
func (g Grid) Markdown() string {
	var b strings.Builder
	if g.Warning != "" {
		fmt.Fprintf(&b, "**%s**\n\n", g.Warning)
	}
	line := func(cells []string) {
		for i := range g.Head {
			cell := ""
			if i < len(cells) {
				cell = strings.ReplaceAll(cells[i], "|", `\|`)
			}
			fmt.Fprintf(&b, "| %s ", cell)
		}
		b.WriteString("|\n")
	}
	line(g.Head)
	for i := range g.Head {
		b.WriteString(map[bool]string{false: "| --- ", true: "| ---: "}[g.Right(i)])
	}
	b.WriteString("|\n")
	for _, row := range g.Rows {
		line(row)
	}
	if g.Note != "" {
		fmt.Fprintf(&b, "\n%s\n", g.Note)
	}
	return b.String()
}
