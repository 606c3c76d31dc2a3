package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"syntic/kernels"
	"syntic/tensor"
)

// Request is a line that a measured process reads. Do is "load" (Case: make weights and inputs, compile, but do not compute yet), "run" (the loaded case, Repeats
// samples of Calls calls each), "count" (one call, counting its ops; ours alone), "free".
type Request struct {
	Do      string `json:"do"`
	Case    string `json:"case,omitempty"`
	Calls   int    `json:"calls,omitempty"`
	Repeats int    `json:"repeats,omitempty"`
}

// Reply is the line that answers a request.
type Reply struct {
	Error   string    `json:"error,omitempty"`   // what went wrong, in one line
	Missing string    `json:"missing,omitempty"` // the package that is not installed
	Unknown bool      `json:"unknown,omitempty"` // the engine does not do this case
	Version string    `json:"version,omitempty"` // of the engine
	Note    string    `json:"note,omitempty"`    // on the setting
	Seconds []float64 `json:"seconds,omitempty"` // of one call, for each sample

	Allocs     float64 `json:"allocs,omitempty"` // allocations of one call on Go's heap, on average, ours alone
	AllocBytes float64 `json:"alloc_bytes,omitempty"`
	Tally      *Tally  `json:"tally,omitempty"`

	Device   string  `json:"device,omitempty"`   // that the case is on, if it is a GPU; then times are those of its own clock, each call with caches full of other memory
	Emulated bool    `json:"emulated,omitempty"` // no GPU but the emulator, whose times mean nothing
	First    float64 `json:"first,omitempty"`    // seconds of the first call on it, by the wall clock: kernels loaded, graphs recorded
	Clocks   string  `json:"clocks,omitempty"`   // at which it ran behind the last call, and what held them down
}

