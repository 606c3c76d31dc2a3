package syntic

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTrainingAllocatesNothing: steps of a training, with weights, leave nothing to the collector.
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
	var m runtime.MemStats
	at := make([]uint64, 0, o.Train.Epochs) // allocations so far, at the end of each epoch of 6 steps
	o.Watch = func() (float64, error) {
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
	require.Zero(t, least, "of an epoch")
}
