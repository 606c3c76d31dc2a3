// Package work splits loops over many items among workers.
package work

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Chunks calls f for the parts [0, grain), [grain, 2·grain), … of n items, several at once. The parts do not depend on the
// number of workers; f must write only what belongs to its part.
func Chunks(n, grain int, f func(lo, hi int)) {
	chunks := (n + grain - 1) / grain
	workers := min(runtime.GOMAXPROCS(0), chunks)
	if workers <= 1 {
		for lo := 0; lo < n; lo += grain {
			f(lo, min(lo+grain, n))
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for c := int(next.Add(1)) - 1; c < chunks; c = int(next.Add(1)) - 1 {
				f(c*grain, min((c+1)*grain, n))
			}
		})
	}
	wg.Wait()
}
