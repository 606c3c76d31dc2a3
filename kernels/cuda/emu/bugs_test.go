//go:build cuda

package emu_test

import (
	"fmt"
	"math"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels/cuda/driver"
	"syntic/kernels/cuda/emu"
)

// These tests are of the emulator itself: they run on it even where there is a GPU.
func TestMain(m *testing.M) {
	lib, err := emu.Build("testdata/bugs.cu")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv("SYNTIC_TEST_OPEN") == "" || os.Getenv(driver.LibraryEnv) == "" {
		os.Setenv(driver.LibraryEnv, lib)
	}
	os.Exit(m.Run())
}

type gpu struct {
	t *testing.T
	c *driver.Context
	s *driver.Stream
	m *driver.Module
}

func start(t *testing.T) gpu {
	c, err := driver.Primary(0)
	require.NoError(t, err)
	require.True(t, driver.Emulated())
	s, err := c.NewStream()
	require.NoError(t, err)
	m, err := c.Load("test", []byte("\x7fELF"))
	require.NoError(t, err)
	return gpu{t, c, s, m}
}

// put is device memory with these numbers.
func (g gpu) put(x []float32) unsafe.Pointer {
	p, err := g.c.Alloc(4 * len(x))
	require.NoError(g.t, err)
	require.NoError(g.t, g.s.ToDevice(p, unsafe.Pointer(&x[0]), 4*len(x)))
	g.t.Cleanup(func() { g.c.Free(p) })
	return p
}

func (g gpu) get(p unsafe.Pointer, n int) []float32 {
	x := make([]float32, n)
	require.NoError(g.t, g.s.ToHost(unsafe.Pointer(&x[0]), p, 4*n))
	return x
}

// run launches one block and waits.
func (g gpu) run(name string, pack func(a *driver.Args)) error {
	k, err := g.m.Kernel(name)
	require.NoError(g.t, err)
	var a driver.Args
	a.Reset()
	pack(&a)
	require.NoError(g.t, g.s.Launch(k, driver.Config{}, &a), "errors of a kernel wait for the synchronisation")
	return g.s.Sync()
}

func count(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i)
	}
	return x
}

// reversed tells whether out is 0..n-1 backwards in pieces of step.
func reversed(out []float32, step int) bool {
	for i, v := range out {
		if v != float32(len(out)-step-i/step*step+i%step) {
			return false
		}
	}
	return true
}

// TestMissingOrder: wrong results under at least one of four schedules, right ones under all where nothing is missing.
func TestMissingOrder(t *testing.T) {
	g := start(t)
	for _, c := range []struct {
		kernel string
		step   int
	}{{"bug_barrier", 1}, {"bug_wait", 4}} {
		for correct := range int32(2) {
			wrong := 0
			for range 4 {
				x, out := g.put(count(256)), g.put(make([]float32, 256))
				require.NoError(t, g.run(c.kernel, func(a *driver.Args) { a.Ptr(x); a.Ptr(out); a.I32(correct) }))
				if !reversed(g.get(out, 256), c.step) {
					wrong++
				}
			}
			assert.Equal(t, correct == 0, wrong > 0, "%s, correct %d: %d of 4 wrong", c.kernel, correct, wrong)
		}
	}
}

func TestDeadlocks(t *testing.T) {
	g := start(t)
	for _, c := range []struct{ kernel, says string }{
		{"bug_deadlock", "deadlock; threads 0-31 wait in sync_block at bugs.cu:26; threads 32-63 have ended"},
		{"bug_lane", "deadlock; threads 0-6 wait in shfl_xor at bugs.cu:33; threads 7-7 have ended; threads 8-31 wait in shfl_xor"},
		{"bug_divergent", "lanes of one warp are at different collectives"},
	} {
		out := g.put(make([]float32, 64))
		for correct := range int32(2) {
			err := g.run(c.kernel, func(a *driver.Args) { a.Ptr(out); a.I32(correct) })
			if correct == 1 {
				assert.NoError(t, err, c.kernel)
				continue
			}
			require.ErrorContains(t, err, c.says, c.kernel)
			assert.Regexp(t, "last launched: .*"+c.kernel+"$", err.Error())
		}
	}
}

