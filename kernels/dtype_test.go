package kernels_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

func TestHalfConversions(t *testing.T) {
	for h := 0; h < 1<<16; h++ { // every half survives the way there and back; NaN stays NaN
		f, b := kernels.F16ToF32(uint16(h)), kernels.BF16ToF32(uint16(h))
		if f != f {
			require.True(t, kernels.F16ToF32(kernels.F32ToF16(f)) != kernels.F16ToF32(kernels.F32ToF16(f)))
		} else {
			require.Equal(t, uint16(h), kernels.F32ToF16(f))
		}
		if b != b {
			require.True(t, kernels.BF16ToF32(kernels.F32ToBF16(b)) != kernels.BF16ToF32(kernels.F32ToBF16(b)))
		} else {
			require.Equal(t, uint16(h), kernels.F32ToBF16(b))
		}
	}
	// Halfway between two neighbours the even one wins, a hair more or less goes to the nearer one.
	for h := uint16(0); h < 0x7bff; h++ {
		mid := (float64(kernels.F16ToF32(h)) + float64(kernels.F16ToF32(h+1))) / 2
		m := float32(mid) // exact: one bit more than a half has
		even := h + h&1
		require.Equal(t, even, kernels.F32ToF16(m), "%#x", h)
		require.Equal(t, h, kernels.F32ToF16(math.Nextafter32(m, 0)), "%#x", h)
		require.Equal(t, h+1, kernels.F32ToF16(math.Nextafter32(m, math.MaxFloat32)), "%#x", h)
		require.Equal(t, 0x8000|even, kernels.F32ToF16(-m))
	}
	assert.Equal(t, uint16(0x7c00), kernels.F32ToF16(65520))
	assert.Equal(t, uint16(0x7bff), kernels.F32ToF16(65519.996))
	assert.Equal(t, uint16(0xfc00), kernels.F32ToF16(float32(math.Inf(-1))))
	assert.Equal(t, uint16(0x3f80), kernels.F32ToBF16(math.Float32frombits(0x3f808000))) // tie to even, down
	assert.Equal(t, uint16(0x3f82), kernels.F32ToBF16(math.Float32frombits(0x3f818000))) // tie to even, up
	assert.Equal(t, uint16(0x7f80), kernels.F32ToBF16(math.MaxFloat32))
}
