package cpu

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// eachPanel runs a test on every set of routines that this machine can run.
func eachPanel(t *testing.T, test func(t *testing.T, p *panel)) {
	for _, p := range panels {
		if p.available == nil || p.available() {
			t.Run(p.name, func(t *testing.T) { test(t, p) })
		}
	}
}

// 2^x of the columns' softmax is within 2 ulp of float64's, exact at 0, 0 far below, and NaN stays.
func TestExp2(t *testing.T) {
	eachPanel(t, func(t *testing.T, p *panel) {
		x := make([]float32, 16*1024)
		for i := range x {
			x[i] = -float32(i) / 131.7
		}
		x[0], x[1], x[2], x[3] = 0, negInf, float32(math.NaN()), -1e30
		dst, sum, top := make([]float32, len(x)), make([]float32, 16), make([]float32, 16)
		p.exp2Cols(dst, sum, x, top, 16, len(x)/16, 1)
		require.EqualValues(t, 1, dst[0])
		require.EqualValues(t, 0, dst[1])
		require.True(t, dst[2] != dst[2])
		require.EqualValues(t, 0, dst[3])
		for i := 4; i < len(x); i++ {
			require.InDelta(t, math.Exp2(float64(x[i])), float64(dst[i]), math.Exp2(float64(x[i]))*2.4e-7, "2^%v", x[i])
		}
		want := 0.0
		for i := 15; i < len(x); i += 16 {
			want += float64(dst[i])
		}
		require.InEpsilon(t, want, float64(sum[15]), 1e-5)
	})
}

// The largest scores of columns, what it does to sums, and whether any moved, with NaN and −Inf among the scores.
func TestTopCols(t *testing.T) {
	eachPanel(t, func(t *testing.T, p *panel) {
		scores := kernels.NewRand(3).Normal(7, 32)
		src := scores.F32()
		src[5] = negInf
		top, keep, sum := make([]float32, 16), make([]float32, 16), make([]float32, 16)
		for i := range top {
			top[i], sum[i] = float32(unseen), 2
		}
		top[3] = 100
		require.True(t, p.topCols(top, keep, sum, src, 32, 7, 1.5))
		for c := range top {
			want := negInf
			for r := range 7 {
				want = max(want, 1.5*src[r*32+c])
			}
			if c == 3 {
				want = 100
			}
			require.Equal(t, want, top[c], fmt.Sprint(c))
			require.EqualValues(t, map[bool]float32{true: 2, false: 0}[c == 3], sum[c])
		}
		require.False(t, p.topCols(top, keep, sum, src, 32, 7, 1.5))
		require.EqualValues(t, 1, keep[0])
		for i := range src {
			src[i] = negInf
		}
		for i := range top {
			top[i], sum[i] = float32(unseen), 0
		}
		require.False(t, p.topCols(top, keep, sum, src, 32, 7, 1.5))
		p.exp2Cols(src, sum, src, top, 32, 7, 1.5)
		require.EqualValues(t, 0, sum[9])
		require.EqualValues(t, 0, src[9])
	})
}
