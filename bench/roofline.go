package bench

import (
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"syntic/kernels"
	"syntic/kernels/cpu"
)

// Ceiling is the most that this machine was seen to do, with the threads in use.
type Ceiling struct {
	FLOPs float64 `json:"flops"` // float32 operations a second: multiply-adds on registers alone, see cpu.Peak; where there is no such loop, the fastest large product
	Bytes float64 `json:"bytes"` // bytes a second read from memory: the fastest of several passes over readBytes
	Half  float64 `json:"half"`  // the same with bfloat16 operands; 0 where the machine has no instructions for them
}

const readBytes = 256 << 20 // several times any cache of common machines

// Measure finds the ceiling. It takes about a second and readBytes of memory.
func Measure() (Ceiling, error) {
	flops, half := cpu.Peak(time.Second / 4)
	if flops == 0 {
		var err error
		if flops, err = measureProduct(); err != nil {
			return Ceiling{}, err
		}
	}
	read, err := measureRead()
	return Ceiling{FLOPs: flops, Bytes: read, Half: half}, err
}

// measureProduct is the rate of the fastest of several 1024×1024×1024 products by the default variant.
func measureProduct() (float64, error) {
	c := kernels.GEMM.NewCaseOf([]int{1, 1024, 1024, 1024, 0, 0, 0}, 1)
	s, err := kernels.BackendOf(kernels.CPU).NewStream(0)
	if err != nil {
		return 0, err
	}
	best := time.Duration(1 << 62)
	for began, n := time.Now(), 0; n < 3 || time.Since(began) < time.Second/2; n++ {
		start := time.Now()
		if err := c.Run(s, ""); err != nil {
			return 0, fmt.Errorf("ceiling: %w", err)
		}
		best = min(best, time.Since(start))
	}
	return c.Cost.FLOPs / best.Seconds(), nil
}

// reader reads memory in passes over readBytes by as many workers as there are threads.
type reader struct {
	data    []uint64
	passes  int       // of a turn
	Seconds []float64 // of a pass, a turn each
}

// newReader has memory as tensors have it: on large pages, where reading is a tenth faster. It must be closed.
func newReader() (*reader, error) {
	p, err := kernels.BackendOf(kernels.CPU).Alloc(0, readBytes)
	if err != nil {
		return nil, fmt.Errorf("ceiling: %w", err)
	}
	r := &reader{data: unsafe.Slice((*uint64)(p), readBytes/8)}
	for i := range r.data { // pages that were never written are all the same one
		r.data[i] = uint64(i)
	}
	return r, nil
}

func (r *reader) close() { kernels.BackendOf(kernels.CPU).Free(0, unsafe.Pointer(&r.data[0])) }

// pass reads everything once.
func (r *reader) pass() time.Duration {
	workers, start := runtime.GOMAXPROCS(0), time.Now()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { sink.Store(readAll(r.data[w*len(r.data)/workers : (w+1)*len(r.data)/workers])) })
	}
	wg.Wait()
	return time.Since(start)
}

// turn takes a sample as engines do, see [Runner.Turn].
func (r *reader) turn(sample time.Duration) {
	time.Sleep(rest)
	if r.passes == 0 {
		r.passes = int(sample/min(r.pass(), r.pass())) + 1
	}
	for range r.passes {
		r.pass()
	}
	total := time.Duration(0)
	for range r.passes {
		total += r.pass()
	}
	r.Seconds = append(r.Seconds, total.Seconds()/float64(r.passes))
}

func measureRead() (float64, error) {
	r, err := newReader()
	if err != nil {
		return 0, err
	}
	defer r.close()
	best := time.Duration(1 << 62)
	for range 6 {
		best = min(best, r.pass())
	}
	return readBytes / best.Seconds(), nil
}

// readAll touches every word, with enough sums that loads are the limit.
func readAll(x []uint64) uint64 {
	var a, b, c, d, e, f, g, h uint64
	for ; len(x) >= 8; x = x[8:] {
		y := x[:8:8]
		a, b, c, d = a+y[0], b+y[1], c+y[2], d+y[3]
		e, f, g, h = e+y[4], f+y[5], g+y[6], h+y[7]
	}
	return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h
}

// Share is the least time that cost can take on this machine, over the seconds it took; limit names the ceiling that sets the least time.
// Operands that fit in a cache can be read faster than memory, so small sizes limited by memory may exceed 1.
func (c Ceiling) Share(cost kernels.Cost, seconds float64) (share float64, limit string) {
	compute, memory := cost.FLOPs/c.FLOPs, cost.Bytes/c.Bytes
	if compute >= memory {
		return compute / seconds, "compute"
	}
	return memory / seconds, "memory"
}

// LimitOf is the least time that the work counted in t can take here: for the operations, those on bfloat16 operands at their own rate, and for a single op (kind
// "op") not less than reading its operands once. A whole model's tensors mostly stay in caches, so its bytes are no limit.
func (c Ceiling) LimitOf(kind string, t Tally) (seconds float64, limit string) {
	half := c.Half
	if half == 0 {
		half = c.FLOPs
	}
	seconds, limit = (t.FLOPs-t.Half)/c.FLOPs+t.Half/half, "compute"
	if memory := t.Bytes / c.Bytes; kind == "op" && memory > seconds {
		return memory, "memory"
	}
	return seconds, limit
}
