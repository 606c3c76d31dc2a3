package bench

import (
	"fmt"
	"slices"
	"strings"
)

// Standing is a row of the table as it was measured.
type Standing struct {
	Row
	Ours  *Record
	Peers []Against // by falling rate
	Cross float64   // our rate over that of the best f32 peer on the same case, for bf16; 0 if none was measured
}

// Against is one peer of a row.
type Against struct {
	*Record
	Ratio     float64 // our rate over the peer's, by the medians: above 1, ours is faster
	Low, High float64 // its 95 % bootstrap interval
}

// Met tells whether all that the row asks for is reached; false where a ratio is asked for and no peer was measured.
func (s Standing) Met() bool {
	if s.Grown > 0 && s.Ours.Growth() > s.Grown {
		return false
	}
	if s.Share > 0 {
		return s.Ours.Share >= s.Share
	}
	return len(s.Peers) > 0 && s.Peers[0].Ratio >= s.Goal
}

// Goals is what the row asks for, in a few signs; "" for nothing.
func (r Row) Goals() string {
	text := ""
	switch {
	case r.Share > 0:
		text = fmt.Sprintf("%.0f %% of limit", 100*r.Share)
	case r.Goal > 0:
		text = fmt.Sprintf("%g", r.Goal)
	}
	if r.Grown > 0 {
		text += fmt.Sprintf(", ≤ %d MiB grown", r.Grown>>20)
	}
	return text
}

// Standings are the rows for which records has ours, with the last record of each engine that was measured for the row.
func Standings(records []Record) (list []Standing) {
	for _, row := range Rows() {
		last := func(engine, name string) *Record {
			for i := range slices.Backward(records) {
				if records[i].Engine == engine && records[i].Case == name && records[i].Row == row.Title {
					return &records[i]
				}
			}
			return nil
		}
		s := Standing{Row: row, Ours: last(Ours, row.Case)}
		if s.Ours == nil {
			continue
		}
		for _, entry := range slices.Concat(row.Peers, row.More) {
			engine, name := row.peerCase(entry)
			peer := last(engine, name)
			if peer == nil || peer.PerSecond == 0 || slices.ContainsFunc(s.Peers, func(a Against) bool { return a.Record == peer }) {
				continue
			}
			a := Against{Record: peer, Ratio: s.Ours.PerSecond / peer.PerSecond}
			low, high := RatioInterval(peer.Samples, s.Ours.Samples)
			scale := a.Ratio / (peer.Median / s.Ours.Median) // cases may differ in items
			a.Low, a.High = low*scale, high*scale
			s.Peers = append(s.Peers, a)
		}
		slices.SortStableFunc(s.Peers, func(a, b Against) int {
			if a.PerSecond > b.PerSecond {
				return -1
			}
			return 1
		})
		list = append(list, s)
	}
	for i := range list {
		if list[i].Class() != InBF16 {
			continue
		}
		best, same := 0.0, strings.TrimSuffix(list[i].Case, string(InBF16))+string(InF32)
		for _, o := range list {
			if o.Case == same && len(o.Peers) > 0 {
				best = max(best, o.Peers[0].PerSecond)
			}
		}
		if best > 0 {
			list[i].Cross = list[i].Ours.PerSecond / best
		}
	}
	return list
}
