//go:build cuda

package emu_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels/cuda/emu"
)

// TestTwoOfOneName: sources that define types of one name with other members, which C++ would silently take for one, are not linked into one library. A template and
// a plain type have different names to the linker, and types within others or within functions belong to those.
func TestTwoOfOneName(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	kernel := func(n string) string {
		return "KERNEL(twin_" + n + ", 1, 0, float *out) {\n  struct Local { float x; } l = {" + n + "};\n  out[0] = Planted{l.x, " + n + "}.value();\n}\n"
	}
	one := write("one.cu", "#include \"dev.cuh\"\nstruct Planted {\n  float a, b;\n  float value() const { return a; }\n};\n"+kernel("1"))
	two := write("two.cu", "#include \"dev.cuh\"\n\nstruct Planted {\n  float b, a;\n  float value() const { return a; }\n};\n"+kernel("2"))
	_, err := emu.Build("testdata/bugs.cu", one, two)
	require.ErrorContains(t, err, "two.cu:3: struct Planted is defined at one.cu:2 too")
	again := write("again.cu", "#include \"dev.cuh\"\ntemplate <class T>\nstruct __attribute__((aligned(8))) Slab { T x; };\n")
	_, err = emu.Build(again)
	require.ErrorContains(t, err, "template Slab is defined at ")
	assert.ErrorContains(t, err, "tile.cuh:")
}
