package bench

import "slices"

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

// Met tells whether the ratio to the best peer reaches the goal; false without a peer.
func (s Standing) Met() bool { return len(s.Peers) > 0 && s.Peers[0].Ratio >= s.Goal }

// Standings are the rows for which records has ours, with the last record of each case and engine.
func Standings(records []Record) (list []Standing) {
	last := func(engine, name string) *Record {
		for i := range slices.Backward(records) {
			if records[i].Engine == engine && records[i].Case == name {
				return &records[i]
			}
		}
		return nil
	}
	for _, row := range Rows() {
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
		for _, o := range list {
			if o.Class() == InF32 && o.Title == list[i].Title && len(o.Peers) > 0 {
				list[i].Cross = list[i].Ours.PerSecond / o.Peers[0].PerSecond
			}
		}
	}
	return list
}
