package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTokens(t *testing.T) {
	in := filepath.Join(t.TempDir(), "in.txt")
	require.NoError(t, os.WriteFile(in, []byte("A photo of a cat, and a DOG!\n\nHello world\n"), 0o644))
	gpt2 := "../../clip/bpe/testdata/gpt2"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"clip"}, "320 1125 539 320 2368 267 537 320 1929 256\n\n3306 1002\n"}, // of openai/CLIP
		{[]string{"clip", "--special", "--length", "5"}, "49406 320 1125 539 49407\n49406 49407\n49406 3306 1002 49407\n"},
		{[]string{"clip", "--clean", "hf", "--length", "3"}, "320 1125 539\n\n3306 1002\n"},
		{[]string{"gpt2"}, "32 4590 286 257 3797 11 290 257 360 7730 0\n\n15496 995\n"}, // of the tokenizers library
		{[]string{"gpt2", "--length", "1"}, "32\n\n15496\n"},
	} {
		code, stdout, errs := execute(append(append([]string{"tokens", "--tokenizer"}, c.args...), in)...)
		require.Zero(t, code, errs)
		assert.Equal(t, c.want, stdout, c.args)
	}
	for tokenizer, want := range map[string]string{"clip": "a photo of a cat , and a dog ! \n\nhello world \n", "gpt2": "A photo of a cat, and a DOG!\n\nHello world\n", gpt2: "A photo of a cat, and a DOG!\n\nHello world\n"} {
		code, stdout, errs := execute("tokens", "--tokenizer", tokenizer, in)
		require.Zero(t, code, errs)
		ids := filepath.Join(t.TempDir(), "ids.txt")
		require.NoError(t, os.WriteFile(ids, []byte(stdout), 0o644))
		code, stdout, errs = execute("tokens", "--tokenizer", tokenizer, "--decode", ids)
		require.Zero(t, code, errs)
		assert.Equal(t, want, stdout, tokenizer)
	}

	broken := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(broken, "vocab.json"), []byte(`{"a": 0`), 0o644))
	for name, c := range map[string]struct {
		code int
		want string
		args []string
	}{
		"no file":      {3, "no such file", []string{"clip", in + "x"}},
		"no folder":    {3, "nowhere", []string{"nowhere", in}},
		"empty folder": {3, "vocab.json", []string{t.TempDir(), in}},
		"broken vocab": {3, "vocab.json", []string{broken, in}},
		"not gzip":     {3, "gzip", []string{in, in}},
		"cleaning":     {2, "want openai or hf", []string{"clip", "--clean", "x", in}},
		"special gpt2": {2, "no start and end", []string{"gpt2", "--special", in}},
		"short length": {2, "want 2 or more", []string{"clip", "--special", "--length", "1", in}},
		"no ids":       {3, `line 1: "A": want ids`, []string{"gpt2", "--decode", in}},
		"no texts":     {2, "see syntic tokens --help", []string{"gpt2"}},
	} {
		code, _, errs := execute(append([]string{"tokens", "--tokenizer"}, c.args...)...)
		assert.Equal(t, c.code, code, name)
		assert.Contains(t, errs, c.want, name)
		assert.Equal(t, 1, strings.Count(errs, "\n"), name)
	}
}
