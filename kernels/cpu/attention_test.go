package cpu

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// Attention over few keys has the bits of attention by blocks of keys, so that a token's do not change where a sequence becomes long.
func TestFewKeysHaveTheBitsOfMany(t *testing.T) {
	eachPanel(t, func(t *testing.T, p *panel) {
		if p.soft == nil {
			t.Skip("no way of its own for few keys")
		}
		many := *p
		many.soft = nil
		for _, d := range [][]int{{1, 1, 1, 1, 1, 0}, {2, 50, 50, 3, 64, 0}, {1, 129, 77, 3, 40, 0}, {2, 40, 40, 2, 128, 1}, {1, 70, 13, 2, 40, 1}, {1, 13, 70, 2, 33, 1},
			{2, 65, 65, 2, 24, 7}, {2, 70, 50, 2, 80, 10}, {1, 100, 100, 2, 72, 17}, {3, 45, 45, 2, 40, 67}, {1, 77, 77, 2, 160, 33}} {
			a, b := kernels.Attention.Make(kernels.NewRand(3), d), kernels.Attention.Make(kernels.NewRand(3), d)
			p.attention(&a)
			many.attention(&b)
			require.Equal(t, b.Out.F32(), a.Out.F32(), fmt.Sprint(d))
			require.Equal(t, b.LSE.F32(), a.LSE.F32(), fmt.Sprint(d))
		}
	})
}

// A causal query has the same bits on both sides of the number of keys up to which all its scores lie side by side.
func TestCausalBitsWhereKeysBecomeMany(t *testing.T) {
	const n, h, d = 300, 2, 16
	r := kernels.NewRand(12)
	q, k, v := r.Normal(n, h*d), r.Normal(n, h*d), r.Normal(n, h*d)
	for name, attention := range attentions() {
		first := func(m int) []float32 {
			a := kernels.AttentionArgs{Q: part(q, 0, m).As(1, m, h, d), K: part(k, 0, m).As(1, m, h, d), V: part(v, 0, m).As(1, m, h, d),
				Out: kernels.Poison(1, m, h, d), Scale: 0.3, Causal: true}
			attention(&a)
			return a.Out.F32()
		}
		all := first(n)
		for _, m := range []int{40, flashKeys(n, d) - 1, flashKeys(n, d), flashKeys(n, d) + 1, n - 1} {
			require.Equal(t, all[:m*h*d], first(m), "%s: the first %d", name, m)
		}
	}
}

func TestAttentionsAllocateNothing(t *testing.T) {
	for _, d := range [][]int{{2, 50, 50, 3, 64, 32}, {1, 129, 77, 3, 40, 0}, {2, 40, 40, 2, 128, 33}, {1, 40, 300, 2, 16, 32}} {
		a := kernels.Attention.Make(kernels.NewRand(4), d)
		for name, attention := range attentions() {
			require.Zero(t, testing.AllocsPerRun(50, func() { attention(&a) }), "%s %v", name, d)
		}
	}
}
