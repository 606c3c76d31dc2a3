// Command gen compiles the kernels whose sources changed: ../../src/*.cu into the images of this package's folder. It needs nvcc 13.0, which
// kernels/cuda/scripts/toolkit.sh lays out: $CUDA_HOME/bin/nvcc, or the one on PATH. Run by go generate ./kernels/cuda.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"syntic/kernels/cuda/image"
)

var targets = []struct{ suffix, flags string }{
	{"sm_80.cubin", "-cubin -gencode=arch=compute_80,code=sm_80"},
	{"sm_90a.cubin", "-cubin -gencode=arch=compute_90a,code=sm_90a"},
	{"compute_80.ptx", "-ptx -arch=compute_80"},
}

func main() {
	all := flag.Bool("all", false, "compile everything, changed or not")
	dir := flag.String("dir", "image", "`folder` of the images; ../src beside it holds the sources")
	flag.Parse()
	if err := run(*dir, *all); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string, all bool) error {
	src := filepath.Join(dir, "..", "src")
	want, err := image.Sums(src)
	if err != nil {
		return err
	}
	for stem, sum := range want {
		if err := image.Check(dir, stem, sum); err == nil && !all {
			continue
		}
		if err := compile(dir, src, stem, sum); err != nil {
			return err
		}
	}
	return image.Prune(dir, want)
}

// internal is how nvcc names in PTX what a static function holds: with a hash of the folder in which the source lies. Cubins carry no such names.
var internal = regexp.MustCompile(`_INTERNAL_[0-9a-f]{8}_`)

// samePlace makes PTX the same wherever it is compiled: a file has one such hash, so its names stay apart without it.
func samePlace(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, internal.ReplaceAll(text, []byte("_INTERNAL_00000000_")), 0o644)
}

func compile(dir, src, stem, sum string) error {
	nvcc := "nvcc"
	if home := os.Getenv("CUDA_HOME"); home != "" {
		nvcc = filepath.Join(home, "bin", "nvcc")
	}
	for _, t := range targets {
		if only := image.OneArch(stem); only != "" && !strings.HasPrefix(t.suffix, only+".") {
			continue
		}
		out := filepath.Join(dir, stem+"."+t.suffix)
		args := append(strings.Fields(t.flags), "-std=c++17", "-O3", "-Werror", "all-warnings", "-o", out, filepath.Join(src, stem+".cu"))
		cmd := exec.Command(nvcc, args...)
		// what it has to say beyond warnings counts too: ptxas only informs of wgmma that wait for each other
		if text, err := cmd.CombinedOutput(); err != nil || len(text) > 0 {
			return fmt.Errorf("%s.cu for %s: %v\n%s", stem, t.suffix, err, text)
		}
		if strings.HasSuffix(out, ".ptx") {
			if err := samePlace(out); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%s.cu compiled\n", stem)
	return image.WriteSum(dir, stem, sum)
}
