//go:build cuda

package nvrtc

// #cgo CFLAGS: -O2 -Wall
// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "nvrtc.h"
import "C"

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// LibraryEnv names a file to open instead of the usual ones.
const LibraryEnv = "SYNTIC_LIBNVRTC"

var libraries = []string{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}

// Open loads the library, once.
var Open = sync.OnceValue(func() error {
	paths := libraries
	if one := os.Getenv(LibraryEnv); one != "" {
		paths = []string{one}
	}
	var first error
	for _, path := range paths {
		name := C.CString(path)
		var msg [512]C.char
		failed := C.rtc_open(name, &msg[0], C.size_t(len(msg))) != 0
		C.free(unsafe.Pointer(name))
		if !failed {
			return nil
		}
		if first == nil {
			first = fmt.Errorf("no NVRTC: %s", C.GoString(&msg[0]))
		}
	}
	return first
})

// Version is the CUDA version of the library, as 1000·major + 10·minor.
func Version() (int, error) {
	if err := Open(); err != nil {
		return 0, err
	}
	var major, minor C.int
	if code := C.rtc_version(&major, &minor); code != 0 {
		return 0, fmt.Errorf("nvrtcVersion: %s", C.GoString(C.rtc_error(code)))
	}
	return int(1000*major + 10*minor), nil
}

// Compile makes a cubin of a source for an architecture such as sm_90a. Headers are what #include "…" finds, by name. The error carries what the
// compiler says.
func Compile(name, source string, headers map[string]string, arch string) ([]byte, error) {
	if err := Open(); err != nil {
		return nil, err
	}
	var owned []*C.char
	str := func(s string) *C.char {
		c := C.CString(s)
		owned = append(owned, c)
		return c
	}
	defer func() {
		for _, c := range owned {
			C.free(unsafe.Pointer(c))
		}
	}()
	texts, names := []*C.char{nil}, []*C.char{nil} // C wants an address even of none
	for h, text := range headers {
		texts, names = append(texts, str(text)), append(names, str(h))
	}
	var options []*C.char
	for _, o := range []string{"--gpu-architecture=" + arch, "--std=c++17", "--device-as-default-execution-space"} {
		options = append(options, str(o))
	}
	var image, log *C.char
	var size C.size_t
	code := C.rtc_compile(str(source), str(name), C.int(len(texts)-1), unsafe.SliceData(texts[min(1, len(texts)-1):]), unsafe.SliceData(names[min(1, len(names)-1):]),
		C.int(len(options)), &options[0], &image, &size, &log)
	defer C.free(unsafe.Pointer(image))
	defer C.free(unsafe.Pointer(log))
	if code != 0 {
		said := strings.TrimSpace(C.GoString(log))
		if said == "" {
			said = "it says nothing"
		}
		return nil, fmt.Errorf("%s for %s: %s: %s", name, arch, C.GoString(C.rtc_error(code)), said)
	}
	return slices.Clone(unsafe.Slice((*byte)(unsafe.Pointer(image)), int(size))), nil
}
