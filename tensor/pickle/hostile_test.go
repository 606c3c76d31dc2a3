package pickle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/tensor/pickle/pickletest"
)

// everything reads all there is to read.
func everything(path string) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := f.Select("")
	if err != nil {
		return err
	}
	for _, x := range s.Tensors {
		if _, err := x.Bytes(); err != nil {
			return err
		}
	}
	return nil
}

func TestHostile(t *testing.T) {
	dir, seen := t.TempDir(), map[string]bool{}
	for _, c := range pickletest.Hostile() {
		require.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			path := filepath.Join(dir, "x.pt")
			require.NoError(t, os.WriteFile(path, c.File, 0o644))
			err := everything(path)
			require.ErrorContains(t, err, c.Want)
			assert.ErrorContains(t, err, path)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(strings.ReplaceAll(err.Error(), dir, "")), 1000)
		})
	}
	assert.GreaterOrEqual(t, len(seen), 100)
	t.Logf("%d hostile files refused", len(seen))
}

// Twenty names, no more; every storage type is one of them.
func TestAllowList(t *testing.T) {
	assert.LessOrEqual(t, len(allowed), 20)
	for g := range storageTypes {
		do, ok := allowed[g]
		assert.True(t, ok && do == nil, g)
	}
}

// Damaged whole files never panic, whatever byte is changed or wherever they end.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"module_state.bin", "module_state_legacy.pth", "list.pt"} {
		good, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		path := filepath.Join(dir, name)
		for i := 0; i < len(good); i += 13 {
			bad := append([]byte{}, good...)
			bad[i] ^= byte(1 + i%255)
			require.NoError(t, os.WriteFile(path, bad, 0o644))
			_ = everything(path)
			require.NoError(t, os.WriteFile(path, good[:i], 0o644))
			require.Error(t, everything(path), "%s cut to %d bytes", name, i)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, c := range pickletest.Hostile() {
		if len(c.File) < 4096 && !strings.HasPrefix(c.Name, "a billion") { // those are slow
			f.Add(c.File)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.pt")
		require.NoError(t, os.WriteFile(path, data, 0o644))
		_ = everything(path)
	})
}
