package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// Sizes in SVG units.
const (
	spaceW, spaceMost, spaceLeast = 440.0, 440.0, 240.0 // width of a panel, and its height at most and at least
	spacePad                      = 26.0
	multipleW, multipleH          = 320.0, 150.0
	multipleLeft, multipleLow     = 16.0, 26.0
	bins                          = 40
)

type spaceView struct {
	Space
	Names  []cloudName
	Panels []figureView
}

type cloudName struct {
	Name  string
	Class int
}

type figureView struct {
	Title, Note string
	SVG         template.HTML
}

type weighingView struct {
	Weighing
	imageView
	Share string
	SVG   template.HTML
}

// figures draws clouds, histograms and weights.
func (v *view) figures() (err error) {
	if v.Space, err = v.Data.Space.view(); err != nil {
		return err
	}
	if v.Histograms, err = histograms(v.Data.Cosines, v.Space.Names); err != nil {
		return err
	}
	most := 0.0
	for i, w := range v.Weights {
		img, err := picture(w.Image)
		if err != nil {
			return fmt.Errorf("weighed image %d: %w", i, err)
		}
		share := 0.0
		for _, x := range w.First {
			share, most = share+x, math.Max(most, x)
		}
		if most = math.Max(most, w.Rest); !finite(share, w.Rest, w.Effective) {
			return fmt.Errorf("weighed image %d: weights that are not finite", i)
		}
		v.Weighings = append(v.Weighings, weighingView{Weighing: w, imageView: img,
			Share: fmt.Sprintf("first %d rows: %.0f %% of the weight; %.1f effective rows of %d", len(w.First), 100*share, w.Effective, w.Rows)})
	}
	for i := range v.Weighings {
		v.Weighings[i].SVG = v.Weighings[i].svg(most)
	}
	return nil
}

