package pixels

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seeds are the committed files of every kind.
func seeds(t testing.TB) (all [][]byte) {
	for _, name := range []string{"jpegs", "others"} {
		files, list := packed(t, "testdata/"+name+".tar.gz")
		for _, g := range list {
			all = append(all, files[g.name])
		}
	}
	return all
}

// harmless decodes data that may be anything: whatever comes, no panic, and an image is whole.
func harmless(t testing.TB, data []byte) {
	f := formatOf(data)
	if f == nil {
		return
	}
	if w, h, err := f.size(data); err == nil && w*h > 1<<22 { // slow, not wrong
		return
	}
	im, err := Decode(bytes.NewReader(data))
	if err != nil {
		assert.NotEmpty(t, err.Error())
		return
	}
	require.True(t, im.Channels == 3 || im.Channels == 4)
	require.Len(t, im.Pix, im.Width*im.Height*im.Channels)
	require.Positive(t, len(im.Pix))
	up := im.Upright()
	require.Len(t, up.Pix, len(im.Pix))
}

func TestHostileImages(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	all := seeds(t)
	for range 4000 {
		b := slices.Clone(all[r.IntN(len(all))])
		switch r.IntN(4) {
		case 0:
			b = b[:r.IntN(len(b))]
		case 1:
			b = slices.Insert(b, r.IntN(len(b)), byte(r.IntN(256)), 0xff, byte(r.IntN(256)))
		case 2:
			i := r.IntN(len(b))
			b = slices.Delete(b, i, min(len(b), i+1+r.IntN(8)))
		}
		for range r.IntN(6) {
			if len(b) > 0 {
				b[r.IntN(len(b))] = byte(r.IntN(256))
			}
		}
		harmless(t, b)
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { harmless(t, b) })
}

// A file cut within its picture is an error.
func TestCutImages(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, tenths := range map[string]int{"jpegs": 10, "others": 7} { // of the bytes; other formats have something behind the picture
		files, list := packed(t, "testdata/"+name+".tar.gz")
		for _, g := range list {
			if strings.Contains(g.name, "moving") { // only the first picture counts
				continue
			}
			b := files[g.name]
			for range 20 {
				cut := r.IntN(len(b) * tenths / 10)
				_, err := Decode(bytes.NewReader(b[:cut]))
				assert.Error(t, err, "%s cut to %d of %d bytes", g.name, cut, len(b))
			}
		}
	}
}

// A few bytes that claim a giant image are refused before memory is taken.
func TestGiantImages(t *testing.T) {
	files, _ := packed(t, "testdata/jpegs.tar.gz")
	at := map[string]int{} // where each file states its size
	for name, b := range files {
		for i := 2; i+9 < len(b) && b[i] == 0xff; i += 2 + int(b[i+2])<<8 + int(b[i+3]) {
			if b[i+1] >= 0xc0 && b[i+1] <= 0xc2 {
				at[name] = i + 5
			}
		}
	}
	require.Len(t, at, 102)
	for name, i := range at {
		b := slices.Clone(files[name])
		copy(b[i:], "\xff\xdc\xff\xdc")
		_, err := Decode(bytes.NewReader(b))
		require.ErrorContains(t, err, "jpeg of 65500×65500 pixels: want 1 to 178956970", name)
		copy(b[i:], "\x20\x00\x20\x00")
		_, err = Decode(bytes.NewReader(b))
		require.ErrorContains(t, err, "blocks cannot be in", name)
		copy(b[i:], "\x00\x00\x20\x00")
		_, err = Decode(bytes.NewReader(b))
		require.ErrorContains(t, err, "8192×0 pixels", name)
	}
}

func BenchmarkJPEG(b *testing.B) {
	src, err := Open("testdata/images/coffee_240x160.png")
	require.NoError(b, err)
	big, err := src.Resize(960, 640, Bicubic)
	require.NoError(b, err)
	var file bytes.Buffer
	rgba := image.NewRGBA(image.Rect(0, 0, big.Width, big.Height))
	for i := range big.Width * big.Height {
		copy(rgba.Pix[4*i:], append(big.Pix[3*i:3*i+3:3*i+3], 255))
	}
	require.NoError(b, jpeg.Encode(&file, rgba, nil))
	b.Run("here", func(b *testing.B) {
		for b.Loop() {
			_, err := Decode(bytes.NewReader(file.Bytes()))
			require.NoError(b, err)
		}
	})
	b.Run("image/jpeg", func(b *testing.B) {
		for b.Loop() {
			_, err := jpeg.Decode(bytes.NewReader(file.Bytes()))
			require.NoError(b, err)
		}
	})
}
