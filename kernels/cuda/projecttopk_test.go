//go:build cuda

package cuda

import (
	"testing"
	"unsafe"

	"syntic/kernels"
	"syntic/kernels/kerneltest"
)

// halved is a view of the same numbers rounded to 16 bits.
func halved(v kernels.View, format kernels.DType) kernels.View {
	if v.Absent() {
		return v
	}
	half := make([]uint16, v.Len())
	kernels.Narrow(half, v.F32(), format)
	return kernels.NewView(format, unsafe.Pointer(&half[0]), v.Shape()...)
}

func widened(v kernels.View) kernels.View {
	if v.Absent() {
		return v
	}
	return kernels.Of(v.Floats(), v.Shape()...)
}

// TestBanksOf16Bits is parity of search and projection where bank and queries hold 16 bits: the reference takes the same rounded numbers.
func TestBanksOf16Bits(t *testing.T) {
	for _, format := range []kernels.DType{kernels.BF16, kernels.F16} {
		t.Run(format.String(), func(t *testing.T) {
			top := *kernels.TopK
			top.Dims = [][]int{{1, 1, 8, 1, 0}, {3, 257, 40, 5, 0}, {130, 290, 24, 7, 1}, {2, 1000, 16, 70, 1}, {2, 40, 8, 40, 0}}
			top.Make = func(r *kernels.Rand, d []int) kernels.TopKArgs {
				a := kernels.TopK.Make(r, d)
				a.Query, a.Mem = halved(a.Query, format), halved(a.Mem, format)
				return a
			}
			top.Ref = func(a *kernels.TopKArgs) {
				b := *a
				b.Query, b.Mem = widened(a.Query), widened(a.Mem)
				kernels.TopK.Ref(&b)
			}
			kerneltest.Parity(t, &top)
			project := *kernels.ProjectTopK
			project.Dims = [][]int{{3, 257, 40, 5, 0}, {130, 290, 24, 7, 1}, {5, 1030, 33, 0, 1}, {70, 100, 16, 0, 1}}
			project.Make = func(r *kernels.Rand, d []int) kernels.ProjectTopKArgs {
				a := kernels.ProjectTopK.Make(r, d)
				a.Query, a.Mem = halved(a.Query, format), halved(a.Mem, format)
				return a
			}
			project.Ref = func(a *kernels.ProjectTopKArgs) {
				b := *a
				b.Query, b.Mem = widened(a.Query), widened(a.Mem)
				kernels.ProjectTopK.Ref(&b)
			}
			kerneltest.Parity(t, &project)
		})
	}
}

// TestTies holds the order of equal scores: the lower index first, across chunks and tiles.
func TestTies(t *testing.T) {
	op := *kernels.TopK
	op.Dims = [][]int{{3, 300, 8, 150, 1}, {2, 70, 8, 3, 0}, {1, 5000, 8, 40, 0}}
	op.Make = func(r *kernels.Rand, d []int) kernels.TopKArgs {
		a := kernels.TopK.Make(r, d)
		for _, v := range []kernels.View{a.Query, a.Mem} {
			for i, x := range v.F32() { // scores are whole numbers, few and often equal; zeros of either sign
				v.F32()[i] = float32(int(x * 3))
			}
		}
		return a
	}
	kerneltest.Parity(t, &op)
}

// TestProjectBlocks is parity where the pairs are gone through in many blocks.
func TestProjectBlocks(t *testing.T) {
	side := projectSide
	defer func() { projectSide = side }()
	projectSide = 64
	op := *kernels.ProjectTopK
	op.Dims = [][]int{{130, 150, 12, 0, 1}}
	kerneltest.Parity(t, &op)
	grad := *kernels.ProjectTopKGrad
	grad.Dims = op.Dims
	kerneltest.Parity(t, &grad)
}
