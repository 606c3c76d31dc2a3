package kernels

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChoiceForEveryOp(t *testing.T) {
	require.NoError(t, EnvError())
	before := maps.Clone(overrides.m)
	defer func() { overrides.m = before }()
	assert.ErrorContains(t, Override("*=nonsense"), `no op has a variant "nonsense"`)
	require.NoError(t, Override("*=bf16_go"))
	for _, op := range []string{"gemm", "conv2d", "conv2d_grad_x", "conv2d_grad_w"} {
		assert.Equal(t, "bf16_go", Overridden(op))
	}
	assert.Equal(t, before["softmax"], Overridden("softmax"), "it has no such variant")
	require.NoError(t, Override("gemm=go"))
	assert.Equal(t, "go", Overridden("gemm"), "the last choice counts")
}

// Variants that round their operands are never taken unasked.
func TestDefaultChoiceDoesNotRound(t *testing.T) {
	if overrides.m["gemm"] != "" {
		t.Skip("gemm was chosen by name")
	}
	c := GEMM.NewCase(5, 1)
	for _, v := range GEMM.VariantList() {
		if v.Operands != F32 {
			assert.NotEqual(t, v.Name, c.Chosen(CPU))
			assert.Less(t, v.Rank, 10)
		}
	}
}