// Serve answers requests until in ends: the side of the engine in every comparison.
func Serve(in io.Reader, out io.Writer, dev *tensor.Device) error {
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	var work *Work
	defer func() {
		if work != nil {
			work.Close()
		}
	}()
	for lines.Scan() {
		var q Request
		err := json.Unmarshal(lines.Bytes(), &q)
		var r Reply
		if err == nil {
			r, err = answer(q, dev, &work)
		}
		if err != nil {
			r = Reply{Error: err.Error(), Unknown: r.Unknown}
		}
		if err := answers.Encode(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

func answer(q Request, dev *tensor.Device, work **Work) (r Reply, err error) {
	if q.Do != "load" && *work == nil {
		return r, fmt.Errorf("%s without a case: want load first", q.Do)
	}
	switch q.Do {
	case "load":
		if *work != nil {
			(*work).Close()
			*work = nil
		}
		found, err := FindWorkloads(q.Case)
		if err != nil || len(found) != 1 {
			return Reply{Unknown: true}, fmt.Errorf("case %q: want one workload", q.Case)
		}
		r.Version = Describe().Commit
		*work, err = found[0].Open(dev)
		if !dev.IsCPU() {
			r.Device, r.Emulated = dev.String()+" "+dev.Name(), dev.Emulated()
		}
		debug.FreeOSMemory() // what making them left behind is not theirs
		return r, err
	case "run":
		return (*work).sample(q.Calls, q.Repeats)
	case "count":
		t, err := Count((*work).Call)
		return Reply{Tally: &t}, err
	case "free":
		(*work).Close()
		*work = nil
		return r, nil
	}
	return r, fmt.Errorf("do %q: want load, run, count or free", q.Do)
}

// sample times repeats times calls calls.
func (w *Work) sample(calls, repeats int) (r Reply, err error) {
	if calls < 1 || repeats < 1 {
		return r, fmt.Errorf("%d times %d calls: want at least 1", repeats, calls)
	}
	once, err := w.timer(&r)
	if err != nil {
		return r, err
	}
	r.Seconds = make([]float64, 0, repeats) // so that what is counted are the calls' allocations alone
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range repeats {
		took, err := once(calls)
		if err != nil {
			return r, err
		}
		r.Seconds = append(r.Seconds, took/float64(calls))
	}
	runtime.ReadMemStats(&after)
	if w.gauge != nil {
		r.Clocks = w.gauge.c.Conditions(w.gauge.s.Device)
	}
	n := float64(calls * repeats)
	r.Allocs, r.AllocBytes = float64(after.Mallocs-before.Mallocs)/n, float64(after.TotalAlloc-before.TotalAlloc)/n
	return r, nil
}

// timer is what times some calls together, in seconds: the wall clock, or that of a GPU, which is given to each call with caches full of other memory. A GPU's
// first call is timed apart.
func (w *Work) timer(r *Reply) (func(calls int) (float64, error), error) {
	if w.dev.IsCPU() || w.Kind == "other" {
		return func(calls int) (float64, error) {
			start := time.Now()
			for range calls {
				if err := w.Call(); err != nil {
					return 0, err
				}
			}
			return time.Since(start).Seconds(), nil
		}, nil
	}
	if w.gauge == nil {
		var err error
		if w.gauge, err = newGauge(kernels.CUDA, w.dev.Index()); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := w.Call(); err != nil {
			return nil, err
		}
		w.first = time.Since(start).Seconds()
	}
	r.First = w.first
	return func(calls int) (sum float64, err error) {
		for range calls {
			took, err := w.gauge.once(w.caught)
			if err != nil {
				return 0, err
			}
			sum += took
		}
		return sum, nil
	}, nil
}

// Process is a process that answers requests: an engine.
type Process struct {
	Name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	log  *tail
	wait func() // until it has ended and all that it said is in log
}

// Start starts a process that answers requests on its standard output. Variables in env are set, or taken away where they have no "=". The process ends with ctx.
func Start(ctx context.Context, name string, command []string, env []string) (*Process, error) {
	p := &Process{Name: name, cmd: exec.CommandContext(ctx, command[0], command[1:]...), log: &tail{}}
	p.cmd.Env = environment(os.Environ(), env)
	p.cmd.Stderr = p.log
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p.wait = sync.OnceFunc(func() {
		p.in.Close()
		timer := time.AfterFunc(10*time.Second, func() { p.cmd.Process.Kill() })
		defer timer.Stop()
		io.Copy(io.Discard, p.out)
		p.cmd.Wait()
	})
	return p, nil
}

// environment is base with changes.
func environment(base, changes []string) []string {
	var env []string
	changed := map[string]bool{}
	for _, c := range changes {
		name, _, _ := strings.Cut(c, "=")
		changed[name] = true
	}
	for _, b := range base {
		if name, _, _ := strings.Cut(b, "="); !changed[name] {
			env = append(env, b)
		}
	}
	for _, c := range changes {
		if strings.Contains(c, "=") {
			env = append(env, c)
		}
	}
	return env
}

// PeerError is what a process answers instead of a result.
type PeerError struct {
	Engine string
	Reply  Reply
}

func (e *PeerError) Error() string { return e.Engine + ": " + e.Reply.Error }

// Ask sends a request and waits for its answer. An answer with an error in it is a *PeerError.
func (p *Process) Ask(q Request) (r Reply, err error) {
	line, err := json.Marshal(q)
	if err == nil {
		_, err = p.in.Write(append(line, '\n'))
	}
	var text string
	for err == nil {
		if text, err = p.out.ReadString('\n'); err == nil && strings.HasPrefix(text, "{") { // libraries print as they like
			break
		}
	}
	if err != nil {
		p.wait()
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
			err = errors.New("the process ended")
		}
		return r, fmt.Errorf("%s: %s %s: %w%s", p.Name, q.Do, q.Case, err, p.log.last())
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("%s: answer %q: %w", p.Name, text, err)
	}
	if r.Error != "" {
		return r, &PeerError{p.Name, r}
	}
	return r, nil
}

// Memory is the memory that the process has resident now and at most since the last call with reset, in bytes; 0 if the system does not tell.
func (p *Process) Memory(reset bool) (now, peak int64) {
	if reset {
		resetPeak(p.cmd.Process.Pid)
	}
	return resident(p.cmd.Process.Pid)
}

// Close ends the process.
func (p *Process) Close() { p.wait() }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text = append(t.text, b...); len(t.text) > 4000 {
		t.text = t.text[len(t.text)-2000:]
	}
	return len(b), nil
}

// last is ": " and the last line that says something, or "".
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.text)), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return ": " + last
	}
	return ""
}
