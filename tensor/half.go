package tensor

import (
	"sync"
	"unsafe"

	"syntic/kernels"
)

// MapRaw makes a parameter use memory that holds its values, row by row and in its own shape, as format d: F32, F16 or BF16, little endian.
// On the CPU the memory is used as it is, kept alive and never written, if its address is a multiple of the element's size; else it is copied.
//
// Weights of 16 bits serve Linear and its kin, Conv2D and Embedding where they lie: kernels widen them, exactly, as they read them. Any other op
// makes a float32 copy at the first use, which stays. They take no gradient: recording an op with such a parameter that is trainable panics with
// an *Error. SetData makes the parameter float32 again, and so does Own, which optimizers call.
func (t *Tensor) MapRaw(d DType, data []byte) {
	if d != F32 && d != F16 && d != BF16 {
		fail("map %v to %v values: want f32, f16 or bf16", t, d)
	}
	if !t.parameter || len(data) != t.Len()*d.Size() {
		fail("map %v to %d bytes of %v: want a parameter and %d bytes", t, len(data), d, t.Len()*d.Size())
	}
	if len(data) == 0 {
		return
	}
	at := unsafe.Pointer(unsafe.SliceData(data))
	if !t.dev.IsCPU() || uintptr(at)%uintptr(d.Size()) != 0 {
		data = aligned(data)
		at = unsafe.Pointer(unsafe.SliceData(data))
		if d == F32 || !t.dev.IsCPU() {
			t.SetData(floats(d, at, t.Len()))
			return
		}
	}
	t.Release()
	t.v = kernels.NewView(d, nil, append([]int(nil), t.Shape()...)...)
	t.setPtr(at, 0)
	t.holds(data)
}

// aligned is a copy of memory at an address that suits every format.
func aligned(data []byte) []byte {
	whole := make([]uint64, (len(data)+7)/8)
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(whole))), len(data))
	copy(b, data)
	return b
}

// floats reads n values of format d.
func floats(d DType, at unsafe.Pointer, n int) []float32 {
	v := kernels.NewView(d, at, n)
	return v.Floats()
}

func (t *Tensor) isHalf() bool { return t.v.DType == F16 || t.v.DType == BF16 }

// computed is the format in which ops see the values.
func (t *Tensor) computed() DType {
	if t.isHalf() {
		return F32
	}
	return t.v.DType
}

// stored is View in the format in which the values lie, for ops that widen weights themselves.
func (t *Tensor) stored() kernels.View {
	if t != nil && t.isHalf() {
		return t.v
	}
	return t.View()
}

func (t *Tensor) storedAs(shape ...int) kernels.View { return t.stored().As(shape...) }

// weight is stored for the weight of a product that rounds its operands to `to`. Of memory that nobody writes to, which is that of mapped
// parameters, a copy so rounded is made once and kept, so that it need not be rounded at every use; results are the same bits.
func (t *Tensor) weight(to DType) kernels.View {
	if to != BF16 || t.v.DType == to || t.buf.hold == nil || !t.dev.IsCPU() || t.Rank() == 0 || t.Dim(-1)%2 != 0 {
		return t.stored()
	}
	r := t.buf.round.Load()
	if r == nil {
		widening.Lock()
		defer widening.Unlock()
		if r = t.buf.round.Load(); r == nil {
			half, v := make([]uint16, t.Len()), t.stored()
			kernels.Narrow(half, v.Floats(), to)
			r = NewParameter(t.dev, t.Len())
			r.MapRaw(to, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(half))), 2*len(half)))
			t.buf.round.Store(r)
		}
	}
	return r.v.As(t.Shape()...)
}

var widening sync.Mutex

// widened is a float32 copy of a parameter with 16 bits, the same for all its reshaped twins.
func (t *Tensor) widened() kernels.View {
	w := t.buf.wide.Load()
	if w == nil {
		widening.Lock()
		defer widening.Unlock()
		if w = t.buf.wide.Load(); w == nil {
			w = NewParameter(t.dev, t.Len())
			w.SetData(t.Float32s())
			t.buf.wide.Store(w)
		}
	}
	return w.v.As(t.Shape()...)
}

// refuseHalf panics for a parameter of 16 bits, to which a gradient would flow.
func refuseHalf(t *Tensor) {
	if t.isHalf() {
		fail("parameter %v is stored in 16 bits and takes no gradient: load it as float32 to train it, or freeze it", t)
	}
}
