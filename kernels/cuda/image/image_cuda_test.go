//go:build cuda

package image

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain lays a folder over the embedded images, before any is read.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "images")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "softmax.sm_80.cubin"), []byte("compiled anew"), 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "mine.compute_80.ptx"), []byte(".visible .entry my_kernel(\n"), 0o644)
	}
	if err != nil {
		panic(err)
	}
	os.Setenv(FolderEnv, dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func TestFolderTakesThePlaceOfEmbeddedImages(t *testing.T) {
	name, data, err := Find("softmax_f32", 86)
	require.NoError(t, err)
	require.Equal(t, "softmax.sm_80.cubin", name)
	require.Equal(t, "compiled anew", string(data))
	_, data, err = Find("softmax_f32", 90) // not in the folder
	require.NoError(t, err)
	require.Equal(t, "\x7fELF", string(data[:4]))
	name, data, err = Find("my_kernel", 120)
	require.NoError(t, err)
	require.Equal(t, "mine.compute_80.ptx", name)
	require.Zero(t, data[len(data)-1], "PTX ends in a zero byte")
	_, _, err = Find("no_kernel", 90)
	require.ErrorContains(t, err, "no image has a kernel no_kernel")
}
