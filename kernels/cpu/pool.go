package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Parallel calls fn(i) for i in 0..n-1, each exactly once, on up to GOMAXPROCS goroutines, and returns when all are done.
// Pieces must not depend on each other, nor their sizes on the number of workers.
func Parallel(n int, fn func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		for i := 0; i < n; i++ {
			fn(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	var failed atomic.Pointer[any]
	run := func() {
		defer func() {
			if r := recover(); r != nil { // a panic in a worker belongs to the caller
				failed.CompareAndSwap(nil, &r)
			}
			wg.Done()
		}()
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			fn(i)
		}
	}
	wg.Add(workers)
	for w := 1; w < workers; w++ {
		go run()
	}
	run()
	wg.Wait()
	if r := failed.Load(); r != nil {
		panic(*r)
	}
}

// Ranges cuts 0..n-1 into pieces of grain and calls fn(lo, hi) for each in parallel.
func Ranges(n, grain int, fn func(lo, hi int)) {
	if n <= grain {
		if n > 0 {
			fn(0, n)
		}
		return
	}
	Parallel((n+grain-1)/grain, func(i int) { fn(i*grain, min(n, (i+1)*grain)) })
}

// scratch hands out float32 work space; put it back when done.
type scratch struct{ f []float32 }

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

// getScratch is work space of at least n float32, contents undefined.
func getScratch(n int) *scratch {
	s := scratchPool.Get().(*scratch)
	if cap(s.f) < n {
		s.f = alignedFloats(n + n/4)
	}
	s.f = s.f[:n]
	return s
}

func (s *scratch) put() { scratchPool.Put(s) }
