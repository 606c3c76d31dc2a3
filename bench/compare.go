package bench

import (
	"fmt"
	"slices"
)

// Change is how one case differs between two files of records.
type Change struct {
	Case    string  `json:"case"`
	Engine  string  `json:"engine"`
	Threads int     `json:"threads"`
	A       Summary `json:"a"` // of all samples of the case in the file
	B       Summary `json:"b"`
	Ratio   float64 `json:"ratio"` // median of A over that of B: above 1, B is faster
	Low     float64 `json:"low"`   // 95 % bootstrap interval of the ratio
	High    float64 `json:"high"`
	P       float64 `json:"p"` // of a difference by chance, Mann-Whitney
}

// significant is the p-value below which a difference counts, for one case among many.
const significant = 0.01

// Verdict says in a word what the change is: faster, slower, or same for what may be chance.
func (c Change) Verdict() string {
	switch {
	case c.P >= significant || c.Low <= 1 && c.High >= 1:
		return "same"
	case c.Ratio > 1:
		return "faster"
	}
	return "slower"
}

// UnlikeError tells that measurements of two files cannot be compared.
type UnlikeError struct{ Case, Why string }

func (e *UnlikeError) Error() string {
	return fmt.Sprintf("%s: measured on machines of %s: want one machine, or --across-machines", e.Case, e.Why)
}

// BadInput marks it as the caller's.
func (e *UnlikeError) BadInput() bool { return true }

// CompareRecords compares the cases that both have, in the order of a; lonely are those that only one has. Unlike machines are an *UnlikeError unless across is set.
func CompareRecords(a, b []Record, across bool) (changes []Change, lonely []string, err error) {
	type key struct {
		name, engine string
		threads      int
	}
	group := func(all []Record) (keys []key, by map[key][]Record) {
		by = map[key][]Record{}
		for _, r := range all {
			k := key{r.Case, r.Engine, r.Threads}
			if by[k] == nil {
				keys = append(keys, k)
			}
			by[k] = append(by[k], r)
		}
		return keys, by
	}
	samples := func(all []Record) (x []float64) {
		for _, r := range all {
			x = append(x, r.Samples...)
		}
		return x
	}
	keysA, byA := group(a)
	keysB, byB := group(b)
	name := func(k key) string { return fmt.Sprintf("%s, %s, %d threads", k.name, k.engine, k.threads) }
	for _, k := range keysA {
		if byB[k] == nil {
			lonely = append(lonely, name(k)+": only in the first")
			continue
		}
		all := slices.Concat(byA[k], byB[k])
		for _, r := range all[1:] {
			why := all[0].Machine.Unlike(r.Machine)
			if all[0].Device != r.Device {
				why = fmt.Sprintf("devices %q and %q", all[0].Device, r.Device)
			}
			if why != "" && !across {
				return nil, nil, &UnlikeError{k.name, why}
			}
		}
		x, y := samples(byA[k]), samples(byB[k])
		c := Change{Case: k.name, Engine: k.engine, Threads: k.threads, A: Summarise(x), B: Summarise(y), P: MannWhitney(x, y)}
		c.Ratio = c.A.Median / c.B.Median
		c.Low, c.High = RatioInterval(x, y)
		changes = append(changes, c)
	}
	for _, k := range keysB {
		if byA[k] == nil {
			lonely = append(lonely, name(k)+": only in the second")
		}
	}
	return changes, lonely, nil
}
