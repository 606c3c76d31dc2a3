package pixels

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/tensor/safetensors"
)

func golden(t *testing.T, name string) *safetensors.File {
	fd, err := os.Open("testdata/" + name + ".safetensors.gz")
	require.NoError(t, err)
	defer fd.Close()
	z, err := gzip.NewReader(fd)
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	f, err := safetensors.OpenBytes(b)
	require.NoError(t, err)
	return f
}

func open(t *testing.T, name string) *Image {
	im, err := Open("testdata/images/" + name + ".png")
	require.NoError(t, err)
	return im
}

// near compares [H, W, 3] with a golden [3, H, W] or [1, 3, H, W], to 1e-6 absolute.
func near(t *testing.T, f *safetensors.File, name string, got []float32, h, w int) {
	want, err := f.Float32s(name)
	require.NoError(t, err)
	require.Len(t, want, len(got), name)
	require.Len(t, got, 3*h*w, name)
	worst := 0.0
	for y := range h {
		for x := range w {
			for c := range 3 {
				d := math.Abs(float64(got[(y*w+x)*3+c]) - float64(want[(c*h+y)*w+x]))
				if !(d <= worst) {
					worst = d
				}
			}
		}
	}
	assert.LessOrEqual(t, worst, 1e-6, name)
}

func TestResizeIsPillows(t *testing.T) {
	f := golden(t, "pil_resize_uint8")
	filters := map[string]Filter{"nearest": Nearest, "lanczos": Lanczos, "bilinear": Bilinear, "bicubic": Bicubic, "box": Box, "hamming": Hamming}
	n := 0
	for _, name := range f.Names() {
		part := strings.Split(name, ".")
		var w, h int
		_, err := fmt.Sscanf(part[2], "%dx%d", &w, &h)
		require.NoError(t, err)
		got, err := open(t, part[0]).Resize(w, h, filters[part[1]])
		require.NoError(t, err)
		want, err := f.Bytes(name)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got.Pix), name)
		n++
	}
	assert.Equal(t, 60, n)
}

func TestCLIP(t *testing.T) {
	for _, file := range []string{"clip", "clip_openai"} {
		f := golden(t, file)
		for _, name := range f.Names() {
			kind, im, _ := strings.Cut(name, ".")
			p := DefaultCLIP()
			p.OpenAI = file == "clip_openai"
			_, err := fmt.Sscanf(strings.TrimLeft(kind, "clipoena"), "%d", &p.Size)
			require.NoError(t, err)
			p.Crop = p.Size
			got, err := p.Apply(open(t, im))
			require.NoError(t, err)
			near(t, f, name, got.Pix, p.Size, p.Size)
		}
	}
}

func TestDETR(t *testing.T) {
	f := golden(t, "detr")
	p := DefaultDETR()
	p.Short, p.Long = 80, 133
	for _, n := range []string{"noise_33x201", "gradient_64x64", "grey_60x80"} {
		b, err := p.Apply(open(t, n))
		require.NoError(t, err)
		near(t, f, "single."+n, b.Pix, b.Height, b.Width)
	}
	b, err := p.Apply(open(t, "coffee_240x160"), open(t, "rocket_97x143"), open(t, "chelsea_151x100"))
	require.NoError(t, err)
	want, err := f.Float32s("batch.pixel_values")
	require.NoError(t, err)
	mask, err := f.Int64s("batch.pixel_mask")
	require.NoError(t, err)
	require.Len(t, mask, len(b.Mask))
	for i, m := range mask {
		require.EqualValues(t, m, b.Mask[i])
		img, at, hw := i/(b.Height*b.Width), i%(b.Height*b.Width), b.Height*b.Width
		for c := range 3 {
			require.InDelta(t, want[(img*3+c)*hw+at], b.Pix[3*i+c], 1e-6)
		}
	}
	// Four rows of one image at the full rule.
	full, err := DefaultDETR().Apply(open(t, "chelsea_151x100"))
	require.NoError(t, err)
	require.Equal(t, []int{800, 1208}, []int{full.Height, full.Width})
	var rows []float32
	for _, y := range []int{0, 100, 400, 799} {
		rows = append(rows, full.Pix[3*y*1208:3*(y+1)*1208]...)
	}
	near(t, golden(t, "detr_full"), "rows_0_100_400_799", rows, 4, 1208)
}

func TestDETRSizeRule(t *testing.T) {
	b, err := os.ReadFile("testdata/info.json")
	require.NoError(t, err)
	var info struct {
		Rule map[string][2]int `json:"detr_size_rule_800_1333"`
	}
	require.NoError(t, json.Unmarshal(b, &info))
	require.Len(t, info.Rule, 14)
	for in, want := range info.Rule {
		var h, w int
		_, err := fmt.Sscanf(in, "%dx%d", &h, &w)
		require.NoError(t, err)
		gw, gh := DefaultDETR().Size(w, h)
		assert.Equal(t, want, [2]int{gh, gw}, in)
	}
}

