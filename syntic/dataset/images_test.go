package dataset

import (
	"archive/tar"
	"bytes"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// picture is a PNG of one colour.
func picture(t testing.TB, side int, c color.Color) string {
	t.Helper()
	im := image.NewNRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		im.Set(i%side, i/side, c)
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, im))
	return b.String()
}

func tarOf(t testing.TB, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}))
		_, err := w.Write([]byte(files[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.String()
}

func TestStore(t *testing.T) {
	red, blue := picture(t, 3, color.NRGBA{255, 0, 0, 255}), picture(t, 5, color.NRGBA{0, 0, 255, 255})
	dir := t.TempDir()
	write(t, dir, "val2014/COCO_val2014_000000000042.jpg", red)
	write(t, dir, "a.png", blue)
	write(t, dir, "x/same.png", red)
	write(t, dir, "y/same.png", blue)
	shard := write(t, dir, "shard.tar", tarOf(t, "0001.png", blue, "0001.txt", "a blue square", "0002.png", red, "0002.json", `{"caption": "red"}`))
	s, err := OpenStore(dir)
	require.NoError(t, err)
	require.Equal(t, 6, s.Size())
	for _, c := range []struct {
		im   Image
		side int
	}{
		{Image{Name: "COCO_val2014_000000000042.jpg"}, 3}, {Image{Name: "val2014/COCO_val2014_000000000042.jpg"}, 3}, {Image{ID: "42"}, 3},
		{Image{Name: "a.png"}, 5}, {Image{Name: "same.png", Folder: "x"}, 3}, {Image{Name: "same.png", Folder: "y"}, 5}, {Image{Name: "0001.png"}, 5}, {Image{Name: "0002.png"}, 3},
	} {
		p, err := s.Find(&c.im)
		require.NoError(t, err)
		im, err := p.Open()
		require.NoError(t, err)
		require.Equal(t, c.side, im.Width, "%+v", c.im)
		stamp, err := p.Stamp()
		require.NoError(t, err)
		require.Contains(t, stamp, p.Name)
	}
	_, err = s.Find(&Image{Name: "same.png"})
	require.ErrorContains(t, err, "there are 2 of that name")
	_, err = s.Find(&Image{})
	require.ErrorContains(t, err, "a caption without an image")
	_, err = s.FindAll([]Image{{Name: "a.png"}, {Name: "b.png"}, {ID: "77"}})
	require.ErrorContains(t, err, "2 of 3 images are missing, such as b.png, 77")

	set, err := Load(shard, Options{})
	require.NoError(t, err)
	require.Equal(t, Tar, set.Format)
	require.Equal(t, []string{"/0001.png: a blue square", "/0002.png: red"}, shape(set))
	_, err = Load(write(t, dir, "bare.tar", tarOf(t, "0001.png", blue)), Options{})
	require.ErrorContains(t, err, "0001.png: no caption beside it: want 0001.txt")

	pattern, err := OpenStore(filepath.Join(dir, "sh*.tar"))
	require.NoError(t, err)
	require.Equal(t, 2, pattern.Size())
	for path, want := range map[string]string{"/none/such": "no such file", filepath.Join(dir, "none*"): "no file has a name like that", t.TempDir(): "no pictures",
		write(t, dir, "a.txt", "no tar at all, but long enough to be read as one"): "want a folder, or a tar"} {
		_, err := OpenStore(path)
		require.ErrorContains(t, err, want)
	}
	broken := write(t, t.TempDir(), "b.png", blue[:40])
	store, err := OpenStore(filepath.Dir(broken))
	require.NoError(t, err)
	p, err := store.Find(&Image{Name: "b.png"})
	require.NoError(t, err)
	_, err = p.Open()
	require.ErrorContains(t, err, "b.png")
}
