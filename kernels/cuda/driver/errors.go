package driver

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoDriver is wrapped by errors of machines that have no usable CUDA driver, and of binaries built without the tag cuda.
var ErrNoDriver = errors.New("no CUDA driver")

// Error is a failed driver call.
type Error struct {
	Call string   // what was tried
	Code int      // the driver's result code
	Name string   // the code's name
	Text string   // what the driver says of it
	Log  string   // of the compiler of PTX, if it spoke
	Ops  []string // the last kernels launched on the stream, oldest first: an error of one surfaces at a later call
}

// Codes that callers act on.
const (
	OutOfMemory    = 2
	NoBinary       = 209
	NotFound       = 500
	IllegalAddress = 700
	NotSupported   = 801
)

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (%s, %d)", e.Call, e.Text, e.Name, e.Code)
	if e.Log != "" {
		fmt.Fprintf(&b, ": %s", strings.Join(strings.Fields(e.Log), " "))
	}
	if len(e.Ops) > 0 {
		fmt.Fprintf(&b, "; last launched: %s", strings.Join(e.Ops, ", "))
	}
	return b.String()
}

// CodeOf is the driver's result code in an error, 0 if there is none.
func CodeOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}
