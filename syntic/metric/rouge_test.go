package metric

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bits of lcs and the rows of lcsLong are two ways to one length, at every number of words that the bits have.
func TestLCS(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(n int) []int32 {
		s := make([]int32, n)
		for i := range s {
			s[i] = int32(r.IntN(6))
		}
		return s
	}
	var row []int32
	require.Equal(t, 3, lcs([]int32{1, 2, 3, 4}, []int32{0, 1, 3, 4, 2}, &row))
	for n := 1; n <= 66; n++ {
		for range 20 {
			a, b := text(n), text(r.IntN(80))
			require.Equal(t, lcsLong(a, b, &row), lcs(a, b, &row), "%v and %v", a, b)
		}
	}
}
