package layering

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "syntic"

// layers, from the bottom: a package may import its own layer and those before it.
var layers = []string{"kernels", "tensor", "nn", "clip", "diffusion", "syntic", "bench", "cmd"}

// otherFolders may stand at the top beside the layers; the last three are ignored by git.
var otherFolders = []string{"docs", "syntic-run", "runs", "dist"}

// confined libraries appear only under the given folders.
var confined = []struct {
	prefix string
	in     []string
}{
	{"gonum.org/", []string{"kernels/cpu", "syntic/metric"}},
	{"github.com/klauspost/cpuid/", []string{"kernels/cpu"}},
	{"github.com/mmcloughlin/avo", []string{"kernels/cpu/gen"}},
	{"github.com/goccy/go-yaml", []string{"syntic/config"}},
	{"github.com/spf13/", []string{"cmd"}},
	{"github.com/vbauerster/", []string{"cmd/internal/cli"}},
	{"gorgonia.org/", []string{"kernels/cuda/gorgonia"}},
	{"C", []string{"kernels/cuda"}},
}

// allowed says why the Go file at path (slashes, from the root) must not import what it imports, or "".
func allowed(path, imported string) string {
	dir, test := pathDir(path), strings.HasSuffix(path, "_test.go")
	for _, rule := range confined {
		if strings.HasPrefix(imported, rule.prefix) && (rule.prefix != "C" || imported == "C") &&
			!slices.ContainsFunc(rule.in, func(in string) bool { return under(dir, in) }) {
			return fmt.Sprintf("%s belongs in %s", imported, strings.Join(rule.in, " and "))
		}
	}
	if strings.HasPrefix(imported, "github.com/stretchr/testify") && !test && !under(dir, "kernels/kerneltest") {
		return "testify belongs in tests"
	}
	target, ours := strings.CutPrefix(imported, module+"/")
	if !ours {
		return ""
	}
	from, to := slices.Index(layers, top(dir)), slices.Index(layers, top(target))
	switch {
	case to < 0:
		return "no such layer: " + target
	case to > from:
		return fmt.Sprintf("%s lies above %s", top(target), top(dir))
	case top(target) == "kernels" && top(dir) != "kernels" && top(dir) != "tensor" && top(dir) != "bench":
		return "only tensor and bench import kernels"
	case dir == "kernels" && !test && top(target) == "kernels":
		return "package kernels imports nothing of ours"
	}
	return ""
}

func pathDir(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}

func top(dir string) string { return strings.SplitN(dir, "/", 2)[0] }

func under(dir, folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") }

func TestImports(t *testing.T) {
	root := moduleRoot(t)
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(path, root), string(filepath.Separator)))
		if entry.IsDir() && rel != "" {
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if nested == nil || strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || slices.Contains(otherFolders, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		files++
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		assert.Contains(t, layers, top(rel), "%s: Go code lives in a layer", rel)
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			assert.Empty(t, allowed(rel, imported), "%s imports %s", rel, imported)
		}
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, files, 5, "the walk found the code")
}

func TestTopFolders(t *testing.T) {
	entries, err := os.ReadDir(moduleRoot(t))
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			assert.Contains(t, append(slices.Clone(layers), otherFolders...), entry.Name(), "a folder that STYLE does not know")
		}
	}
}

// TestRules shows that each rule refuses what it is there to refuse.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		path, imported string
		ok             bool
	}{
		{"tensor/matmul.go", "syntic/kernels", true},
		{"tensor/matmul.go", "syntic/kernels/cpu", true},
		{"tensor/safetensors/read.go", "syntic/kernels", true},
		{"bench/run.go", "syntic/kernels", true},
		{"nn/linear.go", "syntic/kernels", false},
		{"cmd/syntic/kernels.go", "syntic/kernels", false},
		{"cmd/syntic/kernels.go", "syntic/bench", true},
		{"nn/linear.go", "syntic/clip", false},
		{"clip/text.go", "syntic/nn", true},
		{"clip/text.go", "syntic/diffusion", false},
		{"syntic/train.go", "syntic/bench", false},
		{"syntic/plan/plan.go", "syntic/syntic/config", true},
		{"kernels/gemm.go", "syntic/kernels/cpu", false},
		{"kernels/parity_test.go", "syntic/kernels/cpu", true},
		{"kernels/cpu/gemm.go", "syntic/kernels", true},
		{"kernels/cpu/gonum.go", "gonum.org/v1/gonum/blas", true},
		{"syntic/metric/bootstrap.go", "gonum.org/v1/gonum/stat", true},
		{"tensor/matmul.go", "gonum.org/v1/gonum/mat", false},
		{"kernels/cpu/isa.go", "github.com/klauspost/cpuid/v2", true},
		{"kernels/gemm.go", "github.com/klauspost/cpuid/v2", false},
		{"kernels/cpu/gen/gemm.go", "github.com/mmcloughlin/avo/build", true},
		{"kernels/cpu/gemm.go", "github.com/mmcloughlin/avo/build", false},
		{"kernels/cuda/driver/driver.go", "C", true},
		{"kernels/cpu/gemm.go", "C", false},
		{"kernels/cpu/gemm.go", "Cat", true},
		{"nn/linear.go", "github.com/stretchr/testify/require", false},
		{"nn/linear_test.go", "github.com/stretchr/testify/require", true},
		{"syntic/train.go", "github.com/spf13/cobra", false},
		{"syntic/train.go", "syntic/helpers", false},
		{"syntic/train.go", "context", true},
	} {
		assert.Equal(t, c.ok, allowed(c.path, c.imported) == "", "%s imports %s: %s", c.path, c.imported, allowed(c.path, c.imported))
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for ; ; dir = filepath.Dir(dir) {
		if data, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(data), "module "+module+"\n") {
			return dir
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "no go.mod of module %s above", module)
	}
}
