//go:build cuda

package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"syntic/kernels/cuda/nvrtc"
	"syntic/kernels/cuda/src"
)

var declared = regexp.MustCompile(`(?m)^\s*KERNEL\((\w+)`)

// sources are the .cu files of a folder by their stems.
func (o over) sources() map[string]string {
	m := map[string]string{}
	if o.dir != "" {
		files, _ := filepath.Glob(filepath.Join(o.dir, "*.cu"))
		for _, f := range files {
			m[strings.TrimSuffix(filepath.Base(f), ".cu")] = f
		}
	}
	return m
}

// native is the architecture that the compiler is told for a compute capability: with the instructions of that chip alone where there are such.
func native(capability int) string {
	if capability >= 90 {
		return fmt.Sprintf("sm_%da", capability)
	}
	return fmt.Sprintf("sm_%d", capability)
}

var compiled struct {
	sync.Mutex
	m map[string][]byte
}

// compile makes the image of a source for a device, once in a process.
func compile(file string, capability int) ([]byte, error) {
	compiled.Lock()
	defer compiled.Unlock()
	key := fmt.Sprint(file, capability)
	if data := compiled.m[key]; data != nil {
		return data, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	headers, err := headersFor(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	data, err := nvrtc.Compile(filepath.Base(file), string(text), headers, native(capability))
	if err != nil {
		if nvrtc.Open() != nil {
			err = fmt.Errorf("%w: a .cu there is compiled by NVRTC, whose library comes with the CUDA toolkit; without it put an image beside it instead, made by nvcc, and take the .cu away", err)
		}
		return nil, fmt.Errorf("%s=%s: %s: %w", FolderEnv, filepath.Dir(file), filepath.Base(file), err)
	}
	if compiled.m == nil {
		compiled.m = map[string][]byte{}
	}
	compiled.m[key] = data
	return data, nil
}

// headersFor are the headers of this binary, and over them those of a folder.
func headersFor(dir string) (map[string]string, error) {
	m := map[string]string{}
	for _, from := range []fs.FS{src.Headers, os.DirFS(dir)} {
		names, err := fs.Glob(from, "*.cuh")
		for _, name := range names {
			text, e := fs.ReadFile(from, name)
			m[name], err = string(text), errors.Join(err, e)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}
