package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"syntic/kernels"
	"syntic/tensor"
)

// sink keeps results alive that only their time matters of.
var sink atomic.Uint64

// Options choose what Run measures.
type Options struct {
	Sizes     string        // as [Sizes] takes them
	Time      time.Duration // spent on each variant at each size, at least; three runs and a warm-up are made in any case
	Reference bool          // also the float64 loops, which are slow
	Device    string        // cpu or "", or cuda:N
}

// Result is a variant of an op at one size.
type Result struct {
	Op      string  `json:"op"`
	Size    string  `json:"size"`
	Dims    []int   `json:"dims"`
	Device  string  `json:"device,omitempty"` // "" for the CPU
	Variant string  `json:"variant"`
	Picked  bool    `json:"picked"`  // what the machine takes by default
	Seconds float64 `json:"seconds"` // median of one call
	Fastest float64 `json:"fastest"` // seconds
	Slowest float64 `json:"slowest"` // seconds
	Calls   int     `json:"calls"`
	GFLOPs  float64 `json:"gflops"`            // 10⁹ operations a second, from Op.Cost and the median
	GBytes  float64 `json:"gbytes"`            // 10⁹ bytes a second, from Op.Cost and the median
	Share   float64 `json:"share"`             // of the ceiling, see [Ceiling.Share]
	Limit   string  `json:"limit"`             // compute or memory
	Nominal float64 `json:"nominal,omitempty"` // share of what the data sheet of a GPU names
	Clocks  string  `json:"clocks,omitempty"`  // of a GPU, behind the last call
}

// Run measures every variant of op that the device can run at each size and hands the results to each, in order. It stops between
// variants when ctx ends.
func Run(ctx context.Context, op string, o Options, ceiling Ceiling, each func(Result) error) error {
	found, err := ops([]string{op})
	if err != nil {
		return err
	}
	sizes, err := Sizes(op, o.Sizes)
	if err != nil {
		return err
	}
	return run(ctx, found[0], sizes, o, ceiling, each)
}

func run(ctx context.Context, op kernels.AnyOp, sizes []Size, o Options, ceiling Ceiling, each func(Result) error) error {
	dev, err := tensor.Open(o.Device)
	if err != nil {
		return err
	}
	kind, on := kernels.CPU, ""
	if !dev.IsCPU() {
		kind, on = kernels.CUDA, dev.String()
	}
	b := kernels.BackendOf(kind)
	s, err := b.NewStream(dev.Index())
	var g *gauge
	if err == nil && kind != kernels.CPU {
		g, err = newGauge(kind, dev.Index())
	}
	if err != nil {
		return err
	}
	for _, size := range sizes {
		c, err := newCase(op, size.Dims)
		if err != nil {
			return &SizeError{op.String(), size.Dims, err}
		}
		usable := map[string]bool{} // asked of operands on the host
		for _, v := range op.VariantList() {
			usable[v.Name] = v.Device == kind && v.Available && c.Usable(v.Name) && (v.Name != "reference" || o.Reference)
		}
		chosen, back := c.Chosen(kind), func(bool) error { return nil }
		if kind == kernels.CUDA {
			if back, err = c.MoveTo(b, s); err != nil {
				return fmt.Errorf("%v %v: %w", op, size.Dims, err)
			}
		}
		ran, err := false, error(nil)
		for _, v := range op.VariantList() {
			if !usable[v.Name] || err != nil {
				continue
			}
			if err = ctx.Err(); err != nil {
				break
			}
			ran = true
			r := Result{Op: op.String(), Size: size.Name, Dims: size.Dims, Device: on, Variant: v.Name, Picked: chosen == v.Name}
			call := func() error { return c.Run(s, v.Name) }
			if kind == kernels.CPU {
				err = r.measure(call, c.Cost, o.Time)
			} else {
				err = r.measureOn(g, call, c.Cost, o.Time)
			}
			if err != nil {
				err = fmt.Errorf("%v %v: %w", op, size.Dims, err)
				break
			}
			of := ceiling
			if kind != kernels.CPU {
				of = ceiling.of(v)
			}
			r.Share, r.Limit = of.Share(c.Cost, r.Seconds)
			if n, ok := Nominal(dev.Name()); ok && kind != kernels.CPU {
				r.Nominal, _ = n.of(v).Share(c.Cost, r.Seconds)
			}
			err = each(r)
		}
		if err = errors.Join(err, back(false)); err != nil {
			return err
		}
		if !ran {
			return &SizeError{op.String(), size.Dims, errors.New("no variant takes these sizes")}
		}
	}
	return nil
}

// SizeError tells that an op cannot be measured at sizes that the caller gave.
type SizeError struct {
	Op   string
	Dims []int
	Err  error
}

func (e *SizeError) Error() string { return fmt.Sprintf("%s %v: %v", e.Op, e.Dims, e.Err) }

func (e *SizeError) Unwrap() error { return e.Err }

// BadInput marks it as the caller's.
func (e *SizeError) BadInput() bool { return true }

// newCase makes operands; sizes of the user that make no sense are an error.
func newCase(op kernels.AnyOp, dims []int) (c *kernels.Case, err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("these sizes make no operands: %v", what)
		}
	}()
	c = op.NewCaseOf(dims, 1)
	return c, c.Check()
}

// maxSamples bounds the median's memory.
const maxSamples = 1001

// measure warms up and repeats. Calls shorter than the clock's grain are timed several together.
func (r *Result) measure(run func() error, cost kernels.Cost, least time.Duration) error {
	calls := func(n int) (time.Duration, error) {
		start := time.Now()
		for range n {
			if err := run(); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
	const grain = 20 * time.Microsecond
	once, err := calls(1) // pages, caches, scratch
	if err != nil {
		return err
	}
	together := 1
	for once < grain && together < 1<<16 {
		together *= 2
		if once, err = calls(together); err != nil {
			return err
		}
	}
	var samples []time.Duration
	for began := time.Now(); len(samples) < 3 || time.Since(began) < least && len(samples) < maxSamples; {
		took, err := calls(together)
		if err != nil {
			return err
		}
		samples = append(samples, took)
	}
	slices.Sort(samples)
	each := func(d time.Duration) float64 { return d.Seconds() / float64(together) }
	r.Seconds, r.Fastest, r.Slowest = each(samples[len(samples)/2]), each(samples[0]), each(samples[len(samples)-1])
	r.Calls = len(samples) * together
	r.GFLOPs, r.GBytes = cost.FLOPs/r.Seconds/1e9, cost.Bytes/r.Seconds/1e9
	return nil
}

// measureOn is measure on a device, by its clock: a warm-up until calls get no faster, then calls each of which finds the caches full of other memory.
func (r *Result) measureOn(g *gauge, run func() error, cost kernels.Cost, least time.Duration) error {
	if err := g.steady(run, min(4*least, 2*time.Second)); err != nil {
		return err
	}
	var samples []float64
	for began := time.Now(); len(samples) < 3 || time.Since(began) < least && len(samples) < maxSamples; {
		took, err := g.once(run)
		if err != nil {
			return err
		}
		samples = append(samples, took)
	}
	slices.Sort(samples)
	r.Seconds, r.Fastest, r.Slowest, r.Calls = samples[len(samples)/2], samples[0], samples[len(samples)-1], len(samples)
	r.GFLOPs, r.GBytes, r.Clocks = cost.FLOPs/r.Seconds/1e9, cost.Bytes/r.Seconds/1e9, g.c.Conditions(g.s.Device)
	return nil
}
