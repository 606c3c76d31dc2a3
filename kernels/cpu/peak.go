package cpu

import (
	"runtime"
	"sync"
	"time"
)

// Peak measures what no kernel can exceed: multiply-adds a second on registers alone, two operations each, by as many threads as Go code may use, in float32 and with
// bfloat16 operands. Each takes about as long as asked for. 0 is unknown: the loop is assembly, and there is none for this machine or level of instructions.
func Peak(long time.Duration) (f32, half float64) {
	loop32, loopHalf, ops32, opsHalf := peakLoops()
	return peakOf(loop32, ops32, long), peakOf(loopHalf, opsHalf, long)
}

// peakOf is the best rate of several pieces of the time, for a clock that needs a while to rise or a machine that does other things.
func peakOf(loop func(n uintptr), ops float64, long time.Duration) (best float64) {
	if loop == nil {
		return 0
	}
	const turns = 1 << 16
	workers := runtime.GOMAXPROCS(0)
	for began, n := time.Now(), 0; n < 3 || time.Since(began) < long; n++ {
		start := time.Now()
		var wait sync.WaitGroup
		for range workers {
			wait.Go(func() {
				for range 8 {
					loop(turns)
				}
			})
		}
		wait.Wait()
		best = max(best, float64(workers)*8*turns*ops/time.Since(start).Seconds())
	}
	return best
}
