package tensor

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"syntic/kernels"
)

// DType is the number format of a tensor.
type DType = kernels.DType

// Formats. F16 and BF16 are formats of mapped parameters (MapRaw).
const (
	F32  = kernels.F32
	I32  = kernels.I32
	F16  = kernels.F16
	BF16 = kernels.BF16
)

// Tensor is a contiguous row-major array on a device, owned by a Scope or, as a parameter, by a model.
type Tensor struct {
	v         kernels.View
	buf       *buffer
	dev       *Device
	needs     bool // a gradient flows here
	parameter bool
	host      []int32 // what an int32 tensor of a device was made of, so that it need not be copied back
}

// Shape is the sizes; not to be changed.
func (t *Tensor) Shape() []int { return t.v.Shape() }

// Rank is the number of dimensions.
func (t *Tensor) Rank() int { return t.v.Rank() }

// Dim is one size; negative i counts from the end.
func (t *Tensor) Dim(i int) int {
	if i < 0 {
		i += t.v.Rank()
	}
	return t.v.Dim(i)
}

// Len is the number of elements.
func (t *Tensor) Len() int { return t.v.Len() }

// DType is the number format.
func (t *Tensor) DType() DType { return t.v.DType }

// Device is where it lives.
func (t *Tensor) Device() *Device { return t.dev }

func (t *Tensor) String() string { return t.v.String() }

// Bytes is the size of its memory.
func (t *Tensor) Bytes() int { return t.v.Bytes() }

// View is the operand for a call of a kernel; absent for a nil tensor. Of a parameter with 16 bits it is a float32 copy, made once.
func (t *Tensor) View() kernels.View {
	if t == nil {
		return kernels.View{}
	}
	if t.isHalf() {
		return t.widened()
	}
	if t.parameter && t.buf.ptr == nil {
		t.materialise()
	}
	return t.v
}

func (t *Tensor) as(shape ...int) kernels.View { return t.View().As(shape...) }

// Float32s copies the values to the host.
func (t *Tensor) Float32s() []float32 {
	dst := make([]float32, t.Len())
	t.CopyTo(dst)
	return dst
}

// CopyTo copies the values to dst on the host; those of 16 bits are widened.
func (t *Tensor) CopyTo(dst []float32) {
	if t.v.DType == I32 || len(dst) != t.Len() {
		fail("copy %v to %d float32", t, len(dst))
	}
	if t.isHalf() {
		half := make([]uint16, len(dst))
		t.copyOut(unsafe.Pointer(unsafe.SliceData(half)))
		kernels.Widen(dst, half, t.v.DType)
		return
	}
	t.copyOut(unsafe.Pointer(unsafe.SliceData(dst)))
}

// Int32s copies the values of an int32 tensor to the host.
func (t *Tensor) Int32s() []int32 {
	if t.v.DType != I32 {
		fail("%v read as int32", t)
	}
	dst := make([]int32, t.Len())
	if t.host != nil {
		copy(dst, t.host)
		return dst
	}
	t.copyOut(unsafe.Pointer(unsafe.SliceData(dst)))
	return dst
}

// HostInts is the values of an int32 tensor on the host, not to be changed: its memory on the CPU, else a copy.
func (t *Tensor) HostInts() []int32 {
	switch {
	case t.host != nil:
		return t.host
	case t.dev.IsCPU():
		return t.IntData()
	}
	return t.Int32s()
}

func (t *Tensor) copyOut(dst unsafe.Pointer) {
	v := t.stored()
	if v.Len() == 0 {
		return
	}
	s, err := t.dev.backend.NewStream(t.dev.info.Index)
	check(err)
	check(t.dev.backend.CopyOut(s, dst, v.Ptr(), v.Bytes()))
}

// Item is the value of a tensor of one element.
func (t *Tensor) Item() float32 {
	if t.Len() != 1 {
		fail("item of %v: want one element", t)
	}
	var x [1]float32
	t.CopyTo(x[:])
	return x[0]
}

// Data is the memory itself; only on the CPU and for float32.
func (t *Tensor) Data() []float32 {
	if !t.dev.IsCPU() {
		fail("data of %v: it is on %v, use Float32s", t, t.dev)
	}
	if t.isHalf() {
		fail("data of %v: it has 16 bits, use Float32s", t)
	}
	v := t.View()
	return v.F32()
}

// IntData is the memory of an int32 tensor; only on the CPU.
func (t *Tensor) IntData() []int32 {
	if !t.dev.IsCPU() {
		fail("data of %v: it is on %v, use Int32s", t, t.dev)
	}
	if t.v.DType != I32 {
		fail("%v read as int32", t)
	}
	return t.v.I32()
}

