package pixels

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// goldenImage is a line of hashes.txt, as bench/golden/pillow_hashes.py writes it: what Pillow decodes.
type goldenImage struct {
	rgb, name, rgba string
	w, h            int
}

func goldenImages(t testing.TB, text string) (list []goldenImage) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		require.Len(t, f, 5, line)
		w, err := strconv.Atoi(f[1])
		require.NoError(t, err)
		h, err := strconv.Atoi(f[2])
		require.NoError(t, err)
		list = append(list, goldenImage{rgb: f[0], w: w, h: h, name: f[3], rgba: f[4]})
	}
	return list
}

// packed reads a tar.gz of files with their hashes.txt.
func packed(t testing.TB, path string) (files map[string][]byte, list []goldenImage) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	z, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	files = map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, goldenImages(t, string(files["hashes.txt"]))
		}
		require.NoError(t, err)
		files[h.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
}

func hashOf(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// differs says how what Decode makes of a file differs from what Pillow does, or "".
func differs(g goldenImage, data []byte) string {
	im, err := Decode(bytes.NewReader(data))
	switch {
	case g.rgb == "error" && err == nil:
		return "decoded, Pillow does not"
	case g.rgb == "error":
		return ""
	case err != nil:
		return err.Error()
	case im.Width != g.w || im.Height != g.h:
		return "size"
	case hashOf(im.RGB().Pix) != g.rgb:
		return "pixels"
	case (im.Channels == 4) != (g.rgba != "-"):
		return "channels"
	case im.Channels == 4 && hashOf(im.Pix) != g.rgba:
		return "alpha"
	}
	return ""
}

var kindOf = regexp.MustCompile(`_\d{4}_\d+x\d+\.|\.[a-z]+$`)

// compare counts the files that decode to Pillow's pixels, of all of their kind.
func compare(t *testing.T, list []goldenImage, read func(name string) []byte) {
	same, tried := map[string]int{}, map[string]int{}
	for _, g := range list {
		kind := kindOf.Split(g.name, 2)[0]
		tried[kind]++
		if d := differs(g, read(g.name)); assert.Empty(t, d, g.name) {
			same[kind]++
		}
	}
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(tried)) {
		t.Logf("%-28s %d of %d", kind, same[kind], tried[kind])
		total += same[kind]
	}
	t.Logf("identical to Pillow: %d of %d files", total, len(list))
}

// The committed files: bench/golden/make_jpegs.py and make_others.py, --small, packed by pack.py.
func TestPillowsPixels(t *testing.T) {
	for name, n := range map[string]int{"jpegs": 102, "others": 47} {
		t.Run(name, func(t *testing.T) {
			files, list := packed(t, "testdata/"+name+".tar.gz")
			require.Len(t, list, n)
			compare(t, list, func(name string) []byte { return files[name] })
		})
	}
}

// Folders with a hashes.txt: pixels/* of the folder that SYNTIC_GOLDEN names. bench/golden/make_jpegs.py OUT makes 1,000 JPEGs; pillow_hashes.py
// tells Pillow's pixels of any other folder.
func TestPillowsPixelsInFolders(t *testing.T) {
	lists, err := filepath.Glob(filepath.Join(os.Getenv("SYNTIC_GOLDEN"), "pixels", "*", "hashes.txt"))
	require.NoError(t, err)
	if os.Getenv("SYNTIC_GOLDEN") == "" || len(lists) == 0 {
		t.Skip("SYNTIC_GOLDEN may name a folder that holds pixels/*/hashes.txt")
	}
	for _, path := range lists {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			compare(t, goldenImages(t, string(text)), func(name string) []byte {
				b, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				return b
			})
		})
	}
}