func TestBounds(t *testing.T) {
	g := start(t)
	x, out := g.put(count(100)), g.put(make([]float32, 100))
	write := func(at int64) error { return g.run("bug_write", func(a *driver.Args) { a.Ptr(out); a.I64(at) }) }
	read := func(at int64) error {
		return g.run("bug_read", func(a *driver.Args) { a.Ptr(x); a.Ptr(out); a.I64(at) })
	}
	assert.NoError(t, write(99))
	assert.ErrorContains(t, write(100), "wrote past the end of an allocation of 400 bytes, at +400")
	assert.ErrorContains(t, write(128), "illegal address")
	assert.ErrorContains(t, write(128), "+112 bytes from the end of an allocation of 400 bytes")
	assert.ErrorContains(t, write(-1024), "bytes before an allocation of 400 bytes")
	assert.ErrorContains(t, write(1<<33), "is not device memory")
	assert.NoError(t, read(99))
	assert.NoError(t, read(100))
	assert.True(t, math.IsNaN(float64(g.get(out, 1)[0])), "what lies behind reads as NaN")
	assert.ErrorContains(t, read(128), "illegal address")

	host := make([]float32, 8)
	assert.ErrorContains(t, g.run("bug_write", func(a *driver.Args) { a.Ptr(unsafe.Pointer(&host[0])); a.I64(0) }), "is not device memory")
	gone, err := g.c.Alloc(400)
	require.NoError(t, err)
	require.NoError(t, g.c.Free(gone))
	assert.ErrorContains(t, g.run("bug_write", func(a *driver.Args) { a.Ptr(gone); a.I64(0) }), "memory that has been freed")

	shared := func(at int32) error { return g.run("bug_shared", func(a *driver.Args) { a.Ptr(out); a.I32(at) }) }
	assert.NoError(t, shared(31))
	assert.ErrorContains(t, shared(32), "written past the end of a shared variable of 128 bytes")

	aligned := func(at int32) error {
		return g.run("bug_aligned", func(a *driver.Args) { a.Ptr(x); a.Ptr(out); a.I32(at) })
	}
	assert.NoError(t, aligned(4))
	assert.ErrorContains(t, aligned(5), "want both aligned")
	assert.ErrorContains(t, g.run("bug_stack", func(a *driver.Args) { a.Ptr(out); a.I32(7) }), "stack of 192 KB is full")
	assert.NoError(t, write(0), "the next launch is not harmed")
}

func TestLaunchLimits(t *testing.T) {
	g := start(t)
	out := g.put(make([]float32, 4))
	k, err := g.m.Kernel("bug_write")
	require.NoError(t, err)
	var a driver.Args
	a.Reset()
	a.Ptr(out)
	assert.ErrorContains(t, g.s.Launch(k, driver.Config{}, &a), "1 arguments, the kernel takes 2")
	a.I32(0)
	assert.ErrorContains(t, g.s.Launch(k, driver.Config{}, &a), "argument 1 has 4 bytes, the kernel takes 8")
	a.Reset()
	a.Ptr(out)
	a.I64(0)
	assert.ErrorContains(t, g.s.Launch(k, driver.Config{Threads: 64}, &a), "invalid argument", "more threads than KERNEL declares")
	assert.ErrorContains(t, g.s.Launch(k, driver.Config{Smem: 64 << 10}, &a), "invalid argument", "shared memory that was not allowed")
	assert.ErrorContains(t, g.s.Launch(k, driver.Config{Grid: [3]int{1, 70000, 1}}, &a), "must be at most 65535")
	require.NoError(t, g.c.Allow(k, 64<<10))
	assert.NoError(t, g.s.Launch(k, driver.Config{Smem: 64 << 10}, &a))
	_, err = g.c.Alloc(90 << 30)
	assert.ErrorContains(t, err, "MiB free of")
	_, err = g.c.Load("nonsense", []byte("nonsense"))
	assert.ErrorContains(t, err, "neither a cubin nor PTX")
	_, err = g.m.Kernel("nothing")
	assert.Equal(t, driver.NotFound, driver.CodeOf(err))
	_, err = driver.Primary(1)
	assert.ErrorContains(t, err, "device cuda:1: 1 found")
}

// TestGraph records two launches and replays them on new contents of the same memory.
func TestGraph(t *testing.T) {
	g := start(t)
	x, mid, out := g.put(count(256)), g.put(make([]float32, 256)), g.put(make([]float32, 256))
	k, err := g.m.Kernel("bug_barrier")
	require.NoError(t, err)
	graph, err := g.s.Capture("test", func() error {
		for _, p := range [][2]unsafe.Pointer{{x, mid}, {mid, out}} {
			var a driver.Args
			a.Reset()
			a.Ptr(p[0])
			a.Ptr(p[1])
			a.I32(1)
			if err := g.s.Launch(k, driver.Config{}, &a); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, make([]float32, 256), g.get(out, 256), "recording runs nothing")
	require.NoError(t, g.s.Replay(graph))
	assert.Equal(t, count(256), g.get(out, 256))
	require.NoError(t, graph.Close())

	e0, err := g.c.NewEvent(true)
	require.NoError(t, err)
	e1, err := g.c.NewEvent(true)
	require.NoError(t, err)
	require.NoError(t, g.s.Record(e0))
	require.NoError(t, g.s.Record(e1))
	require.NoError(t, e1.Sync())
	_, err = e1.Since(e0)
	require.NoError(t, err)
}