// NewParameter is a float32 tensor that belongs to a model, not to a Scope. It takes memory when it is first used or set, and is zero until then.
func NewParameter(dev *Device, shape ...int) *Tensor {
	for _, n := range shape {
		if n < 0 || n > math.MaxInt32 {
			fail("parameter of shape %v", shape)
		}
	}
	return &Tensor{v: kernels.NewView(F32, nil, shape...), buf: &buffer{}, dev: dev, needs: true, parameter: true}
}

// SetTrainable tells whether gradients flow to a parameter.
func (t *Tensor) SetTrainable(on bool) { t.needs = on }

// Trainable tells whether gradients flow to it.
func (t *Tensor) Trainable() bool { return t.needs }

func (t *Tensor) materialise() {
	p := &t.dev.pool
	t.setPtr(p.get(max(t.v.Bytes(), 4)))
	if t.dev.IsCPU() {
		clear(t.v.F32())
		return
	}
	t.SetData(make([]float32, t.Len()))
}

func (t *Tensor) setPtr(ptr unsafe.Pointer, class int) {
	t.buf.ptr, t.buf.bytes, t.buf.pool = ptr, class, &t.dev.pool
	t.v = kernels.NewView(t.v.DType, ptr, append([]int(nil), t.v.Shape()...)...)
}

// SetData copies values in.
func (t *Tensor) SetData(data []float32) {
	if len(data) != t.Len() || t.v.DType == I32 {
		fail("set %v to %d float32 values", t, len(data))
	}
	if t.isHalf() || t.buf.hold != nil { // it becomes float32, and its own
		t.Release()
	}
	if t.buf.ptr == nil || t.buf.bytes == 0 {
		t.setPtr(t.dev.pool.get(max(t.v.Bytes(), 4)))
		t.buf.hold = nil
	}
	s, err := t.dev.backend.NewStream(t.dev.info.Index)
	check(err)
	t.forgetNearby()
	check(t.dev.backend.CopyIn(s, t.v.Ptr(), unsafe.Pointer(unsafe.SliceData(data)), t.v.Bytes()))
	check(t.dev.backend.Sync(s))
}

// Map uses memory of someone else as the parameter's, without a copy, where the device is the CPU; elsewhere it copies. The memory is kept alive and never written;
// who trains the parameter calls Own first, as optimizers do.
func (t *Tensor) Map(data []float32) {
	if !t.dev.IsCPU() {
		t.SetData(data)
		return
	}
	if len(data) != t.Len() {
		fail("map %v to %d float32 values", t, len(data))
	}
	t.Release()
	t.setPtr(unsafe.Pointer(unsafe.SliceData(data)), 0)
	t.holds(data)
}

// holds keeps someone else's memory alive; nobody writes to it, so ops may keep what they make of it.
func (t *Tensor) holds(data any) {
	t.buf.hold, t.buf.kept = data, new(kernels.Kept)
	t.v = t.v.Constant(t.buf.kept)
}

// OnKept names what is called whenever an op has laid another form of someone else's memory beside it, which it reads from then on instead: who can have the
// memory again, from a mapped file, lets go of it there. Without such memory it does nothing.
func (t *Tensor) OnKept(made func()) {
	if t.buf.kept != nil {
		t.buf.kept.OnMake(made)
	}
}

// Held tells whether a parameter uses memory of someone else (Map, MapRaw).
func (t *Tensor) Held() bool { return t.buf.hold != nil }

// Own gives a parameter memory of its own if it uses someone else's: needed before an op writes to it.
func (t *Tensor) Own() {
	if t.buf.hold == nil {
		return
	}
	data := t.Float32s()
	t.Release()
	t.SetData(data)
}

// Release frees a parameter's memory; it is zero, and float32, afterwards.
func (t *Tensor) Release() {
	if t.buf.bytes > 0 && t.buf.ptr != nil {
		t.buf.pool.put(t.buf.ptr, t.buf.bytes)
	}
	t.forgetNearby()
	if t.buf.kept != nil {
		t.buf.kept.Drop()
	}
	for _, w := range []*Tensor{t.buf.wide.Load(), t.buf.round.Load()} {
		if w != nil {
			w.Release()
		}
	}
	*t.buf = buffer{}
	t.v = kernels.NewView(F32, nil, append([]int(nil), t.v.Shape()...)...)
}

// Scalar is a host value as a parameter that is not trained.
func Scalar(dev *Device, x float32) *Tensor {
	t := NewParameter(dev, 1)
	t.SetData([]float32{x})
	t.needs = false
	return t
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			panic(&Error{fmt.Errorf("shape %v: negative size", slices.Clone(shape))})
		}
		n *= d
	}
	return n
}
