package wholefile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func names(t *testing.T, dir string) (out []string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	require.NoError(t, WriteBytes(path, []byte("first")))
	broken := errors.New("the source broke")
	err := Write(path, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 1<<20)) // more than any buffer
		require.NoError(t, err)
		return broken
	})
	require.ErrorIs(t, err, broken)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "first", string(got))
	require.NoError(t, WriteBytes(path, []byte("second")))
	got, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "second", string(got))
	assert.Equal(t, []string{"a.json"}, names(t, dir))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode().Perm())
}

func TestNothingIsLeftWhereAFileCannotBe(t *testing.T) {
	dir := t.TempDir()
	require.Error(t, WriteBytes(filepath.Join(dir, "none", "a"), nil), "a folder that is not there")
	full := filepath.Join(dir, "folder")
	require.NoError(t, os.MkdirAll(filepath.Join(full, "inside"), 0o777))
	require.Error(t, WriteBytes(full, []byte("x")), "a folder stands there")
	assert.Equal(t, []string{"folder"}, names(t, dir))
}
