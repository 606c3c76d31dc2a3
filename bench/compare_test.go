package bench

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recordOf is a record as a run writes it.
func recordOf(name string, machine Machine, samples ...float64) Record {
	r := Record{Case: name, Engine: Ours, Threads: 2, Unit: "row", Items: 10, Calls: 3, Samples: samples, Machine: machine, Ceiling: Ceiling{FLOPs: 4e9, Bytes: 1e9, Half: 8e9},
		Tally: &Tally{FLOPs: 2e9, Half: 1e9, Bytes: 1e9}, Base: 100, Peak: 164}
	r.rates("model")
	return r
}

func TestRates(t *testing.T) {
	r := recordOf("a/b/f32", Machine{}, 2, 1, 3)
	assert.Equal(t, 5.0, r.PerSecond)
	assert.Equal(t, 1.0, r.GFLOPs)
	assert.InDelta(t, (1e9/4e9+1e9/8e9)/2, r.Share, 1e-12)
	assert.Equal(t, "compute", r.Limit)
	assert.Equal(t, 0.5, r.HalfShare())
	assert.Equal(t, int64(64), r.Growth())
	r.rates("op")
	assert.Equal(t, "memory", r.Limit)
	assert.Equal(t, 0.5, r.Share)
}

func TestCompareRecords(t *testing.T) {
	m := Machine{Threads: 2}
	a := []Record{recordOf("x", m, 2, 2.1, 2.2, 2.3, 2.4), recordOf("y", m, 1, 1.1, 1.2, 1.3), recordOf("only a", m, 1)}
	b := []Record{recordOf("x", m, 1, 1.1, 1.2), recordOf("x", m, 1.3, 1.4), recordOf("y", m, 1.05, 1.15, 1.25, 1.35), recordOf("only b", m, 1)}
	changes, lonely, err := CompareRecords(a, b, false)
	require.NoError(t, err)
	require.Len(t, changes, 2)
	assert.InDelta(t, 2.2/1.2, changes[0].Ratio, 1e-12)
	assert.Equal(t, 5, changes[0].B.N, "both records' samples")
	assert.Equal(t, "faster", changes[0].Verdict())
	assert.Equal(t, "same", changes[1].Verdict())
	assert.Len(t, lonely, 2)
	changes, _, err = CompareRecords(b, a, false)
	require.NoError(t, err)
	assert.Equal(t, "slower", changes[0].Verdict())

	other := m
	other.CPU.Name = "another"
	b[0].Machine = other
	var unlike *UnlikeError
	_, _, err = CompareRecords(a, b, false)
	require.ErrorAs(t, err, &unlike)
	assert.True(t, unlike.BadInput())
	_, _, err = CompareRecords(a, b, true)
	assert.NoError(t, err)
}

func TestUnlike(t *testing.T) {
	a := Describe()
	assert.Positive(t, a.Threads)
	b := a
	b.Go, b.Commit, b.Modified, b.Release = "go9", "abc", true, "9"
	assert.Empty(t, a.Unlike(b), "these may differ")
	for _, change := range []func(m *Machine){
		func(m *Machine) { m.CPU.Name = "x" }, func(m *Machine) { m.CPU.Used = "x" }, func(m *Machine) { m.Threads++ }, func(m *Machine) { m.Arch = "x" },
		func(m *Machine) { m.CPU.Logical++ }, func(m *Machine) { m.Governor = "x" },
	} {
		b = a
		change(&b)
		assert.NotEmpty(t, a.Unlike(b), "%+v", b)
	}
}

func TestReadRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o666)) }
	line, err := json.Marshal(recordOf("x/y/f32", Describe(), 2, 1))
	require.NoError(t, err)
	write(string(line) + "\n\n" + string(line) + "\n")
	all, err := ReadRecords(path)
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.Equal(t, recordOf("x/y/f32", Describe(), 2, 1), all[0])
	for text, want := range map[string]string{
		"": "no records", string(line) + "\n{": "a.jsonl:2: ", `{"case":"x"}`: "0 samples", `{"case":"x","engine":"e","samples":[0]}`: "sample of 0", `{"machine":{}}`: "want a record",
	} {
		write(text)
		var bad *FileError
		_, err := ReadRecords(path)
		require.ErrorAs(t, err, &bad, text)
		assert.ErrorContains(t, err, want)
	}
	_, err = ReadRecords(path + "x")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestGoBench(t *testing.T) {
	var b strings.Builder
	r := recordOf("clip-image/b1/f32", Machine{}, 2, 1)
	require.NoError(t, r.GoBench(&b))
	assert.Equal(t, "BenchmarkClip-image/b1/f32-2\t3\t2000000000 ns/op\t5 row/s\t1 GFLOP/s\t0 B/op\t0 allocs/op\n"+
		"BenchmarkClip-image/b1/f32-2\t3\t1000000000 ns/op\t10 row/s\t2 GFLOP/s\t0 B/op\t0 allocs/op\n", b.String())
}

