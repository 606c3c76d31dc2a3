package tensor

import (
	"math"
	"slices"
	"unsafe"

	"syntic/kernels"
)

// Scope owns the tensors that its ops make; Close frees them all. It belongs to one goroutine.
type Scope struct {
	dev    *Device
	stream *kernels.Stream
	pool   *pool // where its memory comes from
	parent *Scope
	root   *Scope  // whose cells and views its children use too
	spare  *Scope  // a closed child, for Do
	first  *buffer // of those it owns, which are chained
	live   int     // how many they are
	cells  arena[cell]
	views  arena[Tensor]
	tape   *tape
	trace  func(module any, part string, x *Tensor) // nil: nobody looks
	closed bool
}

// Option of NewScope.
type Option func(*Scope)

// WithTape records ops so that Backward can be called.
func WithTape() Option { return func(s *Scope) { s.tape = &tape{} } }

// NewScope opens a scope on a device.
func NewScope(dev *Device, opts ...Option) *Scope {
	st, err := dev.backend.NewStream(dev.info.Index)
	check(err)
	s := &Scope{dev: dev, stream: st, pool: &dev.pool}
	s.root = s
	for _, o := range opts {
		o(s)
	}
	return s
}

// Child is a scope within s, on the same stream and without a tape.
func (s *Scope) Child() *Scope {
	return &Scope{dev: s.dev, stream: s.stream, pool: s.pool, parent: s, root: s.root, trace: s.trace}
}

// Apart is a scope for work that repeats beside what s keeps: on the same stream and without a tape as a child is, but of its own, so that it can begin anew.
func (s *Scope) Apart() *Scope {
	c := s.Child()
	c.parent, c.root = nil, c
	return c
}

// Take moves the memory of a tensor that another scope owns into s. It is used by the tensor that Take returns from then on.
func (s *Scope) Take(t *Tensor) *Tensor {
	from := t.buf
	if from.owner == nil || from.owner.dev != s.dev {
		fail("take %v into a scope on %v: want a tensor of a scope on that device", t, s.dev)
	}
	from.owner.disown(from)
	c := s.root.cells.next()
	c.b.ptr, c.b.bytes, c.b.pool = from.ptr, from.bytes, from.pool
	s.own(&c.b)
	c.t = Tensor{v: t.v, buf: &c.b, dev: s.dev, host: t.host}
	return &c.t
}

// Do runs fn in a child scope and keeps its result in s; everything else that fn made is freed. When s records, fn runs in s itself,
// because the gradient needs what fn makes.
func (s *Scope) Do(fn func(c *Scope) *Tensor) *Tensor {
	if s.tape != nil {
		return fn(s)
	}
	c := s.spare
	if s.spare = nil; c == nil {
		c = s.Child()
	}
	c.closed = false
	defer func() {
		c.Close()
		s.spare = c
	}()
	return c.Keep(fn(c))
}

// Device is where the scope's ops run.
func (s *Scope) Device() *Device { return s.dev }

// Recording tells whether ops are recorded for Backward.
func (s *Scope) Recording() bool { return s.tape != nil && !s.tape.paused }

// Close frees every tensor of the scope but those kept. Closing twice is harmless.
func (s *Scope) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.freeAll()
	s.tape, s.cells, s.views = nil, arena[cell]{}, arena[Tensor]{}
}

func (s *Scope) freeAll() {
	for s.first != nil {
		b := s.first
		s.disown(b)
		b.pool.put(b.ptr, b.bytes)
	}
}

// Reset frees every tensor of the scope and forgets what was recorded, so that the scope begins anew: work that repeats in it allocates nothing. Unlike
// after Close, tensors and gradients that it made are used again for others, so nobody may hold one any more. It panics with an *Error for a closed or a child scope.
func (s *Scope) Reset() {
	if s.closed || s.root != s {
		fail("reset of a scope that is closed or a child")
	}
	s.freeAll()
	s.cells.reset()
	s.views.reset()
	if s.tape != nil {
		s.tape.reset()
	}
}

// own and disown enter a buffer in the scope's chain and take it out.
func (s *Scope) own(b *buffer) {
	b.owner, b.next = s, s.first
	if s.first != nil {
		s.first.prev = b
	}
	s.first = b
	s.live++
}

func (s *Scope) disown(b *buffer) {
	if b.next != nil {
		b.next.prev = b.prev
	}
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		s.first = b.next
	}
	b.owner, b.prev, b.next = nil, nil, nil
	s.live--
}

