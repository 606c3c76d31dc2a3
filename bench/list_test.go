package bench

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

type addArgs struct{ X, Out kernels.View }

func add(_ *kernels.Stream, a *addArgs) error {
	for i, x := range a.X.F32() {
		a.Out.F32()[i] = x + 1
	}
	return nil
}

// addOp is an op with one variant for each reason not to be picked.
func addOp() *kernels.Op[addArgs] {
	op := &kernels.Op[addArgs]{
		Name: "add", Dims: [][]int{{1}, {40}},
		Make: func(r *kernels.Rand, d []int) addArgs { return addArgs{r.Normal(d[0]), kernels.Poison(d[0])} },
		Views: func(a *addArgs) (in, out []*kernels.View) {
			return []*kernels.View{&a.X}, []*kernels.View{&a.Out}
		},
		Cost: func(a *addArgs) kernels.Cost {
			return kernels.Cost{FLOPs: float64(a.X.Len()), Bytes: float64(2 * a.X.Bytes())}
		},
		Check: func(*addArgs) error { return nil },
		Ref:   func(a *addArgs) { add(nil, a) },
	}
	op.Add(kernels.Variant[addArgs]{Name: "absent", Rank: 40, Available: func() bool { return false }, Run: add})
	op.Add(kernels.Variant[addArgs]{Name: "loose", Rank: 30, Unordered: true, Run: add})
	op.Add(kernels.Variant[addArgs]{Name: "wide", Rank: 20, Usable: func(a *addArgs) bool { return a.X.Len() >= 16 }, Run: add})
	op.Add(kernels.Variant[addArgs]{Name: "plain", Rank: 10, Note: "a loop", Run: add})
	return op
}

// onCPU are the picks of the CPU: with CUDA linked in there are those of a GPU too, whether or not one is there.
func onCPU(picks []Pick) []Pick {
	return slices.DeleteFunc(slices.Clone(picks), func(p Pick) bool { return p.Device != "cpu" })
}

func TestPicksAndReasons(t *testing.T) {
	d := describe(addOp())
	d.Picks = onCPU(d.Picks)
	require.Len(t, d.Picks, 2)
	assert.Equal(t, Pick{"cpu", []int{1}, "plain", "highest rank (10) of what can run; absent needs instructions that are not there or not in use; " +
		"loose has no fixed order of sums, only on request; wide does not take this size or type"}, d.Picks[0])
	assert.Equal(t, "wide", d.Picks[1].Variant)
	assert.Equal(t, []Variant{
		{"absent", "cpu", 40, false, false, "", 0}, {"loose", "cpu", 30, true, true, "", 0},
		{"wide", "cpu", 20, true, false, "", 1}, {"plain", "cpu", 10, true, false, "a loop", 1},
	}, d.Variants)
}

func TestListCoversEveryOp(t *testing.T) {
	list, err := List()
	require.NoError(t, err)
	require.Len(t, list, len(kernels.Ops()))
	for _, op := range list {
		assert.NotEmpty(t, op.Picks, op.Name)
		total := 0
		for _, v := range op.Variants {
			if v.Device == "cpu" {
				total += v.Picked
			}
		}
		assert.Equal(t, len(onCPU(op.Picks)), total, "%s: each size picks one variant", op.Name)
	}
	two, err := List("softmax", "gemm")
	require.NoError(t, err)
	require.Len(t, two, 2)
	assert.Equal(t, "gemm", two[0].Name)
	_, err = List("gem")
	assert.ErrorContains(t, err, `no op "gem", there are `)
}