func finite(list ...float64) bool {
	for _, x := range list {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// frame maps a plane to a panel, with one scale for both axes.
type frame struct{ x0, y0, scale, height float64 }

func (f frame) at(p [2]float64) (x, y float64) {
	return spacePad + (p[0]-f.x0)*f.scale, f.height - spacePad - (p[1]-f.y0)*f.scale
}

// view draws the panels on one scale that holds all points.
func (s Space) view() (v spaceView, err error) {
	v.Space = s
	low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	class := map[string]int{}
	for _, p := range s.Panels {
		for _, c := range p.Clouds {
			if _, ok := class[c.Name]; !ok {
				class[c.Name] = len(class) % seriesColours
				v.Names = append(v.Names, cloudName{c.Name, class[c.Name]})
			}
			for _, at := range append(c.Points[:len(c.Points):len(c.Points)], c.Mean) {
				if !finite(at[:]...) {
					return v, fmt.Errorf("features %s of panel %s: a point that is not finite", c.Name, p.Title)
				}
				for k := range at {
					low[k], high[k] = math.Min(low[k], at[k]), math.Max(high[k], at[k])
				}
			}
		}
	}
	if len(v.Names) == 0 {
		return v, nil
	}
	f := fit(low, high)
	for _, p := range s.Panels {
		v.Panels = append(v.Panels, figureView{p.Title, p.Note, p.svg(f, class, s.XLabel, s.YLabel)})
	}
	return v, nil
}

// fit is the frame around points.
func fit(low, high [2]float64) frame {
	w, h := math.Max(high[0]-low[0], 1e-9), math.Max(high[1]-low[1], 1e-9)
	f := frame{scale: math.Min((spaceW-2*spacePad)/w, (spaceMost-2*spacePad)/h)}
	f.height = math.Max(spaceLeast, h*f.scale+2*spacePad)
	f.x0 = (low[0]+high[0])/2 - (spaceW/2-spacePad)/f.scale
	f.y0 = (low[1]+high[1])/2 - (f.height/2-spacePad)/f.scale
	return f
}

func (p Panel) svg(f frame, class map[string]int, xLabel, yLabel string) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %.1f" role="img" aria-label="%s">`, spaceW, f.height, html.EscapeString(p.Title))
	fmt.Fprintf(&b, `<path class="axis" fill="none" d="M%.1f 8V%.1fH%.1f"/>`, spacePad-6, f.height-spacePad+6, spaceW-8)
	fmt.Fprintf(&b, `<text class="label" text-anchor="middle" x="%.1f" y="%.1f">%s</text>`, spaceW/2, f.height-4, html.EscapeString(xLabel))
	fmt.Fprintf(&b, `<text class="label" text-anchor="middle" transform="translate(13 %.1f) rotate(-90)">%s</text>`, f.height/2, html.EscapeString(yLabel))
	for _, c := range p.Clouds {
		fmt.Fprintf(&b, `<path class="cloud s%d" d="`, class[c.Name])
		for _, at := range c.Points {
			x, y := f.at(at)
			fmt.Fprintf(&b, "M%.1f %.1fh0", x, y) // a line of no length has round ends
		}
		b.WriteString(`"/>`)
	}
	for _, c := range p.Clouds {
		x, y := f.at(c.Mean)
		fmt.Fprintf(&b, `<circle class="centre s%d" cx="%.1f" cy="%.1f" r="7"><title>mean of %s</title></circle>`, class[c.Name], x, y, html.EscapeString(c.Name))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// shares counts values in equal bins of low..high, as shares of all.
func shares(values []float64, low, high float64) []float64 {
	out := make([]float64, bins)
	for _, v := range values {
		out[max(0, min(bins-1, int(bins*(v-low)/(high-low))))] += 1 / float64(len(values))
	}
	return out
}

// histograms draws them on one scale.
func histograms(list []Histogram, names []cloudName) (out []figureView, err error) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, h := range list {
		if len(h.Values) == 0 || !finite(h.Values...) || !finite(h.Others...) {
			return nil, fmt.Errorf("histogram %s: want values, all finite", h.Title)
		}
		for _, v := range append(h.Values[:len(h.Values):len(h.Values)], h.Others...) {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	x, top := newAxis(low, high, false, 5), 0.0
	for _, h := range list {
		for _, y := range append(shares(h.Values, x.low, x.high), shares(h.Others, x.low, x.high)...) {
			top = math.Max(top, y)
		}
	}
	for i, h := range list {
		class := i % seriesColours
		for _, n := range names {
			if n.Name == h.Of {
				class = n.Class
			}
		}
		out = append(out, figureView{h.Title, h.Note, h.svg(x, top, class)})
	}
	return out, nil
}

func (h Histogram) svg(x axis, top float64, class int) template.HTML {
	const upper, base, width = 22.0, multipleH - multipleLow, multipleW - 2*multipleLeft
	place := func(v float64) float64 { return multipleLeft + width*x.at(v) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s">`, multipleW, multipleH, html.EscapeString(h.Title))
	for _, t := range x.ticks {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1[1]f" x2="%.1[1]f" y1="%[2]g" y2="%[3]g"/><text class="tick" text-anchor="middle" x="%.1[1]f" y="%[4]g">%[5]s</text>`,
			place(t), upper, base, base+16, tick(t))
	}
	for i, y := range shares(h.Values, x.low, x.high) {
		if tall := (base - upper) * y / top; tall > 0 {
			fmt.Fprintf(&b, `<rect class="bin s%d" x="%.2f" y="%.2f" width="%.2f" height="%.2f"/>`, class, multipleLeft+width*float64(i)/bins, base-tall, width/bins-0.6, tall)
		}
	}
	if len(h.Others) > 0 {
		fmt.Fprintf(&b, `<path class="others" d="M%.1f %.1f`, multipleLeft, base)
		for i, y := range shares(h.Others, x.low, x.high) {
			fmt.Fprintf(&b, `V%.2fH%.2f`, base-(base-upper)*y/top, multipleLeft+width*float64(i+1)/bins)
		}
		fmt.Fprintf(&b, `V%.1f"/>`, base)
	}
	mean := 0.0
	for _, v := range h.Values {
		mean += v / float64(len(h.Values))
	}
	fmt.Fprintf(&b, `<line class="axis" x1="%g" x2="%g" y1="%g" y2="%[3]g"/>`, multipleLeft, multipleW-multipleLeft, base)
	at := place(mean)
	fmt.Fprintf(&b, `<line class="meanline" x1="%.1[1]f" x2="%.1[1]f" y1="%[2]g" y2="%[3]g"/><text class="value" text-anchor="middle" x="%.1[4]f" y="%[5]g">mean %[6]s</text></svg>`,
		at, upper-4, base, math.Max(36, math.Min(multipleW-36, at)), upper-9, fmt.Sprintf("%.2f", mean))
	return template.HTML(b.String())
}

// svg draws the first weights and the rest as bars; most is the tallest of all images.
func (w Weighing) svg(most float64) template.HTML {
	const upper, base, width = 16.0, 110.0 - multipleLow, multipleW - 2*multipleLeft
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g 110" role="img" aria-label="weights of the memory's rows for %s">`, multipleW, html.EscapeString(w.Title))
	step := width / float64(len(w.First)+1)
	for i, x := range append(w.First[:len(w.First):len(w.First)], w.Rest) {
		name, class := fmt.Sprint(i+1), "s0"
		if i == len(w.First) {
			name, class = "rest", "rest"
		}
		tall := 0.0
		if most > 0 {
			tall = math.Max(0, (base-upper)*x/most)
		}
		middle := multipleLeft + step*(float64(i)+0.5)
		fmt.Fprintf(&b, `<rect class="bin %s" x="%.1f" y="%.2f" width="%.1f" height="%.2f"><title>%.4f</title></rect>`, class, middle-0.38*step, base-tall, 0.76*step, tall, x)
		fmt.Fprintf(&b, `<text class="tick" text-anchor="middle" x="%.1f" y="%g">%s</text>`, middle, base+16, name)
		if x >= 0.005 {
			fmt.Fprintf(&b, `<text class="tick" text-anchor="middle" x="%.1f" y="%.1f">%.0f%%</text>`, middle, base-tall-4, 100*x)
		}
	}
	fmt.Fprintf(&b, `<line class="axis" x1="%g" x2="%g" y1="%g" y2="%[3]g"/></svg>`, multipleLeft, multipleW-multipleLeft, base)
	return template.HTML(b.String())
}
