package main

import (
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"syntic/syntic/metric"
	"syntic/syntic/metric/spice"
)

// addSPICE runs the user's SPICE program on each report's tokenised captions.
func (o *evalOptions) addSPICE(cmd *cobra.Command, reports []*metric.Report) error {
	for _, r := range reports {
		p := &spice.Program{Jar: o.spice, Java: o.java, Memory: o.spiceMemory, Timeout: o.spiceTimeout,
			Progress: func(d time.Duration) {
				fmt.Fprintf(cmd.ErrOrStderr(), "SPICE: %d images, running for %v\n", r.Images, d.Round(time.Second))
			}}
		images := make([]spice.Image, r.Images)
		for i := range images {
			images[i] = spice.Image{ID: i + 1, Test: r.Set.Cands[i], Refs: r.Set.Refs[i]}
		}
		counts, err := p.Run(cmd.Context(), images)
		if err != nil {
			return badInput(err)
		}
		scores := make([]float64, len(counts))
		for i, c := range counts {
			f, ok := c.F()
			if !ok {
				f = math.NaN()
			}
			scores[i] = f
		}
		r.Add("SPICE", scores)
	}
	return nil
}
