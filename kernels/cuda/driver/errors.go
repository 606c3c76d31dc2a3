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
	NoDevice       = 100
	NoBinary       = 209
	ECC            = 214
	OldDriver      = 222 // CUDA_ERROR_UNSUPPORTED_PTX_VERSION
	NotFound       = 500
	IllegalAddress = 700
	LaunchTimeout  = 702
	NotSupported   = 801
	Unknown        = 999
)

// advice is what to do about codes that say little to who meets them.
var advice = map[int]string{
	46:            "another process may hold the device alone: nvidia-smi shows which",
	NoDevice:      "no GPU, or CUDA_VISIBLE_DEVICES hides it",
	NoBinary:      "the image was made for another chip: syntic doctor tells which one the device takes, SYNTIC_KERNEL_DIR names a folder of others",
	ECC:           "the device's memory has failed: nothing that it computed since the last synchronisation can be trusted; nvidia-smi -q -d ECC tells more",
	218:           "the driver does not understand the PTX: want a driver of CUDA 13.0 (580) or newer, or images by an older compiler in the folder SYNTIC_KERNEL_DIR",
	OldDriver:     "the driver is older than the compiler of the kernels: want one of CUDA 13.0 (580) or newer, or images by an older compiler in the folder SYNTIC_KERNEL_DIR",
	LaunchTimeout: "a kernel took longer than the system lets it, as on a GPU that drives a screen",
	803:           "the driver's kernel module and library are of different versions: restart the machine after an update",
	Unknown:       "the device may be lost: nvidia-smi and the system's log (Xid) tell more; start again once it is back",
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (%s, %d)", e.Call, e.Text, e.Name, e.Code)
	if text := advice[e.Code]; text != "" {
		fmt.Fprintf(&b, ": %s", text)
	}
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
