package image

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A block of three warpgroups: a third of 65536 registers for each of 128 threads until they exchange them, and 227 KB of shared memory.
const (
	mostRegisters = 168
	mostShared    = 227<<10 - 192<<10 // beside the ring of src/wgmma.cuh
)

// TestWgmmaKernels reads the committed cubins of Hopper: each kernel multiplies by wgmma and not by mma.sync, copies by the tensor memory accelerator,
// keeps within its registers, and spills none.
func TestWgmmaKernels(t *testing.T) {
	sources, err := filepath.Glob("../src/*_wgmma.cu")
	require.NoError(t, err)
	require.NotEmpty(t, sources)
	kernel := regexp.MustCompile(`\bregisters_more<|\bwgmma_tiles<`)
	for _, src := range sources {
		text, err := os.ReadFile(src)
		require.NoError(t, err)
		require.Regexp(t, kernel, string(text), src)
		cubin, err := os.ReadFile(stemOf(filepath.Base(src)) + ".sm_90a.cubin")
		require.NoError(t, err)
		uses, err := Uses(cubin)
		require.NoError(t, err)
		require.NotEmpty(t, uses)
		for name, u := range uses {
			t.Logf("%s: %+v", name, u)
			assert.NotZero(t, u.HGMMA, "%s has no HGMMA", name)
			assert.NotZero(t, u.UTMALDG, "%s has no UTMALDG", name)
			assert.Zero(t, u.HMMA, "%s has HMMA", name)
			assert.LessOrEqual(t, u.Registers, mostRegisters, "%s: registers", name)
			assert.Zero(t, u.Stack, "%s: bytes of stack, so it spills", name)
			assert.LessOrEqual(t, u.Shared, mostShared, "%s: static shared memory", name)
		}
	}
}

// TestOpcodes holds the opcodes that TestWgmmaKernels counts against kernels known to have some: mma.sync ones have HMMA, others nothing.
func TestOpcodes(t *testing.T) {
	for file, has := range map[string]bool{"gemm_mma.sm_90a.cubin": true, "softmax.sm_90a.cubin": false} {
		cubin, err := os.ReadFile(file)
		require.NoError(t, err)
		uses, err := Uses(cubin)
		require.NoError(t, err)
		require.NotEmpty(t, uses)
		n := 0
		for _, u := range uses {
			assert.Zero(t, u.HGMMA)
			assert.NotZero(t, u.Registers)
			n += u.HMMA
		}
		assert.Equal(t, has, n > 0, file)
	}
}
