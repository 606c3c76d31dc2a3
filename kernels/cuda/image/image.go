//go:build cuda

package image

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed *.images
var files embed.FS

var entry = regexp.MustCompile(`(?m)^\.visible \.entry (\w+)\(`)

// FolderEnv names a folder of images that take the place of the embedded ones, file by file: compiled anew without building Go,
//
//	nvcc -cubin -gencode=arch=compute_90a,code=sm_90a -std=c++17 -O3 -o DIR/gemm_mma.sm_90a.cubin kernels/cuda/src/gemm_mma.cu
//
// or the PTX, by -ptx -arch=compute_80 as gemm_mma.compute_80.ptx, which every device takes. A .cu there is compiled for the device at its first use, where the library NVRTC is installed. A kernel that no embedded image has is found by a .ptx or .cu
// there that declares it.
const FolderEnv = "SYNTIC_KERNEL_DIR"

// over is the folder's files over the embedded ones.
type over struct{ dir string }

// glob are the files of the folder that match.
func (o over) glob(pattern string) []string {
	if o.dir == "" {
		return nil
	}
	names, _ := filepath.Glob(filepath.Join(o.dir, pattern))
	return names
}

// fileName is that of an image in the folder, and what errors and doctor call one that is embedded.
func fileName(stem, arch string) string {
	if arch == ptxArch {
		return stem + "." + arch + ".ptx"
	}
	return stem + "." + arch + ".cubin"
}

// read is the best image of a source among those for these architectures, the folder's first. Of an archive it unpacks that one alone.
func (o over) read(stem string, archs []string) (name string, data []byte, err error) {
	for _, arch := range archs {
		name = fileName(stem, arch)
		if len(o.glob(name)) > 0 {
			data, err = os.ReadFile(filepath.Join(o.dir, name))
			return name, data, err
		}
	}
	if a := embedded()[stem]; a != nil {
		for _, arch := range archs {
			if a.Has(arch) {
				data, err = a.Image(arch)
				return fileName(stem, arch), data, err
			}
		}
	}
	return "", nil, fmt.Errorf("%s has no image for %s", stem, strings.Join(archs, ", "))
}

// embedded are the archives that the binary carries, by the stems of their sources.
var embedded = sync.OnceValue(func() map[string]*Archive {
	m := map[string]*Archive{}
	names, _ := fs.Glob(files, "*"+Suffix)
	for _, name := range names {
		f, err := files.Open(name)
		if err != nil {
			continue
		}
		if a, err := OpenArchive(f.(io.ReaderAt)); err == nil { // a damaged one is as if it were not there, and fails TestImagesAreFresh
			m[strings.TrimSuffix(name, Suffix)] = a
		}
	}
	return m
})

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
	for stem, a := range embedded() {
		for _, kernel := range a.Kernels {
			m[kernel] = stem
		}
	}
	o, _ := images()
	for _, file := range o.glob("*." + ptxArch + ".ptx") {
		data, _ := os.ReadFile(file)
		for _, e := range entry.FindAllSubmatch(data, -1) {
			m[string(e[1])] = stemOf(filepath.Base(file))
		}
	}
	for _, file := range o.glob("*_wgmma.sm_90a.cubin") { // of which there is no PTX
		data, _ := os.ReadFile(file)
		uses, _ := Uses(data)
		for kernel := range uses {
			m[kernel] = stemOf(filepath.Base(file))
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

// runs are the architectures whose images a device of this compute capability (80 for 8.0) takes, best first: cubins run on later chips of the same major
// number, save the system-on-chip ones (8.7, 8.8, 11.x), for which the makers promise it not, and sm_90a on 9.0 alone; PTX runs on all that are newer.
func runs(capability int) []string {
	var l []string
	switch {
	case capability < 80:
		return nil
	case capability == 89:
		l = []string{"sm_89", "sm_86", "sm_80"}
	case capability == 86:
		l = []string{"sm_86", "sm_80"}
	case capability == 80:
		l = []string{"sm_80"}
	case capability == 90:
		l = []string{"sm_90a"}
	case capability/10 == 10:
		l = []string{"sm_100"}
	case capability/10 == 12:
		l = []string{"sm_120"}
	}
	return append(l, ptxArch)
}

// Pick tells which of the embedded images a device of this compute capability takes, and why; those for 9.0 alone are left out.
func Pick(capability int) (arch, why string) {
	able := runs(capability)
	if able == nil {
		return "none", "the kernels need 8.0 (Ampere) or newer"
	}
	picked := map[string]bool{}
	for stem, a := range embedded() {
		if OneArch(stem) == "" {
			if i := slices.IndexFunc(able, a.Has); i >= 0 {
				picked[able[i]] = true
			}
		}
	}
	arch = strings.Join(slices.Sorted(maps.Keys(picked)), " and ")
	switch {
	case arch == ptxArch:
		return arch, "PTX, which the driver compiles at the first use and keeps: no image is made for this chip"
	case arch == able[0] && strings.TrimSuffix(arch, "a") == fmt.Sprintf("sm_%d", capability):
		return arch, "made for it"
	case capability == 89:
		return arch, "whose code is the same as that of sm_89"
	}
	return arch, fmt.Sprintf("which runs on %d.%d", capability/10, capability%10)
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
	able := runs(capability)
	if only := OneArch(file); only != "" && !slices.Contains(able, only) {
		return "", nil, fmt.Errorf("kernel %s is compiled for %s alone, compute capability %d.%d cannot run it", kernel, only, capability/10, capability%10)
	}
	if able == nil {
		return "", nil, fmt.Errorf("compute capability %d.%d: the kernels need 8.0 (Ampere) or newer", capability/10, capability%10)
	}
	name, data, err = o.read(file, able)
	if strings.HasSuffix(name, ".ptx") {
		data = append(data, 0)
	}
	return name, data, err
}
