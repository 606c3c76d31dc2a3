package kerneltest

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// onDevice holds the CUDA variants of one case against the reference, which has run: the operands are copied to memory of exactly their size, where
// the emulator sees each access beside it, and back. Each variant runs several times, on the emulator in another schedule each time, and must give the same bits.
func onDevice(t *testing.T, op kernels.AnyOp, i int, want *kernels.Case) (tried int) {
	b := kernels.BackendOf(kernels.CUDA)
	if b == nil || len(b.Devices()) == 0 {
		return 0
	}
	for _, v := range op.VariantList() {
		if v.Device != kernels.CUDA || !v.Available || !want.Usable(v.Name) {
			continue
		}
		tried++
		s, err := b.NewStream(0)
		require.NoError(t, err)
		var first *kernels.Case
		for try := range 4 {
			got, again := op.NewCase(i, uint64(i)+1), op.NewCase(i, uint64(i)+1)
			require.NoError(t, runThere(b, s, got, v.Name), v.Name)
			if first == nil {
				first = got
				tol := op.Tolerance()
				if v.Operands != kernels.F32 {
					tol = max(tol, productTol(v.Operands))
					roundedBy(t, op, i, v, func(c *kernels.Case) error { return runThere(b, s, c, v.Name) })
				}
				for j := range got.Out {
					compare(t, fmt.Sprintf("cuda %s output %d", v.Name, j), want.Out[j], got.Out[j], tol)
				}
				for j, in := range got.In {
					if !changed(got.Out, in) {
						compare(t, fmt.Sprintf("cuda %s input %d, which must not change", v.Name, j), again.In[j], in, 0)
					}
				}
				continue
			}
			if v.Unordered {
				break
			}
			for j := range got.Out {
				compare(t, fmt.Sprintf("cuda %s output %d, run %d", v.Name, j, try+1), first.Out[j], got.Out[j], 0)
			}
		}
	}
	return tried
}

// runThere moves the operands of a case to the device, runs a variant and moves them back.
func runThere(b kernels.Backend, s *kernels.Stream, c *kernels.Case, variant string) (err error) {
	type moved struct {
		view *kernels.View
		host unsafe.Pointer
	}
	var all []moved
	there := map[unsafe.Pointer]unsafe.Pointer{} // operands may share memory
	defer func() {
		for _, m := range all {
			*m.view = kernels.NewView(m.view.DType, m.host, m.view.Shape()...)
		}
		for _, p := range there {
			b.Free(s.Device, p)
		}
	}()
	seen := map[*kernels.View]bool{}
	for _, v := range append(append([]*kernels.View(nil), c.In...), c.Out...) {
		if seen[v] {
			continue
		}
		seen[v] = true
		p := there[v.Ptr()]
		if p == nil {
			if p, err = b.Alloc(s.Device, v.Bytes()); err != nil {
				return err
			}
			there[v.Ptr()] = p
			if err := b.CopyIn(s, p, v.Ptr(), v.Bytes()); err != nil {
				return err
			}
		}
		all = append(all, moved{v, v.Ptr()})
		*v = kernels.NewView(v.DType, p, v.Shape()...)
	}
	if err := c.Run(s, variant); err != nil {
		return err
	}
	if err := b.Sync(s); err != nil {
		return err
	}
	for _, m := range all {
		if err := b.CopyOut(s, m.host, m.view.Ptr(), m.view.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
