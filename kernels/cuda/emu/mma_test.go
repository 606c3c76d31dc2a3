//go:build cuda

package emu_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels/cuda/driver"
)

// small are numbers that bfloat16 holds exactly, so that products in float32 are exact.
func small(n int) []float32 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.IntN(17) - 8)
	}
	return x
}

// product is a [m, k] times b [n, k] transposed.
func product(a, b []float32, m, n, k int) []float32 {
	out := make([]float32, m*n)
	for i := range out {
		for l := range k {
			out[i] += a[i/n*k+l] * b[i%n*k+l]
		}
	}
	return out
}

func TestMMA(t *testing.T) {
	g := start(t)
	a, b := small(256), small(128)
	pa, pb, out := g.put(a), g.put(b), g.put(make([]float32, 128))
	require.NoError(t, g.run("check_mma", func(p *driver.Args) { p.Ptr(pa); p.Ptr(pb); p.Ptr(out) }))
	assert.Equal(t, product(a, b, 16, 8, 16), g.get(out, 128))
}

// bf16s is device memory with these numbers as bfloat16.
func (g gpu) bf16s(x []float32) unsafe.Pointer {
	h := make([]uint16, len(x))
	for i, v := range x {
		h[i] = uint16(math.Float32bits(v) >> 16)
	}
	p, err := g.c.Alloc(2 * len(h))
	require.NoError(g.t, err)
	require.NoError(g.t, g.s.ToDevice(p, unsafe.Pointer(&h[0]), 2*len(h)))
	g.t.Cleanup(func() { g.c.Free(p) })
	return p
}

// TestWGMMA is the pipeline of TMA and wgmma: a stage released too early spoils the product, else it is exact; rows and columns beyond the tensor are zero.
func TestWGMMA(t *testing.T) {
	g := start(t)
	const rows, k = 50, 328
	a, b := small(rows*k), small(64*k)
	pa, pb := g.bf16s(a), g.bf16s(b)
	ma, err := driver.NewTensorMap(driver.MapBF16, pa, []int{k, rows}, []int{2 * k}, []int{64, 64}, driver.Swizzle128)
	require.NoError(t, err)
	mb, err := driver.NewTensorMap(driver.MapBF16, pb, []int{k, 64}, []int{2 * k}, []int{64, 64}, driver.Swizzle128)
	require.NoError(t, err)
	want := product(append(a, make([]float32, 14*k)...), b, 64, 64, k)
	for correct := range int32(2) {
		wrong := 0
		for range 4 {
			out := g.put(make([]float32, 64*64))
			require.NoError(t, g.run("bug_release", func(p *driver.Args) { p.Map(ma); p.Map(mb); p.Ptr(out); p.I32(k); p.I32(correct) }))
			if !assert.ObjectsAreEqual(want, g.get(out, 64*64)) {
				wrong++
			}
		}
		assert.Equal(t, correct == 0, wrong > 0, "correct %d: %d of 4 wrong", correct, wrong)
	}
	_, err = driver.NewTensorMap(driver.MapBF16, pa, []int{k, rows}, []int{2 * k}, []int{128, 64}, driver.Swizzle128)
	assert.Error(t, err, "a row of the box is longer than the swizzle")
}
