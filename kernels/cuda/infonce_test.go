//go:build cuda

package cuda

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/cuda/emu"
	"syntic/kernels/kerneltest"
)

func TestMain(m *testing.M) {
	if err := emu.Use(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// TestInfoNCEBlocks is parity where pairs are gone through in many blocks, with ragged last ones.
func TestInfoNCEBlocks(t *testing.T) {
	stat, grad := nceStatSide, nceGradSide
	defer func() { nceStatSide, nceGradSide = stat, grad }()
	nceStatSide, nceGradSide = 128, 64
	op := *kernels.InfoNCE
	op.Dims = [][]int{{300, 300, 17, 15}, {150, 203, 24, 14}}
	kerneltest.Parity(t, &op)
}

// TestInfoNCEWorkspace computes what a million pairs need beyond operands: at most 256 MB and O(N + M).
func TestInfoNCEWorkspace(t *testing.T) {
	const n, d = 1 << 20, 512
	one := kernels.Of([]float32{0}, 1)
	big := kernels.NewView(kernels.F32, one.Ptr(), n, d) // its memory is never touched
	a := &kernels.InfoNCEArgs{X: big, Y: big, DX: big, DY: big, Scale: one, Loss: one, DScale: one, Rank: kernels.NewView(kernels.I32, one.Ptr(), n), WX: 0.5, WY: 0.5}
	for _, r := range []nceRung{{"f32", 64, false, false}, {"mma", 128, true, false}, {"wgmma", wgmmaRows, true, true}} {
		c := &nce{InfoNCEArgs: a, nceRung: r, n: n, m: n, d: d}
		c.layOut()
		perRow := 4 * 8 * n
		if r.half {
			perRow += 2 * 2 * n * d // x and y as bfloat16
		}
		require.LessOrEqual(t, c.bytes-perRow, 256<<20, r.suffix)
	}
}
