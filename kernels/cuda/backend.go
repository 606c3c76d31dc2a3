//go:build cuda

package cuda

import (
	"fmt"
	"sync"
	"unsafe"

	"syntic/kernels"
	"syntic/kernels/cuda/driver"
	"syntic/kernels/cuda/image"
)

func init() { kernels.RegisterBackend(kernels.CUDA, backend{}) }

type backend struct{}

// device is one GPU in use. All its work goes through one stream: memory that one scope frees and the next takes is then ordered. A recording has a
// stream of its own and, instead of memory that is ordered on the stream, a reserve.
type device struct {
	*loaded
	ctx        *driver.Context
	stream     *driver.Stream
	capability int
	reserve    *reserve
}

// loaded is what all streams of a device share: its kernels and their images.
type loaded struct {
	kernels sync.Map // name -> *driver.Kernel
	mu      sync.Mutex
	modules map[string]*driver.Module
	flushed unsafe.Pointer // memory that Flush writes; nil before its first call
	pinning sync.Mutex     // held while pinned is in use
	pinned  unsafe.Pointer // of the host, what CopyAllOut goes through; nil before its first call
	sms     int            // multiprocessors, 0 until they are asked for
}

var devices struct {
	sync.Mutex
	m map[int]*device
}

func open(index int) (*device, error) {
	devices.Lock()
	defer devices.Unlock()
	if d := devices.m[index]; d != nil {
		return d, nil
	}
	if _, err := loadLt(); err != nil {
		return nil, err
	}
	ctx, err := driver.Primary(index)
	if err != nil {
		return nil, err
	}
	d := &device{ctx: ctx, loaded: &loaded{modules: map[string]*driver.Module{}}}
	if d.capability, err = driver.Capability(index); err != nil {
		return nil, err
	}
	if d.stream, err = ctx.NewStream(); err != nil {
		return nil, err
	}
	if err := ctx.PoolKeep(256 << 20); err != nil && driver.CodeOf(err) != driver.NotSupported {
		return nil, err
	}
	if devices.m == nil {
		devices.m = map[int]*device{}
	}
	devices.m[index] = d
	return d, nil
}

// Available tells whether this process can use a GPU (or the emulator), nil, or why not.
var Available = sync.OnceValue(func() error {
	n, err := driver.Count()
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: it finds no device", driver.ErrNoDriver)
	}
	return err
})

func available() bool { return Available() == nil }

// Usable is nil, or says why no GPU can be used.
func (backend) Usable() error { return Available() }

// Devices lists the GPUs; none if there is no driver.
func (backend) Devices() []kernels.DeviceInfo {
	if !available() {
		return nil
	}
	n, _ := driver.Count()
	var l []kernels.DeviceInfo
	for i := range n {
		name, _ := driver.Name(i)
		memory, _ := driver.Memory(i)
		l = append(l, kernels.DeviceInfo{Kind: kernels.CUDA, Index: i, Name: name, Memory: memory, Detail: detail(i), Emulated: driver.Emulated()})
	}
	return l
}

// detail says of a device which driver runs it, which images it takes, and whether another library's products serve.
func detail(index int) string {
	version, _ := driver.Version()
	capability, _ := driver.Capability(index)
	arch, why := image.Pick(capability)
	text := fmt.Sprintf("driver of CUDA %d.%d, compute capability %d.%d, images %s, %s", version/1000, version%1000/10, capability/10, capability%10, arch, why)
	if driver.Emulated() {
		text = "the emulator, for tests: not a GPU"
	}
	if products, err := loadLt(); err != nil {
		text += "; " + err.Error()
	} else if products != "" {
		text += "; " + products
	}
	return text
}

func (backend) Alloc(index, bytes int) (unsafe.Pointer, error) {
	d, err := open(index)
	if err != nil {
		return nil, err
	}
	return d.ctx.Alloc(bytes)
}

func (backend) Free(index int, p unsafe.Pointer) {
	if d, err := open(index); err == nil {
		d.ctx.Free(p) // an error here is one of an earlier kernel: the next Sync reports it
	}
}

func (backend) CopyIn(s *kernels.Stream, dst, src unsafe.Pointer, bytes int) error {
	return of(s).stream.ToDevice(dst, src, bytes)
}

func (backend) CopyOut(s *kernels.Stream, dst, src unsafe.Pointer, bytes int) error {
	return of(s).stream.ToHost(dst, src, bytes)
}

// CopyAllOut goes through pinned memory, so that no copy waits for itself; more than that holds is copied piece by piece.
func (b backend) CopyAllOut(s *kernels.Stream, list []kernels.HostCopy) error {
	d, total := of(s), 0
	for _, c := range list {
		total += c.Bytes
	}
	d.pinning.Lock()
	defer d.pinning.Unlock()
	if d.pinned == nil && total <= pinnedBytes {
		var err error
		if d.pinned, err = d.ctx.AllocHost(pinnedBytes); err != nil {
			return err
		}
	}
	if total > pinnedBytes {
		for _, c := range list {
			if err := b.CopyOut(s, c.Dst, c.Src, c.Bytes); err != nil {
				return err
			}
		}
		return nil
	}
	at := 0
	for _, c := range list {
		if err := d.stream.ToPinned(unsafe.Add(d.pinned, at), c.Src, c.Bytes); err != nil {
			return err
		}
		at += c.Bytes
	}
	err := d.stream.WaitToHost()
	if at = 0; err == nil {
		for _, c := range list {
			copy(unsafe.Slice((*byte)(c.Dst), c.Bytes), unsafe.Slice((*byte)(unsafe.Add(d.pinned, at)), c.Bytes))
			at += c.Bytes
		}
	}
	return err
}

// pinnedBytes is what is set aside for small results that are read together.
const pinnedBytes = 1 << 20

func (backend) Copy(s *kernels.Stream, dst, src unsafe.Pointer, bytes int) error {
	return of(s).stream.Within(dst, src, bytes)
}

func (backend) Fill(s *kernels.Stream, dst unsafe.Pointer, word uint32, n int) error {
	return of(s).stream.Fill(dst, word, n)
}

func (backend) NewStream(index int) (*kernels.Stream, error) {
	d, err := open(index)
	if err != nil {
		return nil, err
	}
	return &kernels.Stream{Kind: kernels.CUDA, Device: index, Handle: d}, nil
}

func (backend) Sync(s *kernels.Stream) error { return of(s).stream.Sync() }

func of(s *kernels.Stream) *device { return s.Handle.(*device) }
