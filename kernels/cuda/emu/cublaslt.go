package emu

import (
	"os"
	"path/filepath"
)

// BuildCublasLt compiles a libcublasLt.so that multiplies in the emulator's memory, for tests, and returns its path.
func BuildCublasLt() (string, error) {
	root, err := folder()
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, "emu", "cublaslt", "fake.cc")
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	cache, version, err := workshop()
	if err != nil {
		return "", err
	}
	lib := filepath.Join(cache, keyOf(version, text)+".libcublasLt.so")
	if _, err := os.Stat(lib); err == nil {
		return lib, nil
	}
	return lib, make1(Compiler(), lib, []string{"-std=c++17", "-O2", "-fPIC", "-shared", "-Wall", "-Wno-unused-parameter", "-Werror", "-x", "c++", source, "-ldl"})
}
