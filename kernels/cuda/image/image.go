//go:build cuda

package image

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed *.cubin *.ptx
var files embed.FS

var entry = regexp.MustCompile(`(?m)^\.visible \.entry (\w+)\(`)

// index maps kernels to the source file that holds them.
var index = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	names, _ := fs.Glob(files, "*.ptx")
	for _, name := range names {
		data, _ := files.ReadFile(name)
		for _, e := range entry.FindAllSubmatch(data, -1) {
			m[string(e[1])] = strings.TrimSuffix(name, ".compute_80.ptx")
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
	switch {
	case capability/10 == 8:
		return "sm_80"
	case capability == 90:
		return "sm_90a"
	}
	return "compute_80"
}

// Find is the image with the kernel for a device of this compute capability, and its name. PTX ends in a zero byte.
func Find(kernel string, capability int) (name string, data []byte, err error) {
	file, ok := index()[kernel]
	if !ok {
		return "", nil, fmt.Errorf("no image has a kernel %s: run go generate ./kernels/cuda", kernel)
	}
	if arch := Arch(capability); arch != "compute_80" {
		name = file + "." + arch + ".cubin"
		data, err = files.ReadFile(name)
		return path.Base(name), data, err
	}
	if capability < 80 {
		return "", nil, fmt.Errorf("compute capability %d.%d: the kernels need 8.0 (Ampere) or newer", capability/10, capability%10)
	}
	name = file + ".compute_80.ptx"
	data, err = files.ReadFile(name)
	return name, append(slices.Clone(data), 0), err
}