// Keep hands a tensor to the parent scope. A tensor of another scope is returned as it is.
func (s *Scope) Keep(t *Tensor) *Tensor {
	if t.buf.owner == s && s.parent != nil {
		s.disown(t.buf)
		s.parent.own(t.buf)
	}
	return t
}

// Free gives the memory of a tensor of this scope back before Close; neither it nor a reshaped twin may be used any more.
func (s *Scope) Free(t *Tensor) {
	if t.buf.owner == s {
		s.disown(t.buf)
		t.buf.pool.put(t.buf.ptr, t.buf.bytes)
	}
}

// Sync waits until the device has done all that was asked.
func (s *Scope) Sync() { check(s.dev.backend.Sync(s.stream)) }

func (s *Scope) empty(d DType, shape ...int) *Tensor {
	if s.closed {
		fail("the scope is closed")
	}
	bytes := max(product(shape)*d.Size(), 4)
	ptr, class := s.pool.get(bytes)
	c := s.root.cells.next()
	c.b.ptr, c.b.bytes, c.b.pool = ptr, class, s.pool
	s.own(&c.b)
	c.t = Tensor{v: kernels.NewView(d, ptr, shape...), buf: &c.b, dev: s.dev}
	return &c.t
}

// cell is a tensor with its buffer. Cells are made many at a time, and not used again before a Reset: who still holds a tensor of a closed scope holds that one.
type cell struct {
	t Tensor
	b buffer
}

// arena hands out values that were made many at a time: twice as many each time, up to 64.
type arena[T any] struct {
	slabs    [][]T
	slab, at int // the next one
}

func (a *arena[T]) next() *T {
	if a.slab == len(a.slabs) {
		n := 2
		if a.slab > 0 {
			n = min(64, 2*len(a.slabs[a.slab-1]))
		}
		a.slabs = append(a.slabs, make([]T, n))
	}
	x := &a.slabs[a.slab][a.at]
	if a.at++; a.at == len(a.slabs[a.slab]) {
		a.slab, a.at = a.slab+1, 0
	}
	return x
}

// reset makes all of them free, and empty, so that they keep nothing alive.
func (a *arena[T]) reset() {
	for _, s := range a.slabs[:min(len(a.slabs), a.slab+1)] {
		clear(s)
	}
	a.slab, a.at = 0, 0
}

// Empty is a float32 tensor of undefined values.
func (s *Scope) Empty(shape ...int) *Tensor { return s.empty(F32, shape...) }

// EmptyInts is an int32 tensor of undefined values.
func (s *Scope) EmptyInts(shape ...int) *Tensor { return s.empty(I32, shape...) }

// Zeros is a float32 tensor of zeros.
func (s *Scope) Zeros(shape ...int) *Tensor { return s.Full(0, shape...) }

// Full is a float32 tensor of one value.
func (s *Scope) Full(x float32, shape ...int) *Tensor {
	t := s.Empty(shape...)
	if s.dev.IsCPU() {
		d := t.v.F32()
		if x == 0 {
			clear(d)
			return t
		}
		for i := range d {
			d[i] = x
		}
		return t
	}
	if f, ok := s.dev.backend.(kernels.Filler); ok {
		if t.Len() == 0 {
			return t
		}
		check(f.Fill(s.stream, t.v.Ptr(), math.Float32bits(x), t.Len()))
		return t
	}
	d := make([]float32, t.Len())
	for i := range d {
		d[i] = x
	}
	s.copyIn(t, unsafe.Pointer(unsafe.SliceData(d)))
	return t
}

func (s *Scope) copyIn(t *Tensor, src unsafe.Pointer) {
	if t.Len() > 0 {
		check(s.dev.backend.CopyIn(s.stream, t.v.Ptr(), src, t.v.Bytes()))
	}
}

// FromFloat32s copies host values in.
func (s *Scope) FromFloat32s(data []float32, shape ...int) *Tensor {
	if len(data) != product(shape) {
		fail("%d values for shape %v", len(data), slices.Clone(shape))
	}
	t := s.Empty(shape...)
	s.copyIn(t, unsafe.Pointer(unsafe.SliceData(data)))
	return t
}

// FromInt32s copies host values in.
func (s *Scope) FromInt32s(data []int32, shape ...int) *Tensor {
	if len(data) != product(shape) {
		fail("%d values for shape %v", len(data), slices.Clone(shape))
	}
	t := s.EmptyInts(shape...)
	s.copyIn(t, unsafe.Pointer(unsafe.SliceData(data)))
	if !s.dev.IsCPU() {
		t.host = slices.Clone(data)
	}
	return t
}

