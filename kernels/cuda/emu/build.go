package emu

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
)

// libraryEnv is driver.LibraryEnv, repeated because that package needs the tag cuda.
const libraryEnv = "SYNTIC_LIBCUDA"

// Use makes this process run CUDA kernels on the emulator if the machine has no GPU; to be called before the driver is opened, from TestMain.
// SYNTIC_LIBCUDA, if set, is left alone.
func Use() error {
	if os.Getenv(libraryEnv) != "" {
		return nil
	}
	if _, err := os.Stat("/dev/nvidia0"); err == nil {
		return nil
	}
	lib, err := Build()
	if err != nil {
		return err
	}
	return os.Setenv(libraryEnv, lib)
}

var flags = []string{"-std=c++17", "-O2", "-march=native", "-fPIC", "-fno-strict-aliasing", "-ftls-model=initial-exec", "-ffp-contract=off", "-ftrivial-auto-var-init=pattern", "-Wall", "-Wno-unknown-pragmas", "-Wno-unused-variable", "-Werror"}

// Build compiles the emulator and every kernel in ../src with g++ (or $CXX) and returns the path of a library that serves as libcuda.so.1.
// Objects are kept in the user's cache folder: only what changed is compiled again.
func Build(extra ...string) (string, error) {
	root, err := folder()
	if err != nil {
		return "", err
	}
	sources, err := filepath.Glob(filepath.Join(root, "src", "*.cu"))
	if err != nil {
		return "", err
	}
	cc, err := filepath.Glob(filepath.Join(root, "emu", "*.cc"))
	if err != nil {
		return "", err
	}
	headers, err := headers(root)
	if err != nil {
		return "", err
	}
	shared, err := filepath.Glob(filepath.Join(root, "src", "*.cuh"))
	if err != nil {
		return "", err
	}
	sources = append(sources, extra...)
	if err := apart(append(shared, sources...)); err != nil {
		return "", err
	}
	return link(root, headers, append(cc, sources...))
}

// folder is kernels/cuda.
func folder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "kernels", "cuda", "src", "dev.cuh")); err == nil {
			return filepath.Join(d, "kernels", "cuda"), nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("the emulator is built from its sources, and neither %s nor a folder above it has kernels/cuda/src", dir)
		}
	}
}

func headers(root string) ([]byte, error) {
	var all []byte
	for _, pattern := range []string{"src/*.cuh", "emu/*.h"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		slices.Sort(files)
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			all = append(all, data...)
		}
	}
	return all, nil
}

// Compiler is $CXX or g++.
func Compiler() string {
	if cxx := os.Getenv("CXX"); cxx != "" {
		return cxx
	}
	return "g++"
}

// workshop is the folder of what is compiled, and what the compiler defines, which tells its version and, for -march=native, this processor.
func workshop() (cache string, version []byte, err error) {
	cxx := Compiler()
	if version, err = exec.Command(cxx, append(slices.Clone(flags), "-dM", "-E", "-x", "c++", "/dev/null")...).Output(); err != nil {
		return "", nil, fmt.Errorf("the emulator is compiled by %s (or $CXX): %w", cxx, err)
	}
	if cache, err = os.UserCacheDir(); err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "syntic", "emulator")
	return cache, version, os.MkdirAll(cache, 0o755)
}

func keyOf(parts ...[]byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(bytes.Join(parts, []byte{0})))[:24]
}

func link(root string, headers []byte, sources []string) (string, error) {
	cxx := Compiler()
	cache, version, err := workshop()
	if err != nil {
		return "", err
	}
	objects := make([]string, len(sources))
	errs := make([]error, len(sources))
	places := make(chan struct{}, runtime.NumCPU())
	var wg sync.WaitGroup
	for i, src := range sources {
		text, err := os.ReadFile(src)
		if err != nil {
			return "", err
		}
		objects[i] = filepath.Join(cache, filepath.Base(src)+"."+keyOf(version, []byte(fmt.Sprint(flags)), headers, text)+".o")
		if _, err := os.Stat(objects[i]); err == nil {
			continue
		}
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			args := append(slices.Clone(flags), "-I"+filepath.Join(root, "emu"), "-I"+filepath.Join(root, "src"), "-x", "c++", "-c", src)
			errs[i] = make1(cxx, objects[i], args)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	var all []byte
	for _, o := range objects {
		all = append(all, o...)
	}
	lib := filepath.Join(cache, keyOf(all)+".libcuda.so.1")
	if _, err := os.Stat(lib); err == nil {
		return lib, nil
	}
	return lib, make1(cxx, lib, append([]string{"-shared", "-Wl,-soname,libcuda.so.1", "-Wl,-Bsymbolic", "-pthread"}, objects...))
}

// make1 runs the compiler into a file beside out and moves it there when it is whole.
func make1(cxx, out string, args []string) error {
	tmp, err := os.CreateTemp(filepath.Dir(out), "part-*")
	if err != nil {
		return err
	}
	tmp.Close()
	defer os.Remove(tmp.Name())
	if text, err := exec.Command(cxx, append(args, "-o", tmp.Name())...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cxx, err, text)
	}
	return os.Rename(tmp.Name(), out)
}