// wellFormed reads all of an XML document.
func wellFormed(t *testing.T, text string) (elements map[string]int) {
	t.Helper()
	elements = map[string]int{}
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok {
			elements[e.Name.Local]++
			for _, a := range e.Attr {
				assert.NotContains(t, a.Value, "NaN")
				assert.NotContains(t, a.Value, "Inf")
			}
		}
	}
}

func TestCompareRefusesAnotherDevice(t *testing.T) {
	onGPU := recordOf("a/b/f32", Machine{}, 1, 2, 3)
	onGPU.Device = "cuda:0 a GPU"
	_, _, err := CompareRecords([]Record{recordOf("a/b/f32", Machine{}, 1, 2, 3)}, []Record{onGPU}, false)
	assert.EqualError(t, err, `a/b/f32: measured on machines of devices "" and "cuda:0 a GPU": want one machine, or --across-machines`)
}

func TestRoofline(t *testing.T) {
	m := Describe()
	svg, err := Roofline([]Record{recordOf("a<b/1/f32", m, 1), recordOf("c/1/f32", m, 1.01), {Case: "no ops"}})
	require.NoError(t, err)
	assert.Equal(t, 2, wellFormed(t, svg)["circle"])
	many, err := Roofline(slices.Repeat([]Record{recordOf("c/1/f32", m, 1)}, 60))
	require.NoError(t, err)
	assert.Equal(t, 60, wellFormed(t, many)["circle"])
	_, err = Roofline([]Record{{Case: "no ops"}})
	assert.ErrorContains(t, err, "no record")
	other := recordOf("d", Machine{}, 1)
	_, err = Roofline([]Record{recordOf("c", m, 1), other})
	assert.ErrorContains(t, err, "one machine")
}

// Labels of many points at one place, at the top, at the foot or anywhere never touch each other nor leave the drawing.
func TestLabelsNeverOverlap(t *testing.T) {
	const top, foot = 44, 502
	for n := 1; n <= 27; n++ {
		for _, at := range []func(i int) float64{func(int) float64 { return top }, func(int) float64 { return foot }, func(int) float64 { return 200 }, func(i int) float64 { return float64(45 + 97*i%450) }} {
			labels := make([]label, n)
			for i := range labels {
				labels[i] = label{y: at(i)}
			}
			place(labels, top, foot)
			for i, l := range labels {
				assert.GreaterOrEqual(t, l.at, float64(top))
				assert.LessOrEqual(t, l.at, float64(foot))
				if i > 0 {
					assert.GreaterOrEqual(t, l.at-labels[i-1].at, float64(labelStep)-1e-9)
					assert.GreaterOrEqual(t, l.y, labels[i-1].y)
				}
			}
		}
	}
}

func TestPlotCost(t *testing.T) {
	var all []Record
	for _, name := range []string{"infonce/n1024/f32", "infonce/n512/f32", "infonce/n512/bf16", "project/q256m100/f32", "project/q256/f32", "project/q1/f32", "pipeline/x", "detr/800x1066/f32"} {
		all = append(all, recordOf(name, Machine{}, 1))
	}
	list := SeriesOf(all)
	assert.Equal(t, "infonce, f32, syntic, 2 threads", list[0].Name)
	assert.Equal(t, []float64{512, 1024}, list[0].N)
	assert.Equal(t, "project q256, f32, syntic, 2 threads", list[2].Name)
	assert.Equal(t, []float64{100, bankRows}, list[2].N)
	svg, err := PlotCost("a & b", list)
	require.NoError(t, err)
	assert.Equal(t, 4, wellFormed(t, svg)["circle"])
	_, err = PlotCost("", list[1:2])
	assert.ErrorContains(t, err, "two sizes")
}
