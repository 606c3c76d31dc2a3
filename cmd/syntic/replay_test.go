package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/tensor/safetensors"
)

// tinySD is the goldens' tiny Stable Diffusion as a folder.
func tinySD(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for to, from := range map[string]string{"": "diffusion/testdata/sd", "text_encoder": "clip/testdata/sd_text", "tokenizer": "clip/bpe/testdata/tiny"} {
		require.NoError(t, os.CopyFS(filepath.Join(dir, to), os.DirFS(filepath.Join("../..", from))))
	}
	return dir
}

func decodePNG(t *testing.T, path string) image.Image {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	im, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	return im
}

// TestGenerateEqualsDiffusers makes diffusers' images from their prompt and seed: within 1 of 255.
func TestGenerateEqualsDiffusers(t *testing.T) {
	sd, dir := tinySD(t), t.TempDir()
	for golden, args := range map[string][]string{
		"pipe_ddim":            {"--sampler", "ddim"},
		"pipe_pndm":            {},
		"pipe_euler_a":         {"--sampler", "euler-a"},
		"pipe_dpmpp_2m_karras": {"--sampler", "dpmsolver++-karras", "--count", "2", "--seed", "2023"},
	} {
		out := filepath.Join(dir, golden+".png")
		code, _, errs := execute(append([]string{"generate", "--sd", sd, "--prompt", "a photo of a cat sitting on the table", "--negative", "blurry, low quality",
			"--size", "64x64", "--seed", "2024", "--out", out}, args...)...)
		require.Equal(t, 0, code, errs)
		if len(args) > 2 {
			out = filepath.Join(dir, golden+"-2.png")
		}
		f, err := safetensors.Open(filepath.Join("../../diffusion/testdata/sd/golden", golden+".safetensors"))
		require.NoError(t, err)
		defer f.Close()
		want, err := f.Float32s("image") // [1, 3, 64, 64]
		require.NoError(t, err)
		im, most, other := decodePNG(t, out), 0., 0
		for i, v := range want {
			r, g, b, _ := im.At(i%64, i/64%64).RGBA()
			d := float64([]uint32{r, g, b}[i/4096]>>8) - float64(v)*255
			most = max(most, d, -d)
			if d > 0.501 || d < -0.501 {
				other++
			}
		}
		t.Logf("%s: largest difference %.3f of 255, rounded otherwise %d of %d", golden, most, other, len(want))
		require.Less(t, most, 1.)
	}
}

// TestReplay makes images again, of both models and sources of noise, and refuses what is not the same.
func TestReplay(t *testing.T) {
	sd, dir := tinySD(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, args := range map[string][]string{
		"world":  {"--count", "3", "--steps", "2", "--seed", "18446744073709551615"},
		"torch":  {"--count", "3", "--steps", "2", "--sd", sd, "--size", "24x40", "--sampler", "euler-a", "--negative", "größer \"🐈\""},
		"philox": {"--count", "3", "--steps", "4", "--sd", sd, "--rng", "philox", "--sampler", "DDPMScheduler"},
	} {
		code, _, errs := execute(append([]string{"generate", "--prompt", "a red ball", "--out", at(name + ".png")}, args...)...)
		require.Equal(t, 0, code, errs)
		code, out, errs := execute("replay", at(name+"-3.png"))
		require.Equal(t, 0, code, errs)
		assert.Equal(t, at(name+"-3-replay.png")+"\n", out)
		a, err := os.ReadFile(at(name + "-3.png"))
		require.NoError(t, err)
		b, err := os.ReadFile(at(name + "-3-replay.png"))
		require.NoError(t, err)
		assert.Equal(t, a, b, "the whole file, with its parameters")
	}

	moved := tinySD(t)
	code, _, errs := execute("replay", at("torch-2.png"), "--sd", moved, "--out", at("moved.png"))
	require.Equal(t, 0, code, errs)
	require.NoError(t, os.WriteFile(filepath.Join(moved, "README.md"), []byte("a note"), 0o666))
	code, _, errs = execute("replay", at("torch-2.png"), "--sd", moved, "--out", at("moved.png"))
	require.Equal(t, 0, code, errs)

	require.NoError(t, os.WriteFile(filepath.Join(moved, "scheduler/scheduler_config.json"), []byte(`{"_class_name": "DDIMScheduler"}`), 0o666))
	refuse := func(name string, code int, wants []string, args ...string) {
		got, _, errs := execute(append([]string{"replay"}, args...)...)
		assert.Equal(t, code, got, name)
		for _, want := range wants {
			assert.Contains(t, errs, want, name)
		}
		assert.NoFileExists(t, at("never.png"), name)
	}
	refuse("another model", 3, []string{"was made with a model of hash sha256:", "name the right one with --sd"}, at("torch-2.png"), "--sd", moved, "--out", at("never.png"))
	refuse("no model", 3, []string{"nowhere", "--sd"}, at("torch-2.png"), "--sd", at("nowhere"), "--out", at("never.png"))
	refuse("no image", 3, []string{"absent.png", "no such file"}, at("absent.png"))
	refuse("no PNG name", 2, []string{"ends in .png"}, at("torch-2.png"), "--out", at("x.jpg"))

	whole, err := os.ReadFile(at("torch-2.png"))
	require.NoError(t, err)
	text, err := textOf(whole, parametersKey)
	require.NoError(t, err)
	changed := func(name, from, to string) string {
		data, err := png2(whole, strings.Replace(text, from, to, 1))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(at(name), data, 0o666))
		return at(name)
	}
	refuse("size", 3, []string{"the image is 24x40, its parameters say 32x40"}, changed("a.png", "24x40", "32x40"))
	refuse("steps", 3, []string{"--steps 0"}, changed("b.png", `"steps":2`, `"steps":0`))
	refuse("sampler", 3, []string{`--sampler "foo"`}, changed("c.png", `"euler-a"`, `"foo"`))
	refuse("a later version", 3, []string{"not of this version", "unknown field"}, changed("d.png", `"steps"`, `"stops":1,"steps"`))
	refuse("no hash", 3, []string{"model_hash"}, changed("e.png", `sha256:`, `","item":0,"negative":"`))
	refuse("not JSON", 3, []string{"not of this version"}, changed("f.png", `{`, ``))
	other := changed("g.png", `"seed":2`, `"seed":3`)
	code, _, errs = execute("replay", other, "--out", at("g-again.png"))
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "pixels, by at most")

	damaged := bytes.Replace(whole, []byte(`"steps":2`), []byte(`"steps":3`), 1)
	require.NoError(t, os.WriteFile(at("h.png"), damaged, 0o666))
	refuse("damaged", 3, []string{"wrong checksum"}, at("h.png"))
	require.NoError(t, os.WriteFile(at("i.png"), whole[:60], 0o666))
	refuse("cut", 3, []string{"ends within a chunk"}, at("i.png"))
	require.NoError(t, os.WriteFile(at("j.png"), []byte("GIF89a"), 0o666))
	refuse("a GIF", 3, []string{"not a PNG"}, at("j.png"))
}

// png2 is a PNG with other parameters.
func png2(image []byte, text string) ([]byte, error) {
	at := bytes.Index(image, []byte("tEXt")) - 4
	end := bytes.Index(image, []byte("IDAT")) - 4
	return withText(append(bytes.Clone(image[:at]), image[end:]...), parametersKey, text)
}
