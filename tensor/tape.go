package tensor

import "syntic/kernels"

// tape is the list of recorded ops, in order.
type tape struct {
	steps  []step
	ops    map[any]resetter // of each type of op, the arena in which steps lie
	lists  []*Tensor        // operands of ops that have any number
	paused bool
	grads  *Gradients // of the last Backward, for the next after a Reset
}

func (t *tape) reset() {
	clear(t.steps[:cap(t.steps)])
	clear(t.lists[:cap(t.lists)])
	t.steps, t.lists = t.steps[:0], t.lists[:0]
	for _, of := range t.ops {
		of.reset()
	}
	if g := t.grads; g != nil {
		clear(g.m)
		clear(g.users)
		clear(g.loose[:cap(g.loose)])
		g.loose, g.idle = g.loose[:0], true
	}
}

type step struct {
	out *Tensor
	op  gradient
}

// Gradients are the result of Backward; they live in its scope.
type Gradients struct {
	s     *Scope
	m     map[*Tensor]*Tensor
	users map[*buffer]int // how many entries of m lie in a buffer
	idle  bool            // since a Reset
	loose []*Tensor       // gradients that lost an entry: freed after the step, if it was the last
}

// Of is the gradient of a parameter or a tensor that was watched; nil if the loss does not depend on it.
func (g *Gradients) Of(t *Tensor) *Tensor { return g.m[t] }

// tracks tells whether an op on these operands is to be recorded. Absent operands are nil.
func (s *Scope) tracks(ins ...*Tensor) bool {
	if s.tape == nil || s.tape.paused {
		return false
	}
	found := false
	for _, t := range ins {
		if t != nil && t.needs {
			refuseHalf(t)
			found = true
		}
	}
	return found
}

// wants tells whether a gradient of t is of use.
func (t *Tensor) wants() bool { return t != nil && t.needs }

// Add adds d to the gradient of t. The tensor d, made in b's scope, belongs to the gradients afterwards and may be changed or freed when the
// step is done, unless it is someone's dout; a step that goes on reading d must not add to the same t before it has.
func (b *Gradients) Add(t, d *Tensor) {
	if !t.wants() {
		return
	}
	old := b.m[t]
	if old == nil {
		b.set(t, d)
		return
	}
	sum := b.owned(t)
	if sum == nil {
		sum = b.s.Empty(t.Shape()...)
		b.drop(t)
		b.set(t, sum)
	}
	n := t.Len()
	run(b.s, kernels.Binary, kernels.BinaryArgs{Kind: kernels.Add, A: old.as(1, 1, n), B: d.as(1, 1, n), Out: sum.as(1, 1, n), Alpha: 1, Beta: 1})
	b.loose = append(b.loose, d)
}

// owned is the gradient of t if it has one that may be changed in place: its memory is no other tensor's gradient.
func (b *Gradients) owned(t *Tensor) *Tensor {
	if d := b.m[t]; d != nil && b.users[d.buf] == 1 {
		return d
	}
	return nil
}

func (b *Gradients) set(t, d *Tensor) {
	b.m[t] = d
	b.users[d.buf]++
}

func (b *Gradients) drop(t *Tensor) {
	d := b.m[t]
	delete(b.m, t)
	b.users[d.buf]--
	b.loose = append(b.loose, d)
}

// sweep frees what no gradient uses any more, so that the next steps work in memory that is still in the caches.
func (b *Gradients) sweep() {
	for _, d := range b.loose {
		if b.users[d.buf] == 0 {
			delete(b.users, d.buf)
			b.s.Free(d)
		}
	}
	b.loose = b.loose[:0]
}

// NoGrad runs fn without recording.
func (s *Scope) NoGrad(fn func()) {
	if s.tape == nil {
		fn()
		return
	}
	old := s.tape.paused
	s.tape.paused = true
	defer func() { s.tape.paused = old }()
	fn()
}

// Detach is the same memory, through which no gradient flows.
func (s *Scope) Detach(t *Tensor) *Tensor { return s.twin(Tensor{v: t.View(), buf: t.buf, dev: t.dev}) }

// Watch is the same memory as a leaf whose gradient Backward gives: for inputs that are not parameters.
func (s *Scope) Watch(t *Tensor) *Tensor {
	return s.twin(Tensor{v: t.View(), buf: t.buf, dev: t.dev, needs: true})
}

// twin is a tensor on memory of another, its header in the scope.
func (s *Scope) twin(of Tensor) *Tensor {
	t := s.root.views.next()
	*t = of
	return t
}

// Backward gives the gradients of loss, a tensor of one element, and forgets the tape. It panics with an *Error if the scope does not record or
// loss does not depend on anything that needs a gradient.
func (s *Scope) Backward(loss *Tensor) *Gradients {
	if s.tape == nil {
		fail("backward: the scope was made without WithTape")
	}
	if loss.Len() != 1 || !loss.needs {
		fail("backward of %v: want one element that depends on a parameter", loss)
	}
	steps := s.tape.steps
	s.tape.steps, s.tape.paused = nil, true
	defer func() { s.tape.paused = false }()
	b := s.tape.grads
	if b == nil || !b.idle {
		b = &Gradients{s: s, m: map[*Tensor]*Tensor{}, users: map[*buffer]int{}}
		s.tape.grads = b
	}
	b.idle = false
	b.set(loss, s.Full(1, loss.Shape()...))
	for i := len(steps) - 1; i >= 0; i-- {
		st := steps[i]
		if d := b.m[st.out]; d != nil {
			st.op.back(b, d)
			b.drop(st.out)
			b.sweep()
		}
		steps[i] = step{}
	}
	s.tape.steps = steps[:0]
	return b
}
