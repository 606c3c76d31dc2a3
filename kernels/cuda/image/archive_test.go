package image

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestArchive packs images of all sizes and unpacks each by itself; one that is damaged is found out.
func TestArchive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	images := map[string][]byte{}
	for i, arch := range archs[:len(archs)-1] {
		images[arch] = bytes.Repeat([]byte{byte(i), 1, 2, byte(r.Uint32())}, 100*i)
		for range 13 * i {
			images[arch] = append(images[arch], byte(r.Uint32()))
		}
	}
	images["sm_90a"] = nil // unrolled: instructions that differ, in columns that do not
	for i := range 400 {
		images["sm_90a"] = append(images["sm_90a"], byte(i*7), byte(i>>8), 0x72, 5, byte(i*i), 0, 0, 8, 9, 9, 9, 9, byte(i*31), 1, 1, 1)
	}
	packed, err := pack("5a5a", []string{"two", "one"}, images)
	require.NoError(t, err)
	again, err := pack("5a5a", []string{"one", "two"}, images)
	require.NoError(t, err)
	require.Equal(t, packed, again)

	a, err := OpenArchive(bytes.NewReader(packed))
	require.NoError(t, err)
	require.Equal(t, "5a5a", a.Sources)
	require.Equal(t, []string{"one", "two"}, a.Kernels)
	require.Len(t, a.Images, len(images))
	forms := map[string]bool{}
	for _, p := range a.Images {
		data, err := a.Image(p.Arch)
		require.NoError(t, err, p.Arch)
		require.Equal(t, images[p.Arch], data, p.Arch)
		require.Equal(t, sum(data), p.Sum)
		forms[p.form] = true
	}
	require.Len(t, forms, 2, "both ways to pack are tried")
	require.True(t, a.holds("5a5a", []string{"one", "two"}, images))
	require.False(t, a.holds("5a5b", []string{"one", "two"}, images))
	require.False(t, a.Has(ptxArch))
	_, err = a.Image(ptxArch)
	require.ErrorContains(t, err, "none for compute_80")

	last := a.Images[len(a.Images)-1]
	packed[len(packed)-int(last.occupied)/2] ^= 0x10
	_, err = a.Image(last.Arch)
	require.ErrorContains(t, err, "archive of images")
	_, err = a.Image("sm_90a")
	require.NoError(t, err, "the others are whole")
	_, err = OpenArchive(strings.NewReader("sources 5a5a\nkernels"))
	require.ErrorContains(t, err, "its head is cut short")
	_, err = OpenArchive(strings.NewReader("sources 5a5a\nsm_80 flate twelve\n\n"))
	require.ErrorContains(t, err, "line \"sm_80 flate twelve\"")
}
