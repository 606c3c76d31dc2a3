package cpu

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// nceWay is a way to compute the loss.
type nceWay struct {
	name string
	p    *panel
	m    *micro
	tol  float64 // of the largest result
}

func nceWays() (ways []nceWay) {
	for _, p := range panels {
		if p.available == nil || p.available() {
			ways = append(ways, nceWay{p.name, p, p.micro(), 1e-5})
		}
	}
	for _, m := range bf16Micros {
		if m.available() {
			ways = append(ways, nceWay{m.name, m.panel(), m, 2e-2})
		}
	}
	return ways
}

// Similarities that are not kept, as those of many pairs: the reference's results, and the same bits with any number of workers.
func TestInfoNCEOfManyPairs(t *testing.T) {
	defer func(n int) { nceKept = n }(nceKept)
	nceKept = 0
	a := kernels.InfoNCE.Make(kernels.NewRand(5), []int{700, 650, 21, 15}) // two bands
	a.Rank = kernels.View{}                                                // rounded operands have other ranks
	outs := func(a *kernels.InfoNCEArgs) []*kernels.View { return []*kernels.View{&a.Loss, &a.DX, &a.DY, &a.DScale} }
	fresh := func() kernels.InfoNCEArgs {
		b := a
		b.Loss, b.DX, b.DY, b.DScale = kernels.Poison(1), kernels.Poison(a.DX.Shape()...), kernels.Poison(a.DY.Shape()...), kernels.Poison(1)
		return b
	}
	want := fresh()
	kernels.InfoNCE.Ref(&want)
	for _, way := range nceWays() {
		var first kernels.InfoNCEArgs
		for i, workers := range []int{1, 2, 8} {
			old := runtime.GOMAXPROCS(workers)
			got := fresh()
			infoNCE(&got, way.p, way.m)
			runtime.GOMAXPROCS(old)
			if i == 0 {
				first = got
			}
			for o, v := range outs(&got) {
				x, y := v.F32(), outs(&want)[o].F32()
				require.Equal(t, outs(&first)[o].F32(), x, "%s, %d workers, output %d", way.name, workers, o)
				if i > 0 {
					continue
				}
				largest := 0.0
				for _, f := range y {
					largest = max(largest, float64(max(f, -f)))
				}
				for l, f := range y {
					require.InDelta(t, f, x[l], way.tol*largest, "%s, output %d, element %d", way.name, o, l)
				}
			}
		}
	}
}

// The loss takes its work space from pools: after the first calls nothing is allocated, on one processor and on two.
func TestInfoNCEsAllocateNothing(t *testing.T) {
	for _, d := range [][]int{{70, 70, 32, 13}, {200, 90, 33, 15}} {
		a := kernels.InfoNCE.Make(kernels.NewRand(1), d)
		for _, procs := range []int{1, 2} {
			old := runtime.GOMAXPROCS(procs)
			for _, way := range nceWays() {
				call := func() { infoNCE(&a, way.p, way.m) }
				for range 3 {
					call()
				}
				require.Less(t, testing.AllocsPerRun(20, call), 1.0, "%s %v, %d processors", way.name, d, procs)
			}
			runtime.GOMAXPROCS(old)
		}
	}
}
