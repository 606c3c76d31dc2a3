//go:build cuda

package image

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed *.cubin *.ptx
var files embed.FS

var entry = regexp.MustCompile(`(?m)^\.visible \.entry (\w+)\(`)

// FolderEnv names a folder of images that take the place of the embedded ones, file by file: compiled anew without building Go,
//
//	nvcc -cubin -gencode=arch=compute_90a,code=sm_90a -std=c++17 -O3 -o DIR/gemm_mma.sm_90a.cubin kernels/cuda/src/gemm_mma.cu
//
// A .cu there is compiled for the device at its first use, where the library NVRTC is installed. A kernel that no embedded image has is found by a .ptx or .cu
// there that declares it.
const FolderEnv = "SYNTIC_KERNEL_DIR"

// over is the folder's files over the embedded ones.
type over struct{ dir string }

func (o over) ReadFile(name string) ([]byte, error) {
	if o.dir != "" {
		data, err := os.ReadFile(filepath.Join(o.dir, name))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return files.ReadFile(name)
}

func (o over) named(pattern string) []string {
	names, _ := fs.Glob(files, pattern)
	if o.dir != "" {
		more, _ := fs.Glob(os.DirFS(o.dir), pattern)
		names = append(names, more...)
	}
	return names
}

// images are those in use. A folder that is not there is an error of Find.
var images = sync.OnceValues(func() (over, error) {
	o := over{os.Getenv(FolderEnv)}
	if o.dir == "" {
		return o, nil
	}
	info, err := os.Stat(o.dir)
	if err == nil && !info.IsDir() {
		err = errors.New("it is no folder")
	}
	if err != nil {
		err = fmt.Errorf("%s=%s: %w", FolderEnv, o.dir, err)
	}
	return o, err
})

// index maps kernels to the source file that holds them.
var index = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	o, _ := images()
	for _, name := range o.named("*.compute_80.ptx") {
		data, _ := o.ReadFile(name)
		for _, e := range entry.FindAllSubmatch(data, -1) {
			m[string(e[1])] = strings.TrimSuffix(name, ".compute_80.ptx")
		}
	}
	for _, name := range o.named("*_wgmma.sm_90a.cubin") { // of which there is no PTX
		data, _ := o.ReadFile(name)
		uses, _ := Uses(data)
		for kernel := range uses {
			m[kernel] = stemOf(name)
		}
	}
	for stem, file := range o.sources() {
		data, _ := os.ReadFile(file)
		for _, e := range declared.FindAllSubmatch(data, -1) {
			m[string(e[1])] = stem
		}
	}
	return m
})

// Kernels lists all kernels by name.
func Kernels() []string {
	var l []string
	for k := range index() {
		l = append(l, k)
	}
	slices.Sort(l)
	return l
}

// Arch is the kind of image that a device of this compute capability (80 for 8.0) takes: sm_80 for 8.x, sm_90a for 9.0, PTX for others.
func Arch(capability int) string {
	arch, _ := Pick(capability)
	return arch
}

// Pick is Arch and the reason.
func Pick(capability int) (arch, why string) {
	switch {
	case capability == 80:
		return "sm_80", "made for it"
	case capability/10 == 8:
		return "sm_80", "which runs on all of 8.x"
	case capability == 90:
		return "sm_90a", "made for it"
	case capability < 80:
		return "compute_80", "none: the kernels need 8.0 (Ampere) or newer"
	}
	return "compute_80", "PTX, which the driver compiles at the first use and keeps: no image is made for this chip"
}

// ErrNoKernel is wrapped by Find for a kernel that no image has.
var ErrNoKernel = errors.New("no image has a kernel")

// Find is the image with the kernel for a device of this compute capability, and its name. PTX ends in a zero byte.
func Find(kernel string, capability int) (name string, data []byte, err error) {
	o, err := images()
	if err != nil {
		return "", nil, err
	}
	file, ok := index()[kernel]
	if !ok {
		return "", nil, fmt.Errorf("%w %s: run go generate ./kernels/cuda", ErrNoKernel, kernel)
	}
	if cu := o.sources()[file]; cu != "" {
		data, err = compile(cu, capability)
		return file + ".cu for " + native(capability), data, err
	}
	if only := OneArch(file); only != "" && Arch(capability) != only {
		return "", nil, fmt.Errorf("kernel %s is compiled for %s alone, compute capability %d.%d cannot run it", kernel, only, capability/10, capability%10)
	}
	if arch := Arch(capability); arch != "compute_80" {
		name = file + "." + arch + ".cubin"
		data, err = o.ReadFile(name)
		return path.Base(name), data, err
	}
	if capability < 80 {
		return "", nil, fmt.Errorf("compute capability %d.%d: the kernels need 8.0 (Ampere) or newer", capability/10, capability%10)
	}
	name = file + ".compute_80.ptx"
	data, err = o.ReadFile(name)
	return name, append(slices.Clone(data), 0), err
}
