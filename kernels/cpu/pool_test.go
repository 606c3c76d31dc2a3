package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every piece runs once, whether calls follow each other closely or with pauses in which workers fall asleep, beside each other or nested.
func TestParallelRunsEveryPieceOnce(t *testing.T) {
	for _, procs := range []int{1, 2, 5, 8, 3} {
		old := runtime.GOMAXPROCS(procs)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 300 {
					n := 1 + (i*7+g)%23
					seen := make([]atomic.Int32, n)
					Parallel(n, func(j int) {
						if i%50 == 0 {
							Parallel(3, func(int) { seen[j].Add(1) })
							return
						}
						if i%29 == 0 && j%5 == 0 {
							time.Sleep(100 * time.Microsecond) // the caller falls asleep
						}
						seen[j].Add(3)
					})
					for j := range seen {
						require.Equal(t, int32(3), seen[j].Load())
					}
					if i%20 == 0 {
						time.Sleep(200 * time.Microsecond) // the workers do
					}
				}
			})
		}
		wg.Wait()
		runtime.GOMAXPROCS(old)
	}
}

func TestPanicInAPieceReachesTheCaller(t *testing.T) {
	old := runtime.GOMAXPROCS(4)
	defer runtime.GOMAXPROCS(old)
	for i := range 50 {
		require.PanicsWithValue(t, "piece", func() {
			Parallel(20, func(j int) {
				if j == i%20 {
					panic("piece")
				}
			})
		})
		var n atomic.Int32
		Parallel(20, func(int) { n.Add(1) })
		require.Equal(t, int32(20), n.Load(), "the pool works on")
	}
}

func BenchmarkParallel(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Parallel(2, func(int) {})
	}
}
