// Package kerneltest holds every variant of every op against the op's float64 reference.
package kerneltest

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// Parity runs every test size of an op on every variant that this machine can run: outputs must lie within the op's tolerance of the
// reference, relative to the largest value of the output (or of what rounded operands cost), leave no poison, change no input, and have the same bits for 1, 2 and 8 workers.
// SYNTIC_PARITY=cuda leaves the CPU's variants out, for machines lent for their GPU.
func Parity(t *testing.T, op kernels.AnyOp) {
	for i := range op.NumCases() {
		want := op.NewCase(i, uint64(i)+1)
		t.Run(fmt.Sprint(want.Dims), func(t *testing.T) {
			want.Ref()
			tried := onDevice(t, op, i, want)
			for _, v := range op.VariantList() {
				if v.Name == "reference" || !v.Available || !want.Usable(v.Name) {
					continue
				}
				backend := kernels.BackendOf(v.Device)
				if backend == nil || v.Device != kernels.CPU || os.Getenv("SYNTIC_PARITY") == "cuda" {
					continue
				}
				tried++
				s, err := backend.NewStream(0)
				require.NoError(t, err)
				var first *kernels.Case
				for _, workers := range []int{2, 1, 8} {
					old := runtime.GOMAXPROCS(workers)
					got := op.NewCase(i, uint64(i)+1)
					err := got.Run(s, v.Name)
					runtime.GOMAXPROCS(old)
					require.NoError(t, err, v.Name)
					if first == nil {
						first = got
						accurate(t, op, i, v, v.Name, want, got, func(c *kernels.Case) error { return c.Run(s, v.Name) })
						continue
					}
					if v.Unordered {
						break
					}
					for j := range got.Out {
						compare(t, fmt.Sprintf("%s output %d with %d workers", v.Name, j, workers), first.Out[j], got.Out[j], 0)
					}
				}
			}
			if tried == 0 {
				t.Log("no variant but the reference")
			}
		})
	}
}

// accurate holds what variant v made of case i against the reference, within the op's tolerance or that of the operands' format, and its inputs,
// which must be as they were, to the bit. run runs v on another case, for variants that round their operands.
func accurate(t *testing.T, op kernels.AnyOp, i int, v kernels.VariantInfo, name string, want, got *kernels.Case, run func(*kernels.Case) error) {
	t.Helper()
	tol := op.Tolerance()
	if v.Operands != kernels.F32 {
		tol = max(tol, productTol(v.Operands, op.Roundings()))
		roundedBy(t, op, i, v, run)
	}
	for j := range got.Out {
		compare(t, fmt.Sprintf("%s output %d", name, j), want.Out[j], got.Out[j], tol)
	}
	again := op.NewCase(i, uint64(i)+1)
	for j, in := range got.In {
		if !changed(got.Out, in) {
			compare(t, fmt.Sprintf("%s input %d, which must not change", name, j), again.In[j], in, 0)
		}
	}
}

// productTol is the relative error of a product of n numbers that were all rounded to d, two but for chains of products: (1 + u)ⁿ − 1, where u is half
// a unit in the last of the significant digits. It bounds the error of a sum of K products relative to the sum of their sizes; relative to the largest output it is
// still more than enough, for outputs of random terms grow as √K, and so do their errors, to which the K roundings add with changing signs.
func productTol(d kernels.DType, n int) float64 {
	u := map[kernels.DType]float64{kernels.BF16: 1.0 / (1 << 8), kernels.F16: 1.0 / (1 << 11), kernels.TF32: 1.0 / (1 << 11)}[d]
	return math.Pow(1+u, float64(n)) - 1
}

// roundedBy holds a variant that rounds its operands against the reference of operands that are rounded already: there its rounding changes
// nothing, products are exact, and the op's own tolerance must hold, unless intermediate results are rounded too.
func roundedBy(t *testing.T, op kernels.AnyOp, i int, v kernels.VariantInfo, run func(*kernels.Case) error) {
	t.Helper()
	want, got := op.NewCase(i, uint64(i)+1), op.NewCase(i, uint64(i)+1)
	for _, c := range []*kernels.Case{want, got} {
		for _, in := range c.In {
			if in.DType >= kernels.I32 { // whole numbers
				continue
			}
			x := in.Floats() // in place, or a copy
			kernels.Round(x, v.Operands)
			if in.DType != kernels.F32 {
				kernels.Narrow(in.U16(), x, in.DType)
			}
		}
		c.Renew()
	}
	tol := op.Tolerance()
	if v.Within {
		tol = max(tol, productTol(v.Operands, 2))
	}
	want.Ref()
	require.NoError(t, run(got))
	for j := range got.Out {
		compare(t, fmt.Sprintf("%s of rounded operands, output %d", v.Name, j), want.Out[j], got.Out[j], tol)
	}
}

func changed(out []*kernels.View, in *kernels.View) bool {
	for _, o := range out {
		if o.Ptr() == in.Ptr() {
			return true
		}
	}
	return false
}

func compare(t *testing.T, what string, want, got *kernels.View, tol float64) {
	t.Helper()
	if want.DType == kernels.U8 {
		require.Equal(t, want.U8(), got.U8(), what)
		return
	}
	if want.DType == kernels.I32 {
		require.Equal(t, want.I32(), got.I32(), what)
		return
	}
	w, g := want.Floats(), got.Floats()
	top := 0.0
	for _, x := range w {
		if a := math.Abs(float64(x)); a > top && !math.IsInf(a, 0) {
			top = a
		}
	}
	for i := range w {
		a, b := float64(w[i]), float64(g[i])
		if a == b || (tol == 0 && math.Float32bits(w[i]) == math.Float32bits(g[i])) {
			continue
		}
		if !(math.Abs(a-b) <= tol*top+1e-30) {
			t.Fatalf("%s %v: element %d is %g, want %g (error %.2g of the largest value %g, allowed %.2g)", what, want, i, b, a, math.Abs(a-b)/top, top, tol)
		}
	}
}
