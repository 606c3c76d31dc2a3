package kernels

import "unsafe"

// DeviceKind is a family of devices that share variants.
type DeviceKind uint8

// The families.
const (
	CPU DeviceKind = iota
	CUDA
)

func (k DeviceKind) String() string { return [...]string{"cpu", "cuda"}[k] }

// DeviceInfo describes one device of a backend.
type DeviceInfo struct {
	Kind     DeviceKind
	Index    int
	Name     string // the vendor's name of it
	Memory   int64  // bytes
	Detail   string // driver, generation, images, for people
	Emulated bool   // no GPU: the emulator, whose times mean nothing
}

// Backend is what a family of devices must do besides its ops: memory, copies, streams. Pointers it hands out are 64-byte aligned.
type Backend interface {
	Devices() []DeviceInfo
	Alloc(device, bytes int) (unsafe.Pointer, error)
	Free(device int, p unsafe.Pointer)
	CopyIn(s *Stream, dst unsafe.Pointer, src unsafe.Pointer, bytes int) error  // host to device
	CopyOut(s *Stream, dst unsafe.Pointer, src unsafe.Pointer, bytes int) error // device to host, complete on return
	Copy(s *Stream, dst, src unsafe.Pointer, bytes int) error                   // within the device
	NewStream(device int) (*Stream, error)
	Sync(s *Stream) error
}

// Stream is an order of execution on one device. On the CPU every op is complete when Run returns.
type Stream struct {
	Kind   DeviceKind
	Device int
	Handle any // of the backend
}

var backends [2]Backend

// RegisterBackend is called by kernels/cpu and kernels/cuda when they are linked in.
func RegisterBackend(k DeviceKind, b Backend) { backends[k] = b }

// BackendOf is the registered backend, or nil.
func BackendOf(k DeviceKind) Backend { return backends[k] }

// Filler is a backend that can set memory of a device to one 32-bit word, without a copy from the host.
type Filler interface {
	Fill(s *Stream, dst unsafe.Pointer, word uint32, n int) error
}

// Drawer is a backend that draws random numbers where they are needed, the same bits as [Key.Normal] and [Key.Uniform] on the host.
type Drawer interface {
	Draw(s *Stream, dst unsafe.Pointer, n int, key Key, normal bool) error
}

// Gatherer is a backend whose host would wait for each CopyOut: it makes several and waits once.
type Gatherer interface {
	CopyAllOut(s *Stream, list []HostCopy) error // complete on return
}

// HostCopy is a copy from a device to the host.
type HostCopy struct {
	Dst, Src unsafe.Pointer
	Bytes    int
}

// Recorder is a backend that can record work once and replay it as a whole, for less than the launches of its ops cost.
type Recorder interface {
	NewRecording(device int, name string) (Recording, error)
}

// Recording is work that is recorded. Its ops are put on a stream of its own: once to run, so that all they need is loaded and their work space is there,
// then, within Record, to be recorded with the addresses that they use.
type Recording interface {
	Stream() *Stream
	Record(fn func() error) error
	Replay(s *Stream) error // puts the whole work on s
	Close() error           // frees the work space; nothing may be under way
}

// Clock is a backend whose work is timed on the device itself, for benchmarks.
type Clock interface {
	Elapsed(s *Stream, fn func() error) (seconds float64, err error) // from the first to the last that fn puts on s; it waits
	Flush(s *Stream) error                                           // fills the last level of caches with other memory
	Conditions(device int) string                                    // at which clocks it runs and what holds them down, or why nobody can tell
}
