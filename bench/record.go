package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Record is one measured case: a line of a results file.
type Record struct {
	Time    time.Time `json:"time"`
	Case    string    `json:"case"`          // such as clip-image/b32/f32
	Engine  string    `json:"engine"`        // syntic, or a peer
	Row     string    `json:"row,omitempty"` // of the table of peers, in which engines took turns
	Version string    `json:"version,omitempty"`
	Note    string    `json:"note,omitempty"` // the engine's, on its setting
	Threads int       `json:"threads"`
	Unit    string    `json:"unit"`
	Items   float64   `json:"items"`   // that a call handles
	Calls   int       `json:"calls"`   // timed together in a sample
	Samples []float64 `json:"samples"` // seconds of one call
	Summary
	PerSecond float64 `json:"per_second"` // items, by the median

	Tally  *Tally  `json:"tally,omitempty"`  // what our ops needed; peers are not counted
	GFLOPs float64 `json:"gflops,omitempty"` // 10⁹ operations a second, by the median
	GBytes float64 `json:"gbytes,omitempty"`
	Share  float64 `json:"share,omitempty"` // of the ceiling: least possible time over the median
	Limit  string  `json:"limit,omitempty"` // compute or memory

	Allocs     float64 `json:"allocs,omitempty"` // of one call, on Go's heap, when warm
	AllocBytes float64 `json:"alloc_bytes,omitempty"`
	Base       int64   `json:"base,omitempty"` // bytes resident when weights and inputs were there, before the first call
	Peak       int64   `json:"peak,omitempty"` // most bytes resident from then on

	Device   string  `json:"device,omitempty"`   // a GPU and its name; "" for the CPU
	Emulated bool    `json:"emulated,omitempty"` // no GPU but the emulator, whose times mean nothing
	First    float64 `json:"first,omitempty"`    // seconds of the first call on a GPU, by the wall clock
	Clocks   string  `json:"clocks,omitempty"`   // of a GPU, behind the last call

	Ceiling Ceiling `json:"ceiling"`
	Machine Machine `json:"machine"`
}

// Growth is the memory that computing needs beyond weights and inputs, in bytes; 0 if unknown.
func (r *Record) Growth() int64 { return max(0, r.Peak-r.Base) }

// HalfShare is the part of the operations whose operands were rounded to bfloat16.
func (r *Record) HalfShare() float64 {
	if r.Tally == nil || r.Tally.FLOPs == 0 {
		return 0
	}
	return r.Tally.Half / r.Tally.FLOPs
}

// rates fills in what follows from samples, tally and ceiling.
func (r *Record) rates(kind string) {
	r.Summary = Summarise(r.Samples)
	if r.Median > 0 {
		r.PerSecond = r.Items / r.Median
	}
	if r.Tally == nil || r.Median <= 0 {
		return
	}
	r.GFLOPs, r.GBytes = r.Tally.FLOPs/r.Median/1e9, r.Tally.Bytes/r.Median/1e9
	if r.Tally.FLOPs == 0 {
		return
	}
	least, limit := r.Ceiling.LimitOf(kind, *r.Tally)
	r.Share, r.Limit = least/r.Median, limit
}

// GoBench writes the record in Go's benchmark format, a line a sample, for benchstat.
func (r *Record) GoBench(w io.Writer) error {
	name := "Benchmark" + strings.ToUpper(r.Case[:1]) + r.Case[1:]
	if r.Engine != Ours {
		name += "/" + r.Engine
	}
	for _, s := range r.Samples {
		line := fmt.Sprintf("%s-%d\t%d\t%.0f ns/op", name, r.Threads, r.Calls, s*1e9)
		if s > 0 {
			line += fmt.Sprintf("\t%.6g %s/s", r.Items/s, r.Unit)
		}
		if r.Tally != nil && r.Tally.FLOPs > 0 && s > 0 {
			line += fmt.Sprintf("\t%.6g GFLOP/s", r.Tally.FLOPs/s/1e9)
		}
		if r.Engine == Ours {
			line += fmt.Sprintf("\t%.0f B/op\t%.0f allocs/op", r.AllocBytes, r.Allocs)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// GoBenchHead writes the lines that stand before benchmarks.
func GoBenchHead(w io.Writer, m Machine) error {
	_, err := fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: syntic/bench\ncpu: %s\ncommit: %s\n", m.OS, m.Arch, m.CPU.Name, m.Commit)
	return err
}

// FileError tells what is wrong with a file of records.
type FileError struct {
	Path string
	Line int // 0: the whole
	Err  error
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.Path, e.Line, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// BadInput marks it as the caller's.
func (e *FileError) BadInput() bool { return true }

// ReadRecords reads a file of JSON lines. What is wrong is a *FileError.
func ReadRecords(path string) ([]Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &FileError{path, 0, err}
	}
	defer f.Close()
	var all []Record
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		if len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		var r Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, &FileError{path, n, err}
		}
		if err := r.check(); err != nil {
			return nil, &FileError{path, n, err}
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		return nil, &FileError{path, 0, err}
	}
	if len(all) == 0 {
		return nil, &FileError{path, 0, fmt.Errorf("no records: want the JSON lines of syntic bench model, pipeline or peers")}
	}
	return all, nil
}

func (r *Record) check() error {
	if r.Case == "" || r.Engine == "" || len(r.Samples) == 0 {
		return fmt.Errorf("case %q, engine %q, %d samples: want a record of syntic bench model, pipeline or peers", r.Case, r.Engine, len(r.Samples))
	}
	for _, s := range r.Samples {
		if !(s > 0) {
			return fmt.Errorf("sample of %g seconds: want more than 0", s)
		}
	}
	return nil
}
