package kerneltest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

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
		for try := range runs(v) {
			got := op.NewCase(i, uint64(i)+1)
			require.NoError(t, runThere(b, s, got, v.Name), v.Name)
			if first == nil {
				first = got
				accurate(t, op, i, v, "cuda "+v.Name, want, got, func(c *kernels.Case) error { return runThere(b, s, c, v.Name) })
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
func runThere(b kernels.Backend, s *kernels.Stream, c *kernels.Case, variant string) error {
	back, err := c.MoveTo(b, s)
	if err != nil {
		return err
	}
	if err = c.Run(s, variant); err == nil {
		err = b.Sync(s)
	}
	return errors.Join(err, back(err == nil))
}

// runs is how often a variant must give the same bits: 4 times, 2 of one that rounds operands, which roundedBy runs once more; or SYNTIC_RUNS.
func runs(v kernels.VariantInfo) int {
	if n, err := strconv.Atoi(os.Getenv("SYNTIC_RUNS")); err == nil && n > 0 {
		return n
	}
	if v.Operands != kernels.F32 {
		return 2
	}
	return 4
}
