package bench

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Roofline draws records under the ceilings of their machine (Williams et al. 2009): operations a byte, as the ops' cost counts both, against operations a second.
// Records without counted operations are left out; none with them is an error. Records of several machines or numbers of threads are an error.
func Roofline(all []Record) (string, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(r Record) bool {
		return r.Tally == nil || r.Tally.FLOPs == 0 || r.Tally.Bytes == 0 || r.GFLOPs == 0
	})
	if len(all) == 0 {
		return "", fmt.Errorf("no record with counted operations")
	}
	first, c := all[0], all[0].Ceiling
	if !(c.FLOPs > 0 && c.Bytes > 0) {
		return "", fmt.Errorf("%s: no ceiling was measured", first.Case)
	}
	top := max(c.FLOPs, c.Half)
	xs, ys := []float64{c.FLOPs / c.Bytes / 10, top / c.Bytes * 4}, []float64{top}
	for _, r := range all {
		if why := first.Machine.Unlike(r.Machine); why != "" {
			return "", fmt.Errorf("records of %s: want one machine and one number of threads", why)
		}
		xs, ys = append(xs, r.Tally.FLOPs/r.Tally.Bytes), append(ys, r.GFLOPs*1e9)
	}
	ys = append(ys, min(c.Bytes*slices.Min(xs), slices.Min(ys)))
	d := newDrawing(fmt.Sprintf("%s, %d threads", first.Machine.CPU.Name, first.Threads), "operations a byte", "operations a second", xs, ys, len(all))
	d.roof(c.FLOPs, c.Bytes, "f32", "#0b62a4")
	if c.Half > 0 {
		d.roof(c.Half, c.Bytes, "bf16", "#d1495b")
	}
	labels := make([]label, len(all))
	for i, r := range all {
		labels[i] = label{x: d.x(r.Tally.FLOPs / r.Tally.Bytes), y: d.y(r.GFLOPs * 1e9), text: r.Case}
	}
	d.column(labels)
	for _, r := range all { // over the lines
		colour := "#0b62a4"
		if r.HalfShare() > 0.5 {
			colour = "#d1495b"
		}
		d.dot(d.x(r.Tally.FLOPs/r.Tally.Bytes), d.y(r.GFLOPs*1e9), colour, fmt.Sprintf("%s: %.4g GFLOP/s, %.0f %% of the ceiling", r.Case, r.GFLOPs, 100*r.Share))
	}
	return d.end(), nil
}

// roof draws the least of bandwidth · x and a rate.
func (d *drawing) roof(flops, bytes float64, name, colour string) {
	knee := flops / bytes
	low, high := math.Pow(10, d.x0), math.Pow(10, d.x1)
	d.line(d.x(low), min(d.y(low*bytes), d.height-d.foot), d.x(knee), d.y(flops), "#888", 2, "")
	d.line(d.x(knee), d.y(flops), d.x(high), d.y(flops), colour, 2, "")
	d.text(d.width-d.right-4, d.y(flops)-6, "end", colour, fmt.Sprintf("%s %.4g GFLOP/s", name, flops/1e9))
}

// Series is what belongs to one line of a plot of cost against size.
type Series struct {
	Name   string
	N      []float64 // sizes, rising
	Median []float64 // seconds
}

// SeriesOf groups records of one workload by engine, class, threads and the other sizes in the shape, along the size that the last letter of the shape names: N of
// infonce/n8192, M of project/q256m35437. A shape without it, such as project/q256, is the whole bank.
func SeriesOf(all []Record) []Series {
	var list []Series
	for _, r := range all {
		parts := strings.Split(r.Case, "/")
		if len(parts) != 3 {
			continue
		}
		n, rest := sizeOf(parts[0], parts[1])
		if n == 0 {
			continue
		}
		name := strings.Join([]string{parts[0] + rest, parts[2], r.Engine, strconv.Itoa(r.Threads) + " threads"}, ", ")
		i := slices.IndexFunc(list, func(s Series) bool { return s.Name == name })
		if i < 0 {
			i, list = len(list), append(list, Series{Name: name})
		}
		s := &list[i]
		at, _ := slices.BinarySearch(s.N, n)
		s.N, s.Median = slices.Insert(s.N, at, n), slices.Insert(s.Median, at, r.Median)
	}
	return list
}

// sizeOf takes the last number off a shape.
func sizeOf(name, shape string) (n float64, rest string) {
	at := strings.LastIndexFunc(shape, func(c rune) bool { return c < '0' || c > '9' })
	if at < 0 || at+1 == len(shape) {
		return 0, ""
	}
	n, _ = strconv.ParseFloat(shape[at+1:], 64)
	switch rest = shape[:at]; {
	case (name == "project" || strings.HasPrefix(name, "topk")) && shape[at] == 'q':
		return bankRows, " " + shape
	case rest != "":
		rest = " " + rest
	}
	return n, rest
}

// PlotCost draws seconds against size, a line a series. Fewer than two sizes are an error.
func PlotCost(title string, list []Series) (string, error) {
	list = slices.DeleteFunc(slices.Clone(list), func(s Series) bool { return len(s.N) < 2 })
	if len(list) == 0 {
		return "", fmt.Errorf("no case with two sizes, such as infonce/n1024 and infonce/n2048")
	}
	var xs, ys []float64
	for _, s := range list {
		xs, ys = append(xs, s.N...), append(ys, s.Median...)
	}
	d := newDrawing(title, "rows", "seconds", xs, ys, 0)
	for i, s := range list {
		colour := colours[i%len(colours)]
		for j := range s.N {
			x, y := d.x(s.N[j]), d.y(s.Median[j])
			if j > 0 {
				d.line(d.x(s.N[j-1]), d.y(s.Median[j-1]), x, y, colour, 2, "")
			}
			d.dot(x, y, colour, fmt.Sprintf("%s, %.0f rows: %.4g s", s.Name, s.N[j], s.Median[j]))
		}
		y := d.top + 14 + 18*float64(i)
		d.line(d.left+14, y, d.left+34, y, colour, 3, "")
		d.text(d.left+42, y+4, "start", textColour, s.Name)
	}
	return d.end(), nil
}
