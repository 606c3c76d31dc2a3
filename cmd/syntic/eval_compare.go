package main

import (
	"fmt"
	"io"
	"math"

	"syntic/cmd/internal/cli"
	"syntic/syntic/metric"
	"syntic/syntic/pipeline"
)

// jsonDifference is metric.Difference as JSON shows it; what is no number is null.
type jsonDifference struct {
	Metric     string   `json:"metric"`
	A          *float64 `json:"a"`
	B          *float64 `json:"b"`
	Difference *float64 `json:"difference"`
	Low        *float64 `json:"low"`
	High       *float64 `json:"high"`
	P          float64  `json:"p"`
}

// compare prints the differences of --results (A) and --against (B).
func (o *evalOptions) compare(a, b *metric.Report, out io.Writer) error {
	diffs, err := metric.Compare(a, b, o.resamples, 0)
	if err != nil {
		return cli.BadInput(fmt.Errorf("%s and %s: %w", o.results, o.against, err))
	}
	if o.json {
		file := struct {
			A           *metric.Report   `json:"a"`
			B           *metric.Report   `json:"b"`
			Differences []jsonDifference `json:"differences"`
			Resamples   int              `json:"resamples"`
		}{A: a, B: b, Resamples: o.resamples}
		for _, d := range diffs {
			file.Differences = append(file.Differences, jsonDifference{d.Name, number(d.A), number(d.B), number(d.AB.Mean), number(d.AB.Low), number(d.AB.High), d.P})
		}
		return writeJSON(out, file)
	}
	t := cli.NewTable("metric", ">A × 100", ">B × 100", ">A − B", ">95 % interval", ">p")
	for _, d := range diffs {
		t.Row(d.Name, hundred(d.A), hundred(d.B), hundred(d.AB.Mean), hundred(d.AB.Low)+" – "+hundred(d.AB.High), pipeline.PValue(d.P, o.resamples))
	}
	if err := t.Write(out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "A: %s\nB: %s\n%s. Intervals and two-sided p of A − B: paired bootstrap over images, %d resamples.\n%s",
		o.results, o.against, scored(a), o.resamples, notes(a))
	return err
}

func number(x float64) *float64 {
	if math.IsNaN(x) {
		return nil
	}
	return &x
}
