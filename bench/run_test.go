package bench

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

func TestRunMeasuresWhatCanRun(t *testing.T) {
	var got []Result
	sizes := []Size{{"small", []int{3}}, {"large", []int{40}}}
	err := run(context.Background(), addOp(), sizes, Options{Time: time.Millisecond}, Ceiling{FLOPs: 1e12, Bytes: 1e12}, func(r Result) error {
		got = append(got, r)
		return nil
	})
	require.NoError(t, err)
	var names []string
	for _, r := range got {
		names = append(names, r.Size+" "+r.Variant)
		assert.Equal(t, r.Variant == "plain" && r.Size == "small" || r.Variant == "wide", r.Picked, r)
		assert.Positive(t, r.Seconds)
		assert.LessOrEqual(t, r.Fastest, r.Seconds)
		assert.GreaterOrEqual(t, r.Slowest, r.Seconds)
		assert.GreaterOrEqual(t, r.Calls, 3)
		assert.InDelta(t, 8*float64(r.Dims[0])/r.Seconds/1e9, r.GBytes, 1e-9*r.GBytes, "bytes of the op's cost")
		assert.InDelta(t, r.GBytes/8, r.GFLOPs, 1e-9*r.GFLOPs)
		assert.InDelta(t, 8*float64(r.Dims[0])/1e12/r.Seconds, r.Share, 1e-9*r.Share)
		assert.Equal(t, "memory", r.Limit)
	}
	assert.Equal(t, []string{"small loose", "small plain", "large loose", "large wide", "large plain"}, names)
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	err := run(ctx, addOp(), []Size{{"", []int{40}}}, Options{}, Ceiling{FLOPs: 1, Bytes: 1}, func(Result) error { n++; cancel(); return nil })
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, n)
}

func TestShare(t *testing.T) {
	c := Ceiling{FLOPs: 100, Bytes: 10}
	share, limit := c.Share(kernels.Cost{FLOPs: 200, Bytes: 10}, 4)
	assert.Equal(t, 0.5, share)
	assert.Equal(t, "compute", limit)
	share, limit = c.Share(kernels.Cost{FLOPs: 50, Bytes: 10}, 1)
	assert.Equal(t, 1.0, share)
	assert.Equal(t, "memory", limit)
}

func TestSizes(t *testing.T) {
	given, err := Sizes("gemm", "1,2,3,4,0,0,0; 1,5,6,7,0,1,0")
	require.NoError(t, err)
	assert.Equal(t, []Size{{"given", []int{1, 2, 3, 4, 0, 0, 0}}, {"given", []int{1, 5, 6, 7, 0, 1, 0}}}, given)
	for _, bad := range []string{"", "1,2", "1,2,3,4,0,0,x", "1,2,3,-4,0,0,0", "big"} {
		_, err := Sizes("gemm", bad)
		assert.ErrorContains(t, err, "sizes", bad)
	}
	all, err := Sizes("gemm", "all")
	require.NoError(t, err)
	assert.Len(t, all, len(models["gemm"])+len(kernels.GEMM.Dims))
	var bad *SizeError
	err = run(context.Background(), kernels.GEMM, []Size{{"given", []int{1, 2, 0, 4, 0, 0, 0}}}, Options{}, Ceiling{FLOPs: 1, Bytes: 1}, func(Result) error { return nil })
	assert.ErrorAs(t, err, &bad)
	err = run(context.Background(), kernels.Unary, []Size{{"given", []int{99, 5}}}, Options{}, Ceiling{FLOPs: 1, Bytes: 1}, func(Result) error { return nil })
	assert.ErrorAs(t, err, &bad)
}

// TestModelSizes holds the table of sizes against the ops: each op has some, and each makes valid operands.
func TestModelSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("makes large operands")
	}
	var names []string
	for _, op := range kernels.Ops() {
		names = append(names, op.String())
		for _, size := range models[op.String()] {
			c, err := newCase(op, size.Dims)
			require.NoError(t, err, "%v %v", op, size)
			assert.NotEmpty(t, c.Chosen(kernels.CPU), "%v %v", op, size)
		}
	}
	for name := range models {
		assert.True(t, slices.Contains(names, name), "sizes for %q, which is no op", name)
	}
}

func TestCeilingIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about a second")
	}
	c, err := Measure()
	require.NoError(t, err)
	assert.Positive(t, c.FLOPs)
	assert.Positive(t, c.Bytes)
}
