package cpu

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// Ops allocate nothing once their work spaces are there, by Run and by Do, on one processor and on two, in float32 and with rounded operands. testing.AllocsPerRun
// would count on one processor alone.
func TestOpsAllocateNothing(t *testing.T) {
	allocateNothing(t, kernels.GEMM, []int{1, 1024, 256, 256, 0, 1, 1}, []int{1, 77, 256, 256, 0, 1, 9}, []int{1, 77, 256, 257, 0, 0, 2}, []int{8, 50, 50, 64, 0, 1, 0}, []int{1, 64, 64, 8192, 1, 0, 0},
		[]int{1, 300, 3, 64, 0, 1, 0}, []int{1, 130, 128, 128, 0, 1, 32}, []int{3, 64, 96, 37, 1, 1, 0})
	allocateNothing(t, kernels.Attention)
	allocateNothing(t, kernels.Conv2D)
	allocateNothing(t, kernels.LayerNorm)
	allocateNothing(t, kernels.Softmax)
	allocateNothing(t, kernels.Unary)
	allocateNothing(t, kernels.LinearCrossEntropy)
	allocateNothing(t, kernels.AdamW)
	allocateNothing(t, kernels.AttentionGrad, kernels.AttentionGrad.CaseDims(0), kernels.AttentionGrad.CaseDims(2))
	allocateNothing(t, kernels.LayerNormGrad)
	allocateNothing(t, kernels.GroupNorm)
	allocateNothing(t, kernels.GroupNormGrad)
	allocateNothing(t, kernels.Conv2DGradX, []int{1, 9, 8, 5, 7, 3, 3, 2, 0, 0, 1, 1, 11}, []int{1, 12, 12, 16, 33, 3, 3, 2, 1, 1, 1, 1, 9}, []int{2, 6, 7, 34, 17, 1, 1, 1, 0, 0, 0, 0, 19})
	allocateNothing(t, kernels.Conv2DGradW, []int{1, 9, 8, 5, 7, 3, 3, 2, 0, 0, 1, 1, 11}, []int{1, 12, 12, 16, 33, 3, 3, 2, 1, 1, 1, 1, 9}, []int{2, 6, 7, 34, 17, 1, 1, 1, 0, 0, 0, 0, 19})
	allocateNothing(t, kernels.UnaryGrad)
	allocateNothing(t, kernels.GLU)
	allocateNothing(t, kernels.GLUGrad)
	allocateNothing(t, kernels.SoftmaxGrad)
	allocateNothing(t, kernels.RowNorm)
	allocateNothing(t, kernels.RowNormGrad)
	allocateNothing(t, kernels.Resize)
	allocateNothing(t, kernels.ResizeGrad)
	allocateNothing(t, kernels.MaxPool)
	allocateNothing(t, kernels.Permute)
	allocateNothing(t, kernels.Binary)
	allocateNothing(t, kernels.Affine)
	allocateNothing(t, kernels.Reduce)
	allocateNothing(t, kernels.SumSquares)
	allocateNothing(t, kernels.CopyBlock)
	allocateNothing(t, kernels.Embedding)
	allocateNothing(t, kernels.EmbeddingGrad)
	allocateNothing(t, kernels.Dropout)
	allocateNothing(t, kernels.InfoNCE, kernels.InfoNCE.CaseDims(0), kernels.InfoNCE.CaseDims(2))
	allocateNothing(t, kernels.ProjectTopK, kernels.ProjectTopK.CaseDims(0), []int{19, 530, 36, 10, 1, 0}) // a bank of fewer bits is widened for a search
	allocateNothing(t, kernels.BoxMatch)
}

// allocateNothing runs an op of the sizes given, or of every other test case.
func allocateNothing[A any](t *testing.T, op *kernels.Op[A], sizes ...[]int) {
	if len(sizes) == 0 {
		for i := 0; i < op.NumCases(); i += 2 {
			sizes = append(sizes, op.CaseDims(i))
		}
	}
	s := &kernels.Stream{}
	for _, dims := range sizes {
		a := op.Make(kernels.NewRand(1), dims)
		c := op.NewCaseOf(dims, 1)
		for _, procs := range []int{1, 2} {
			old := runtime.GOMAXPROCS(procs)
			assert.Zero(t, allocationsOf(t, func() error { return op.Run(s, &a) }), "%v %v by Run, %d workers", op, dims, procs)
			assert.Zero(t, allocationsOf(t, func() error { return op.Do(s, a) }), "%v %v by Do, %d workers", op, dims, procs)
			if c.Usable("bf16") {
				assert.Zero(t, allocationsOf(t, func() error { return c.Run(s, "bf16") }), "%v %v in bf16, %d workers", op, dims, procs)
			}
			runtime.GOMAXPROCS(old)
		}
	}
}

// allocationsOf is how many a call makes when several were made before it, rounded down: of a few dozen calls, one or two may still meet a processor that has no work space yet.
func allocationsOf(t *testing.T, call func() error) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection takes spare work spaces away
	const calls = 20
	least := math.Inf(1)
	for range 4 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range calls {
			require.NoError(t, call())
		}
		runtime.ReadMemStats(&after)
		least = min(least, float64(after.Mallocs-before.Mallocs)/calls)
	}
	return math.Floor(least)
}
