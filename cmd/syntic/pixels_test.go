package main

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/clip/pixels"
	"syntic/cmd/internal/cli"
	"syntic/tensor/safetensors"
)

func TestPixels(t *testing.T) {
	const folder = "../../clip/pixels/testdata/images/"
	out := filepath.Join(t.TempDir(), "p.safetensors")
	code, lines, errs := execute("pixels", folder+"coffee_240x160.png", folder+"alpha_70x70.png", "--out", out)
	require.Equal(t, 0, code, errs)
	f, err := safetensors.Open(out)
	require.NoError(t, err)
	defer f.Close()
	want := ""
	for _, name := range []string{"coffee_240x160.png", "alpha_70x70.png"} {
		im, err := pixels.Open(folder + name)
		require.NoError(t, err)
		info, ok := f.Info(name)
		require.True(t, ok)
		assert.Equal(t, safetensors.U8, info.DType)
		assert.Equal(t, []int{im.Height, im.Width, 3}, info.Shape)
		b, err := f.Bytes(name)
		require.NoError(t, err)
		assert.Equal(t, im.RGB().Pix, b)
		want += fmt.Sprintf("%x %d %d %s\n", sha256.Sum256(b), im.Width, im.Height, folder+name)
	}
	assert.Equal(t, want, lines)

	code, lines, errs = execute("pixels", folder+"coffee_240x160.png", "--resize", "97x31", "--filter", "lanczos")
	require.Equal(t, 0, code, errs)
	im, err := pixels.Open(folder + "coffee_240x160.png")
	require.NoError(t, err)
	small, err := im.Resize(97, 31, pixels.Lanczos)
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("%x 97 31 %s\n", sha256.Sum256(small.Pix), folder+"coffee_240x160.png"), lines)
}

func TestPixelsRefuses(t *testing.T) {
	const image = "../../clip/pixels/testdata/images/pixel_1x1.png"
	out := filepath.Join(t.TempDir(), "p.safetensors")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{cli.ExitUsage, `--resize "7": want WxH`, []string{image, "--resize", "7"}},
		{cli.ExitUsage, `--resize "99999999x99999999"`, []string{image, "--resize", "99999999x99999999"}},
		{cli.ExitUsage, `--filter "cubic"`, []string{image, "--filter", "cubic"}},
		{cli.ExitUsage, "same file name", []string{image, "./" + image, "--out", out}},
		{cli.ExitBadInput, "pixels_test.go: unknown format", []string{image, "pixels_test.go", "--out", out}},
		{cli.ExitBadInput, "no folder", []string{image, "--out", filepath.Join(t.TempDir(), "none", "p")}},
	} {
		code, _, errs := execute(append([]string{"pixels"}, c.args...)...)
		assert.Equal(t, c.code, code, errs)
		assert.Contains(t, errs, c.want)
	}
	assert.NoFileExists(t, out)
}
