//go:build cuda

package cuda

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// TestNearIsExact holds searches by fewer bits to the bits of one that reads float32 alone, where fewer bits tell rows apart by nothing: rows lie closer
// together than rounding, many are equal, one is too large for any bound, one is zero.
func TestNearIsExact(t *testing.T) {
	const m, k = 700, 9
	for _, c := range []struct {
		variant string
		format  kernels.DType
		n, d    int
	}{{"near_stream", kernels.U8, 11, 36}, {"near_stream", kernels.BF16, 3, 33}, {"near_mma", kernels.BF16, streamQueries, 40}, {"near_wgmma", kernels.BF16, streamQueries, 72}} {
		t.Run(fmt.Sprint(c.variant, " ", c.format), func(t *testing.T) {
			op := *kernels.TopK
			op.Dims = [][]int{{c.n, m, c.d, k, 1}}
			op.Make = func(r *kernels.Rand, d []int) kernels.TopKArgs {
				a := kernels.TopK.Make(r, d)
				one, all := r.Unit(1, c.d), r.Normal(m, c.d)
				base, noise, mem := one.F32(), all.F32(), a.Mem.F32()
				for i := range mem {
					row := i / c.d
					mem[i] = base[i%c.d] + 1e-4*noise[i]
					switch {
					case row%7 == 3:
						mem[i] = mem[i%c.d] // the first row again
					case row == 650:
						mem[i] = 0
					case row == 400:
						mem[i] = 1e33 * noise[i]
					}
				}
				a.Near, a.Bounds, _ = kernels.Nearby(&a.Mem, c.format)
				return a
			}
			b := kernels.BackendOf(kernels.CUDA)
			s, err := b.NewStream(0)
			require.NoError(t, err)
			run := func(variant string) *kernels.Case {
				x := op.NewCase(0, 5)
				require.True(t, x.Usable(variant))
				back, err := x.MoveTo(b, s)
				require.NoError(t, err)
				require.NoError(t, x.Run(s, variant))
				require.NoError(t, b.Sync(s))
				require.NoError(t, back(true))
				return x
			}
			want, got := run("stream"), run(c.variant)
			require.Equal(t, want.Out[1].I32(), got.Out[1].I32())
			require.Equal(t, want.Out[0].F32(), got.Out[0].F32())
		})
	}
}
