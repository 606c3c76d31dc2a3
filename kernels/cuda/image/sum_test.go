package image

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImagesAreFresh(t *testing.T) {
	sums, err := Sums("../src")
	require.NoError(t, err)
	require.NotEmpty(t, sums)
	for stem, sum := range sums {
		require.NoError(t, Check(".", stem, sum))
	}
}
