package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// spinTime is how long a worker looks for the next call, and a caller for its last worker, before they sleep. Waking a sleeping processor of a virtual machine
// takes 100 to 170 µs, longer than most gaps between two parallel pieces of a model's step and than most tasks at whose end one worker waits for another.
const spinTime = 250 * time.Microsecond

// call is one Parallel in progress.
type call struct {
	n      int
	fn     func(int)
	span   func(lo, hi int) // instead of fn: pieces of grain, up to end
	grain  int
	end    int
	next   atomic.Int64 // piece that nobody has taken yet
	places atomic.Int32 // for workers that have not come yet
	users  atomic.Int32 // workers inside, and callerSleeps
	done   chan struct{}
	failed atomic.Pointer[any]
}

const callerSleeps = 1 << 20

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// crew is the workers of the process and the call they work on: one at a time, others start goroutines of their own.
var crew struct {
	current atomic.Pointer[call]
	turn    atomic.Uint64 // counts calls
	idle    atomic.Int32  // workers asleep that nobody has sent a token
	wake    chan struct{} // tokens
	hiring  sync.Mutex
	hired   atomic.Int32
}

const maxCrew = 1 << 10

func init() { crew.wake = make(chan struct{}, maxCrew) }

// Parallel calls fn(i) for i in 0..n-1, each exactly once, on up to GOMAXPROCS goroutines, and returns when all are done.
// Pieces must not depend on each other, nor their sizes on the number of workers.
func Parallel(n int, fn func(i int)) {
	workers := crewFor(n)
	if workers <= 1 {
		for i := range n {
			fn(i)
		}
		return
	}
	c := calls.Get().(*call)
	c.n, c.fn = n, fn
	c.run(workers)
}

// crewFor is how many goroutines work on n pieces.
func crewFor(n int) int {
	if n <= 1 {
		return n
	}
	return min(runtime.GOMAXPROCS(0), n, maxCrew)
}

// run works on all pieces and gives the call back.
func (c *call) run(workers int) {
	c.next.Store(0)
	c.places.Store(int32(workers - 1))
	if crew.current.CompareAndSwap(nil, c) {
		crew.turn.Add(1)
		summon(workers - 1)
		c.work()
		crew.current.Store(nil)
		c.wait()
	} else { // within a piece of another call, or beside one
		var wg sync.WaitGroup
		for range workers - 1 {
			wg.Go(c.work)
		}
		c.work()
		wg.Wait()
	}
	failed := c.failed.Swap(nil)
	c.fn, c.span = nil, nil
	calls.Put(c)
	if failed != nil {
		panic(*failed)
	}
}

// work takes pieces until none are left.
func (c *call) work() {
	defer func() {
		if r := recover(); r != nil { // a panic in a worker belongs to the caller
			first := r // which alone goes to the heap, so that a call without a panic allocates nothing
			c.failed.CompareAndSwap(nil, &first)
		}
	}()
	for {
		i := int(c.next.Add(1)) - 1
		if i >= c.n {
			return
		}
		if c.span != nil {
			c.span(i*c.grain, min(c.end, (i+1)*c.grain))
		} else {
			c.fn(i)
		}
	}
}

// wait returns when no worker is inside a call that is no longer current.
func (c *call) wait() {
	if c.users.Load() == 0 || spin(func() bool { return c.users.Load() == 0 }) {
		return
	}
	for v := c.users.Add(callerSleeps); v != callerSleeps; v = c.users.Load() {
		<-c.done
	}
	c.users.Add(-callerSleeps)
}

// leave is the end of a worker's stay.
func (c *call) leave() {
	if c.users.Add(-1) == callerSleeps {
		select {
		case c.done <- struct{}{}:
		default:
		}
	}
}

// spin looks for a condition for a while, and tells whether it came.
func spin(ready func() bool) bool {
	for began, i := time.Now(), 1; ; i++ {
		if ready() {
			return true
		}
		if i%256 == 0 {
			if time.Since(began) > spinTime {
				return false
			}
			runtime.Gosched()
		}
	}
}

// summon sees to it that n workers exist and are awake or told to wake.
func summon(n int) {
	if int(crew.hired.Load()) < n {
		crew.hiring.Lock()
		for int(crew.hired.Load()) < n {
			go serve(int(crew.hired.Add(1)))
		}
		crew.hiring.Unlock()
	}
	for n > 0 {
		v := crew.idle.Load()
		if v == 0 {
			return
		}
		if crew.idle.CompareAndSwap(v, v-1) {
			crew.wake <- struct{}{}
			n--
		}
	}
}

// serve is worker number id: it works on whatever call is current.
func serve(id int) {
	for seen := uint64(0); ; {
		turn := crew.turn.Load()
		if turn == seen {
			if id >= runtime.GOMAXPROCS(0) || !spin(func() bool { return crew.turn.Load() != seen }) {
				sleep(seen)
			}
			continue
		}
		seen = turn
		if c := join(); c != nil {
			c.work()
			c.leave()
		}
	}
}

// join enters the current call, or returns nil. A call is entered first and looked at then: if it is still current, its caller waits for
// the worker to leave; if not, nothing of it may be read, for it may already serve another call.
func join() *call {
	c := crew.current.Load()
	if c == nil {
		return nil
	}
	c.users.Add(1)
	if crew.current.Load() != c || c.places.Add(-1) < 0 {
		c.leave()
		return nil
	}
	return c
}

// sleep waits for a token, unless there was a new turn since `seen`.
func sleep(seen uint64) {
	crew.idle.Add(1)
	for crew.turn.Load() != seen {
		v := crew.idle.Load()
		if v == 0 { // a token is on its way
			break
		}
		if crew.idle.CompareAndSwap(v, v-1) {
			return
		}
	}
	<-crew.wake
}

// Ranges cuts 0..n-1 into pieces of grain and calls fn(lo, hi) for each in parallel.
func Ranges(n, grain int, fn func(lo, hi int)) {
	if n <= grain {
		if n > 0 {
			fn(0, n)
		}
		return
	}
	pieces := ceilDiv(n, grain)
	workers := crewFor(pieces)
	if workers <= 1 {
		for lo := 0; lo < n; lo += grain {
			fn(lo, min(n, lo+grain))
		}
		return
	}
	c := calls.Get().(*call)
	c.n, c.span, c.grain, c.end = pieces, fn, grain, n
	c.run(workers)
}

// spread is a parallel loop whose body is known from the start and gets what it works on with each call: unlike a closure, it allocates nothing.
type spread[T any] struct{ spare sync.Pool }

type loop[T any] struct {
	x    T
	body func(lo, hi int)
}

// newSpread makes the loop of a body, which must not keep x.
func newSpread[T any](body func(x *T, lo, hi int)) *spread[T] {
	l := &spread[T]{}
	l.spare.New = func() any {
		p := new(loop[T])
		p.body = func(lo, hi int) { body(&p.x, lo, hi) }
		return p
	}
	return l
}

// ranges is Ranges with the body and x.
func (l *spread[T]) ranges(n, grain int, x T) {
	p := l.spare.Get().(*loop[T])
	p.x = x
	Ranges(n, grain, p.body)
	p.x = *new(T) // keeps no operand alive
	l.spare.Put(p)
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

// put gives it back; nil is nothing.
func (s *scratch) put() {
	if s != nil {
		scratchPool.Put(s)
	}
}
