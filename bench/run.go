package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"syntic/kernels"
)

// sink keeps results alive that only their time matters of.
var sink atomic.Uint64

// Options choose what Run measures.
type Options struct {
	Sizes     string        // as [Sizes] takes them
	Time      time.Duration // spent on each variant at each size, at least; three runs and a warm-up are made in any case
	Reference bool          // also the float64 loops, which are slow
}

// Result is a variant of an op at one size.
type Result struct {
	Op      string  `json:"op"`
	Size    string  `json:"size"`
	Dims    []int   `json:"dims"`
	Variant string  `json:"variant"`
	Picked  bool    `json:"picked"`  // what the machine takes by default
	Seconds float64 `json:"seconds"` // median of one call
	Fastest float64 `json:"fastest"` // seconds
	Slowest float64 `json:"slowest"` // seconds
	Calls   int     `json:"calls"`
	GFLOPs  float64 `json:"gflops"` // 10⁹ operations a second, from Op.Cost and the median
	GBytes  float64 `json:"gbytes"` // 10⁹ bytes a second, from Op.Cost and the median
	Share   float64 `json:"share"`  // of the ceiling, see [Ceiling.Share]
	Limit   string  `json:"limit"`  // compute or memory
}

// Run measures every variant of op that the CPU can run at each size and hands the results to each, in order. It stops between
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
	s, err := kernels.BackendOf(kernels.CPU).NewStream(0)
	if err != nil {
		return err
	}
	for _, size := range sizes {
		c, err := newCase(op, size.Dims)
		if err != nil {
			return &SizeError{op.String(), size.Dims, err}
		}
		ran := false
		for _, v := range op.VariantList() {
			if v.Device != kernels.CPU || !v.Available || !c.Usable(v.Name) || v.Name == "reference" && !o.Reference {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			ran = true
			r := Result{Op: op.String(), Size: size.Name, Dims: size.Dims, Variant: v.Name, Picked: c.Chosen(kernels.CPU) == v.Name}
			if err := r.measure(s, c, o.Time); err != nil {
				return fmt.Errorf("%v %v: %w", op, size.Dims, err)
			}
			r.Share, r.Limit = ceiling.Share(c.Cost, r.Seconds)
			if err := each(r); err != nil {
				return err
			}
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
func (r *Result) measure(s *kernels.Stream, c *kernels.Case, least time.Duration) error {
	calls := func(n int) (time.Duration, error) {
		start := time.Now()
		for range n {
			if err := c.Run(s, r.Variant); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
	once, err := calls(1) // pages, caches, scratch
	if err != nil {
		return err
	}
	together := 1
	for once < 20*time.Microsecond && together < 1<<16 {
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
	r.GFLOPs, r.GBytes = c.Cost.FLOPs/r.Seconds/1e9, c.Cost.Bytes/r.Seconds/1e9
	return nil
}