// IntsBy is an int32 tensor of the values that fill writes, in a slice of undefined ones: on the CPU, the tensor's memory.
func (s *Scope) IntsBy(fill func(dst []int32), shape ...int) *Tensor {
	t := s.EmptyInts(shape...)
	if s.dev.IsCPU() {
		fill(t.v.I32())
		return t
	}
	t.host = make([]int32, t.Len())
	fill(t.host)
	s.copyIn(t, unsafe.Pointer(unsafe.SliceData(t.host)))
	return t
}

// FloatsBy is a float32 tensor of the values that fill writes, in a slice of undefined ones: on the CPU, the tensor's memory.
func (s *Scope) FloatsBy(fill func(dst []float32), shape ...int) *Tensor {
	t := s.Empty(shape...)
	if s.dev.IsCPU() {
		fill(t.v.F32())
		return t
	}
	data := make([]float32, t.Len())
	fill(data)
	s.copyIn(t, unsafe.Pointer(unsafe.SliceData(data)))
	return t
}

// Randn is a tensor of standard normal numbers that depend on the key alone.
func (s *Scope) Randn(key kernels.Key, shape ...int) *Tensor {
	t := s.Empty(shape...)
	s.draw(t, key, 0, t.Len(), true)
	return t
}

// Uniform is a tensor of numbers in (0, 1) that depend on the key alone.
func (s *Scope) Uniform(key kernels.Key, shape ...int) *Tensor {
	t := s.Empty(shape...)
	s.draw(t, key, 0, t.Len(), false)
	return t
}

// RandnRows is Randn for each row of a tensor [len(keys), shape...] by itself: row b is the stream of keys[b], whatever the other rows are.
func (s *Scope) RandnRows(keys []kernels.Key, shape ...int) *Tensor {
	t := s.Empty(append([]int{len(keys)}, shape...)...)
	for b, k := range keys {
		n := t.Len() / len(keys)
		s.draw(t, k, b*n, n, true)
	}
	return t
}

// draw fills n elements of a tensor of the scope from element at on, on its device.
func (s *Scope) draw(t *Tensor, key kernels.Key, at, n int, normal bool) {
	if d, ok := s.dev.backend.(kernels.Drawer); ok && n > 0 {
		check(d.Draw(s.stream, unsafe.Add(t.v.Ptr(), 4*at), n, key, normal))
		return
	}
	if to := t.v.F32()[at : at+n]; normal {
		key.Normal(to)
	} else {
		key.Uniform(to)
	}
}

// Key names a stream of random numbers; see package kernels.
type Key = kernels.Key

// Assign copies x into t from element at on, in the order of memory. It is not recorded; t must not be written to otherwise meanwhile.
func (s *Scope) Assign(t *Tensor, at int, x *Tensor) {
	to, from := t.View(), x.View()
	if at < 0 || at+x.Len() > t.Len() || t.DType() != x.computed() || t.isHalf() || t.Held() {
		fail("assign %v to %v from element %d: want one format, room, and memory of its own", x, t, at)
	}
	t.host = nil
	check(s.dev.backend.Copy(s.stream, unsafe.Add(to.Ptr(), at*to.DType.Size()), from.Ptr(), from.Bytes()))
}

// Copy is a copy of x; no gradient flows through it.
func (s *Scope) Copy(x *Tensor) *Tensor {
	t := s.empty(x.computed(), x.Shape()...)
	v := x.View()
	check(s.dev.backend.Copy(s.stream, t.v.Ptr(), v.Ptr(), v.Bytes()))
	return t
}

// Overwrites tells that results are best written over operands that nobody needs any more, and made in parts that stay in the caches from one op to the
// next, see [Scope.Together]: on the CPU, while ops are neither recorded nor traced. Else a device wants much to do at once.
func (s *Scope) Overwrites() bool { return s.dev.IsCPU() && s.tape == nil && s.trace == nil }

// Together is how many of n items are best taken through a layer at once where the scope overwrites, if the widest op holds `size` numbers for each and the
// layer's weights have so many bytes; all n elsewhere, and where the weights alone fill the caches, for each part would read them anew.
func (s *Scope) Together(n, size, weights int) int {
	const (
		numbers = 5 << 18  // 5 MiB of float32: the other ops' and the weights fit the last-level cache beside them
		caches  = 16 << 20 // bytes
	)
	if !s.Overwrites() || n == 0 || weights > caches {
		return n
	}
	parts := max(1, (n*size+numbers-1)/numbers)
	return (n + parts - 1) / parts
}

func run[A any](s *Scope, op *kernels.Op[A], a A) {
	check(op.Do(s.stream, a))
}
