//go:build cuda

package emu_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/cuda/driver"
)

// matrix16 is a matrix of bfloat16 on the device, its values, and a map of it with these boxes of lines.
func (g gpu) matrix16(rows, cols, box int) (x []float32, m *driver.TensorMap) {
	x = make([]float32, rows*cols)
	half := make([]uint16, len(x))
	r := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	kernels.Narrow(half, x, kernels.BF16)
	kernels.Widen(x, half, kernels.BF16)
	p, err := g.c.Alloc(2 * len(half))
	require.NoError(g.t, err)
	g.t.Cleanup(func() { g.c.Free(p) })
	require.NoError(g.t, g.s.ToDevice(p, unsafe.Pointer(&half[0]), 2*len(half)))
	m, err = driver.NewTensorMap(driver.MapBF16, p, []int{cols, rows, 1}, []int{2 * cols, 2 * cols * rows}, []int{64, box, 1}, driver.Swizzle128)
	require.NoError(g.t, err)
	return x, m
}

// TestMissingOrderOfHopper: a product by TMA and wgmma is right under all schedules, also where the box reaches beyond the tensor, and each mistake in
// its order shows under at least one of four: as a wrong result, as a deadlock, or as a report.
func TestMissingOrderOfHopper(t *testing.T) {
	g := start(t)
	const rows, cols, depth = 50, 110, 5*64 - 24
	a, mapA := g.matrix16(rows, depth, 64)
	b, mapB := g.matrix16(cols, depth, 128)
	want := make([]float64, 64*128)
	for i := range rows {
		for j := range cols {
			for k := range depth {
				want[i*128+j] += float64(a[i*depth+k]) * float64(b[j*depth+k])
			}
		}
	}
	for bug, name := range []string{"none", "no wait for the copy", "stage given back early", "wrong parity", "no wgmma_fence", "no wgmma_wait", "too few bytes expected", "one warp gives back for four", "no wait for the stage"} {
		wrong := 0
		for range 4 {
			out := g.put(make([]float32, 64*128))
			err := g.run("bug_wgmma", func(x *driver.Args) { x.Map(mapA); x.Map(mapB); x.Ptr(out); x.I32(5); x.I32(int32(bug)) })
			if err == nil {
				for i, v := range g.get(out, 64*128) {
					if !(math.Abs(float64(v)-want[i]) < 1e-4) {
						err = assert.AnError
					}
				}
			}
			if bug == 0 {
				require.NoError(t, err)
			}
			if bug == 4 {
				require.ErrorContains(t, err, "no wgmma_fence since the program had the accumulators")
			}
			if err != nil {
				wrong++
			}
		}
		assert.Equal(t, bug != 0, wrong > 0, "%s: %d of 4 wrong", name, wrong)
	}
}

func TestAccumulatorsUnderWay(t *testing.T) {
	g := start(t)
	_, m := g.matrix16(64, 64, 128)
	out := g.put(make([]float32, 128))
	for correct := range int32(2) {
		err := g.run("bug_accumulator", func(x *driver.Args) { x.Map(m); x.Ptr(out); x.I32(correct) })
		if correct == 1 {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "accumulator 3 was written while a wgmma was under way")
		}
	}
}
