package image

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
		uses := usesOf(t, stemOf(filepath.Base(src)), "sm_90a")
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

// usesOf reads the committed cubin of a source for a chip.
func usesOf(t *testing.T, stem, arch string) map[string]Use {
	a, err := read(".", stem)
	require.NoError(t, err)
	cubin, err := a.Image(arch)
	require.NoError(t, err)
	uses, err := Uses(cubin)
	require.NoError(t, err)
	require.NotEmpty(t, uses)
	return uses
}

// TestOpcodes holds the opcodes that TestWgmmaKernels counts against kernels known to have some: mma.sync ones have HMMA, others nothing.
func TestOpcodes(t *testing.T) {
	for stem, has := range map[string]bool{"gemm_mma": true, "softmax": false} {
		for _, arch := range []string{"sm_80", "sm_86", "sm_90a", "sm_100", "sm_120"} {
			n := 0
			for _, u := range usesOf(t, stem, arch) {
				assert.Zero(t, u.HGMMA)
				assert.NotZero(t, u.Registers)
				n += u.HMMA
			}
			assert.Equal(t, has, n > 0, "%s for %s", stem, arch)
		}
	}
}

// Bytes of stack that kernels may take. Those of tensor cores spill nothing, save the listed ones; the older rungs at most three numbers on some chips.
const rungs = 24

var spills = map[string]int{"attention_mma_grad_kv_bf16_160 sm_86": 72, "attention_mma_grad_kv_f16_160 sm_86": 72}

// bounds finds what the head of a source says of all its kernels.
var bounds = regexp.MustCompile(`At most (\d+)\s+registers, no spills`)

// TestHeads holds what heads of sources say of registers and spills against the cubins of every chip.
func TestHeads(t *testing.T) {
	sources, err := filepath.Glob("../src/*.cu")
	require.NoError(t, err)
	var said []string
	for _, src := range sources {
		text, err := os.ReadFile(src)
		require.NoError(t, err)
		head, _, _ := strings.Cut(string(text), "#include")
		claim := bounds.FindStringSubmatch(strings.ReplaceAll(head, "\n//", ""))
		if claim == nil {
			continue
		}
		most, err := strconv.Atoi(claim[1])
		require.NoError(t, err)
		stem := stemOf(filepath.Base(src))
		said = append(said, stem)
		a, err := read(".", stem)
		require.NoError(t, err)
		for _, p := range a.Images {
			if p.Arch == ptxArch {
				continue
			}
			for name, u := range usesOf(t, stem, p.Arch) {
				assert.LessOrEqual(t, u.Registers, most, "%s %s: registers", name, p.Arch)
				assert.Zero(t, u.Stack, "%s %s: bytes of stack, so it spills", name, p.Arch)
			}
		}
	}
	assert.Subset(t, said, []string{"conv_grad_mma", "topk_near_mma", "topk_mma", "infonce_mma", "linear_crossentropy_mma", "product_mma"}, "sources whose heads give a bound")
}

// TestEveryChip reads every committed cubin: each holds the kernels that the archive names; those of mma.sync multiply by it on every chip.
func TestEveryChip(t *testing.T) {
	sources, err := filepath.Glob("../src/*.cu")
	require.NoError(t, err)
	for _, src := range sources {
		stem := stemOf(filepath.Base(src))
		a, err := read(".", stem)
		require.NoError(t, err)
		for _, p := range a.Images {
			if p.Arch == ptxArch {
				continue
			}
			uses := usesOf(t, stem, p.Arch)
			require.Equal(t, a.Kernels, slices.Sorted(maps.Keys(uses)), "%s for %s", stem, p.Arch)
			for name, u := range uses {
				most, on := rungs, name+" "+p.Arch
				if strings.Contains(name, "_mma_") && !strings.Contains(name, "_delta_") { // a delta is a sum of products alone
					assert.NotZero(t, u.HMMA, on)
					most = spills[on]
				}
				assert.LessOrEqual(t, u.Stack, most, "%s: bytes of stack", on)
			}
		}
	}
}
