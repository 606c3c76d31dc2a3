package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
)

// pngTexts reads the tEXt chunks of a PNG and checks every chunk's checksum.
func pngTexts(t *testing.T, data []byte) map[string]string {
	t.Helper()
	texts, seen := map[string]string{}, ""
	for at := len(pngSignature); at < len(data); {
		n := int(binary.BigEndian.Uint32(data[at:]))
		body := data[at+4 : at+8+n]
		require.Equal(t, crc32.ChecksumIEEE(body), binary.BigEndian.Uint32(data[at+8+n:]), "checksum of %s", body[:4])
		seen += string(body[:4]) + " "
		if string(body[:4]) == "tEXt" {
			key, text, _ := bytes.Cut(body[4:], []byte{0})
			texts[string(key)] = string(text)
		}
		at += 12 + n
	}
	assert.True(t, strings.HasPrefix(seen, "IHDR tEXt IDAT "), seen)
	return texts
}

func TestGenerate(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "one.png")
	prompt := "a \"red\" ball; größer 🐈"
	code, paths, errs := execute("generate", "--prompt", prompt, "--out", out, "--steps", "2", "--seed", "7", "--size", "72x40", "--sampler", "dpmsolver++")
	require.Equal(t, 0, code, errs)
	assert.Equal(t, out+"\n", paths)
	data, err := os.ReadFile(out)
	require.NoError(t, err)
	im, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	assert.Equal(t, "(72,40)", im.Bounds().Max.String())
	text := pngTexts(t, data)["parameters"]
	for _, r := range text {
		assert.Less(t, r, rune(0x80))
	}
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &got))
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", got["model_hash"])
	delete(got, "model_hash")
	assert.Equal(t, map[string]any{"rng": "philox", "prompt": prompt, "negative": "", "model": "world", "sampler": "dpmsolver++", "steps": 2.0, "guidance": config.Default().Synth.Guidance,
		"seed": 7.0, "item": 0.0, "image": 0.0, "size": "72x40"}, got)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 1, "nothing but the image")
}

// TestGenerateSeeds shows that an image depends on its text, the seed, its number among the texts and among those of its text alone.
func TestGenerateSeeds(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "texts.txt")
	require.NoError(t, os.WriteFile(list, []byte("a red ball\n\n a blue house \r\n"), 0o666))
	draw := func(name string, args ...string) {
		code, _, errs := execute(append([]string{"generate", "--steps", "2", "--out", filepath.Join(dir, name)}, args...)...)
		require.Equal(t, 0, code, errs)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(data)
	}
	draw("all.png", "--texts", list, "--count", "6") // 12 images in two batches
	draw("some.png", "--prompt", "a red ball", "--count", "2")
	draw("other.png", "--prompt", "a red ball", "--seed", "2")
	assert.Equal(t, read("all-01.png"), read("some-1.png"))
	assert.Equal(t, read("all-02.png"), read("some-2.png"))
	assert.Contains(t, read("all-12.png"), `"prompt":"a blue house"`)
	seen := map[string]bool{read("other.png"): true}
	for _, name := range []string{"01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"} {
		seen[read("all-"+name+".png")] = true
	}
	assert.Len(t, seen, 13, "no two images are the same")
}

func TestWithTextRefuses(t *testing.T) {
	_, err := withText([]byte("GIF89a"), "k", "v")
	assert.ErrorContains(t, err, "not a PNG")
	_, err = withText([]byte(pngSignature), "k", "v")
	assert.ErrorContains(t, err, "IDAT")
}
