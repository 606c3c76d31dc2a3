//go:build cuda

package cuda

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/cuda/emu"
	"syntic/kernels/cuda/image"
)

func TestMain(m *testing.M) {
	if err := emu.Use(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestEveryKernelHasImages: what the sources declare is what the images hold.
func TestEveryKernelHasImages(t *testing.T) {
	out, err := exec.Command("sh", "-c", "cat src/*.cu").Output()
	require.NoError(t, err)
	declared := regexp.MustCompile(`(?m)^KERNEL\((\w+),`).FindAllSubmatch(out, -1)
	require.NotEmpty(t, declared)
	for _, d := range declared {
		for _, capability := range []int{80, 90, 120} {
			_, data, err := image.Find(string(d[1]), capability)
			assert.NoError(t, err)
			assert.NotEmpty(t, data)
		}
	}
	_, _, err = image.Find("unary_f32", 75)
	assert.ErrorContains(t, err, "compute capability 7.5")
	_, _, err = image.Find("nothing", 90)
	assert.ErrorContains(t, err, "no image has a kernel nothing")
}

// TestEmulatedOnly: no variant claims more than was seen.
func TestEmulatedOnly(t *testing.T) {
	for _, op := range kernels.Ops() {
		for _, v := range op.VariantList() {
			if v.Device == kernels.CUDA {
				assert.Contains(t, v.Note, "emulated only", "%v %s", op, v.Name)
			}
		}
	}
}

func TestLaunchErrors(t *testing.T) {
	s, err := kernels.BackendOf(kernels.CUDA).NewStream(0)
	require.NoError(t, err)
	assert.ErrorContains(t, launch(s, "unary_f32", blocks(1), 1), "argument 0 is a int")
	assert.ErrorContains(t, launch(s, "unary_f32", blocks(1), int32(1)), "1 arguments, the kernel takes 4")
	assert.ErrorContains(t, launch(s, "nothing", blocks(1)), "find kernel nothing")
	_, err = kernels.BackendOf(kernels.CUDA).NewStream(9)
	assert.ErrorContains(t, err, "device cuda:9: 1 found")
}
