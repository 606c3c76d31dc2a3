package pixels

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// madeUp is the image that bench/golden/make_resizes.py describes.
func madeUp(w, h, c int) *Image {
	im := NewImage(w, h, c)
	for i := range im.Pix {
		switch {
		case i%89 < 20:
		case i%97 < 20:
			im.Pix[i] = 255
		default:
			im.Pix[i] = uint8(uint32(i) * 2654435761 >> 24)
		}
	}
	return im
}

// The committed list, and pixels/resizes.txt of the folder that SYNTIC_GOLDEN names: sizes up and down, each axis alone, lines, with alpha.
func TestResizeOfMadeUpImages(t *testing.T) {
	filters := map[string]Filter{"nearest": Nearest, "lanczos": Lanczos, "bilinear": Bilinear, "bicubic": Bicubic, "box": Box, "hamming": Hamming}
	lists := []string{"testdata/resizes.txt"}
	if dir := os.Getenv("SYNTIC_GOLDEN"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "pixels", "resizes.txt"))
		require.NoError(t, err)
		lists = append(lists, more...)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		require.NoError(t, err)
		same, tried := 0, 0
		for line := range strings.Lines(string(text)) {
			var w, h, c, toW, toH int
			var filter, want string
			_, err := fmt.Sscan(line, &w, &h, &c, &filter, &toW, &toH, &want)
			require.NoError(t, err, line)
			got, err := madeUp(w, h, c).Resize(toW, toH, filters[filter])
			require.NoError(t, err, line)
			if tried++; assert.Equal(t, want, hashOf(got.Pix)[:16], line) {
				same++
			}
		}
		t.Logf("%s: identical to Pillow: %d of %d", filepath.Base(list), same, tried)
		assert.GreaterOrEqual(t, tried, 240)
	}
}
