// Command gen compiles the kernels whose sources changed: ../../src/*.cu into the archives of this package's folder, every chip by one call of nvcc. It needs nvcc 13.0, which
// kernels/cuda/scripts/toolkit.sh lays out: $CUDA_HOME/bin/nvcc, or the one on PATH. Run by go generate ./kernels/cuda.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"syntic/kernels/cuda/image"
)

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

// samePlace makes what nvcc wrote the same wherever it is compiled: a file has one such hash, so its names stay apart without it.
func samePlace(ptx []byte) []byte { return internal.ReplaceAll(ptx, []byte("_INTERNAL_00000000_")) }

// flags tell nvcc of all architectures of a source in one call, in which each front end runs once and what it made is kept.
func flags(archs []string) []string {
	codes := map[string][]string{} // by the virtual architecture that they are compiled from
	for _, arch := range archs {
		codes[virtual(arch)] = append(codes[virtual(arch)], arch)
	}
	l := []string{"-fatbin", "--keep", "--threads=0", "-std=c++17", "-O3", "-Werror", "all-warnings"}
	for _, from := range slices.Sorted(maps.Keys(codes)) {
		l = append(l, fmt.Sprintf("-gencode=arch=%s,code=[%s]", from, strings.Join(codes[from], ",")))
	}
	return l
}

// virtual is the architecture whose PTX an image is made of: that of Ampere for all of 8.x, a chip's own for the others.
func virtual(arch string) string {
	if strings.HasPrefix(arch, "sm_8") {
		return "compute_80"
	}
	return "compute_" + arch[strings.IndexByte(arch, '_')+1:]
}

// kept finds what nvcc left of an architecture in a folder: it names a cubin by both architectures, or by one where nothing else is made of that.
func kept(tmp, stem, arch string) ([]byte, error) {
	names := []string{stem + "." + virtual(arch) + "." + arch + ".cubin", stem + "." + virtual(arch) + ".cubin", stem + "." + arch + ".cubin", stem + ".cubin"}
	if arch == virtual(arch) {
		names = []string{stem + "." + arch + ".ptx"}
	}
	for _, name := range names {
		if data, err := os.ReadFile(filepath.Join(tmp, name)); !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return nil, fmt.Errorf("nvcc left no %s", strings.Join(names, ", no "))
}

func compile(dir, src, stem, sum string) error {
	nvcc := "nvcc"
	if home := os.Getenv("CUDA_HOME"); home != "" {
		nvcc = filepath.Join(home, "bin", "nvcc")
	}
	tmp, err := os.MkdirTemp("", "kernels")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	archs := image.ArchsOf(stem)
	args := append(flags(archs), "--keep-dir", tmp, "-o", filepath.Join(tmp, "all.fatbin"), filepath.Join(src, stem+".cu"))
	// what it has to say beyond warnings counts too: ptxas only informs of wgmma that wait for each other
	if text, err := exec.Command(nvcc, args...).CombinedOutput(); err != nil || len(text) > 0 {
		return fmt.Errorf("%s.cu: %v\n%s", stem, err, text)
	}
	images := map[string][]byte{}
	for _, arch := range archs {
		data, err := kept(tmp, stem, arch)
		if err != nil {
			return fmt.Errorf("%s.cu: %w", stem, err)
		}
		images[arch] = samePlace(data)
	}
	if err := image.Write(dir, stem, sum, images); err != nil {
		return err
	}
	fmt.Printf("%s.cu compiled\n", stem)
	return nil
}
