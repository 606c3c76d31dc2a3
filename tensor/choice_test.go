package tensor

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestUseKernelRefusesWhatIsNotThere(t *testing.T) {
	assert.ErrorContains(t, UseKernel("gemmm", "go"), `no op "gemmm"`)
	assert.ErrorContains(t, UseKernel("gemm", "nonsense"), `gemm has no variant "nonsense", it has `)
	assert.NoError(t, KernelEnvError())
}
