package bench

import (
	"context"
	"math"
	"runtime"
	"strconv"
	"time"
)

// Ours is the engine's name in records.
const Ours = "syntic"

// Engine is a program that answers requests.
type Engine struct {
	Name    string
	Command []string
	Env     []string // see [Start]
}

// OurEngine is the program at path, which is this one, with a number of threads, on a device, and products rounded as a precision class says.
func OurEngine(path string, threads int, device string, class kernelsDType, kernels string) Engine {
	e := Engine{Name: Ours, Command: []string{path, "bench", "serve", "--device", device}, Env: []string{"GOMAXPROCS=" + strconv.Itoa(threads)}}
	if class == InBF16 {
		if kernels != "" {
			kernels = "," + kernels
		}
		rounded := "*=bf16"
		if device != "cpu" {
			rounded = "*=mma_bf16"
		}
		kernels = rounded + kernels
	}
	if kernels != "" {
		e.Env = append(e.Env, "SYNTIC_KERNEL="+kernels)
	}
	return e
}

// Pace says how often cases are measured.
type Pace struct {
	Time   time.Duration // spent on the samples of a case, of all its engines together, at most; but see Rounds
	Rounds int           // samples of each engine at least; three if these would take more than four times Time
	Sample time.Duration // length of a sample: quicker calls are timed several together
}

// most samples of an engine.
const maxRounds = 60

// Runner is an engine with a case loaded.
type Runner struct {
	Engine  Engine
	Samples []float64
	Calls   int // in a sample

	p          *Process
	load       Reply
	last       Reply
	once       float64 // seconds of a warm call
	base, peak int64
}

// Open starts the engine and loads the case. The error is a *PeerError if the engine says that it cannot.
func (e Engine) Open(ctx context.Context, name string) (*Runner, error) {
	p, err := Start(ctx, e.Name, e.Command, e.Env)
	if err != nil {
		return nil, err
	}
	r := &Runner{Engine: e, p: p}
	if r.load, err = p.Ask(Request{Do: "load", Case: name}); err != nil {
		p.Close()
		return nil, err
	}
	r.base, _ = p.Memory(true)
	return r, nil
}

const (
	stable   = 0.97 // a call that takes more than this share of the fastest before it shows that the engine is warm
	maxWarm  = 12
	longCall = 1.5 // seconds

	rest      = 150 * time.Millisecond // OpenBLAS's threads are awake for 2²⁶ ticks of the clock, OpenMP's for some ms
	shortCall = 0.1                    // seconds
)

// Warm calls until calls get no faster, twice at least, and chooses how many make a sample.
func (r *Runner) Warm(sample time.Duration) error {
	most, wanted := maxWarm, 1
	if r.load.Device != "" && !r.load.Emulated { // whose clocks rise as long as there is work
		most, wanted = 10*maxWarm, 5
	}
	best, calm := math.Inf(1), 0
	for i := range most {
		s, err := r.ask(1, 1)
		if err != nil {
			return err
		}
		if calm++; s[0] <= stable*best {
			calm = 0
		}
		best = min(best, s[0])
		if i > 0 && (calm >= wanted || best > longCall) {
			break
		}
	}
	r.once = best
	r.Calls = int(max(1, math.Ceil(sample.Seconds()/best)))
	return nil
}

// Turn takes a sample after another engine's: threads of that one may wait for more work without sleeping, so first nobody works for a while. Then the engine does
// what it will be timed at without being timed, if its calls are short enough for that to count: the rest leaves processors asleep and operands in no cache, and
// a single call would warm an engine of slow calls longer than one of quick calls.
func (r *Runner) Turn() error {
	time.Sleep(rest)
	if r.once < shortCall {
		if _, err := r.ask(r.Calls, 1); err != nil {
			return err
		}
	}
	return r.Round()
}

// Round takes a sample.
func (r *Runner) Round() error {
	s, err := r.ask(r.Calls, 1)
	r.Samples = append(r.Samples, s...)
	return err
}

func (r *Runner) ask(calls, repeats int) ([]float64, error) {
	reply, err := r.p.Ask(Request{Do: "run", Calls: calls, Repeats: repeats})
	if err != nil {
		return nil, err
	}
	if len(reply.Seconds) != repeats {
		return nil, &PeerError{r.Engine.Name, Reply{Error: "answered with " + strconv.Itoa(len(reply.Seconds)) + " samples of " + strconv.Itoa(repeats)}}
	}
	for _, s := range reply.Seconds {
		if !(s > 0) || math.IsInf(s, 0) {
			return nil, &PeerError{r.Engine.Name, Reply{Error: "answered with a time of " + strconv.FormatFloat(s, 'g', -1, 64) + " s"}}
		}
	}
	r.last = reply
	return reply.Seconds, nil
}

// Close ends the process.
func (r *Runner) Close() { r.p.Close() }

// record is the case as it was measured.
func (r *Runner) record(w Workload, threads int, c Ceiling) Record {
	_, r.peak = r.p.Memory(false)
	rec := Record{Time: time.Now().UTC().Truncate(time.Second), Case: w.String(), Engine: r.Engine.Name, Version: r.load.Version, Note: r.load.Note, Threads: threads,
		Unit: w.Unit, Items: w.Items, Calls: r.Calls, Samples: r.Samples, Allocs: r.last.Allocs, AllocBytes: r.last.AllocBytes, Base: r.base, Peak: r.peak, Ceiling: c, Machine: Describe(),
		Device: r.load.Device, Emulated: r.load.Emulated, First: r.last.First, Clocks: r.last.Clocks}
	rec.Machine.Threads = threads
	return rec
}

// count adds to a record of ours what its ops need.
func (r *Runner) count(rec *Record, kind string) error {
	reply, err := r.p.Ask(Request{Do: "count"})
	rec.Tally = reply.Tally
	rec.rates(kind)
	return err
}

// rounds is how often engines that take so long a call take turns: as often as Time allows, but Rounds times at least, and three times where that would take
// more than four times as long.
func (p Pace) rounds(runners []*Runner) int {
	total := 0.0
	for _, r := range runners {
		total += r.once * float64(r.Calls)
	}
	least := p.Rounds
	if p.Time > 0 && float64(p.Rounds)*total > 4*p.Time.Seconds() {
		least = min(p.Rounds, 3)
	}
	return max(least, min(maxRounds, int(p.Time.Seconds()/total)))
}

// MeasureModel measures one workload with the engine alone, in a process of its own.
func MeasureModel(ctx context.Context, e Engine, w Workload, threads int, pace Pace, c Ceiling) (rec Record, err error) {
	r, err := e.Open(ctx, w.String())
	if err != nil {
		return rec, err
	}
	defer r.Close()
	if err := r.Warm(pace.Sample); err != nil {
		return rec, err
	}
	for range pace.rounds([]*Runner{r}) {
		if err := ctx.Err(); err != nil {
			return rec, err
		}
		if err := r.Round(); err != nil {
			return rec, err
		}
	}
	rec = r.record(w, threads, c)
	return rec, r.count(&rec, w.Kind)
}

// MeasureWith is [Measure] with another number of threads.
func MeasureWith(threads int) (Ceiling, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	return Measure()
}
