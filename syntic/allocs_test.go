package syntic

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTrainingAllocatesNothing: steps of a training, with weights, leave nothing to the collector but what an epoch makes, its order.
func TestTrainingAllocatesNothing(t *testing.T) {
	x := toy(96, 0)
	x.Weights = make([]float32, 96)
	for i := range x.Weights {
		x.Weights[i] = float32(1 + i%3)
	}
	d := toyDecoder(t, x, "tokens", 0)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection takes spare work spaces away
	o := toyOptions()
	o.Train.Epochs = 30
	var at []uint64 // allocations so far, at the end of each epoch of 6 steps
	o.Watch = func() (float64, error) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		at = append(at, m.Mallocs)
		return 0, nil
	}
	_, err := d.Train(ctx, x, o, nil)
	require.NoError(t, err)
	least := at[len(at)-1]
	for i := 10; i+1 < len(at); i++ {
		least = min(least, at[i+1]-at[i])
	}
	require.LessOrEqual(t, least, uint64(2), "of an epoch")
}
