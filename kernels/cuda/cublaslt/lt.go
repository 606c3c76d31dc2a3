//go:build cuda

package cublaslt

// #cgo CFLAGS: -O2 -Wall
// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "lt.h"
import "C"

import (
	"fmt"
	"os"
	"sync"
	"unsafe"
)

// LibraryEnv names a file to open instead of the usual ones.
const LibraryEnv = "SYNTIC_LIBCUBLASLT"

var libraries = []string{"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11", "libcublasLt.so"}

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
		failed := C.lt_open(name, &msg[0], C.size_t(len(msg))) != 0
		C.free(unsafe.Pointer(name))
		if !failed {
			return nil
		}
		if first == nil {
			first = fmt.Errorf("no cuBLASLt: %s", C.GoString(&msg[0]))
		}
	}
	return first
})

// Version is the library's own number of its version, such as 130100.
func Version() (int, error) {
	if err := Open(); err != nil {
		return 0, err
	}
	return int(C.lt_version()), nil
}

// Error is a failed call.
type Error struct {
	Call string
	Code int // cublasStatus_t
	Name string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s (%d)", e.Call, e.Name, e.Code) }

func failure(call string, code C.int) error {
	if code == 0 {
		return nil
	}
	return &Error{call, int(code), C.GoString(C.lt_status(code))}
}

// Compute is how products are added up (cublasComputeType_t).
type Compute int

// In float32; with float32 operands rounded to TF32.
const (
	InF32  Compute = 68
	InTF32 Compute = 77
)

// Numbers is a format of operands (cudaDataType_t).
type Numbers int

// The formats.
const (
	F32  Numbers = 0
	F16  Numbers = 2
	BF16 Numbers = 14
)

// Product is Out[M, N] = Alpha · op(A) · op(B) + Beta · C + Bias[N] of row-major matrices, for each of a batch. C and Out are float32, their rows N numbers.
type Product struct {
	Compute        Compute
	Numbers        Numbers // of A and B
	TransA, TransB bool    // A is [K, M], B is [N, K]
	M, N, K, Batch int
	LDA, LDB       int // numbers from row to row
	StepA, StepB   int // numbers from one of the batch to the next; 0: all share one
	Alpha, Beta    float32
	Biased         bool
	Bias           unsafe.Pointer // nil will do for Ways and Check
}

func (p *Product) c() C.lt_product {
	return C.lt_product{compute: C.int(p.Compute), _type: C.int(p.Numbers), trans_a: truth(p.TransA), trans_b: truth(p.TransB), m: C.uint64_t(p.M), n: C.uint64_t(p.N), k: C.uint64_t(p.K),
		lda: C.int64_t(p.LDA), ldb: C.int64_t(p.LDB), batch: C.int32_t(p.Batch), step_a: C.int64_t(p.StepA), step_b: C.int64_t(p.StepB), alpha: C.float(p.Alpha), beta: C.float(p.Beta), biased: truth(p.Biased), bias: p.Bias}
}

func truth(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// Way is an algorithm with its settings, as the library writes it: opaque, and good for the version that gave it alone.
type Way [64]byte

// Handle is the library in a device's context, which must be current on the calling thread in all its methods.
type Handle struct{ h unsafe.Pointer }

// New starts the library in the context that is current.
func New() (*Handle, error) {
	if err := Open(); err != nil {
		return nil, err
	}
	h := &Handle{}
	return h, failure("cublasLtCreate", C.lt_create(&h.h))
}

// Ways are up to most ways to compute a product that need no more than workspace bytes, those that the library takes for the fastest first, and how many bytes each
// needs. Operands must be aligned to 16 bytes.
func (h *Handle) Ways(p *Product, workspace, most int) (ways []Way, needs []int, err error) {
	const limit = 32
	var algos [limit]C.lt_algo
	var bytes [limit]C.size_t
	n, c := C.int(min(most, limit)), p.c()
	if err := failure("cublasLtMatmulAlgoGetHeuristic", C.lt_ways(h.h, &c, C.size_t(workspace), &algos[0], &bytes[0], &n)); err != nil {
		return nil, nil, err
	}
	for i := range int(n) {
		ways, needs = append(ways, *(*Way)(unsafe.Pointer(&algos[i]))), append(needs, int(bytes[i]))
	}
	return ways, needs, nil
}

// Check is how many bytes of work space a way needs for a product, or an error if it does not take that one.
func (h *Handle) Check(p *Product, way *Way) (needs int, err error) {
	var n C.size_t
	c := p.c()
	err = failure("cublasLtMatmulAlgoCheck", C.lt_check(h.h, &c, (*C.lt_algo)(unsafe.Pointer(way)), &n))
	return int(n), err
}

// Run puts a product on a stream (a CUstream), computed by a way with work space of so many bytes.
func (h *Handle) Run(p *Product, a, b, add, out unsafe.Pointer, way *Way, workspace unsafe.Pointer, bytes int, stream unsafe.Pointer) error {
	c := p.c()
	return failure("cublasLtMatmul", C.lt_run(h.h, &c, a, b, add, out, (*C.lt_algo)(unsafe.Pointer(way)), workspace, C.size_t(bytes), stream))
}