func TestVAE(t *testing.T) {
	f := golden(t, "vae")
	for _, n := range []string{"coffee_240x160", "rocket_97x143", "noise_50x37", "alpha_70x70"} {
		got, err := VAE(open(t, n), 0, 0)
		require.NoError(t, err)
		near(t, f, "auto."+n, got.Pix, got.Height, got.Width)
		got, err = VAE(open(t, n), 48, 64)
		require.NoError(t, err)
		near(t, f, "64x48."+n, got.Pix, 64, 48)
	}
	in, err := f.Float32s("post.input")
	require.NoError(t, err)
	want, err := f.Int64s("post.uint8") // [16, 16, 3] already
	require.NoError(t, err)
	x := &Floats{Width: 16, Height: 16, Pix: make([]float32, len(in))}
	for i := range in {
		x.Pix[i%256*3+i/256] = in[i]
	}
	for i, p := range x.Image().Pix {
		require.EqualValues(t, want[i], p)
	}
	_, err = VAE(NewImage(7, 20, 3), 0, 0)
	assert.ErrorContains(t, err, "at least 8×8")
	nan := &Floats{Width: 1, Height: 1, Pix: []float32{float32(math.NaN()), -9, 9}}
	assert.Equal(t, []uint8{0, 0, 255}, nan.Image().Pix)
}

func TestDecodeKinds(t *testing.T) {
	pal := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.NRGBA{10, 20, 30, 0}, color.NRGBA{40, 50, 60, 255}})
	pal.Pix = []uint8{0, 1}
	deep := image.NewNRGBA64(image.Rect(0, 0, 1, 1))
	deep.SetNRGBA64(0, 0, color.NRGBA64{0x12ff, 0x3400, 0x5680, 0x7fff})
	grey := image.NewGray(image.Rect(0, 0, 1, 1))
	grey.Pix[0] = 77
	for _, c := range []struct {
		im   image.Image
		ch   int
		want []uint8
	}{
		{pal, 4, []uint8{10, 20, 30, 0, 40, 50, 60, 255}}, // a transparent palette entry keeps its colour
		{deep, 4, []uint8{0x12, 0x34, 0x56, 0x7f}},
		{grey, 3, []uint8{77, 77, 77}},
	} {
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, c.im))
		got, err := Decode(bytes.NewReader(b.Bytes()))
		require.NoError(t, err)
		assert.Equal(t, c.ch, got.Channels)
		assert.Equal(t, c.want, got.Pix)
	}
	flat := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := range flat.Pix {
		flat.Pix[i] = 200
		if i%4 == 3 {
			flat.Pix[i] = 255
		}
	}
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, flat, nil))
	got, err := Decode(bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	require.Equal(t, []int{40, 30, 3}, []int{got.Width, got.Height, got.Channels})
	for _, p := range got.Pix {
		require.InDelta(t, 200, p, 2)
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile("testdata/images/rocket_97x143.png")
	require.NoError(t, err)
	// A PNG that claims 60000×60000 pixels in a few bytes, its header's checksum correct.
	bomb := append([]byte(nil), whole[:33]...)
	binary.BigEndian.PutUint32(bomb[16:], 60000)
	binary.BigEndian.PutUint32(bomb[20:], 60000)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"cut.png":   {whole[:len(whole)/2], "97×143 pixels: broken or cut off"},
		"text.png":  {[]byte("hello"), "want a JPEG or PNG"},
		"empty.png": {nil, "want a JPEG or PNG"},
		"bomb.png":  {bomb, "60000×60000 pixels: want 1 to 178956970"},
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, c.b, 0o644))
		_, err := Open(path)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, path)
	}
	_, err = Open(filepath.Join(dir, "absent"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = NewImage(1, 1, 3).Resize(1<<20, 1<<20, Bicubic)
	assert.Error(t, err)
	_, err = NewImage(1, 1, 3).Resize(0, 1, Bicubic)
	assert.Error(t, err)
	_, err = NewImage(1, 1, 3).Resize(2, 2, 9)
	assert.ErrorContains(t, err, "unknown filter 9")
}

func TestReadCLIP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "preprocessor_config.json")
	read := func(s string) (CLIP, error) {
		require.NoError(t, os.WriteFile(path, []byte(s), 0o644))
		return ReadCLIP(path)
	}
	p, err := read(`{}`)
	require.NoError(t, err)
	assert.Equal(t, DefaultCLIP(), p)
	for _, s := range []string{`{"size": 64, "crop_size": 32, "resample": 2, "image_mean": [0.5, 0.5, 0.25]}`,
		`{"size": {"shortest_edge": 64}, "crop_size": {"height": 32, "width": 32}, "resample": 2, "image_mean": [0.5, 0.5, 0.25], "do_resize": true}`} {
		p, err := read(s)
		require.NoError(t, err)
		assert.Equal(t, CLIP{Size: 64, Crop: 32, Filter: Bilinear, Mean: [3]float32{0.5, 0.5, 0.25}, Std: DefaultCLIP().Std}, p)
	}
	for s, want := range map[string]string{
		`{"size": 10}`: "1 ≤ crop ≤ size", `{"size": {"height": 3, "width": 4}}`: "equal height and width", `{"image_std": [1, 0, 1]}`: "std above 0",
		`{"image_mean": [1]}`: "has 1 numbers", `{"do_normalize": false}`: "do_normalize is false", `{`: "unexpected end", `{"rescale_factor": 1}`: "want 1/255",
	} {
		_, err := read(s)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
	}
}
